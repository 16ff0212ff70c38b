"""How far it is from an image to a figure: files of the package that one has to read."""

import sys
from pathlib import Path

import joblib
import pytest

from lightlab.workbook import display, record
from lightlab.workbook.project import PACKAGE, Project

PROJECT = Project.find(Path(__file__).parents[2])
MOST = 29  # 48 when it was first counted


@pytest.mark.notebook
def test_few_files_lie_between_the_images_and_a_figure_of_06(tmp_path, monkeypatch):
    """In which a line runs from `data.load` on, until the figure "plane" is saved."""
    notebook = PROJECT.notebooks["06_mobilenet"]

    def start(name, values):
        return record.Record(name, tmp_path, dict(values), None, tmp_path / "kept", notebook)

    monkeypatch.setattr(record, "start", start)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 1)  # trained here, where it is seen
    few = {"resolutions": [32], "widths": [0.125, 0.25, 0.375, 0.5], "epochs": 0.25}
    run, values, begun = set(), {}, False
    for text in display.cells(notebook):
        if "run.knob" in text:
            continue
        begun |= "data.load" in text
        sys.setprofile((lambda frame, *_: run.add(frame.f_code)) if begun else None)
        try:
            exec(compile(text, "a cell", "exec"), values)
        finally:
            sys.setprofile(None)
        if "seed: int" in text:
            values |= few
        if '"plane"' in text:
            break
    files = {Path(code.co_filename) for code in run if code.co_name != "<module>"}
    ours = sorted(str(p) for p in files if p.is_relative_to(PACKAGE))
    assert len(ours) <= MOST, ours

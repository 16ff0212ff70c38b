"""The blessed run in git is whole."""

import json
from pathlib import Path

import pytest

from lightlab import published
from lightlab.workbook.review import results

ROOT = Path(__file__).parents[3]
REFERENCE = results.read(ROOT / "results" / "reference")
# a notebook that was run with another profile, too, stands beside as <notebook>@run=<run>
PLAIN = [u for u in REFERENCE.units if "@" not in u.name]


def test_every_notebook_is_in_the_reference():
    names = sorted(p.stem for p in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    assert [u.name for u in PLAIN] == names
    assert REFERENCE.about["provenance"]["git_dirty"] is False


@pytest.mark.parametrize("unit", REFERENCE.units, ids=lambda u: u.name)
def test_every_file_that_a_record_names_is_there(unit):
    record = json.loads((unit.folder / "record.json").read_text())
    entries = [*record["figures"], *record["tables"]]
    assert entries
    assert [n for e in entries for n in e["files"] if not (unit.folder / n).is_file()] == []


def test_every_named_headline_is_a_figure_of_the_reference():
    chosen = published.read_yaml("headlines/14_summary.yaml")
    figures = {u.name: u.figures() for u in REFERENCE.units}
    assert [n for n, figure in chosen.items() if figure not in figures.get(n, ())] == []

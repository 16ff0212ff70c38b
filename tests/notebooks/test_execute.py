"""Every notebook, executed end to end by papermill in the profile smoke."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightlab import published
from lightlab.workbook import manifest
from lightlab.workbook.project import Project, needs

PROJECT = Project.find(Path(__file__).parents[2])


def needed(name):
    return set(needs(PROJECT.notebooks[name]))


ROOM, CORE = "lightlab/chapters/ch{}/", ("lightlab/show/", "lightlab/fit/figures.py")
# what another notebook needs is executed with that one
LAST = [n for n in PROJECT.notebooks if not any(n in needed(other) for other in PROJECT.notebooks)]


@pytest.mark.notebook
@pytest.mark.parametrize("name", LAST)
def test_runs_through_the_runner(name, tmp_path):
    """In a workbook of its own, so that tests share no run folder."""
    for folder in ("notebooks", "params"):
        (tmp_path / folder).symlink_to(PROJECT.root / folder)
    done = subprocess.run(
        [sys.executable, "-m", "lightlab", "run", name, "--profile", "smoke", "--jobs", "2"],
        cwd=tmp_path,
        env=os.environ | {"LIGHTLAB_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for one in {name, *needed(name)}:
        check(one, tmp_path / "results" / "smoke" / one)


def check(name, folder):
    """What was executed is complete."""
    record = json.loads((folder / "record.json").read_text())
    assert record["finished"]
    assert record["tables"]
    cells = json.loads(PROJECT.notebooks[name].read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert record["figures"]
    for figure in record["figures"]:  # one hop from a figure to the code that drew it
        assert figure["drawn_by"]["file"].startswith((ROOM.format(name), *CORE)), figure["name"]
        assert f'"{figure["name"]}"' in code[figure["cell"] - 1]
    checked = json.loads((folder / "claims.json").read_text())
    assert {c["id"] for c in checked} == set(published.claims(name))
    assert manifest.damaged(folder, json.loads((folder / "manifest.json").read_text())) == []
    assert (folder / "notebook.html").stat().st_size > 10_000
    assert str(folder.parents[2]) not in json.dumps(
        json.loads((folder / "notebook.ipynb").read_text())["metadata"]
    )


@pytest.mark.notebook
def test_raw_papermill_needs_no_runner(tmp_path):
    """papermill -f params/…: records go to results/interactive/."""
    name = next(iter(PROJECT.notebooks))
    for folder in ("notebooks", "params"):
        (tmp_path / folder).symlink_to(PROJECT.root / folder)
    words = [f"notebooks/{name}.ipynb", "out.ipynb", "-f", f"params/smoke/{name}.yaml"]
    papermill = str(Path(sys.executable).with_name("papermill"))
    env = os.environ | {"LIGHTLAB_ROOT": str(tmp_path)}
    done = subprocess.run(
        [papermill, *words], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "results" / "interactive" / name / "record.json").read_text())
    assert record["finished"]

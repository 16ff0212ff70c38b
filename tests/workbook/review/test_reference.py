"""The blessed run in git is whole, and the README tells its counts as they are."""

import json
import re
from pathlib import Path

import pytest

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


def test_the_readme_counts_the_verdicts_of_the_reference():
    verdicts = [c["verdict"] for u in PLAIN for c in u.claims]
    words = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    counts = [verdicts.count(v) for v in ("reproduced", "not reproduced", "inconclusive")]
    told = "run {} are reproduced, {} are not, and {} stay open".format(*counts)
    assert f"Of {len(verdicts)} claims in the reference {told}" in words


def test_every_picture_of_the_readme_is_there():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert "results/reference/scoreboard.svg" in shown
    assert [name for name in shown if not (ROOT / name).is_file()] == []

"""What notebook 14 reads from the records of the others."""

import json

import pytest
from PIL import Image

from lightlab import disk
from lightlab.workbook import claims as verdicts
from lightlab.workbook import manifest, record
from lightlab.workbook.project import Project, WorkbookError
from lightlab.workbook.review import summary
from lightlab.workbook.running import plan
from lightlab.workbook.running.plan import Unit

CLAIM = {"id": "a", "sentence": "S", "source": "P 2019, table 1", "kind": "within", "unit": "s",
         "published": "2", "measured": "m", "holds_in": [1.0, 3.0], "profile": "quick"}  # fmt: skip
MACHINE = {"cpu": "X", "gpu": None, "packages": {"torch": "2"}}


def checked(measured, **more) -> dict:
    return verdicts.check(CLAIM | more, measured, "quick")


@pytest.fixture
def book(workbook, monkeypatch):
    """01_a, 02_b and 09_sum, which needs both, outside the runner."""
    for name in ("01_a", "02_b", "09_sum"):
        needs = ["01_a", "02_b"] if name == "09_sum" else []
        path = workbook.add(name, needs=needs)
        nb = json.loads(path.read_text())
        words = f"# {name[:2]} Title\n\n**Why {name}?**\n\nMore."
        first = {"cell_type": "markdown", "id": "first", "metadata": {}, "source": words}
        nb["cells"].insert(0, first)
        path.write_text(json.dumps(nb))
    monkeypatch.chdir(workbook.root)
    return workbook


def save(book, name, claims=(), finished=True, figures=("f", "g"), **about):
    """The record of a notebook, made by hand."""
    folder = book.root / "results" / "interactive" / name
    pictures = [{"name": n, "caption": f"C {n}.", "files": [f"figures/{n}.png"]} for n in figures]
    for picture in pictures:
        path = folder / picture["files"][0]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (80, 40), "white").save(path)
    disk.write_json(folder / "record.json", {"finished": finished, "figures": pictures})
    disk.write_json(folder / "claims.json", list(claims))
    about = {"provenance": MACHINE, "files": manifest.hashes(folder)} | about
    disk.write_json(folder / "manifest.json", about)


def read():
    return summary.read(record.start("09_sum", {"seed": 0}))


@pytest.fixture
def units(book):
    """Six claims of two notebooks, the second reads the first."""
    day = "2026-01-01T00:0"
    first = [checked(2.0), checked(5.0, note="misprint")]
    about = {"started": f"{day}0:00+00:00", "ended": f"{day}1:00+00:00", "peak_memory_mib": 512}
    save(book, "01_a", first, seconds=60.0, **about)
    open_ones = [checked(2.0, profile="paper"), checked([]), checked([2.0]), checked([0.9, 2, 3])]
    about = {"started": f"{day}0:50+00:00", "ended": f"{day}1:30+00:00", "peak_memory_mib": 2048}
    save(book, "02_b", open_ones, seconds=40.0, needs=["01_a"], **about)
    return read()


def test_all_that_is_missing_or_unfinished_is_told_at_once(book):
    save(book, "01_a", finished=False)
    with pytest.raises(WorkbookError) as told:
        read()
    text = str(told.value)
    assert "01_a: did not finish" in text
    assert "02_b: has no results" in text
    assert "run it first" in text


def test_claims_come_in_the_order_of_the_notebooks_and_open_ones_say_what_they_lack(units):
    table = summary.claims(units)
    assert list(table["notebook"]) == ["01 Title"] * 2 + ["02 Title"] * 4
    assert list(table["verdict"][:3]) == ["reproduced", "not reproduced", "inconclusive"]
    assert list(table["note"][:2]) == ["", "misprint"]
    assert table["published"][0] == "2 s"
    assert table["ours"][0] == "2 s"
    assert table["ours"][3] == "not measured"
    assert table["ours"][4] == "2 s, n\u00a0=\u00a01, no interval"
    assert table["ours"][5].startswith("2.0 s [−0.6, 4.6]")
    assert table["ours"][5].endswith("n\u00a0=\u00a03")
    lacks = ["the profile paper", "a value: none was measured", "more than one seed"]
    assert list(table["decided_by"]) == ["", "", *lacks, "a narrower interval"]
    p = checked(0.2, kind="test", holds_in=[None, 0.05])
    assert summary._decided_by(p) == "more samples"


def test_costs_count_those_that_read_a_notebook_and_only_what_was_recorded(book, units):
    table = summary.costs(units)
    assert table["seconds"].tolist() == [60, 40]
    assert table["readers_s"].tolist() == [40, 0]
    assert table["peak_gib"].tolist() == [0.5, 2]
    for name in ("01_a", "02_b"):
        save(book, name, [checked(2.0)])  # without the runner
    assert summary.costs(read())[["seconds", "peak_gib", "started", "ended"]].isna().all(axis=None)


def test_the_first_figure_stands_for_a_notebook_unless_another_is_named(units, monkeypatch):
    monkeypatch.setattr(summary, "read_yaml", lambda _: {"02_b": "g"})
    pages = summary.headlines(units)
    assert pages["figure"].tolist() == ["f", "g"]
    assert pages["question"].tolist() == ["Why 01_a?", "Why 02_b?"]
    assert pages["caption"][1] == "C g."
    monkeypatch.setattr(summary, "read_yaml", lambda _: {"02_b": "gone"})
    with pytest.raises(ValueError, match="02_b has no PNG of a figure 'gone'"):
        summary.headlines(units)


def test_a_changed_file_is_found(units):
    again = summary.recheck(units)
    assert (again["files"], again["damaged"]) == (8, 0)
    (units[0].folder / "claims.json").write_text("[]")
    assert summary.recheck(units)["damaged"] == 1


def test_who_reads_pictures_and_times_is_stale_after_each_execution(book):
    """The others only where tables, claims or artifacts came out differently."""
    save(book, "01_a", seconds=1.0)
    run, project = book.root / "results" / "interactive", Project(book.root)

    def inputs() -> list[str]:
        reader = Unit("09_sum", "09_sum", {}, ("01_a",))
        return plan.hashes(project, reader, run)["inputs"]

    before = inputs()
    save(book, "01_a", seconds=2.0)
    assert inputs() == before
    path = book.root / "notebooks" / "09_sum.ipynb"
    nb = json.loads(path.read_text())
    nb["metadata"]["lightlab"]["whole"] = True
    path.write_text(json.dumps(nb))
    before = inputs()
    save(book, "01_a", seconds=3.0)
    assert inputs() != before

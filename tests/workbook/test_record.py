"""What a notebook saves, and what the record refuses."""

import json
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml

from lightlab import published
from lightlab.show import marks
from lightlab.workbook import claims, display, manifest, record
from lightlab.workbook.project import WorkbookError

DF = pd.DataFrame({"name": ["a_b", "50 %"], "value": [1.23456789, float("nan")]})


@pytest.fixture(autouse=True)
def here(workbook, monkeypatch):
    monkeypatch.chdir(workbook.root)


@pytest.fixture
def run(workbook):
    workbook.add("01_a")
    return record.start("01_a", {"seed": 5, "n": 3})


def saved(run) -> dict:
    return json.loads((run.folder / "record.json").read_text())


def test_by_hand_long_work_goes_on_under_the_same_code_and_cells_up_to_its_own(
    workbook, monkeypatch
):
    def asked(*cells):
        workbook.add("01_a", *cells)
        run = record.start("01_a", {"seed": 5, "n": 3})
        return run.unfinished("one"), run.unfinished("two")

    cells = ["x = 1", "a = run.unfinished('one')", 'b = f(run.unfinished(\n"two"))', "show()"]
    before = asked(*cells)
    assert asked(*cells[:-1], "show(b)") == before
    one, two = asked(*cells[:2], 'y = 2\nb = f(run.unfinished(\n"two"))')
    assert one == before[0]
    assert two != before[1]
    assert not set(asked("x = 2", *cells[1:])) & set(before)
    workbook.add("01_a", *cells)
    run = record.start("01_a", {"seed": 5, "n": 3})
    workbook.add("01_a", "x = 3", *cells[1:])  # edited and saved since
    assert run.unfinished("one") != before[0]
    one, same = (record.start("01_a", {"seed": 5, "n": 3}).unfinished("x") for _ in range(2))
    monkeypatch.setattr(record, "_code", lambda: [["nets/build.py", 1]])
    assert one == same != record.start("01_a", {"seed": 5, "n": 3}).unfinished("x")


def test_outside_the_runner_records_go_to_interactive(run, workbook):
    assert run.folder == workbook.root / "results" / "interactive" / "01_a"
    assert run.seed == 5
    draws = [run.rng(tag).random() for tag in "aab"]
    assert draws[0] == draws[1] != draws[2]
    assert not saved(run)["finished"]
    run.finish()
    assert saved(run)["finished"]
    facts = json.loads((run.folder / "manifest.json").read_text())
    assert facts["params"] == {"seed": 5, "n": 3}
    assert facts["provenance"]["packages"]["torch"]


def test_outside_the_runner_values_are_checked_and_tell_the_profile(workbook):
    workbook.add("01_a", profiles=("smoke", "quick"))
    workbook.values("01_a", "n: 7\n", "quick")
    assert record.start("01_a", {"seed": 0, "n": 3}).profile == "smoke"
    assert record.start("01_a", {"seed": 0, "n": 7}).profile == "quick"
    assert record.start("01_a", {"seed": 0, "n": 8}).profile is None
    with pytest.raises(WorkbookError, match="n = 1000: out of range"):
        record.start("01_a", {"seed": 0, "n": 1000})


def test_unfinished_work_is_kept_until_the_notebook_has_finished(run):
    (run.unfinished("trainings") / "0.txt").write_text("half")
    again = record.start("01_a", {"seed": 5, "n": 3})
    assert (again.unfinished("trainings") / "0.txt").read_text() == "half"
    other = record.start("01_a", {"seed": 6, "n": 3})
    assert not list(other.unfinished("trainings").iterdir())
    again = record.start("01_a", {"seed": 5, "n": 3})
    again.finish()
    assert not list(again.unfinished("trainings").iterdir())


def test_a_figure_is_saved_three_ways_and_shown_and_equal_ones_are_equal_bytes(run):
    def draw(name):
        fig, ax = plt.subplots()
        ax.plot([1, 3, 2])
        ax.set_title("same")
        shown = run.figure(fig, name, caption="A <b>.", data=DF)
        return shown, (run.folder / "figures" / f"{name}.svg").read_text().replace(name, "x")

    shown, svg = draw("first")
    names = ["figures/first.svg", "figures/first.png", "figures/first.csv"]
    entry = {"name": "first", "caption": "A <b>.", "files": names}
    by_hand = {"drawn_by": {}, "cell": None}
    assert saved(run)["figures"] == [entry | by_hand]
    assert all((run.folder / n).stat().st_size > 0 for n in names)
    assert 'id="fig-first"' in shown.data
    assert "A &lt;b&gt;." in shown.data
    assert plt.get_fignums() == []
    assert draw("second")[1] == svg


def test_a_table_is_saved_three_ways_and_escaped(run):
    run.table(DF, "t", caption="50 % & more", volatile=["value"])
    folder = run.folder / "tables"
    assert pd.read_csv(folder / "t.csv")["value"][0] == 1.23456789
    assert "1.23" in (folder / "t.md").read_text()
    tex = (folder / "t.tex").read_text()
    assert r"a\_b" in tex
    assert r"50 \% \& more" in tex
    assert saved(run)["tables"][0]["volatile"] == ["value"]
    run.table(pd.DataFrame({"version": ["1.10", "a|b"], "n": [1, 2]}), "u", caption="c")
    rows = (folder / "u.md").read_text().splitlines()
    assert rows[2].split() == ["|", "1.10", "|", "1", "|"]
    assert r"a\|b" in rows[3]
    with pytest.raises(ValueError, match="no columns"):
        run.table(DF, "t", caption="c", tolerance={"valu": 0.1})


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden", "a b"])
def test_a_name_cannot_leave_the_folder(run, name):
    with pytest.raises(ValueError, match="file name"):
        run.table(DF, name, caption="c")
    with pytest.raises(ValueError, match="file name"):
        run.unfinished(name)


def test_a_promised_artifact_has_to_be_there(run):
    path = run.artifact("net.json")
    with pytest.raises(FileNotFoundError, match=r"artifacts/net\.json"):
        run.finish()
    path.write_text("{}")
    run.finish()


def test_claims_have_to_be_known_and_all_measured(workbook, monkeypatch, tmp_path):
    (tmp_path / "claims").mkdir()
    claim = {"id": "a.b", "sentence": "<S>", "source": "A", "measured": "m", "profile": "smoke"}
    claim |= {"kind": "exact", "published": 3}
    (tmp_path / "claims" / "01_a.yaml").write_text(yaml.safe_dump([claim]))
    monkeypatch.setattr(published, "_HERE", tmp_path)
    workbook.add("01_a")
    run = record.start("01_a", {})
    with pytest.raises(KeyError, match=r"a\.c"):
        run.claim("a.c", 3)
    with pytest.raises(ValueError, match=r"without a measurement: a\.b"):
        run.finish()
    run.claim("a.b", 3)
    shown = run.finish()
    assert 'id="claim-a.b"' in shown.data
    assert "&lt;S&gt;" in shown.data
    assert json.loads((run.folder / "claims.json").read_text())[0]["verdict"] == claims.REPRODUCED


def test_needs_outside_the_runner_are_the_interactive_results(run):
    with pytest.raises(FileNotFoundError, match="no results of 00_x"):
        run.inputs("00_x")
    (run.folder.parent / "00_x").mkdir()
    assert run.inputs("00_x") == [run.folder.parent / "00_x"]


def test_threads_may_be_a_list_for_nested_loops(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "3,1")
    assert manifest.provenance(tmp_path)["threads"] == 3


def test_a_data_path_counts_from_the_workbooks_root_and_is_recorded_so(run, workbook):
    located = run.locate("parquet:../shared/cifar10")
    assert located == f"parquet:{workbook.root.parent / 'shared/cifar10'}"
    assert run.locate("digits") == "digits"
    assert run.locate("hf:uoft-cs/cifar10") == "hf:uoft-cs/cifar10"
    run.data(SimpleNamespace(spec=located, fingerprint="ab"))
    assert saved(run)["data"][0]["spec"] == "parquet:../shared/cifar10"


def test_a_figure_says_which_function_drew_it_and_which_cell_asked(workbook):
    """In its record, and folded beneath it on both pages."""
    draw = (
        "import numpy as np\nfrom lightlab.show import marks\n"
        "run.figure(marks.pictures(np.zeros((2, 4, 4)), ['a', 'b']), 'zeros', caption='Zeros.')"
    )
    workbook.add_recorded("01_a", draw)
    workbook("run")
    (figure,) = workbook.json("quick", "01_a", "record.json")["figures"]
    drawn = figure["drawn_by"]
    assert (drawn["function"], drawn["file"]) == ("marks.pictures", "lightlab/show/marks.py")
    assert drawn["source"].startswith("def pictures(")
    cells = json.loads((workbook.root / "notebooks" / "01_a.ipynb").read_text())["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert code[figure["cell"] - 1] == draw
    folder = workbook.root / "results" / "quick"
    for page in (folder / "index.html", folder / "01_a" / "notebook.html"):
        text = page.read_text()
        assert "drawn by <code>marks.pictures</code>, lightlab/show/marks.py:" in text
        assert "def pictures(" in text


def test_a_figure_is_kept_whatever_became_of_its_code_and_its_notebook(run, workbook, monkeypatch):
    def changed(_):
        raise OSError("lineno is out of bounds")

    monkeypatch.setattr(display.inspect, "getsource", changed)
    (workbook.root / "notebooks" / "01_a.ipynb").unlink()
    shown = run.figure(marks.pictures(np.zeros((1, 4, 4)), ["a"]), "zeros", caption="Zeros.")
    assert "drawn by <code>marks.pictures</code>" in shown.data
    assert "<pre>" not in shown.data
    (figure,) = saved(run)["figures"]
    assert figure["drawn_by"]["function"] == "marks.pictures"
    assert (figure["drawn_by"]["source"], figure["cell"]) == ("", None)
    monkeypatch.setattr(display.inspect, "getsource", lambda _: "def another():\n    pass\n")
    run.figure(marks.pictures(np.zeros((1, 4, 4)), ["a"]), "zeros", caption="Zeros.")
    assert saved(run)["figures"][0]["drawn_by"]["source"] == ""

"""The commands as a user types them."""

import contextlib
import json
import os
import pty
import re
import subprocess

START = "from lightlab.workbook import record\nrun = record.start({!r}, globals())"


def test_help_says_what_each_command_is_for(workbook):
    printed = workbook("--help")
    for command in ("run", "list", "params", "report", "compare", "verify", "bless", "clean"):
        assert f" {command} " in printed
        assert len(workbook(command, "--help").split()) > 20


def test_a_run_leaves_everything_that_the_design_names(workbook):
    workbook.add_recorded("01_a")
    printed = workbook("run", "-p", "n=4", "--name", "mine")
    assert "results/mine/index.html" in printed
    folder = workbook.root / "results/mine"
    names = "notebook.ipynb notebook.html params.yaml log.txt manifest.json record.json"
    names += " tables/numbers.csv tables/numbers.md tables/numbers.tex ../run.json ../index.html"
    assert [n for n in names.split() if not (folder / "01_a" / n).is_file()] == []
    facts = workbook.json("mine", "01_a", "manifest.json")
    assert facts["params"]["n"] == 4
    assert facts["seeds"] == [0]
    assert facts["peak_memory_mib"] > 10
    assert [c["index"] for c in facts["cells"]] == [1, 2, 3, 4, 5]
    for key in ("git_commit", "git_dirty", "python", "packages", "cpu", "cores", "threads", "os"):
        assert key in facts["provenance"]
    assert set(facts["files"]) >= {"notebook.ipynb", "tables/numbers.csv", "record.json"}
    metadata = json.dumps(workbook.json("mine", "01_a", "notebook.ipynb")["metadata"])
    assert str(workbook.root) not in metadata


def test_a_notebook_reads_the_results_that_it_needs(workbook):
    workbook.add_recorded("01_a")
    read = "import pandas as pd\npath = run.inputs('01_a')[0] / 'tables/numbers.csv'"
    show = "print(len(pd.read_csv(path)))"
    workbook.add("02_b", START.format("02_b"), f"{read}\n{show}", "run.finish()", needs=("01_a",))
    workbook("run", "02", "-p", "n=6")
    assert "\n6\n" in (workbook.root / "results/quick/02_b/log.txt").read_text()
    workbook.add_recorded("01_a", "print('changed')")  # is not called up to date
    printed = workbook("run", "02", "--only", "-p", "n=6")
    assert "all 1 notebooks are up to date. 1 others are taken as they are." in printed


def test_follow_shows_what_notebooks_print_as_they_print_it_and_their_last_words(workbook):
    talk = "import time\nfor i in range(3):\n    print('line', i); time.sleep(0.5)"
    workbook.add("01_a", talk, "raise ValueError('last words')")
    printed = workbook("run", "--follow", code=1)
    for words in ("line 0", "line 2", "ValueError: last words"):
        assert f"01_a | {words}" in printed


def test_in_a_terminal_a_live_table_shows_where_each_notebook_stands(workbook):
    workbook.add("01_a", "import time; time.sleep(2)")
    workbook.add("02_b", "1 / 0")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        workbook.command("run"),
        cwd=workbook.root,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"},
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # Linux: reading from a terminal that was closed
        while chunk := os.read(ours, 4096):
            seen += chunk
    assert process.wait(30) == 1
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())
    assert re.search(r"▶ +01_a +3/3", text)
    assert re.search(r"✓ +01_a", text)
    assert re.search(r"✗ +02_b", text)


def test_verify_passes_on_what_comes_out_again_and_fails_on_what_does_not(workbook):
    workbook.add_recorded("01_same")
    workbook.add("03_unrecorded", "print(1)")
    moving = "run.table(pd.DataFrame({'t': [__import__('random').random()]}), 'clock', caption='c')"
    workbook.add_recorded("02_moves", moving)
    workbook("run")
    printed = workbook("verify", "quick", code=1)
    assert "02_moves: table clock" in printed
    assert "moved" in printed
    assert "01_same: " not in printed
    assert "another processor" not in printed
    path = workbook.root / "results/quick/02_moves/manifest.json"
    facts = json.loads(path.read_text())
    facts["provenance"]["cpu"] = "another one"
    path.write_text(json.dumps(facts))
    printed = workbook("verify", "quick", "--notebook", "02", code=1)
    assert "another one" in printed
    assert "adds up in another order" in printed
    printed = workbook("verify", "quick", "--notebook", "01", "--notebook", "03")
    assert "came out again" in printed
    assert "another one" not in printed  # of a notebook that was not asked for


def test_a_blessed_run_is_small_can_be_compared_with_and_stays(workbook):
    workbook.add_recorded("01_a")
    workbook("run")
    workbook("bless", "quick")
    kept = workbook.root / "results/reference/01_a"
    assert (kept / "tables/numbers.csv").is_file()
    assert not (kept.parent / "scoreboard.svg").exists()  # there is no claim to draw
    assert not (kept / "notebook.ipynb").exists()
    index = workbook.root / "results/quick/index.html"
    index.unlink()
    workbook("report", "quick")
    assert index.is_file()
    assert ".html" in workbook("compare", "reference", "quick")
    for words in (["report", "x"], ["compare", "x", "y"], ["verify", "quik"]):
        printed = workbook(*words, code=2)
        assert "there is no results/" in printed
        assert len(printed.strip().splitlines()) == 1
    workbook.add("01_a", "1 / 0")
    workbook("run", code=1)
    assert "not finished: 01_a" in workbook("bless", "quick", code=2)
    # the reference is no run, and no cleaning removes it
    assert "is the reference itself" in workbook("bless", "reference", code=2)
    for name in ("reference", "interactive"):
        assert "is reserved" in workbook("run", "--name", name, code=2)
    for run in ("a", "b"):
        kept.parent.with_name(run).mkdir()
    workbook("clean", "a", "--yes")
    left = {p.name for p in (workbook.root / "results").iterdir()}
    assert left >= {"b", "quick", "reference"}
    assert "a" not in left
    workbook("clean", "--yes")
    assert [p.name for p in (workbook.root / "results").iterdir()] == ["reference"]
    assert "never run" in workbook("list")  # what git holds is no result of this machine
    assert (kept / "tables/numbers.csv").is_file()


def test_single_notebooks_and_other_runs_join_a_reference(workbook):
    reference = workbook.root / "results/reference"

    def units() -> list[str]:
        return [u["unit"] for u in workbook.json("reference", "run.json")["units"]]

    def text(unit: str, file: str = "params.yaml") -> str:
        return (reference / unit / file).read_text()

    workbook.add_recorded("01_a")
    workbook.add_recorded("02_b", profiles=("quick", "smoke"))
    workbook("run")
    workbook("bless", "quick")
    before = text("02_b", "manifest.json")
    workbook("run", "-p", "n=5")
    workbook.values("01_a", "n: 7\n", "smoke")
    workbook("run", "01", "--name", "other", "--profile", "smoke")
    printed = workbook("bless", "quick", "other", "--notebook", "01")
    assert "now has 01_a of quick and other" in printed
    assert units() == ["01_a", "02_b", "01_a@run=other"]
    assert "n: 5" in text("01_a")
    assert text("02_b", "manifest.json") == before
    printed = workbook("bless", "other", "--notebook", "02", code=2)
    assert "02_b: is in none of these runs" in printed
    began = workbook.json("quick", "run.json")["started"]
    assert workbook.json("reference", "run.json")["started"] < began
    workbook("bless", "quick", "--notebook", "01", "--notebook", "02")
    assert workbook.json("reference", "run.json")["started"] == began  # all of it is of that run
    assert (reference / "01_a@run=other").is_dir()
    workbook("bless", "quick", "other")  # whole runs
    assert units() == ["01_a", "02_b", "01_a@run=other"]
    assert "n: 5" in text("01_a")
    assert "n: 7" in text("01_a@run=other")
    printed = workbook("verify", "reference")
    assert "Of other runs, and not verified: 01_a@run=other" in printed
    assert "every table and claim of 2 notebooks came out again" in printed
    workbook("report", "reference")


def test_a_sweep_with_needs_is_up_to_date_and_can_be_verified(workbook):
    workbook.add_recorded("01_a")
    reads, end = START.format("02_b") + "\nrun.inputs('01_a')", "run.finish()"
    workbook.add("02_b", reads, end, needs=("01_a",))
    workbook("run", "--sweep", "seed=1")
    assert sorted(workbook.states()) == ["01_a@seed=1", "02_b@seed=1"]
    assert workbook.json("quick", "01_a@seed=1", "manifest.json")["params"] == {"seed": 1, "n": 3}
    assert "stale" not in workbook("list")
    printed = workbook("verify", "quick", "--notebook", "02")
    assert "every table and claim of 2 notebooks came out again" in printed


def test_a_long_value_still_makes_a_folder(workbook):
    workbook.add("01_a", "print(kind)", parameters="kind: str = 'a'  # text")
    workbook("run", "--sweep", f"kind={'z' * 300},{'z' * 301}")
    assert list(workbook.states().values()) == ["ok", "ok"]

"""What runs, in which order, and what is up to date."""

import json
import shutil
import time

import pytest

from lightlab.workbook.project import Project, WorkbookError
from lightlab.workbook.running import plan
from lightlab.workbook.running.plan import Unit


def test_needs_come_along_and_first(workbook):
    workbook.add("01_a", needs=("02_b",))
    workbook.add("02_b")
    workbook.add("03_c")
    units = plan.make(Project(workbook.root), ["01"], "quick")
    assert [u.name for u in units] == ["02_b", "01_a"]
    assert units[1].needs == ("02_b",)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("02_b", (), "has to be a list of names"),
        (["02_b"], ["01_a"], "in a circle: 01_a → 02_b → 01_a"),
        ([], ["09_z"], "needs '09_z', which is not there"),
    ],
)
def test_needs_that_cannot_be_are_told(workbook, first, second, words):
    workbook.add("01_a", needs=first)
    workbook.add("02_b", needs=second)
    with pytest.raises(WorkbookError, match=words):
        plan.make(Project(workbook.root), [], "quick")


def test_a_sweep_multiplies_what_declares_the_name_and_links_equal_points(workbook):
    workbook.add("01_a")
    workbook.add("02_b", needs=("01_a",))
    workbook.add("03_c", needs=("01_a",), parameters="m: int = 1  # m")
    sweep = {"seed": ["0", "1"]}
    units = {u.name: u for u in plan.make(Project(workbook.root), [], "quick", {}, sweep)}
    assert units["02_b@seed=1"].needs == ("01_a@seed=1",)
    assert units["02_b@seed=1"].values["seed"] == 1
    assert units["03_c"].needs == ("01_a@seed=0", "01_a@seed=1")
    swept = plan.make(Project(workbook.root), ["01"], "quick", {}, sweep | {"n": ["2", "5"]})
    assert [u.name for u in swept] == [f"01_a@seed={s},n={n}" for s in (0, 1) for n in (2, 5)]


def test_the_source_hash_ignores_outputs_and_ids_but_not_words(workbook):
    path = workbook.add("01_a", "print(1)")
    project, unit = Project(workbook.root), Unit("01_a", "01_a", {})

    def source() -> str:
        return plan.hashes(project, unit, workbook.root)["source"]

    before = source()
    nb = json.loads(path.read_text())
    nb["cells"][1] |= {"id": "other", "execution_count": 7}
    nb["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
    path.write_text(json.dumps(nb))
    assert source() == before
    nb["cells"][1]["source"] = "print(2)"
    path.write_text(json.dumps(nb))
    assert source() != before


def test_only_what_a_notebook_imports_counts(workbook, tmp_path, monkeypatch):
    """A copy of the package, one module changed: just the notebooks that reach it are stale."""
    import lightlab

    copy = tmp_path / "copy" / "lightlab"
    shutil.copytree(lightlab.__path__[0], copy, ignore=shutil.ignore_patterns("__pycache__"))
    workbook.add("01_style", "from lightlab.show import style")
    workbook.add("02_record", "from lightlab.workbook import record")
    workbook.add("03_stats", "import lightlab.measure.stats as s")
    project = Project(workbook.root)
    monkeypatch.setattr(plan.resources, "files", lambda _: copy)

    def packages() -> dict[str, str]:
        units = [Unit(name, name, {}) for name in project.notebooks]
        return {u.name: plan.hashes(project, u, workbook.root)["package"] for u in units}

    def changed(path: str) -> list[str]:
        before = packages()
        (copy / path).write_text((copy / path).read_text() + "\n# changed\n")
        after = packages()
        return [n for n in after if after[n] != before[n]]

    assert changed("show/style.py") == ["01_style", "02_record"]  # record sets the style
    assert changed("measure/stats.py") == ["02_record", "03_stats"]  # record's claims use it
    assert changed("workbook/cli.py") == []
    assert changed("show/__init__.py") == ["01_style", "02_record"]
    (copy / "published/claims/02_record.yaml").write_text("[]")
    (copy / "published/other.yaml").write_text("[]")
    assert changed("published/claims/02_record.yaml") == ["02_record"]
    assert changed("published/other.yaml") == ["02_record"]


def test_changed_inputs_make_dependants_stale_equal_ones_do_not(workbook):
    workbook.add_recorded("01_a")
    workbook.add_recorded("02_b", needs=("01_a",))
    workbook("run")
    workbook.values("01_a", "seed: 0\n")  # the same value, only written down
    began = time.monotonic()
    printed, _ = workbook.start("run").communicate(timeout=60)  # as a user waits for it
    assert "Nothing to do: all 2 notebooks are up to date." in printed
    assert time.monotonic() - began < 6  # 3 s is the bar; the tests share two cores
    workbook.add_recorded("01_a", "print('other words, same table')")
    workbook("run")
    assert workbook.states() == {"01_a": "ok", "02_b": "up-to-date"}
    workbook.values("01_a", "n: 7\n")
    printed = workbook("run")
    assert "02_b  started (changed: inputs)" in printed
    workbook.values("02_b", "n: 5\n")
    assert "02_b  started (changed: params)" in workbook("run")
    assert workbook.states() == {"01_a": "up-to-date", "02_b": "ok"}


def test_list_tells_state_and_age(workbook):
    workbook.add_recorded("01_a")
    workbook.add("02_b", "1 / 0", needs=("01_a",))
    workbook.add("03_c")
    workbook("run", "01", "02", code=1)
    rows = {line.split()[0]: line for line in workbook("list").splitlines()[1:]}
    assert "up to date" in rows["01_a"]
    assert "failed: cell 3 raised ZeroDivisionError" in rows["02_b"]
    assert "never run" in rows["03_c"]
    workbook.add_recorded("01_a", "print(1)")
    assert "stale (changed: source)" in workbook("list")
    workbook.add_recorded("01_a")
    workbook.values("01_a", "n: 9\n")
    assert "stale (changed: params)" in workbook("list")


def test_a_changed_data_folder_makes_stale(workbook):
    workbook.add("01_a", "print(1)", parameters="dataset: str = 'csv:d.csv'  # data")
    (workbook.root / "d.csv").write_text("1")
    workbook("run")
    assert "Nothing to do" in workbook("run")
    (workbook.root / "d.csv").write_text("22")
    assert "changed: data" in workbook("run")


def test_data_below_home_and_bare_folders_are_looked_at(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for place in ("home/photos", "work/photos"):
        (tmp_path / place).mkdir(parents=True)
    root = tmp_path / "work"
    for value, file in (("imagefolder:~/photos", "home/photos/1.png"), ("photos", "work/photos/1")):
        before = plan._outside_data(root, {"dataset": value, "licence": "photos"})
        (tmp_path / file).write_bytes(b"new")
        after = plan._outside_data(root, {"dataset": value, "licence": "photos"})
        assert (len(before), len(after)) == (0, 1)


def test_magics_hide_no_imports(workbook):
    imports = "from lightlab.workbook import record"
    path = workbook.add("01_a", f"%load_ext autoreload\n{imports}", "!ls", "%%time\nx = 1")
    assert "lightlab.workbook.record" in plan._imported_names(path)
    path = workbook.add("02_b", imports, "x = $")
    assert "lightlab.nets.build" in plan._imported_names(path)  # not known: all counts

"""`make same`: what it compares; where nothing was compared it never says that nothing moved."""

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

PATH = Path(__file__).with_name("same.py")
NOTEBOOKS = ("04_a", "05_b")


@pytest.fixture
def same(tmp_path, monkeypatch):
    """The module, over a repository with two notebooks and one commit, in which nothing is run."""
    spec = importlib.util.spec_from_file_location("same", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = tmp_path / "root"
    for name in NOTEBOOKS:
        for file in (root / "notebooks" / f"{name}.ipynb", root / "params" / "smoke" / f"{name}.y"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("{}")
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], check=True)
    module.ROOT, module.ran = root, []

    def smoke(tree, name, _=()):
        module.ran.append(name)
        return results(tree / "results" / name, value=1 + (name == module.other))

    module.other = None
    monkeypatch.setattr(module, "smoke", smoke)
    return module


def results(run, value, names=NOTEBOOKS):
    """A run of these notebooks with a claim of this value each."""
    units = [{"unit": n, "notebook": n, "state": "ok"} for n in names]
    for name in names:
        (run / name).mkdir(parents=True, exist_ok=True)
        claim = {"id": "a.b", "verdict": "open", "value": value, "n": 1, "ci_low": 0, "ci_high": 3}
        for file, content in {"manifest": {}, "record": {}, "claims": [claim]}.items():
            (run / name / f"{file}.json").write_text(json.dumps(content))
    (run / "run.json").write_text(json.dumps({"units": units}))
    return run


def says(same, capsys, *words):
    """(exit code or last words, what it printed)."""
    with pytest.raises(SystemExit) as caught:
        same.main(*words)
    return caught.value.code, capsys.readouterr().out


def test_what_moved_is_named_and_exits_with_1(same, capsys):
    assert says(same, capsys, "HEAD", [])[0] == 0
    assert same.ran == ["first", "second", "third", "smoke"]
    same.other = "smoke"
    for run in same.runs_of("HEAD"):  # these are kept
        results(run, 1, (*NOTEBOOKS, "06_gone"))
    code, printed = says(same, capsys, "HEAD", [])
    assert (code, same.ran[4:]) == (1, ["smoke"])
    assert [f"{n}: claim a.b, value: 1 → 2" in printed for n in NOTEBOOKS] == [True, True]
    assert "06_gone: is in one run only" in printed


@pytest.mark.parametrize("word", ["04", "04_a", "04_"])
def test_a_notebook_may_be_named_as_for_run(same, capsys, word):
    same.other = "smoke"
    code, printed = says(same, capsys, "HEAD", [word])
    assert code == 1
    assert "04_a: claim a.b" in printed
    assert "05_b" not in printed


def test_what_is_not_there_is_one_line_and_runs_nothing(same, capsys):
    assert "there is no notebook '77'" in says(same, capsys, "HEAD", ["77"])[0]
    assert "there is no commit 'nosuch'" in says(same, capsys, "nosuch", [])[0]
    assert same.ran == []


def test_a_clone_that_was_stopped_halfway_is_made_again(same):
    (run, *_) = same.runs_of("HEAD")
    tree = run.parents[1]
    same.shutil.move(tree, tree.with_suffix(".part"))
    (tree.with_suffix(".part") / "notebooks" / "04_a.ipynb").unlink()
    same.runs_of("HEAD")
    assert (tree / "notebooks" / "04_a.ipynb").is_file()
    assert not tree.with_suffix(".part").exists()


def test_a_run_that_fails_is_no_comparison(same, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(same.sys, "executable", "false")
    with pytest.raises(SystemExit, match="nothing was compared"):
        same.smoke(same.ROOT, "smoke")

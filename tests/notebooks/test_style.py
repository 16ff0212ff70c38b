"""Each notebook keeps the form that readers and the runner rely on."""

import ast
import json
from pathlib import Path

import pytest

from lightlab import published
from lightlab.workbook import params
from lightlab.workbook.project import Project

PROJECT = Project.find(Path(__file__).parents[2])
NOTEBOOKS = list(PROJECT.notebooks)
PROFILES = ("smoke", "quick", "cifar10", "paper")


def cells(name: str) -> list[dict]:
    return json.loads(PROJECT.notebooks[name].read_text(encoding="utf-8"))["cells"]


def code(name: str) -> list[str]:
    return ["".join(c["source"]) for c in cells(name) if c["cell_type"] == "code"]


def tags(name: str) -> list[str]:
    return [t for c in cells(name) for t in c["metadata"].get("tags", [])]


def test_there_are_notebooks():
    assert len(NOTEBOOKS) >= 5


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_cells_are_few_and_short(name):
    lines = [len(source.splitlines()) for source in code(name)]
    assert 12 <= len(cells(name)) <= 40
    assert max(lines) <= 20
    assert sorted(lines)[len(lines) // 2] <= 8


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_outputs_no_long_functions_no_plots_by_hand(name):
    assert all(not c.get("outputs") for c in cells(name))
    for source in code(name):
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno + 1 <= 10, node.name
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported = [a.name for a in node.names] + [getattr(node, "module", "") or ""]
                assert not any(n.startswith("matplotlib") for n in imported)
        assert ".backward(" not in source
        assert "/work/" not in source
        assert "/home/" not in source


def imported(name: str) -> list[str]:
    """What a notebook imports from the package."""
    nodes = ast.walk(ast.parse("\n".join(code(name))))
    ours = [n for n in nodes if isinstance(n, ast.ImportFrom) and n.module.startswith("lightlab")]
    return [alias.name for node in ours for alias in node.names]


def test_notebooks_import_few_names():
    counts = sorted(len(imported(name)) for name in NOTEBOOKS)
    assert counts[-1] <= 10
    assert counts[len(counts) // 2] <= 7


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_room_is_small(name):
    """A few files, and no more lines than one reads in an hour."""
    files = sorted((PROJECT.root / "lightlab" / "chapters" / f"ch{name}").glob("*.py"))
    lines = [len(file.read_text(encoding="utf-8").splitlines()) for file in files]
    assert {"__init__.py", "experiment.py"} <= {file.name for file in files}
    assert len(files) <= 5
    assert max(lines) <= 300
    assert sum(lines) <= (1150 if name < "04" else 900)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_order_of_a_notebook(name):
    first = cells(name)[0]
    assert first["cell_type"] == "markdown"
    assert "".join(first["source"]).startswith("# ")
    assert tags(name).count("parameters") == 1
    assert tags(name).index("parameters") < tags(name).index("setup")
    assert "run = record.start(" in "\n".join(code(name))
    assert "run.finish()" in code(name)[-1]
    words = "\n".join("".join(c["source"]) for c in cells(name) if c["cell_type"] == "markdown")
    assert "ifferences from" in words
    assert published.claims(name), "checks no claim"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_defaults_are_the_profile_smoke(name):
    resolved = params.resolve(PROJECT, name, "smoke")
    assert resolved.values == {p.name: p.default for p in resolved.schema.values()}
    assert "seed" in resolved.values


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_values_file_fits_its_notebook(name, profile):
    params.resolve(PROJECT, name, profile)


def test_no_values_file_is_left_over():
    files = PROJECT.root.glob("params/*/*.yaml")
    assert [f for f in files if f.stem not in NOTEBOOKS or f.parent.name not in PROFILES] == []

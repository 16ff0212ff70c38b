"""README and docs say what is so: verdicts are counted, links lead somewhere, code imports."""

import ast
import json
import re
import tomllib
from itertools import pairwise, product
from pathlib import Path

import pytest

from lightlab.workbook.review import results

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
VERDICTS = ("reproduced", "not reproduced", "inconclusive")


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    files = [target for target in targets if "://" not in target]
    assert [name for name in files if not (page.parent / name).is_file()] == []


def test_verdicts_are_those_of_the_reference():
    units = results.read(ROOT / "results" / "reference").units
    found = {u.name: [c["verdict"] for c in u.claims] for u in units}
    pattern = r"^\| \[.*\]\(\.\./notebooks/(\w+)\.ipynb\) \|.*?((?: \d+ \|){4})$"
    first, second = read("docs/results.md").split("\n## On real CIFAR-10", 1)
    told = {}
    for text, suffix in ((first, ""), (second, "@run=cifar10")):
        for name, numbers in re.findall(pattern, text, re.MULTILINE):
            told[name + suffix] = [int(n) for n in re.findall(r"\d+", numbers)]
    assert told == {n: [len(v), *map(v.count, VERDICTS)] for n, v in found.items()}
    plain = [v for name, verdicts in found.items() if "@" not in name for v in verdicts]
    counts = [len(plain), *map(plain.count, VERDICTS)]
    assert "| all | | {} | {} | {} | {} |".format(*counts) in first
    said = "Of {} claims in the reference run {} are reproduced, {} are not, and {} stay open"
    assert said.format(*counts) in " ".join(read("README.md").split())


def test_every_notebook_is_in_the_readme():
    named = re.findall(r"\(notebooks/(\w+)\.ipynb\)", read("README.md"))
    assert named == sorted(p.stem for p in (ROOT / "notebooks").glob("[0-9]*.ipynb"))


def test_the_picture_of_the_layers_is_the_contract():
    contract = tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]
    layers = [layer.split(" | ") for layer in contract["layers"]]
    chains = re.findall(r"^ +(\w+(?: --> \w+)+)$", read("CONTRIBUTING.md"), re.MULTILINE)
    drawn = {edge for chain in chains for edge in pairwise(chain.split(" --> "))}
    assert drawn == {edge for above, below in pairwise(layers) for edge in product(above, below)}


def test_glossary_terms_stand_in_their_notebooks():
    rows = re.findall(r"^\| (.+) \| .+ \| \[\d\d\]\((.+)\) \|$", read("docs/glossary.md"), re.M)
    assert len(rows) > 50
    words = {}
    for term, link in rows:
        notebook = (ROOT / "docs" / link).resolve()
        if link not in words:
            cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
            claims = read(f"lightlab/published/claims/{notebook.stem}.yaml")
            words[link] = "\n".join(["".join(c["source"]) for c in cells] + [claims]).lower()
        names = [term.split(" (")[0], *re.findall(r"(?<!\\)\*(.+?)\*", term)]
        assert any(name.lower() in words[link] for name in names), (term, link)
    terms = [re.sub(r"[^a-z]", "", term.split("(")[0].lower()) for term, _ in rows]
    assert terms == sorted(terms)


def test_python_examples_name_what_is_there():
    for block in re.findall(r"```python\n(.*?)```", read("docs/python.md"), re.DOTALL):
        nodes, imported = list(ast.walk(ast.parse(block))), {}
        lines = [ast.unparse(node) for node in nodes if isinstance(node, ast.ImportFrom)]
        exec("\n".join(lines), imported)
        assert lines
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                owner = imported.get(node.value.id)
                assert owner is None or hasattr(owner, node.attr), ast.unparse(node)

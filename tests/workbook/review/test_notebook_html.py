"""Formulas without a script, links between notebooks, and outputs as a static page shows them."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from nbformat import v4

from lightlab.workbook.review import html

NOTEBOOKS = sorted((Path(__file__).parents[3] / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize(
    ("latex", "tag"),
    [
        (r"\frac{a}{b}", "mfrac"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "mtable"),
        (r"\max_{x} f(x)", "munder"),
        (r"x^* = \arg\max_{x \in \mathcal{X}} \mathbb{E}[f(x)]", "munder"),
        (r"\operatorname{EI}(x) = \sigma(x)\left[z\Phi(z) + \varphi(z)\right]", "mrow"),
        (r"a < b > c \text{ <b>}", "mtext"),
    ],
)
def test_formula_is_well_formed_mathml(latex, tag):
    text = html.formula(latex, display=True)
    assert "math-source" not in text
    root = ElementTree.fromstring(text.replace("&nbsp;", " "))
    space = "{http://www.w3.org/1998/Math/MathML}"
    assert list(root.iter(f"{space}{tag}"))
    assert not list(root.iter("b"))
    assert "munder" not in html.formula(latex, display=False)  # limits stay beside


@pytest.mark.parametrize("latex", [r"\nosuch{x}", r"\begin{nothing} x", r"a_b_c", ""])
def test_what_cannot_be_converted_is_shown_as_written(latex):
    text = html.formula(latex, display=False)
    assert text == f'<code class="math-source">{latex}</code>'


def test_links_to_other_notebooks_lead_to_the_index():
    text = html.markdown("[next](02_entropy.ipynb#Work), [paper](https://x.org/a.ipynb)")
    assert 'href="../index.html#nb-02_entropy"' in text
    assert 'href="https://x.org/a.ipynb"' in text


def test_the_richest_static_form_of_an_output_isshown():
    def shown(data):
        return html._output(v4.new_output("display_data", data))

    assert "<b>rich</b>" in shown({"text/plain": "plain", "text/html": "<b>rich</b>"})
    assert shown({"text/plain": "a < b"}) == "<pre>a &lt; b</pre>"
    assert "<math" in shown({"text/latex": r"$\frac{1}{2}$", "text/plain": "1/2"})
    assert "data:image/svg+xml;base64," in shown({"image/svg+xml": "<svg/>"})
    assert shown({"application/javascript": "alert(1)"}) is None
    bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "bar"}
    assert shown(bar) is None
    assert "open the notebook in JupyterLab" in shown(bar | {"image/png": "AAAA"})


def test_title_is_the_first_heading_without_its_marks():
    cells = [v4.new_markdown_cell("text\n\n## Not this"), v4.new_markdown_cell("# 01 The *A* \n")]
    assert html._title(cells) == "01 The A"
    assert html._title([v4.new_code_cell("# no heading")]) is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_formula_of_the_workbook_can_beshown(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "".join("".join(c["source"]) + "\n\n" for c in cells if c["cell_type"] == "markdown")
    unknown = [p.split("</code>")[0] for p in html.markdown(text).split("math-source")[1:]]
    assert unknown == []

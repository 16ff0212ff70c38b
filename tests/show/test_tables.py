"""Tables as files: full precision in CSV, readable digits elsewhere, nothing that breaks LaTeX."""

import pandas as pd
import pytest

from lightlab.show import tables


def test_digits_are_significant_and_missing_is_a_dash():
    df = pd.DataFrame({"x": [1234.5678, 0.000123456, 0.0, float("nan"), 2.0], "n": [1, 2, 3, 4, 5]})
    assert tables.rounded(df)["x"].tolist() == ["1\u202f235", "0.000123", "0", "–", "2"]
    assert tables.rounded(df)["n"].tolist() == ["1", "2", "3", "4", "5"]


def test_powers_of_ten_and_signs_survive_latex(tmp_path):
    tex = tables.write(pd.DataFrame({"x": [-2.17587e19]}), tmp_path, "t", "c")[2].read_text()
    assert r"$-$2.18 $\times$ 10$^{19}$" in tex


def test_a_named_index_becomes_a_column(tmp_path):
    df = pd.DataFrame({"v": [1.0]}, index=pd.Index(["a"], name="method"))
    paths = tables.write(df, tmp_path, "t", "caption")
    assert pd.read_csv(paths[0]).columns.tolist() == ["method", "v"]


@pytest.mark.parametrize("text", ["a_b", "50 %", "x & y", "{z}", "#1", "~", "^", "\\cmd", "$x$"])
def test_latex_escapes_what_would_break_it(tmp_path, text):
    df = pd.DataFrame({text: [text]})
    tex = tables.write(df, tmp_path, "t", text)[2].read_text()
    body = tex.replace(r"\textbackslash{}", "").replace(r"\textasciitilde{}", "")
    for special in "%&#_$":
        assert body.replace(f"\\{special}", "").count(special) == (
            body.replace(f"\\{special}", "").count(" & ") if special == "&" else 0
        )


def test_html_is_escaped():
    assert "<script>" not in tables.html(pd.DataFrame({"<script>": ["<b>"]}))


def test_numbers_stand_right_and_words_left():
    html = tables.html(pd.DataFrame({"what": ["a"], "n": [1]}))
    assert '<td style="text-align:left">a</td><td style="text-align:right">1</td>' in html

"""Numbers and tables: full precision in CSV, readable digits elsewhere, safe in LaTeX."""

import pandas as pd
import pytest

from lightlab.show import tables


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (12345678, "12\u202f345\u202f678"),
        (2 * 10**170 + 1, "2 × 10¹⁷⁰"),
        ("-123456", "−123\u202f456"),
        (1948, "1948"),
        ("1948", "1948"),
        ("007", "007"),
        (0.0512345678, "0.05123"),
        (-1.5e-7, "−1.5 × 10⁻⁷"),
        (2.0**70, "1.181 × 10²¹"),
        (123456.7, "123\u202f457"),
        (float("inf"), "∞"),
        ("inf", "inf"),
        (True, "True"),
        ([1e-3, 16], "0.001, 16"),
        ("mb_k5", "mb_k5"),
    ],
)
def test_number(value, text):
    assert tables.number(value) == text


def test_measured_rounds_to_its_interval_but_what_is_claimed_exactly():
    claim = {"value": 0.123456, "ci_low": 0.111, "ci_high": 0.1359, "n": 5}
    assert tables.measured(claim) == ("0.123", "[0.111, 0.136], n\u00a0=\u00a05")
    assert tables.measured(claim | {"ci_low": None}) == ("0.1235", "n\u00a0=\u00a05, no interval")
    assert tables.measured({"value": 6.0, "ci_low": 6.0, "ci_high": 6.0, "n": 1}) == ("6", "")
    claim = {"value": 567716352.0, "ci_low": 567716352.0, "ci_high": 567716352.0, "n": 1}
    assert tables.measured(claim | {"kind": "exact"}) == ("567\u202f716\u202f352", "")
    assert tables.measured(claim | {"kind": "within"}) == ("5.677 × 10⁸", "")


def test_numbers_are_short():
    numbers = (568_740_352, 999_600, 999_000, 1.5e12, 12)
    assert [tables.short(n) for n in numbers] == ["569M", "1M", "999k", "1.5T", "12"]


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
        left = body.replace(f"\\{special}", "")
        assert left.count(special) == (left.count(" & ") if special == "&" else 0)


def test_html_is_escaped_numbers_stand_right_and_words_left():
    assert "<script>" not in tables.html(pd.DataFrame({"<script>": ["<b>"]}))
    html = tables.html(pd.DataFrame({"what": ["a"], "n": [1]}))
    assert '<td style="text-align:left">a</td><td style="text-align:right">1</td>' in html

"""The paper's costs counted again: which printed numbers come out, and under which convention."""

import pandas as pd
import pytest

from lightlab.chapters.ch06_mobilenet import counts


@pytest.fixture(scope="module")
def compared() -> pd.DataFrame:
    return counts.networks()


def test_ten_networks_are_counted_once_each(compared):
    assert compared["network"].nunique() == 10
    assert len(compared) == 10 * 4
    row = compared[compared["network"] == "1.0 MobileNet-224"].iloc[0]
    assert row["table"] == "4, 6, 7, 8"
    assert row["difference"] == pytest.approx(568.740352 - 569)


def test_no_convention_gives_all_printed_numbers_but_each_number_has_one(compared):
    agreeing = compared[compared["agrees"]].groupby("convention")["printed"].agg(set)
    assert agreeing["with classifier"] == {569, 325, 307, 149, 41, 418, 186}
    assert agreeing["without classifier"] == {4866, 325, 149, 41, 290, 76}
    params = compared[compared["quantity"] == "parameters (M)"]
    (wrong,) = params[~params["agrees"]].itertuples()  # the only one that tells them apart
    assert (wrong.printed, wrong.convention) == (1.32, "all trainable")
    assert wrong.last_digits == pytest.approx(1.16, abs=0.01)
    words = counts.summary(compared).set_index("network")["MACs (M): the same"]
    assert words["Conv MobileNet"] == "✓ without classifier"
    assert words["0.75 MobileNet-224"] == "✓ both"
    wrong = counts.summary(compared.assign(agrees=False))
    assert set(wrong["MACs (M): the same"]) == {"✗ neither"}


def test_table_3_comes_out_row_by_row():
    blocks = counts.blocks()
    assert blocks["agrees"].all()
    macs = blocks[blocks["convention"] == "with classifier"]["counted"]
    assert list(macs.round(2)) == [462.42, 52.28, 29.58, 15.09]


def test_misprints_are_shown_by_the_papers_own_numbers():
    table = counts.table2().set_index("layer")
    off = table[table["difference"].abs() > 0.005]
    assert off["MACs %, printed"].tolist() == [1.19]
    assert (table["difference "].abs() <= 0.005).all()
    assert table[["counted", "counted "]].sum().tolist() == pytest.approx([100, 100], abs=0.002)
    found = counts.misprints().set_index("where")
    assert found["should_be"].tolist() == ["1.91 %", "stride 1", "3.0 points", "2.7 points"]
    assert "534 and not 569 million" in found.loc["Table 1, last depthwise layer", "why"]
    assert "99.29" in found.loc["Table 2, first layer", "why"]


def test_shares_add_up_and_pixels_change_no_weights():
    shares, small = counts.shares(), counts.shares(resolution=112)
    assert shares[["macs_percent", "params_percent"]].sum().tolist() == pytest.approx([100, 100])
    assert small["weights"].tolist() == shares["weights"].tolist()
    assert small["macs"].sum() == pytest.approx(shares["macs"].sum() / 4, rel=0.06)


def test_figure_4_has_sixteen_networks_with_their_macs():
    paper = counts.figure4().set_index(["width_mult", "resolution"])
    assert len(paper) == 16
    assert paper.loc[(1, 224), ["accuracy", "macs"]].tolist() == [70.6, 568_740_352]
    assert paper["macs"].is_unique


def test_the_counter_finds_what_the_formula_says():
    counted = counts.savings_counted((1, 3, 5), (8, 100))
    pd.testing.assert_frame_equal(counted, counts.savings_formula((1, 3, 5), (8, 100)))
    assert counted["saving"].iloc[2] == pytest.approx(72 / 17)  # 1 / (1/8 + 1/9)

"""Verdicts from intervals."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lightlab import published
from lightlab.workbook import claims

CLAIM = {"id": "x.y", "sentence": "S.", "source": "A 1999", "kind": "within", "measured": "m"}
CLAIM |= {"published": "0 to 1", "profile": "smoke", "holds_in": [0.0, 1.0]}


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        (0.5, claims.REPRODUCED),
        (1.5, claims.NOT_REPRODUCED),
        ([0.5, 0.51, 0.49], claims.REPRODUCED),
        ([2.0, 2.01, 1.99], claims.NOT_REPRODUCED),
        ([0.9, 1.1, 1.0], claims.INCONCLUSIVE),
        ([0.5], claims.INCONCLUSIVE),
        ([], claims.INCONCLUSIVE),
        ([0.5, float("nan")], claims.INCONCLUSIVE),
    ],
)
def test_the_verdict_follows_from_the_interval(measured, verdict):
    checked = claims.check(CLAIM, measured, "smoke")
    assert checked["verdict"] == verdict


@pytest.mark.parametrize(("holds_in", "inside"), [([0.0, None], 1.0), ([None, 0.0], -1.0)])
def test_a_difference_of_nothing_is_no_order(holds_in, inside):
    claim = CLAIM | {"kind": "order", "holds_in": holds_in}
    assert claims.check(claim, [0.0, 0.0, 0.0], None)["verdict"] == claims.NOT_REPRODUCED
    assert claims.check(claim, 0.0, None)["verdict"] == claims.NOT_REPRODUCED
    assert claims.check(claim, [inside] * 3, None)["verdict"] == claims.REPRODUCED


@pytest.mark.parametrize(("p", "verdict"), [(0.01, claims.REPRODUCED), (0.2, claims.INCONCLUSIVE)])
def test_a_test_that_finds_no_difference_shows_none(p, verdict):
    claim = CLAIM | {"kind": "test", "holds_in": [None, 0.05]}
    checked = claims.check(claim, p, None, n=9)
    assert (checked["verdict"], checked["value"], checked["n"]) == (verdict, p, 9)


def test_below_its_profile_a_claim_is_inconclusive_and_says_so():
    checked = claims.check(CLAIM | {"profile": "paper"}, 0.5, "quick")
    assert checked["verdict"] == claims.INCONCLUSIVE
    assert "from the profile paper on" in checked["note"]
    assert claims.check(CLAIM | {"profile": "paper"}, 0.5, "paper")["verdict"] == claims.REPRODUCED


def test_the_interval_is_students_or_the_one_given():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    checked = claims.check(CLAIM, x, None)
    half = 3.182446305 * x.std(ddof=1) / 2  # t(0.975, 3 degrees of freedom) from tables
    assert checked["ci_low"] == pytest.approx(2.5 - half)
    assert checked["ci_high"] == pytest.approx(2.5 + half)
    assert checked["n"] == 4
    checked = claims.check(CLAIM, 0.9, None, (0.8, 1.1), 40)  # one of its own decides
    assert checked["verdict"] == claims.INCONCLUSIVE
    assert (checked["ci_low"], checked["ci_high"], checked["n"]) == (0.8, 1.1, 40)
    assert claims.check(CLAIM, 0.9, None, (0.8, 0.95), 40)["verdict"] == claims.REPRODUCED


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=8), st.floats(-3, 0), st.floats(0.01, 3))
def test_verdicts_exclude_each_other(x, low, width):
    claim = CLAIM | {"holds_in": [low, low + width]}
    checked = claims.check(claim, x, None)
    inside, point = checked["verdict"], checked["ci_low"] == checked["ci_high"]
    below = claims.check(claim | {"holds_in": [None, low]}, x, None)["verdict"]
    assert not inside == below == claims.REPRODUCED or point  # on the edge, which both hold


def test_every_claim_file_is_well_formed_and_ids_are_unique():
    folder = published._HERE / "claims"
    names = [p.name.removesuffix(".yaml") for p in folder.iterdir() if p.name.endswith(".yaml")]
    ids = [i for name in names for i in published.claims(name)]
    assert len(ids) == len(set(ids))
    assert all(map(published.claims, names))
    assert published.claims("99_none") == {}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "maybe"}, "kind is one of"),
        ({"holds_in": [1]}, "needs holds_in"),
        ({"holds_in": [None, None]}, "needs holds_in"),
        ({"kind": "exact"}, "needs a number"),
        ({"extra": 1}, "unknown ['extra']"),
    ],
)
def test_a_malformed_claim_is_refused(tmp_path, monkeypatch, change, told):
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "nb.yaml").write_text(yaml.safe_dump([CLAIM | change]))
    monkeypatch.setattr(published, "_HERE", tmp_path)
    with pytest.raises(ValueError, match=r"claims/nb\.yaml") as e:
        published.claims("nb")
    assert told in str(e.value)

"""What the claims and costs of a run come to."""

import math
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from lightlab import published
from lightlab.chapters.ch14_summary import experiment
from lightlab.chapters.ch14_summary.experiment import FAILED, HELD, OPEN

CLAIMS = pd.DataFrame(
    {
        "notebook": ["02 B"] * 2 + ["01 A"] * 4,
        "paper": "P 2019",
        "published": "2 s",
        "verdict": [HELD, FAILED] + [OPEN] * 4,
        "profile": ["quick"] * 2 + ["paper"] + ["quick"] * 3,
    }
)
COSTS = pd.DataFrame(
    {
        "started": ["2026-01-01T00:00:00+00:00", "2026-01-01T00:00:50+00:00"],
        "ended": ["2026-01-01T00:01:00+00:00", "2026-01-01T00:21:30+00:00"],
        "peak_gib": [0.5, 8.0],
    }
)


def test_counts_keep_order_and_tell_zeros():
    by = experiment.counts(CLAIMS, "notebook")
    assert by.T.to_dict("list") == {"02 B": [1, 1, 0, 2], "01 A": [0, 0, 4, 4]}
    by = experiment.counts(CLAIMS, "profile")["claims"]
    assert by.to_dict() == dict(zip(published.PROFILES, [0, 5, 0, 1], strict=True))


def test_the_share_is_of_decided_claims_between_all_that_the_open_ones_could_do():
    assert experiment.share(CLAIMS) == (50, pytest.approx((100 / 6, 500 / 6)), 6)
    ours = CLAIMS.assign(paper=["a bar of ours"] + ["Li 2020"] * 5)
    assert experiment.share(ours) == (0, (0, 80), 5)
    assert experiment.share(CLAIMS[2:])[::2] == (pytest.approx(math.nan, nan_ok=True), 4)


def test_what_nobody_published_is_told_by_its_source():
    folder = Path(published.__file__).parent / "claims"
    found = [c for p in sorted(folder.glob("*.yaml")) for c in published.claims(p.stem).values()]
    rows = [{"paper": c["source"], "published": str(c["published"])} for c in found]
    counted = pd.DataFrame(rows)[experiment.is_published(pd.DataFrame(rows))]
    assert 90 < len(counted) < len(rows) - 20
    text = counted["paper"] + counted["published"]
    ours = "not tested|of ours;|our question|promised|no paper"
    assert not text[text.str.contains(ours)].tolist()


def test_wide_pictures_are_made_smaller(tmp_path):
    for width in (80, 10):
        Image.new("L", (width, 40)).save(tmp_path / f"{width}.png")
    pictures = experiment.pictures([tmp_path / "80.png", tmp_path / "10.png"], 20)
    assert [picture.shape for picture in pictures] == [(10, 20, 3), (40, 10, 3)]


def test_what_was_not_recorded_keeps_to_no_bar():
    nan = math.nan
    for costs, over in (
        (COSTS, {"minutes": 1.5, "gib": 2.0}),  # what runs side by side counts once
        (COSTS[:1], {"minutes": 0, "gib": 0}),
        (COSTS.assign(ended=None, peak_gib=[nan, 1.0]), {"minutes": nan, "gib": nan}),
    ):
        assert experiment.over_bars(costs) == pytest.approx(over, nan_ok=True)


def test_machines_tell_who_ran_where():
    about = {"cpu": "X", "gpu": None, "packages": {"torch": "2"}}
    a, b = {"provenance": about}, {"provenance": about | {"cpu": "Y"}, "profile": "quick"}
    table = experiment.machines({"01_a": a, "02_b": b})
    assert table.to_numpy().tolist() == [
        ["profile", "–", "01"],
        ["profile", "quick", "02"],
        ["cpu", "X", "01"],
        ["cpu", "Y", "02"],
        ["gpu", "–", "all"],
        ["torch", "2", "all"],
    ]

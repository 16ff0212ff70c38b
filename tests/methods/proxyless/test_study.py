"""What stands beside a network that a search among paths found."""

import numpy as np
import pandas as pd
import pytest

from lightlab import latency
from lightlab.chapters.ch09_proxylessnas import gates
from lightlab.latency import table
from lightlab.latency.pieces import pieces_of
from lightlab.measure import cost
from lightlab.measure.journal import Journal
from lightlab.methods import proxy, specialised
from lightlab.methods.proxyless import study
from lightlab.methods.proxyless.additive import Additive
from lightlab.published import loader
from lightlab.search.draws import SearchError
from lightlab.space.arch import Arch, decode, encode
from lightlab.space.spaces import ProxylessSpace, Skeleton

SPACE = ProxylessSpace(Skeleton.small(16, 1, 10, [16, 32], widths=(1,)))
PRICE = Additive.macs(SPACE)
PLAN = latency.Plan(rounds=6, samples=2, sample_ms=0.05, min_busy=0, warmup_ms=0.5)


def by_macs(archs):
    return [cost.macs(a) for a in archs]


def test_rivals_are_as_fast_seed_by_seed():
    space = ProxylessSpace(Skeleton.small(16, 1, 10, [64, 128], widths=(1,)))  # fine steps of width
    rng = np.random.default_rng(0)
    found = {s: space.decode(space.sample(rng)) for s in (0, 1)}
    free = {s: space.decode(space.centre()) for s in (0, 1)}
    other = space.decode(space.sample(rng))
    entries = study.rivals(space, Additive.macs(space), by_macs, found, free, other)
    assert len(entries) == 2 * 5
    for name, seed, arch in entries:
        assert cost.macs(arch) == pytest.approx(cost.macs(found[seed]), rel=0.1), name
    names = [name for name, seed, _ in entries if seed == 0]
    assert names == [study.FOUND, study.NARROWED, study.RANDOM,
                     study.MOBILENET, study.MNASNET]  # fmt: skip


def test_what_the_sampling_search_chose_is_read_for_other_images(tmp_path):
    texts = [encode(SPACE.decode(p)) for p in SPACE.sample(np.random.default_rng(2), 4)]
    rows = {"arm": ["soft", "soft", "soft", "hard"], "reward": [1, 3, 2, 9], "arch": texts}
    pd.DataFrame(rows).to_csv(tmp_path / "trials.csv", index=False)
    like = Skeleton.small(32, 3, 5, [16, 32], widths=(1,))
    like = ProxylessSpace(like).decode((0,) * 4)
    chosen = study.mnasnet_chose(tmp_path, like)
    assert (chosen.resolution, chosen.in_channels, chosen.n_classes) == (32, 3, 5)
    assert chosen.blocks == decode(texts[1]).blocks


def test_a_rival_that_is_not_as_fast_counts_only_where_it_is_behind():
    rows = [
        (name, seed, ms, accuracy)
        for seed in (0, 1)
        for name, ms, accuracy in (
            ("found", 1.0, 50.0), ("as fast", 1.05, 55.0), ("slower, behind", 1.3, 45.0),
            ("slower, ahead", 1.3, 55.0), ("faster, behind", 0.7, 45.0),
            ("faster, ahead", 0.7, 55.0),
            ("slower, now and then behind", 1.3, 45.0 + 10 * seed),
        )
    ]  # fmt: skip
    trained = pd.DataFrame(rows, columns=["name", "seed", "latency_ms", "accuracy"])
    said = {n: specialised.comparable(trained, n, "found") for n in trained["name"].unique()}
    del said["found"]
    assert [n for n, counts in said.items() if counts] == [
        "as fast",
        "slower, behind",
        "faster, ahead",
    ]


def test_a_random_rival_is_another_network_of_about_the_same_latency():
    for point in SPACE.sample(np.random.default_rng(3), 10):
        drawn = [study.random_as_fast(SPACE, PRICE, point, seed) for seed in range(8)]
        assert point not in drawn
        assert len(set(drawn)) > 1  # by the seed, not the nearest of all
        off = [PRICE.of(p) / PRICE.of(point) - 1 for p in drawn]
        assert np.abs(off).max() < 0.12
    one = ProxylessSpace(SPACE.skeleton, {"k3_e6": (3, 6)}, zero=False)
    with pytest.raises(SearchError, match="no other network"):
        study.random_as_fast(one, Additive.macs(one), (0,) * 4, 0)


def test_settings_are_read():
    assert latency.Setting.of("torch/1/8") == latency.Setting("torch", 1, 8)
    for text in ("torch", "torch/1", "torch/1/x", "torch/1/1/1"):
        with pytest.raises(latency.LatencyError, match="a setting is runtime/threads/batch"):
            latency.Setting.of(text)
    with pytest.raises(latency.LatencyError, match="the nearest is 'torch'"):
        latency.Setting.of("torhc/1/1")


def test_networks_are_timed_in_each_other_s_setting(monkeypatch):
    small, large = (
        SPACE.decode(SPACE.point({p.name: d for p in SPACE.positions})) for d in ("k3_e3", "k7_e6")
    )
    networks = {"onnxruntime/1/1": small, "torch/1/4": large}
    found = study.crossed(networks, PLAN)
    assert len(found) == 4
    assert found[found["network"] == found["setting"]]["times"].tolist() == [1, 1]

    def measured(asked, settings, plan):
        assert (asked, list(settings), plan) == (networks, list(networks), PLAN)
        return found.drop(columns="times").assign(latency_ms=[2.0, 8.0, 3.0, 6.0])

    monkeypatch.setattr(latency, "measure_settings", measured)
    assert study.crossed(networks, PLAN)["times"].tolist() == [1, 4, 0.5, 1]


def test_networks_are_special_where_changing_places_makes_both_slower():
    rows = [(a, b, seed, ms) for seed, wide in enumerate(([[1, 6], [2, 3]], [[1, 4], [2, 8]]))
            for a, row in zip("AB", wide, strict=True)
            for b, ms in zip("AB", row, strict=True)]  # fmt: skip
    cells = pd.DataFrame(rows, columns=["network", "setting", "seed", "latency_ms"])
    own = cells[cells["network"] == cells["setting"]].set_index(["seed", "setting"])["latency_ms"]
    keys = pd.MultiIndex.from_frame(cells[["seed", "setting"]])
    cells["times"] = cells["latency_ms"] / own.loc[keys].to_numpy()
    assert study.elsewhere(cells) == pytest.approx([2, 1])  # then both are A's
    published = study.published_crossed().assign(seed=0)
    three = [1.327, 1.457, 1.499]  # CPU and phone, GPU and either
    assert study.elsewhere(published) == pytest.approx([np.prod(three) ** (1 / 3)], abs=5e-3)


def test_a_price_and_times_are_measured_once_also_across_a_kill(tmp_path, monkeypatch):
    centre, path = SPACE.decode(SPACE.centre()), tmp_path / "times.jsonl"
    archs = [SPACE.decode(p) for p in SPACE.sample(np.random.default_rng(7), 3)]
    meter = proxy.Meter(centre, plan=PLAN, journal=Journal(path))
    price, checked = study.priced(SPACE, meter, 6)
    times = [meter(archs[:1]), meter(archs[1:])]
    again = proxy.Meter(centre, plan=PLAN, journal=Journal(path))
    with monkeypatch.context() as patch:
        patch.setattr(latency, "time_runners", None)  # nothing is measured
        assert study.priced(SPACE, again, 6)[0] == price
        pd.testing.assert_frame_equal(study.priced(SPACE, again, 6)[1], checked)
        assert [again(archs[:1]), again(archs[1:])] == times
    assert again(archs[1:]) != times[1]  # asked once more than before: measured


class Steady:
    """Takes what its pieces take, neither more nor less, however busy the machine is."""

    def __init__(self, of, _setting):
        parts = pieces_of(of) if isinstance(of, Arch) else [of]
        self.ms = sum(1e-3 * len(part.text) * part.in_channels for part in parts)

    def time(self, n):
        return self.ms * n / 1e3, self.ms * n / 1e3


def test_a_calibrated_table_predicts_a_steady_machine(monkeypatch):
    for module in (table, latency):
        monkeypatch.setattr(module, "runner", Steady)
    meter = proxy.Meter(SPACE.decode(SPACE.centre()), plan=PLAN)
    price, checked = study.priced(SPACE, meter, 6)
    assert len(checked) == 6
    (timed,) = (row["archs"] for row in meter.journal.of("timed"))
    assert timed[:2] == [encode(SPACE.decode(p)) for p in (SPACE.smallest(), SPACE.largest())]
    assert (checked["predicted_ms"] / checked["latency_ms"]).between(0.9, 1.1).all()
    points = SPACE.sample(np.random.default_rng(5), 6)
    found = study.predictions(price, points, meter([SPACE.decode(p) for p in points]))
    assert (found["predicted_ms"] / found["latency_ms"]).between(0.9, 1.1).all()


def test_shapes_and_moments_say_what_stands_where():
    history = pd.DataFrame({"step": [1, 5, 9], "point": ["0-0-0-0", "1-6-2-3", "5-6-5-6"]})
    found = study.moments(history, 2)
    assert found == {"step 1": (0, 0, 0, 0), "step 9": (5, 6, 5, 6)}
    rows = study.shapes(SPACE, found)
    assert rows["kernel"].tolist() == [3, 3, 3, 3, 7, 0, 7, 0]
    assert rows["expand_ratio"].tolist() == [3, 3, 3, 3, 6, 0, 6, 0]
    assert rows["stage"].tolist() == [1, 1, 2, 2] * 2
    assert rows["stride"].tolist() == [2, 1, 2, 1] * 2


def test_the_released_networks_lie_in_the_space_of_their_widths():
    assert study.released_inside() == 3


def test_the_paper_s_matrix_has_its_own_network_at_one():
    table = study.published_crossed()
    own = table[table["network"] == table["setting"]]
    assert own["times"].tolist() == [1, 1, 1]
    assert table.loc[table["times"] != 1, "times"].min() == pytest.approx(164.1 / 138.7)
    assert set(loader.claims("09_proxylessnas")) >= {"proxyless.specialised"}


def test_estimates_of_the_toy_are_what_closed_forms_say():
    found = gates.estimates(400).set_index(["loss", "form", "logit"])
    linear = found.loc["linear loss"]
    for form in ("sum", "all"):  # exact at every draw
        np.testing.assert_allclose(linear.loc[form, "mean"], linear.loc[form, "exact"], rtol=1e-5)
    for loss in gates.LOSSES:  # unbiased
        rows = found.loc[loss].loc["reinforce"]
        error = rows["sd"] / 400**0.5
        assert (abs(rows["mean"] - rows["exact"]) < 4 * error).all()
    p = np.exp(gates.LOGITS) / np.exp(gates.LOGITS).sum()
    values = (np.array(gates.BY) - gates.WANTED) ** 2
    exact = found.loc["squared loss"].loc["sum", "exact"]
    np.testing.assert_allclose(exact, p * (values - p @ values), rtol=1e-5)


def test_two_paths_lead_downhill_in_most_random_toys():
    cosines = gates.downhill(12, 150)
    assert cosines.shape == (12,)
    assert (np.abs(cosines) <= 1 + 1e-6).all()
    assert np.median(cosines) > 0.5

"""Settings of this machine, and networks in each other's."""

import numpy as np
import pandas as pd
import pytest

from lightlab import latency
from lightlab.chapters.ch09_proxylessnas import hardware
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(Skeleton.small((1, 16, 16), 10, [16, 32]))


@pytest.mark.parametrize(
    ("text", "says"),
    [(text, "a setting is runtime/threads/batch") for text in ("torch", "torch/1/x", "torch/1/1/1")]
    + [("torhc/1/1", "the nearest is 'torch'")],
)
def test_what_is_no_setting_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        latency.Setting.of(text)


def test_a_device_has_a_share_of_the_time_of_mobilenet_v2_as_its_target(
    tmp_path, monkeypatch, plan
):
    monkeypatch.setattr(hardware, "PLAN", plan)
    device = hardware.measure(SPACE, "onnxruntime/1/1", 0.5, 6, tmp_path, 0)
    assert device.target_ms == pytest.approx(0.5 * device.price.of(SPACE.centre()))
    assert [path.name for path in tmp_path.iterdir()] == ["onnxruntime 1 1.jsonl"]
    assert device.fit()["n"] == 6
    points = [SPACE.smallest(), SPACE.largest(), SPACE.smallest()]
    found = hardware.predicted(SPACE, device, points)
    assert found["kind"].tolist() == ["random"] * 6 + ["found"] * 2
    assert found["predicted_ms"].iloc[-1] == pytest.approx(device.price.of(SPACE.largest()))


def test_networks_are_timed_in_each_other_s_setting(monkeypatch, plan):
    small, large = (
        SPACE.decode(SPACE.point({p.name: d for p in SPACE.positions})) for d in ("k3_e3", "k7_e6")
    )
    networks = {("onnxruntime/1/1", 3): small, ("torch/1/4", 3): large}
    found = hardware.crossed(networks, plan)
    assert found["seed"].tolist() == [3] * 4
    assert found[found["network"] == found["setting"]]["times"].tolist() == [1, 1]

    def measured(asked, settings, _):
        assert list(asked.values()) == [small, large]
        assert list(settings) == [setting for setting, _ in networks]
        return found.drop(columns="times").assign(latency_ms=[2.0, 8.0, 3.0, 6.0])

    monkeypatch.setattr(latency, "measure_settings", measured)
    assert hardware.crossed(networks, plan)["times"].tolist() == [1, 4, 0.5, 1]


def cells(*seeds):
    """Latencies by seed as a matrix: rows networks A and B, columns their settings."""
    rows = [
        (a, b, seed, ms, ms / wide[j][j])
        for seed, wide in enumerate(seeds)
        for a, row in zip("AB", wide, strict=True)
        for j, (b, ms) in enumerate(zip("AB", row, strict=True))
    ]
    return pd.DataFrame(rows, columns=["network", "setting", "seed", "latency_ms", "times"])


def test_networks_are_special_where_changing_places_makes_both_slower():
    found = hardware.elsewhere(cells([[1, 6], [2, 3]], [[1, 4], [2, 8]]))
    assert found == pytest.approx([2, 1])  # then both are A's
    published = hardware.published_crossed().assign(seed=0)
    own = published[published["network"] == published["setting"]]
    assert own["times"].tolist() == [1, 1, 1]
    three = [1.327, 1.457, 1.499]  # CPU and phone, GPU and either
    assert hardware.elsewhere(published) == pytest.approx([np.prod(three) ** (1 / 3)], abs=5e-3)


def test_tables_are_means_over_the_seeds_and_weigh_accuracy_against_the_target():
    tested = pd.DataFrame({"name": ["A", "B", "A", "B"], "macs": [1, 2, 3, 4],
                           "accuracy": [50.0, 60, 70, 80]})  # fmt: skip
    devices = {s: hardware.Device(s, None, None, pd.DataFrame(), 2.0) for s in "AB"}
    table, worth = hardware.tables(cells([[1, 6], [2, 3]], [[3, 2], [2, 1]]), tested, devices, -1)
    assert list(table.columns) == ["network", "µs, A", "µs, B", "macs", "accuracy"]
    assert table["µs, A"].tolist() == [2000, 2000]
    assert table["accuracy"].tolist() == [60, 70]
    assert worth["B"].tolist() == [60 / 2, 70]  # 4 ms, 2 ms

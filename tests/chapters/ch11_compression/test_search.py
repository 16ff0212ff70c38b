"""Candidates are what their files are measured as, and searches cost alike."""

import numpy as np
import pandas as pd
import pytest

from lightlab import deploy, train
from lightlab.chapters.ch11_compression import search
from lightlab.methods import subnets
from lightlab.search import pareto


def test_a_compressed_network_is_worth_what_its_file_is(compressors, space, digits, tmp_path):
    one = compressors[0]
    point = space.point(space.options(space.largest()) | {"1.keep": 0.5, "resolution": 8})
    worth = one(point, 0)
    assert worth.samples == 96
    form = one.deliver(point, 0, tmp_path / "a.onnx")
    predictor = deploy.Predictor(tmp_path / "a.onnx")
    assert predictor.facts.input_shape == (1, 8, 8)
    scaled, network = subnets.split_at(digits.val, 8), one.network(form, 0)
    assert worth.accuracy == pytest.approx(100 * train.evaluate(network, scaled)["accuracy"])
    one.deliver(space.point(space.options(point) | {"bits": 8}), 0, tmp_path / "b.onnx")
    assert (tmp_path / "b.onnx").stat().st_size < 0.9 * (tmp_path / "a.onnx").stat().st_size


def test_from_scratch_a_candidate_is_trained_as_long_as_both(compressors, space, recipe):
    scratch = compressors[0].from_scratch(recipe)
    assert scratch(space.largest(), 0).samples == scratch.samples == 96 * 4
    assert scratch.macs == 4 * compressors[0].macs
    new, other = (scratch.network(space.decode(space.largest()), seed) for seed in (0, 1))
    assert not (new.classifier.weight == other.classifier.weight).any()


def test_the_smallest_file_keeps_its_accuracy(compressors):
    one = compressors[0]
    rows = {"accuracy": [one.before - 0.5, one.before, one.before - 3], "size": [0.4, 0.8, 0.1]}
    table = pd.DataFrame(rows)
    assert one.smallest(table, 1.0)["size"] == 0.4
    assert one.smallest(table[table["size"] == 0.1], 1.0)["size"] == 0.1


@pytest.mark.parametrize("method", search.METHODS)
def test_every_search_tries_as_many_and_counts_its_volume(made_up, method):
    table = search.run_search(method, made_up, 3, 6, 3, chance=0.0, known={})
    assert table["trial"].tolist() == list(range(1, 7))
    assert table["point"].nunique() == 6
    assert table["hypervolume"].is_monotonic_increasing
    reached = np.column_stack([table["accuracy"] / 100, 1 - table["latency"], 1 - table["size"]])
    volume = pareto.hypervolume(reached, np.zeros(3))
    assert table["hypervolume"].iloc[-1] == pytest.approx(volume)


def test_uniform_pruning_ends_with_its_points(space, made_up):
    n = len(space.uniform())
    table = search.run_search(search.UNIFORM, made_up, 0, n + 1, 3, chance=0.0, known={})
    assert sorted(table["point"]) == sorted(space.uniform())

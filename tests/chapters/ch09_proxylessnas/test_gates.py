"""Forms of an architecture step: their gradients against closed forms, their memory and time."""

import itertools

import numpy as np
import torch

from lightlab.chapters.ch09_proxylessnas import gates
from lightlab.space.skeleton import Skeleton


def test_estimates_of_the_toy_are_what_closed_forms_say():
    n, p = 800, gates.toy().probabilities().tolist()
    found = gates.estimates(n).set_index(["loss", "form", "logit"])
    found["error"] = 4 * found["sd"] / n**0.5
    linear = found.loc["linear loss"]
    for form in ("sum", "all"):  # exact at every draw
        np.testing.assert_allclose(linear.loc[form, "mean"], linear.loc[form, "exact"], rtol=1e-5)
    for loss in gates.LOSSES:  # unbiased
        rows = found.loc[loss].loc["reinforce"]
        assert (abs(rows["mean"] - rows["exact"]) < rows["error"]).all()
    values = (np.array(gates.BY) - gates.WANTED) ** 2
    exact = found.loc["squared loss"].loc["sum", "exact"]
    np.testing.assert_allclose(exact, p * (values - p @ values), rtol=1e-5)
    pairs, by = np.zeros(3), gates.BY
    for a, b in itertools.combinations(range(3), 2):
        chance = p[a] * p[b] / (1 - p[a]) + p[a] * p[b] / (1 - p[b])  # drawn without replacement
        among = p[a] * p[b] / (p[a] + p[b]) ** 2
        pairs[[a, b]] += chance * among * (by[a] - by[b]) * np.array([1, -1])
    assert (abs(linear.loc["two", "mean"] - pairs) < linear.loc["two", "error"]).all()


def test_a_drawn_pair_leaves_the_third_alone():
    mixed, generator = gates.toy([0.0] * 3), torch.Generator().manual_seed(1)
    for _ in range(10):
        found = gates.estimate(mixed, gates.LOSSES["squared loss"], "two", generator)
        (idle,) = set(range(3)) - set(mixed.involved)
        assert found[idle] == 0


def test_paths_are_drawn_by_their_chances():
    mixed, generator = gates.toy([1.0, 0.0, -1.0]), torch.Generator().manual_seed(0)
    for form in ("all", "two", "reinforce"):
        drawn = []
        for _ in range(3000):
            mixed.draw(form, generator)
            drawn.append(mixed.active)
        shares = np.bincount(drawn, minlength=3) / 3000
        if form == "two":  # of a pair the likelier comes first more often, but not as often
            assert shares[0] > shares[1] > shares[2]
        else:
            np.testing.assert_allclose(shares, mixed.probabilities().detach(), atol=0.03)


def test_two_paths_lead_downhill_in_most_random_toys():
    assert np.median(gates.downhill(12, 150)) > 0.5


def test_every_form_is_measured_with_every_number_of_candidates():
    """Memory is flat with two paths, at the level of one compact network, and grows with a sum."""
    skeleton = Skeleton.small((1, 16, 16), 10, [16])
    table = gates.steps(skeleton, [2, 3, 7], 4, rounds=3)
    assert len(table) == 3 * 4
    assert (table["ms"] > 0).all()
    wide = table.pivot(index="form", columns="candidates", values="mib")
    assert wide.loc["sum", 7] >= 2.5 * wide.loc["sum", 2]
    assert wide.loc["all", 2] < wide.loc["all", 7] < wide.loc["sum", 7]  # outputs only
    np.testing.assert_allclose(wide.loc["two", 7], wide.loc["two", 2], rtol=0.01)
    np.testing.assert_allclose(wide.loc["one", 7], wide.loc["one", 2])
    assert wide.loc["two", 7] <= 1.15 * wide.loc["one", 7]


def test_saved_bytes_count_a_tensor_once():
    x = torch.ones(100, requires_grad=True)
    assert gates.saved_bytes(lambda: (x * x).sum()) == 400
    assert gates.saved_bytes(lambda: (x * x).sum(), [x]) == 0

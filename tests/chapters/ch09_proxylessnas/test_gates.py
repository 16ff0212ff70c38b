"""Forms of an architecture step: their gradients against closed forms, their memory and time."""

import numpy as np

from lightlab.chapters.ch09_proxylessnas import gates
from lightlab.space.skeleton import Skeleton


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
    assert np.median(cosines) > 0.5


def test_every_form_is_measured_with_every_number_of_candidates():
    skeleton = Skeleton.small((1, 16, 16), 10, [16])
    table = gates.steps(skeleton, [2, 3, 7], 4, rounds=6)
    assert len(table) == 3 * 4
    assert table["ms"].between(table["ci_low"], table["ci_high"]).all()
    wide = table.pivot(index="form", columns="candidates", values="mib")
    assert wide.loc["sum", 7] >= 2.5 * wide.loc["sum", 2]
    np.testing.assert_allclose(wide.loc["two", 7], wide.loc["two", 2], rtol=0.01)
    np.testing.assert_allclose(wide.loc["one", 7], wide.loc["one", 2])

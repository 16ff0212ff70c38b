"""What a step over a supernet keeps and how long it takes."""

import numpy as np

from lightlab.chapters.ch09_proxylessnas import supernet_cost
from lightlab.space.spaces import Skeleton


def test_every_form_is_measured_with_every_number_of_candidates():
    skeleton = Skeleton.small(16, 1, 10, [16], widths=(1,))
    table = supernet_cost.steps(skeleton, [2, 3, 7], 4, rounds=6)
    assert len(table) == 3 * 4
    assert (table["ms"] > 0).all()
    assert (table["ci_low"] <= table["ms"]).all()
    assert table["cuda_mib"].isna().all()
    wide = table.pivot(index="form", columns="candidates", values="mib")
    assert wide.loc["sum", 7] >= 2.5 * wide.loc["sum", 2]
    np.testing.assert_allclose(wide.loc["two", 7], wide.loc["two", 2], rtol=0.01)
    np.testing.assert_allclose(wide.loc["one", 7], wide.loc["one", 2])

"""The likeliest network within a limit, against all of them."""

import itertools

import numpy as np
import pytest

from lightlab.methods.architect import likeliest_within
from lightlab.methods.price import Price
from lightlab.search.searcher import SearchError
from lightlab.space.proxyless import ProxylessSpace
from lightlab.space.skeleton import Skeleton

SPACE = ProxylessSpace(
    Skeleton.small((1, 16, 16), 10, [16, 24]),
    {f"e{e}": (3, e) for e in (2, 3, 4)},
    zero=False,
)


def test_the_likeliest_network_within_a_limit_is_found_exactly():
    rng = np.random.default_rng(0)
    for _ in range(30):
        costs = [rng.uniform(-0.2, 1, (1, 3)) for _ in range(4)]
        chances = rng.dirichlet(np.ones(3), 4)
        price, limit = Price(SPACE, np.array([0.9]), costs), rng.uniform(1.0, 3.5)
        fine = [p for p in itertools.product(range(3), repeat=4) if price.of(p) <= limit]
        if not fine:
            with pytest.raises(SearchError, match="no network of the space is as fast"):
                likeliest_within(chances, price, limit)
            continue
        odds = {p: np.log([chances[i][j] for i, j in enumerate(p)]).sum() for p in fine}
        found = likeliest_within(chances, price, limit)
        assert price.of(found) <= limit
        close = [p for p in fine if price.of(p) <= 0.996 * limit]  # rounding may lose the rest
        assert odds[found] >= max((odds[p] for p in close), default=-np.inf) - 1e-9

"""Searchers: each is asked for points and told their values.

`Controller` is imported when it is first asked for: it alone needs PyTorch.
"""

from lightlab.search.bayesopt import BayesianOptimization
from lightlab.search.evolution import NSGA2, RegularizedEvolution
from lightlab.search.random_search import GridSearch, RandomSearch
from lightlab.search.searcher import Searcher, SearchError, Trial

__all__ = [
    "NSGA2",
    "BayesianOptimization",
    "Controller",
    "GridSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "SearchError",
    "Searcher",
    "Trial",
]


def __getattr__(name: str) -> object:
    if name == "Controller":
        from lightlab.search.controller import Controller

        return Controller
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Searchers: each is asked for points and told their values.

`BayesianOptimization` is imported when it is first asked for, for BoTorch takes seconds. Of the
others `controller` alone needs PyTorch.
"""

from lightlab.search.evolution import NSGA2, RegularizedEvolution
from lightlab.search.searcher import GridSearch, RandomSearch, Searcher, SearchError, Trial

__all__ = [
    "NSGA2",
    "BayesianOptimization",
    "GridSearch",
    "RandomSearch",
    "RegularizedEvolution",
    "SearchError",
    "Searcher",
    "Trial",
]


def __getattr__(name: str) -> object:
    if name == "BayesianOptimization":
        from lightlab.search.bayesopt import BayesianOptimization

        return BayesianOptimization
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

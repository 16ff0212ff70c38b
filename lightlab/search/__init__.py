"""Searchers: each is asked for points and told their values; `controller` alone needs PyTorch."""

from lightlab.search.bayesopt import BayesianOptimization
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

"""Searchers: each is asked for points and told their values."""

from lightlab.search.bayesopt import BayesianOptimization
from lightlab.search.random_search import GridSearch, RandomSearch
from lightlab.search.searcher import Incumbent, Searcher, SearchSpace, Trial

__all__ = [
    "BayesianOptimization",
    "GridSearch",
    "Incumbent",
    "RandomSearch",
    "SearchSpace",
    "Searcher",
    "Trial",
]

import numpy as np

from lightlab.search.gaussian import acqopt
from lightlab.search.searcher import keys
from lightlab.space.hyper import Choice, Float, HyperSpace, Int

SPACE = HyperSpace(
    {"x": Float(0.0, 1.0), "n": Int(0, 30), "c": Choice(tuple("abcde")), "y": Float(0.0, 1.0)}
)
TARGET = SPACE.to_cube([{"x": 0.37, "n": 17, "c": "d", "y": 0.81}])[0]


def _but(taken):
    return lambda _, key: key not in taken


ANY = _but(set())


class Bowl:
    """Highest, 0, at TARGET; a wrong option costs 0.3."""

    def __call__(self, X):
        return -((X - TARGET)[:, [0, 1, 3]] ** 2).sum(1) - 0.3 * (X[:, 2] != TARGET[2])

    def grad(self, x):
        slope = -2 * (x - TARGET)
        slope[2] = 0.0
        return float(self(x[None])[0]), slope


def test_finds_the_top_of_a_mixed_cube():
    x = acqopt.maximize(Bowl(), SPACE.columns, np.empty((0, 4)), ANY, np.random.default_rng(0))
    np.testing.assert_allclose(x, TARGET, atol=1e-4)


def test_passes_over_taken_places():
    columns = HyperSpace({"n": Int(0, 4), "c": Choice("ab")}).columns

    class First:
        def __call__(self, X):
            return -X[:, 0] - X[:, 1]

    best = np.array([columns[0].levels[0], columns[1].levels[0]])
    x = acqopt.maximize(
        First(), columns, best[None], _but(set(keys(best))), np.random.default_rng(0)
    )
    assert keys(x) != keys(best)
    assert First()(x[None])[0] >= -0.6 - 1e-9


def test_none_when_everything_is_taken():
    space = HyperSpace({"n": Int(0, 2), "c": Choice("ab")})
    allowed = _but(set(keys(space.to_cube(space.grid(3)))))
    rng = np.random.default_rng(0)
    found = acqopt.maximize(lambda X: X[:, 0], space.columns, np.empty((0, 2)), allowed, rng)
    assert found is None


def test_snap_moves_to_the_nearest_level():
    X = np.random.default_rng(0).random((200, 4))
    snapped = acqopt.snap(SPACE.columns, X)
    np.testing.assert_array_equal(snapped[:, [0, 3]], X[:, [0, 3]])
    np.testing.assert_allclose(snapped, SPACE.to_cube(SPACE.from_cube(X)), atol=1e-12)

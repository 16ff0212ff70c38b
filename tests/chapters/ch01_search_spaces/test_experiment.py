"""What notebook 01 measures, against theory, published counts and known values."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch01_search_spaces import algorithms, experiment
from lightlab.chapters.ch01_search_spaces.algorithms import LAWS, Board
from lightlab.chapters.ch01_search_spaces.game import MNK

TICTACTOE = MNK(3, 3, 3)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_visits_counts_agree_with_the_walks() -> None:
    maze = Board.random(12, 0.2, rng(1))
    cells = experiment.visits(maze)
    assert len(cells) == 3 * 12**2
    assert cells.loc[cells["obstacle"], ["visit", "step"]].isna().all(axis=None)
    for method, mine in cells.groupby("method"):
        walk = algorithms.FINDERS[method](maze)
        ordered = mine.dropna(subset="visit").sort_values("visit")
        assert list(zip(ordered["row"], ordered["column"], strict=True)) == walk.visited
        assert mine["step"].max() == walk.length


def test_survey_pairs_methods_and_repeats_with_the_seed() -> None:
    a, visited, excess = experiment.survey(10, [0.0, 0.2], 4, rng(5))
    assert a.equals(experiment.survey(10, [0.0, 0.2], 4, rng(5))[0])
    assert a.groupby(["density", "board"])["method"].nunique().eq(3).all()
    assert a.loc[a["method"] != "depth-first", "excess"].eq(0).all()
    assert a["visited_share"].between(0, 1).all()
    by = a.groupby(["density", "method"], sort=False)
    assert visited["mean"].tolist() == pytest.approx(by["visited_share"].mean().tolist())
    assert excess["mean"].tolist() == pytest.approx(by["excess"].mean().tolist())


def test_order_moves_compares_the_same_trees() -> None:
    frame, leaves = experiment.order_moves(2, [2, 5], 3, rng())
    assert len(frame) == 3 * 2 * 3
    assert frame.groupby(["depth", "tree"])["value"].nunique().eq(1).all()
    best = leaves[leaves["method"] == "best move first"].set_index("depth")["mean"]
    assert best.to_dict() == {2: 2 + 2 - 1, 5: 8 + 4 - 1}


def test_sweep_trades_memory_for_visits() -> None:
    frame = experiment.sweep_tables(MNK(3, 3, 2), [0, 32, 4096])
    for _, mine in frame.groupby("method"):
        assert mine["memory_bytes"].tolist() == [0, 32 * 24, 4096 * 24]
        assert mine["states"].is_monotonic_decreasing
        assert mine["value"].eq(1).all()
    enough = frame.query("method == 'minimax' and capacity == 4096")["states"].item()
    assert enough < frame["states"].max() / 2


def test_one_can_err_wherever_the_values_of_moves_differ() -> None:
    moves = experiment.move_values(TICTACTOE)
    going = [s for ply in TICTACTOE.positions() for s in ply if TICTACTOE.outcome(s) is None]
    assert set(moves) < set(going)
    assert list(moves) == sorted(moves)
    assert TICTACTOE.start not in moves  # every first move draws
    assert all(len(set(values.values())) > 1 for values in moves.values())
    x_to_win = moves[(1 << 0) | (1 << 1), (1 << 3) | (1 << 4)]  # XX. / OO. / ...
    assert x_to_win[1 << 2] == 1  # completes the row
    assert x_to_win[1 << 6] == -1  # lets O complete its own
    assert list(x_to_win.values()).count(1) == 1


def test_judged_position_has_all_three_outcomes() -> None:
    cells = experiment.judge_moves(TICTACTOE, 300, 0, math.sqrt(2))
    free = cells["stone"].eq(0)
    assert set(cells.loc[free, "value"]) == {-1, 0, 1}
    assert cells["playout_share"].sum() == pytest.approx(1)
    assert cells.loc[~free, ["value", "playout_share"]].isna().all(axis=None)
    assert cells["stone"].sum() in (0, 1)  # the first player is 1
    assert cells.loc[cells["playout_share"].idxmax(), "value"] == 1
    assert list(zip(cells["row"], cells["column"], strict=True)) == list(np.ndindex(3, 3))


def test_uct_errs_less_with_more_playouts_and_less_than_a_random_move() -> None:
    errors, means = experiment.perfect_play(TICTACTOE, [10, 200], 30, 3, rng(), math.sqrt(2))
    mean = errors.groupby(["method", "playouts"])["error"].mean()
    assert mean["UCT", 200] < mean["UCT", 10] < mean["random move", 0]
    assert means.set_index(["method", "playouts"])["mean"].to_dict() == pytest.approx(dict(mean))
    assert (experiment.convergence_rate(errors, 30) < 0).all()


def test_convergence_rate_of_a_power_law() -> None:
    n = 10**6  # so many positions that the half error does not show
    playouts = np.tile([10, 100, 1000], 2)
    errors = pd.DataFrame({"method": "UCT", "seed": np.repeat([0, 1], 3), "playouts": playouts})
    errors["error"] = playouts ** np.repeat([-0.5, -1.0], 3)
    assert experiment.convergence_rate(errors, n) == pytest.approx([-0.5, -1.0], abs=1e-3)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.algorithm)
def test_sizes_keep_the_budget(law: algorithms.Law) -> None:
    chosen = experiment.input_sizes(law, 20_000)
    assert chosen == sorted(set(chosen))
    assert len(chosen) >= 4
    largest = chosen[-1]
    assert law.growth(largest) <= 20_000
    assert largest == experiment.MAX_N or law.growth(largest + 1) > 20_000


def test_fitted_slopes_meet_theory_with_the_interval_of_least_squares() -> None:
    """Slope and half width also against the textbook formulas on four points."""
    counted = experiment.count_operations(20_000, 3, rng())
    fits = experiment.fit_laws(counted).set_index("algorithm")
    exact = ["sum", "matrix product", "subset sum", "shortest tour"]
    assert fits.loc[exact, "fitted"].to_numpy() == pytest.approx([1, 3, 2, 1], abs=1e-9)
    assert (fits["fitted"] - fits["theory"]).abs().max() < 0.1
    assert fits["fitted"].between(fits["ci_low"], fits["ci_high"]).all()
    n, operations = np.array([10, 20, 40, 80]), np.array([30.0, 90.0, 430.0, 1500.0])
    mine = pd.DataFrame({"algorithm": "insertion sort", "n": n, "operations": operations})
    others = counted[counted["algorithm"] != "insertion sort"]
    frame = pd.concat([others, mine.assign(seconds=1.0)])
    row = experiment.fit_laws(frame).set_index("algorithm").loc["insertion sort"]
    x, y = np.log(n), np.log(operations)
    sxx = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / sxx
    residual = y - y.mean() - slope * (x - x.mean())
    half = 4.302652729911275 * math.sqrt((residual**2).sum() / 2 / sxx)  # t, 2 degrees of freedom
    assert row["fitted"] == pytest.approx(slope)
    assert row["ci_high"] - row["fitted"] == pytest.approx(half)


def test_computed_sizes_are_the_published_ones() -> None:
    frame = experiment.known_spaces()
    assert frame["log10_size"].is_monotonic_increasing
    assert frame["source"].str.len().gt(0).all()
    assert set(frame["origin"]) == {"computed", "counted", "published"}
    assert set(frame["group"]) == {"board", "architecture"}
    known = frame[frame["origin"] != "published"].set_index("name")["size"]
    assert all(isinstance(size, int) for size in known)
    assert known["MnasNet, one design per block"] == 432**5
    assert known["MnasNet, one design per layer"] == 432**15
    assert known["ProxylessNAS"] == 6**6 * 7**15
    assert known["Once-for-All sub-networks"] == (9**2 + 9**3 + 9**4) ** 5 == 7371**5
    assert known["NAS-Bench-Macro"] == 6561
    assert known["tic-tac-toe positions"] == 5478
    assert known["cells of a 10 × 10 board"] == 100


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
def test_grammar(a: int, b: int, times: int) -> None:
    parts = {"x": list(range(a)), "y": list(range(b))}
    assert experiment.space_size(parts["x"]) == a
    assert experiment.space_size({"all": parts}) == a * b
    assert experiment.space_size({"any": parts}) == a + b
    assert experiment.space_size({"repeat": times, "of": {"any": parts}}) == (a + b) ** times


@pytest.mark.parametrize(
    "bad", [[], {}, 3, "all", {"all": {}}, {"repeat": 0, "of": [1]}, {"all": {"x": [1]}, "of": 2}]
)
def test_what_is_no_definition_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="not a definition"):
        experiment.space_size(bad)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(ValueError, match="raise it"):
        experiment.input_sizes(LAWS[-1], 100)
    with pytest.raises(ValueError, match="no position"):
        experiment.judge_moves(MNK(2, 1, 1), 10, 0, 1.0)

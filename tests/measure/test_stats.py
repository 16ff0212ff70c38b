"""Intervals against textbook values and against their own promise."""

import numpy as np
import pandas as pd
import pytest
import scipy
from hypothesis import given
from hypothesis import strategies as st

from lightlab.measure import stats


def test_too_few_values_have_no_interval_and_none_are_refused():
    for (mean, *interval), wanted in (
        (stats.mean_ci([3.0]), 3),
        (stats.median_ci([1, 2, 3]), 2),
    ):
        assert mean == wanted
        assert np.isnan(interval).all()
    for call in (stats.mean_ci, stats.median_ci):
        with pytest.raises(ValueError, match="at least one value"):
            call([])
    with pytest.raises(ValueError, match="at least one value"):
        stats.mean_ci([1.0, float("nan")])


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        _, low, high = stats.mean_ci(rng.normal(1.0, 2.0, size=5))
        covered += low <= 1.0 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)


TABLES = st.lists(
    st.tuples(
        st.sampled_from("abc"),  # which is compared
        st.integers(0, 4),  # seed
        st.integers(0, 2),  # corner
        st.floats(-100, 100, allow_subnormal=False),
    ),
    max_size=40,
    unique_by=lambda row: row[:3],
).map(lambda rows: pd.DataFrame(rows, columns=["arm", "seed", "corner", "accuracy"]))


@given(st.integers(2, 12), st.integers(0, 1000))
def test_paired_differences_have_the_interval_of_the_paired_t_test(n, number):
    rng = np.random.default_rng(number)
    values = {"a": rng.normal(3, 2, n), "b": rng.random(n)}
    rows = [(arm, seed, x) for arm in values for seed, x in enumerate(values[arm])]
    table = pd.DataFrame(rows, columns=["arm", "seed", "accuracy"]).sample(frac=1, random_state=rng)
    found = stats.mean_ci(stats.paired(table, "accuracy", "arm", "a", "b"))
    interval = scipy.stats.ttest_rel(values["a"], values["b"]).confidence_interval(0.95)
    assert found[1:] == pytest.approx((interval.low, interval.high))


@given(TABLES, st.booleans())
def test_unbalanced_tables_are_paired_where_both_are(table, by_corner):
    parts = {arm: table[table["arm"] == arm] for arm in "ab"}
    on = ["seed", "corner"] if by_corner else ["seed"]
    means = [part.groupby(on)["accuracy"].mean() for part in parts.values()]
    wanted: dict[int, list[float]] = {}
    for key in means[0].index.intersection(means[1].index).sort_values():
        seed = key[0] if by_corner else key
        wanted.setdefault(seed, []).append(means[0][key] - means[1][key])
    try:
        found = stats.paired(table, "accuracy", "arm", "a", "b", on=on)
    except KeyError:  # one of the two is not there at all
        assert any(part.empty for part in parts.values())
        return
    wanted = {seed: np.mean(gaps) for seed, gaps in wanted.items()}
    assert found.to_dict() == pytest.approx(wanted)
    again = stats.paired(pd.concat([table] * 2), "accuracy", "arm", "a", "b", on=on)
    assert again.to_dict() == pytest.approx(found.to_dict())  # rows that stand there twice


def test_groups_have_the_interval_of_each_group():
    df = pd.DataFrame({"m": ["a"] * 4 + ["b"], "v": [1.0, 2, 3, 4, 7]})
    rows = stats.grouped_ci(df, "m", "v").set_index("m")[["mean", "ci_low", "ci_high", "n"]]
    assert rows.loc["a"].tolist() == pytest.approx([*stats.mean_ci([1, 2, 3, 4]), 4])
    assert np.isnan(rows.loc["b", "ci_low"])


def test_the_median_lies_between_order_statistics():
    # binomial(9, 1/2): the second and the eighth value hold the median with 96.1 % (Conover, A3)
    assert stats.median_ci([9, 1, 8, 2, 7, 3, 6, 4, 5]) == (5.0, 2.0, 8.0)


X = np.arange(10.0)


@pytest.mark.parametrize(
    ("correlation", "wanted"),
    [
        (stats.spearman, 1 - 6 * 10 / (10 * 99)),  # 1 − 6 Σd² / n(n² − 1)
        (stats.kendall, 1 - 2 * 5 / 45),  # 5 of 45 pairs the other way round
    ],
)
def test_rank_correlations_and_their_bootstrap_intervals(correlation, wanted):
    value, low, high = correlation(X, X.reshape(5, 2)[:, ::-1].ravel())
    assert value == pytest.approx(wanted)
    assert low < value < high
    assert correlation(X, np.exp(X))[0] == pytest.approx(1.0)
    assert correlation(X, -X)[:2] == pytest.approx((-1.0, -1.0))
    assert np.isnan(correlation(X, np.ones(10))).all()
    with pytest.raises(ValueError, match="equally long"):
        correlation([1, 2], [1, 2])


def test_the_bootstrap_interval_covers_as_often_as_it_says():
    rng, covered = np.random.default_rng(0), 0
    for i in range(100):
        a = rng.normal(size=40)
        _, low, high = stats.spearman(a, rng.normal(size=40), seed=i, n_boot=300)
        covered += low <= 0 <= high
    assert covered >= 85


def test_two_halves_agree_on_what_is_real_and_tell_the_noise():
    rng = np.random.default_rng(3)
    real = np.linspace(1, 2, 30)[:, None] * rng.normal(1, 0.01, (30, 20))
    luck = rng.normal(1, 0.01, (300, 20))
    assert stats.split_half(real) > 0.98
    assert abs(stats.split_half(luck)) < 0.2
    assert np.isnan(stats.split_half(real[:2]))
    assert np.isnan(stats.split_half(real[:, :1]))
    # the standard error of the median of 20 normal values is 1.2533 σ / √20
    assert stats.half_noise(luck) == pytest.approx(1.2533 * 0.01 / np.sqrt(20), rel=0.15)


def test_ratios_have_the_geometric_mean_and_an_interval_that_inverts():
    rows = [("a", 0, 5.0), ("b", 1, 2.0), ("a", 1, 4.0), ("b", 0, 1.0), ("a", 2, 9.0)]
    table = pd.DataFrame(rows, columns=["name", "seed", "accuracy"])
    x = stats.paired(table, "accuracy", "name", "a", "b", ratio=True)
    assert x.tolist() == [5.0, 2.0]
    mean, low, high = stats.ratio_ci(x)
    assert mean == pytest.approx(10**0.5)
    assert (1 / mean, 1 / high, 1 / low) == pytest.approx(stats.ratio_ci(1 / x))


def test_a_relative_fit_finds_what_was_put_in_and_weighs_small_values_as_much():
    X = np.array([[1.0, 2.0], [2.0, 1.0], [3.0, 5.0], [5.0, 4.0]])
    y = 0.5 + X @ [2.0, 0.1]
    assert stats.relative_fit(X, y) == pytest.approx([0.5, 2.0, 0.1])
    x, y = np.array([[1.0], [2.0], [100.0]]), np.array([1.0, 2.0, 110.0])
    offset, slope = stats.relative_fit(x, y)
    errors = np.abs((offset + slope * x[:, 0]) / y - 1)
    plain = np.abs(np.polyval(np.polyfit(x[:, 0], y, 1), x[:, 0]) / y - 1)
    assert errors.max() < plain.max()
    with pytest.raises(ValueError, match="need 4 points"):
        stats.relative_fit(X[:3], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="cannot tell"):
        stats.relative_fit(np.ones((4, 1)), [1.0, 2.0, 3.0, 4.0])


def test_differences_have_a_row_each():
    table = stats.difference_table({"a − b": np.array([1.0, 3.0]), "one seed": [2.0]})
    assert table["what"].tolist() == ["a − b", "one seed"]
    assert table["mean"].tolist() == [2, 2]
    assert table["n"].tolist() == [2, 1]
    half = 12.7062  # Student's t of one degree of freedom, times a standard error of 1
    assert table["ci_high"][0] - 2 == pytest.approx(half, abs=1e-3)
    assert np.isnan(table["ci_low"][1])


@pytest.mark.parametrize(("k", "n"), [(0, 10), (10, 20), (20, 20), (3, 7)])
def test_the_interval_of_a_share_is_wilsons(k, n):
    z = 1.959964
    centre = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    wanted = (k / n, max(0, centre - half), min(1, centre + half))
    assert stats.share_ci(k, n) == pytest.approx(wanted, abs=1e-6)

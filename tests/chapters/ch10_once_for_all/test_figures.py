"""Pictures of a once-for-all network say what the data frames say."""

import pandas as pd

from lightlab.chapters.ch10_once_for_all import experiment, specialisation
from lightlab.chapters.ch10_once_for_all import figures as plots


def title(ax):
    return ax.get_title() or ax.get_title(loc="left")


def test_a_course_has_three_lines_and_its_phases():
    history = pd.DataFrame({"phase": ["full network", "kernel"], "passes": [1000, 2000]})
    (ax,) = plots.course(history.assign(smallest=[1, 2], middle=[3, 4], largest=[5, 6])).axes
    assert [t.get_text() for t in ax.texts] == ["full network", "kernel"]
    drawn = {line.get_label(): line.get_ydata().tolist() for line in ax.lines[:3]}
    assert drawn == {"largest": [5, 6], "middle": [3, 4], "smallest": [1, 2]}


def test_corners_and_gaps_show_means():
    rows = [(a, s, c, 50.0 + s) for a in ("progressive", "uniform") for s in (0, 2) for c in "xy"]
    table = pd.DataFrame(rows, columns=["arm", "seed", "corner", "accuracy"])
    fig = plots.corners(table)
    means = [line for line in fig.axes[0].lines if line.get_label() in plots.ARMS]
    assert [line.get_ydata().tolist() for line in means] == [[51, 51], [51, 51]]
    gaps = pd.DataFrame({"what": ["a", "b"], "mean": [1.0, 2], "ci_low": [0.0, 1], "ci_high": 3.0})
    (ax,) = plots.gaps(gaps, [2.5, 3.7]).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_fronts_have_a_panel_per_setting_and_means_by_target():
    served = pd.DataFrame({"latency_ms": [0.8, 1.0], "accuracy": [60.0, 70], "target_ms": 1.0})
    designs = pd.DataFrame({"latency_ms": [1.0, 2.0, 1.5], "accuracy": [50.0, 55, 60]})
    designs = designs.assign(arch=["a", "b", "c"], family="MobileNetV2", validated=[51.0, 54, 40])
    setting = {"setting": "torch/1/1"}
    (ax,) = plots.fronts(served.assign(**setting), designs.assign(**setting)).axes
    assert title(ax) == "torch, 1 thread, batch 1"
    dots, mean, _, line = ax.lines
    assert dots.get_xdata().tolist() == [800, 1000]
    assert mean.get_ydata().tolist() == [65]
    assert line.get_ydata().tolist() == [50, 55]  # without c, slower than a and worse


def test_costs_are_counted_in_minutes():
    seconds = {"fixed": 600, "each": 60, "tuning": 60, "alone": 60, "mnasnet": 600, "proxyless": 60}
    costs = specialisation.total_costs(specialisation.cost_table(**seconds), [1, 10])
    (ax,) = plots.costs(costs, 10.0).axes
    drawn = {line.get_label(): list(line.get_ydata()) for line in ax.lines}
    assert drawn[specialisation.OURS] == [11, 20]
    assert drawn[specialisation.PROXYLESS] == [2, 20]
    assert len(plots.costs(costs, float("inf")).axes[0].lines) == 4


def test_kernels_are_framed_where_the_next_comes_from():
    rows = [(k, i, j, i - j) for k in (3, 5) for i in range(k) for j in range(k)]
    fig = plots.kernels(pd.DataFrame(rows, columns=["kernel", "row", "column", "value"]))
    assert [title(ax) for ax in fig.axes] == ["5×5", "3×3"]
    (frame,) = fig.axes[0].lines
    assert (min(frame.get_xdata()), max(frame.get_xdata())) == (0.5, 3.5)
    assert not fig.axes[1].lines


def test_bars_stand_for_the_orders():
    importance = pd.DataFrame({"order": ["as trained", "by importance"], "channel": 0, "value": 1})
    rows = [(o, e, 10.0 * e + len(o), 1.0, 99.0) for o in experiment.ORDERS for e in (2, 3)]
    cut = pd.DataFrame(rows, columns=["order", "expand", "mean", "ci_low", "ci_high"])
    right = plots.ordered(importance, cut).axes[1]
    found = [bar.get_height() for bar in right.patches]
    wanted = [10.0 * e + len(o) for o in ("by importance", "as trained", "random") for e in (2, 3)]
    assert found == wanted

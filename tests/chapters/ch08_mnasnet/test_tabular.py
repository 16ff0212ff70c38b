"""NAS-Bench-Macro's table: read whole or refused, and its networks are ours to the last MAC."""

import gzip

import numpy as np
import pytest

from lightlab.chapters.ch08_mnasnet.space import nas_bench_macro
from lightlab.measure import cost
from lightlab.search import BayesianOptimization, RandomSearch, RegularizedEvolution
from lightlab.search.controller import Controller
from lightlab.space.skeleton import MACRO, MACRO_TIED

_ARCHS = ["".join(map(str, MACRO.unrank(i))) for i in range(MACRO.size())]
_ROWS = [
    f"{arch},{45.3 + i / 1000:.3f},{387882 + i},{7713280 + i}" for i, arch in enumerate(_ARCHS)
]
HEAD = "arch,mean_acc,params,flops"
GOOD = "\n".join([HEAD, *_ROWS, ""])


def test_a_table_by_point(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\n".join([HEAD, *reversed(_ROWS)]))
    read = nas_bench_macro(path)
    assert list(read.table.columns) == ["accuracy", "macs", "params"]
    assert read.table["macs"].to_dict()[(0, 0, 0, 0, 0, 0, 0, 1)] == 7713281
    assert read.table["accuracy"].to_dict()[(0,) * 8] == 45.3
    assert read.spec == f"table:{path}"
    path.write_text(GOOD.replace(",45.301,", ",45.302,"))
    assert nas_bench_macro(path).fingerprint != read.fingerprint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "no such file; give the path"),
        ("", "cannot be read as CSV"),
        ("a,b\n1,2\n", "has no column 'arch'"),
        (GOOD.replace("flops", "time"), "has no column 'flops'"),
        (GOOD.replace("00000001,", "0000001,"), "has 7 entries, not 8"),
        (GOOD.replace("00000001,", "00000003,"), "no index of one of its 3 options"),
        (GOOD.replace("00000001,", "0000000x,"), "invalid literal"),
        (GOOD.replace("00000001,", "00000000,"), "stands there twice"),
        (GOOD.replace(",45.301,", ",good,"), "column accuracy holds other things than numbers"),
        (GOOD.replace(",45.301,", ",,"), "a value is missing"),
        (GOOD.replace(",45.301,", ",145.3,"), "no accuracy in per cent"),
        (GOOD[:5000], "of the 6561 networks"),
        ("\x00\xff\xfe", "is it NAS-Bench-Macro's table|cannot be read"),
        (gzip.compress(GOOD.encode())[:2000], "cannot be read as CSV"),  # it was cut
    ],
)
def test_anything_else_is_refused_in_one_line(tmp_path, text, says):
    path = tmp_path / ("t.csv.gz" if isinstance(text, bytes) else "t.csv")
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=says) as error:
        nas_bench_macro(path)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def table(real_table):
    return nas_bench_macro(real_table).table


def test_all_networks_have_the_printed_macs_and_parameters_and_some_are_tied(table):
    assert len(table) == MACRO.size() == 6561
    archs, price = [MACRO.decode(point) for point in table.index], cost.Prices()
    assert [price(arch) for arch in archs] == list(zip(table["macs"], table["params"], strict=True))
    tied = {MACRO_TIED.decode(MACRO_TIED.unrank(i)) for i in range(MACRO_TIED.size())}
    assert tied < set(archs)
    assert MACRO_TIED.size() == 6 * 8 * 8
    assert len(tied) == 5 * 7 * 7  # no layers of either design are the same network


def regret(kind, accuracy: dict, n_seeds: int, n: int) -> np.ndarray:
    """Best accuracy of the table less the best found, after each of `n` networks; mean of seeds."""
    found = np.empty((n_seeds, n))
    for seed in range(n_seeds):
        searcher = kind(MACRO, seed=seed)
        for i in range(n):
            points = searcher.ask(1)
            found[seed, i] = accuracy[points[0]]
            searcher.tell(points, found[seed, i : i + 1])
    return (max(accuracy.values()) - np.maximum.accumulate(found, axis=1)).mean(axis=0)


def test_searchers_keep_their_bars_on_really_trained_networks(table):
    """`benchmarks/search.py` in small: fewer seeds, so bars a little wider than its own."""
    accuracy = table["accuracy"].to_dict()
    evolution = regret(RegularizedEvolution, accuracy, 10, 100)
    assert evolution[49] <= 0.15
    assert evolution[99] <= 0.06
    assert regret(BayesianOptimization, accuracy, 4, 60)[49] <= 0.05
    learnt, lucky = (regret(kind, accuracy, 6, 200)[-1] for kind in (Controller, RandomSearch))
    assert learnt < lucky

"""MnasNet's experiments in small: several searches of one budget, for one reward or another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from lightlab import latency, train
from lightlab.chapters.ch08_mnasnet.space import (
    FLAT,
    HIERARCHICAL,
    Tabular,
    nas_bench_macro,
    single_layer_variants,
)
from lightlab.data import DataSet
from lightlab.disk import Journal
from lightlab.measure import stats
from lightlab.methods import baselines, mnasnet
from lightlab.methods.mnasnet import HARD, SOFT, Evaluate, Meter, Proxy
from lightlab.search import pareto
from lightlab.search.controller import PPO, Controller
from lightlab.search.searcher import RandomSearch
from lightlab.space.arch import Arch, decode, encode
from lightlab.space.decisions import DecisionSpace
from lightlab.space.skeleton import MACRO, MACRO_TIED

EXPONENTS = {"soft": SOFT, "hard": HARD, "none": (0.0, 0.0)}  # "none" leaves the accuracy alone
_PLAN = latency.Plan.brief(8, warmup_ms=10.0)


@dataclass(frozen=True)
class Arm:
    """A search: of which space, for which reward of EXPONENTS, by a controller or at random."""

    space: str
    reward: str
    learns: bool = True


# On small images a search is of the hierarchical space unless its name says otherwise …
ARMS = {
    "random": Arm(HIERARCHICAL, "soft", learns=False),
    "soft": Arm(HIERARCHICAL, "soft"),
    "hard": Arm(HIERARCHICAL, "hard"),
    "accuracy only": Arm(HIERARCHICAL, "none"),
    "soft, flat": Arm(FLAT, "soft"),
    "accuracy only, flat": Arm(FLAT, "none"),
}
# … in a table of per-layer networks it is of the whole table, or of the part with tied layers.
TABLE_ARMS = {
    "random": Arm(FLAT, "soft", learns=False),
    "soft": Arm(FLAT, "soft"),
    "hard": Arm(FLAT, "hard"),
    "accuracy only": Arm(FLAT, "none"),
    "random, tied": Arm(HIERARCHICAL, "soft", learns=False),
    "soft, tied": Arm(HIERARCHICAL, "soft"),
    "accuracy only, tied": Arm(HIERARCHICAL, "none"),
}
CORNERS = ("soft", "accuracy only", "soft, flat", "accuracy only, flat")


def figure3(soft: tuple[float, float] = SOFT) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rewards of accuracy 0.5 for a target of 80 ms, and over accuracy (%) and latency / target."""
    ms = np.linspace(10, 160, 151)
    grid = pd.MultiIndex.from_product([np.linspace(40, 90, 51), np.linspace(0.2, 2.5, 116)])
    grid = grid.to_frame(index=False, name=["accuracy", "ratio"])
    curves, surface = [], []
    for kind, exponents in (("hard", HARD), ("soft", soft)):
        line = mnasnet.reward(0.5, ms, 80.0, *exponents)
        curves.append(pd.DataFrame({"kind": kind, "latency_ms": ms, "reward": line}))
        plane = mnasnet.reward(grid["accuracy"], grid["ratio"], 1, *exponents)
        surface.append(grid.assign(kind=kind, reward=plane))
    return pd.concat(curves), pd.concat(surface)


def fitted_exponent(trials: pd.DataFrame) -> tuple[float, float, float]:
    """The rule of section 3 on networks of our own: the exponent at which randomly drawn ones are
    on average worth the same, minus the slope of log accuracy over log latency; bootstrap interval.

    ValueError for fewer than three that did not fail, or for equal latencies.
    """
    fine = trials[trials["accuracy"] > 0]
    x, y = np.log(fine["latency_ms"].to_numpy()), np.log(fine["accuracy"].to_numpy())
    if len(x) < 3 or np.ptp(x) == 0:
        few = f"{len(x)} networks are too few, or all as fast"
        raise ValueError(f"{few}, to see what time is worth")

    def falling(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        dx = x - x.mean(-1, keepdims=True)
        with np.errstate(invalid="ignore", divide="ignore"):  # NaN for equal x
            return -(dx * y).sum(-1) / (dx * dx).sum(-1)

    return stats.bootstrap_ci(falling, x, y)


def soft_exponents(beta: float) -> tuple[float, float]:
    """alpha and beta of the soft reward; the paper's, where `beta` would pay for being slow."""
    return (beta, beta) if beta < 0 else SOFT


def proxy(images: DataSet, recipe: train.Recipe, centre: Arch, path: Path, seed: int) -> Proxy:
    """Evaluates networks, timed in turn with `centre`, by short training; journal at `path`."""
    notes = Journal(path)
    return Proxy(images, recipe, Meter(centre, journal=notes), notes, seed)


def searches(
    spaces: Mapping[str, DecisionSpace],
    evaluate: Evaluate,
    target_ms: float,
    seeds: Iterable[int],
    n_trials: int,
    batch_size: int = PPO.batch_size,
    lr: float = PPO.lr,
    arms: Mapping[str, Arm] = ARMS,
    soft: tuple[float, float] = SOFT,
) -> pd.DataFrame:
    """The trials of every arm and seed, one row per network a search tried. reward: the soft one,
    whatever the search was after; ratio: latency over the target; front: the search found none as
    fast and as accurate. `spaces` by the arms' names.
    """
    exponents, ppo, parts = EXPONENTS | {"soft": soft}, PPO(lr, batch_size), []

    def value(reward: str, rows: pd.DataFrame) -> np.ndarray:
        kind = exponents[reward]
        return mnasnet.reward(rows["accuracy"], rows["latency_ms"], target_ms, *kind)

    for seed, name in tqdm([(s, a) for s in seeds for a in arms], desc="searching", unit="search"):
        arm, space = arms[name], spaces[arms[name].space]
        searcher = Controller(space, seed, ppo=ppo) if arm.learns else RandomSearch(space, seed)
        own = partial(value, arm.reward)
        found = mnasnet.search(searcher, space, evaluate, own, n_trials, batch_size)
        fine, found["reward"] = found["accuracy"].notna(), np.nan
        found.loc[fine, "reward"] = value("soft", found[fine])
        both = np.column_stack([found["accuracy"].fillna(-np.inf), -found["latency_ms"]])
        found["front"] = pareto.is_non_dominated(both) & fine
        found["ratio"] = found["latency_ms"] / target_ms
        parts.append(found.assign(arm=name, seed=seed))
    return pd.concat(parts, ignore_index=True)


def search_table(
    path: str | Path, seed: int, seeds: Sequence[int] = range(20)
) -> tuple[Tabular, pd.DataFrame, float]:
    """NAS-Bench-Macro's table, the trials of TABLE_ARMS on it, 200 networks each for the median
    latency, and the exponent of their soft reward, fitted to what random search draws with the
    first of `seeds`; `seed` chooses the networks that are timed.
    """
    read = nas_bench_macro(path)
    table = with_latency(read.table, seed)
    both = {HIERARCHICAL: MACRO_TIED, FLAT: MACRO}
    budget = (both, look_up(table), float(table["latency_ms"].median()))
    drawn = searches(*budget, seeds[:1], 200, arms={"random": TABLE_ARMS["random"]})
    soft = soft_exponents(fitted_exponent(drawn)[0])
    return read, searches(*budget, seeds, 200, arms=TABLE_ARMS, soft=soft), soft[1]


def with_latency(table: pd.DataFrame, seed: int = 0, n_calibration: int = 16) -> pd.DataFrame:
    """The table with latency_ms of every network: by a look-up table measured here (ONNX Runtime,
    one thread, batch 1), calibrated on the three pure networks and `n_calibration` others.
    ValueError where a busy machine spoilt it.
    """
    archs = [MACRO.decode(point) for point in table.index]
    pure = [MACRO.decode((option,) * 8) for option in range(3)]  # every piece, and the extremes
    chosen = np.random.default_rng(seed).choice(len(archs), n_calibration, replace=False)
    lookup = latency.LookupTable.build(pure, plan=_PLAN)
    whole = dict(enumerate([*pure, *(archs[i] for i in chosen)]))
    timed = latency.measure_many(whole, plan=_PLAN, estimate="fastest").latency_ms
    lookup = lookup.calibrate(whole.values(), timed.values())
    found = np.array([lookup.predict(arch) for arch in archs])
    if not found.min() > 0:
        said = f"the look-up table predicts {found.min():.3g} ms"
        raise ValueError(f"{said}: the machine was too busy, run again")
    return table.assign(arch=[encode(arch) for arch in archs], latency_ms=found)


def look_up(table: pd.DataFrame) -> Callable[[Sequence[Arch]], pd.DataFrame]:
    """Evaluates networks of a table, as `Proxy` does, by looking them up; nothing is spent."""
    known = table.drop_duplicates("arch").set_index("arch")
    free = {"samples": 0, "train_macs": 0, "seconds": 0.0}

    def find(archs: Sequence[Arch]) -> pd.DataFrame:
        return known.loc[[encode(arch) for arch in archs]].reset_index().assign(**free)

    return find


def train_longer(
    networks: pd.DataFrame, n: int, evaluate: Proxy, recipe: train.Recipe, path: Path
) -> pd.DataFrame:
    """`n` of these trials, of different networks, with their accuracy after `recipe` (longer, %),
    from other weights than `evaluate` gave them; fewer where trainings failed.
    """
    some = networks.dropna(subset=["accuracy"]).sample(frac=1, random_state=0).head(n)
    longer = Proxy(evaluate.images, recipe, evaluate.latency_ms, Journal(path), evaluate.seed + 1)
    found = longer([decode(text) for text in some["arch"]])["accuracy"].to_numpy()
    return some.assign(longer=found).dropna(subset=["longer"])


def finalists(
    outcomes: pd.DataFrame, space: DecisionSpace, evaluate: Proxy
) -> tuple[dict[str, Arch], pd.DataFrame, float]:
    """What is trained to the end: the best of the soft searches, MobileNetV2's design as fast,
    single layer types. Also the layers of the first two, and the second's latency over the first's.
    """
    mine = outcomes[outcomes["arm"] == "soft"].sort_values("reward").iloc[-1]
    best, centre = decode(mine["arch"]), space.decode(space.centre())
    scaled, scaled_ms = baselines.match_latency(centre, mine["latency_ms"], evaluate.latency_ms)
    two = {"found": best, "MobileNetV2, as fast": scaled}
    layers = baselines.layer_rows(two)
    return two | single_layer_variants(space, best), layers, scaled_ms / mine["latency_ms"]

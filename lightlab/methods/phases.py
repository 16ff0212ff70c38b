"""In which order a once-for-all network learns to be cut to size: phases as data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from lightlab.measure import cost
from lightlab.methods.price import Price
from lightlab.published import read_csv
from lightlab.search.searcher import SearchError
from lightlab.space.decisions import Point
from lightlab.space.once_for_all import OfaSpace

RULES = ("uniform", "sandwich")


@dataclass(frozen=True)
class Phase:
    """So many `epochs` in which the largest `kernels`, `depths` and `expands` of the options are
    open (counts, all where there are fewer) and every resolution is.

    A step sums the gradients of `n_subnets` sub-networks. `lr` is a share of the recipe's rate,
    `warmup` of the phase's steps (None: the recipe's). `rule` "uniform" draws every option alike;
    "sandwich" takes the largest, the smallest and drawn ones, and the largest teaches the others
    (Yu & Huang 2019, in-place distillation). With `sorts` the channels are sorted first, between
    the widths of as many of the largest expansions: those that were open before.
    """

    name: str
    kernels: int
    depths: int
    expands: int
    epochs: float
    lr: float = 1.0
    n_subnets: int = 1
    warmup: float | None = None
    rule: str = "uniform"
    sorts: int = 0

    def __post_init__(self) -> None:
        rules = {
            "kernels, depths and expands >= 1": min(self.kernels, self.depths, self.expands) >= 1,
            "epochs > 0": self.epochs > 0,
            "lr > 0": self.lr > 0,
            "n_subnets >= 1, in a sandwich 2": self.n_subnets >= 1 + (self.rule == "sandwich"),
            "0 <= warmup <= 1": self.warmup is None or 0 <= self.warmup <= 1,
            f"rule is one of {', '.join(RULES)}": self.rule in RULES,
            "sorts >= 0": self.sorts >= 0,
        }
        if broken := [rule for rule, holds in rules.items() if not holds]:
            raise SearchError(f"phase {self.name!r} needs {'; '.join(broken)}")

    @property
    def passes(self) -> float:
        """Sub-network passes over the training images."""
        return self.epochs * self.n_subnets


ALL = 10**6  # more than there are options of anything


def published() -> tuple[Phase, ...]:
    """The paper's six phases, 605 epochs, 1,205 passes; rates as shares of the first."""
    table = read_csv("ofa_phases.csv").rename(columns={"phase": "name"})
    warmup = table.pop("warmup_epochs") / table["epochs"]
    table["warmup"] = warmup.astype(object).where(warmup.notna(), None)
    table["lr"] /= table["lr"].iloc[0]
    table["sorts"] = table["expands"].shift(fill_value=1).where(table["expands"].diff() > 0, 0)
    return tuple(Phase(**row) for row in table.to_dict("records"))


def progressive(passes: float, fall: float = 1.0) -> tuple[Phase, ...]:
    """The paper's phases, shortened alike to so many passes in all. Rates, as shares of the first
    phase's, are raised to the power `fall`: with 0 all phases begin at the same rate.
    """
    phases = published()
    share = passes / sum(phase.passes for phase in phases)
    return tuple(replace(p, epochs=p.epochs * share, lr=p.lr**fall) for p in phases)


def uniform(passes: float) -> tuple[Phase, ...]:
    """Everything open from the first step on; two sub-networks a step, as in the paper's phases on
    average.
    """
    return (Phase("uniform", ALL, ALL, ALL, passes / 2, n_subnets=2),)


def sandwich(passes: float, n_subnets: int = 3) -> tuple[Phase, ...]:
    """The sandwich rule from the first step on."""
    epochs = passes / n_subnets
    return (Phase("sandwich", ALL, ALL, ALL, epochs, n_subnets=n_subnets, rule="sandwich"),)


def draw(space: OfaSpace, phase: Phase, generator: torch.Generator) -> list[Point]:
    """The sub-networks of a step, all for one resolution."""
    n_options = torch.tensor(space.n_options)
    most = {"kernel": phase.kernels, "expand": phase.expands, "depth": phase.depths}
    what = [decision.name.rpartition(".")[2] for decision in space.decisions]
    n_open = n_options.minimum(torch.tensor([most.get(name, ALL) for name in what]))
    rows = torch.rand(phase.n_subnets, len(n_open), generator=generator)
    drawn = (rows * n_open).long() + n_options - n_open
    resolution = int(drawn[-1, 0])
    if phase.rule == "sandwich":
        drawn[0], drawn[1] = n_options - 1, n_options - n_open
    drawn[:, 0] = resolution
    return [tuple(row) for row in drawn.tolist()]


def expected_macs(space: OfaSpace, phases: Sequence[Phase], taught: bool, n: int = 500) -> float:
    """MACs of all phases for one training image, from `n` drawn steps each; with a teacher, the
    largest network's forward passes too.
    """
    macs, generator = Price.macs(space), torch.Generator().manual_seed(0)
    total = 0.0
    for phase in phases:
        steps = [draw(space, phase, generator) for _ in range(n)]
        passes = macs.of([point for points in steps for point in points]).sum() / n
        total += cost.PASSES_PER_TRAINING_STEP * phase.epochs * passes
        if taught:
            teachers = [(points[0][0], *space.corner()[1:]) for points in steps]
            total += phase.epochs * macs.of(teachers).mean()
    return total

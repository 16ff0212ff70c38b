"""The space that is searched: as wide as it has to be for the target to lie inside."""

import math
from dataclasses import dataclass, replace

import pandas as pd

from lightlab import latency, train
from lightlab.data import DataSet
from lightlab.fit import budget
from lightlab.fit.budget import LATENCY, MACS, RUNTIMES, SIZE, Meter, Now
from lightlab.measure import cost
from lightlab.methods import mnasnet
from lightlab.methods.price import Price, price_latency
from lightlab.methods.subnet_search import Limits
from lightlab.nets.build import build
from lightlab.space.arch import Arch
from lightlab.space.once_for_all import OfaSpace
from lightlab.space.skeleton import Skeleton

CHANNELS = (16, 24, 40, 80, 112)  # of the units at width 1
WIDTHS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
N_SUBNETS = 3  # of a step of the sandwich rule
DEPTH, KERNELS, EXPANDS = 3, (3, 5), (2, 3, 4)
AIM = 0.65  # where in the range of a space, on a logarithmic scale, the target is best
_PLAN = latency.Plan.brief(6)
_N_WHOLE = 8  # networks that the look-up table is calibrated on
# What a supernet's training has to last at least, else a smaller space is searched. Of 0, 400,
# 1,000, 2,000 and 3,000 steps the third was best for 40 seconds on cluttered digits (one run each).
# However many images there are: 5.5 minutes with all of CIFAR-10 end no worse and no better where
# it has to be four epochs, 5,000 steps (benchmarks/least_steps.md), of a space a third as large.
_LEAST_STEPS = 1000
# A step that takes so many times the smallest network's is affordable in any case, of a network of
# at most so many times its size; what it is measured by is noisy.
_NEARLY, _WIDEST, _LEAST_SHARE = 1.3, 3.0, 0.5


@dataclass(frozen=True, eq=False)
class Room:
    """A space, per cost its price and the most allowed, and what was `offered`: rows channels,
    layers (of a unit, at most), cost, least, most, wanted, position (of the target between the two
    on a logarithmic scale; beyond 1 it is no limit), chosen.
    """

    space: OfaSpace
    costs: dict[str, tuple[Price, float]]
    offered: pd.DataFrame

    def limits(self, share: float = 1) -> Limits:
        """What the networks may cost, times `share`; SearchError where none costs so little."""
        return Limits({name: (costs, most * share) for name, (costs, most) in self.costs.items()})


def spaces(images: DataSet, depth: int = DEPTH) -> list[OfaSpace]:
    """Once-for-all spaces, units of up to `depth` layers, from the narrowest to the widest."""
    side = images.input_shape[1]
    n_halvings = min(5, max(1, int(math.log2(max(side, 16) / 8))))  # to maps of 4 to 8 px
    channels = CHANNELS[: min(5, max(2, n_halvings + 1))]
    frame = Skeleton.small(images.input_shape, len(images.class_names), channels, depth)
    stages = [replace(s, stride=2 if i < n_halvings else 1) for i, s in enumerate(frame.stages)]
    frame, found = replace(frame, stages=tuple(stages)), []
    for width in WIDTHS:
        try:
            found.append(OfaSpace(frame.scaled(width), KERNELS, EXPANDS, range(1, depth + 1)))
        except ValueError:  # so narrow that two units cannot be told apart
            continue
    return found


def affordable_macs(images: DataSet, recipe: train.Recipe, seconds: float, now: Now) -> float:
    """MACs of the largest network whose supernet can be trained long enough in so many seconds; or
    nearly as long as the smallest: there a step lasts for its layers, and width is next to free.
    """
    choice = spaces(images)
    ends = spaces(images, 1)[0], choice[len(choice) // 2]
    archs = [space.decode(space.corner()) for space in ends]
    small, large = map(cost.macs, archs)
    least, most = (budget.network_step_s(build(a), images.train, recipe, now) for a in archs)
    each = seconds / (_LEAST_STEPS * N_SUBNETS)
    a_mac = max(most - least, _LEAST_SHARE * most) / (large - small)
    nearly = min(small + (_NEARLY - 1) * least / a_mac, _WIDEST * small)
    return max(large * each / most, nearly)


def choose(images: DataSet, meter: Meter, most_macs: float) -> Room:
    """The space in whose range the target lies best, with prices and at most `most_macs` if it can.

    Depth is given up before width: after a few hundred steps wide and shallow networks are better
    than narrow and deep ones. ValueError where no network keeps to the target, with what helps.
    """
    by_depth = {depth: spaces(images, depth) for depth in range(DEPTH, 0, -1)}
    offered = by_depth[DEPTH][: max(1, _n_affordable(by_depth[1], most_macs))]
    seen: dict[int, pd.DataFrame] = {}
    low, high = 0, len(offered) - 1
    while low <= high:
        middle = (low + high) // 2
        seen[middle] = _place(offered[middle], meter)
        narrow = seen[middle]["position"].min() > AIM
        low, high = (middle + 1, high) if narrow else (low, middle - 1)
    best = min(seen, key=lambda i: abs(seen[i]["position"].min() - AIM))
    if seen[best]["position"].min() < 0:
        raise ValueError(_impossible(offered[best], seen[best], meter))
    deep = (depth for depth, of in by_depth.items() if _n_affordable(of, most_macs) > best)
    depth = next(deep, 1)
    whole = depth == DEPTH
    rows = [rows.assign(chosen=whole and i == best) for i, rows in sorted(seen.items())]
    if not whole:
        rows.append(_place(by_depth[depth][best], meter).assign(chosen=True))
    return _with_prices(by_depth[depth][best], meter, pd.concat(rows))


def _n_affordable(widths: list[OfaSpace], most_macs: float) -> int:
    return sum(cost.macs(space.decode(space.corner())) <= most_macs for space in widths)


def _place(space: OfaSpace, meter: Meter) -> pd.DataFrame:
    ends = meter.costs([space.decode(p) for p in (space.smallest(), space.corner())])
    rows, stages = [], space.skeleton.stages
    channels = ", ".join(str(stage.channels) for stage in stages)
    for name, wanted in meter.target.limits.items():
        least, most = (costs[name] for costs in ends)
        position = math.log(wanted / least) / math.log(max(most / least, 1.01))
        rows.append((channels, stages[0].layers, name, least, most, wanted, position))
    columns = ["channels", "layers", "cost", "least", "most", "wanted", "position"]
    return pd.DataFrame(rows, columns=columns)


def _with_prices(space: OfaSpace, meter: Meter, offered: pd.DataFrame) -> Room:
    smallest, target = space.decode(space.smallest()), meter.target
    timer = mnasnet.Meter(smallest, target.setting, _PLAN)
    how = {
        LATENCY: lambda: price_latency(space, timer, _N_WHOLE)[0],
        MACS: lambda: Price.macs(space),
        SIZE: lambda: _sizes(space, meter),
    }
    costs = {name: (how[name](), most) for name, most in target.limits.items()}
    return Room(space, costs, offered.reset_index(drop=True))


def _sizes(space: OfaSpace, meter: Meter) -> Price:
    """Sizes of files, on the line through those of the smallest and of the largest network."""
    ends = [space.smallest(), space.corner()]
    params = Price.param_count(space)
    least, most = (costs[SIZE] for costs in meter.costs([space.decode(p) for p in ends]))
    few, many = params.of(ends)
    slope = (most - least) / (many - few)
    added = [slope * part for part in params.added]
    return Price(space, least + slope * (params.fixed - few), added)


def _impossible(space: OfaSpace, place: pd.DataFrame, meter: Meter) -> str:
    arch = space.decode(space.smallest())
    worst = place.loc[place["position"].idxmin()]
    name, least = worst["cost"], worst["least"]
    others = _otherwise(arch, name, least, meter)
    helps = [f"{cost:.3g} {how}" for how, cost in others if cost < least]
    text = f"no network here has {name} of {worst['wanted']:.4g}: the smallest has {least:.4g}"
    text += f", and {' or '.join(helps)}" if helps else ""
    return f"{text}; raise the target to {1.1 * least:.3g} or more"


def _otherwise(arch: Arch, name: str, least: float, meter: Meter) -> list[tuple[str, float]]:
    """What the smallest network (`least` here) costs on smaller images, in another runtime."""
    target, half = meter.target, replace(arch, resolution=max(8, arch.resolution // 2))
    if name == SIZE:
        small = meter.integers(meter.exact_file(build(arch)))
        return [("in 8-bit integers (onnxruntime-int8)", len(small) / 1000)]
    found = []
    if half.resolution < arch.resolution:
        now, smaller = (costs[name] for costs in meter.costs([arch, half], [name]))
        found.append((f"at {half.resolution} px", least * smaller / now))
    if name == LATENCY:
        for runtime in (r for r in RUNTIMES if r != target.runtime):
            setting = latency.Setting(runtime, target.threads)
            timed = latency.measure_many({runtime: arch}, setting)
            found.append((f"in {runtime}", timed.latency_ms[runtime]))
    return found

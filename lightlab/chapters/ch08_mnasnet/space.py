"""The spaces that are searched: hierarchical, flat, and NAS-Bench-Macro's table of networks."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lightlab import disk
from lightlab.data import DataSet
from lightlab.measure import cost
from lightlab.space import scaling
from lightlab.space.arch import Arch
from lightlab.space.decisions import DecisionSpace
from lightlab.space.mnasnet import (
    IMAGENET,
    WIDTHS,
    MnasNetSpace,
    layer_decisions,
    stage_blocks,
    whereabouts,
)
from lightlab.space.skeleton import MACRO, Skeleton, Stage

HIERARCHICAL, FLAT = "hierarchical", "flat"
# MnasNet table 6: the layer types that stand throughout, each with its options.
LAYER_TYPES = {
    "MBConv3 3×3 only": {"op": "mb_e3", "kernel": 3},
    "MBConv3 5×5 only": {"op": "mb_e3", "kernel": 5},
    "MBConv6 3×3 only": {"op": "mb_e6", "kernel": 3},
    "MBConv6 5×5 only": {"op": "mb_e6", "kernel": 5},
}


def flat(skeleton: Skeleton) -> DecisionSpace:
    """Every layer decides for itself what in `MnasNetSpace` a stage decides. Each is left out,
    stands once or twice, which makes the paper's S^(B·N) of S^B. The stride of a layer left out is
    made by the next that stands, at the end by the last ones before.
    """
    places = [(i, j) for i, stage in enumerate(skeleton.stages, 1) for j in range(stage.layers)]

    def arch(options: dict[str, Any]) -> Arch:
        values, blocks, owed = list(options.values()), [], 0
        for n, (i, j) in enumerate(places):
            stage = skeleton.stages[i - 1]
            owed += stage.stride == 2 and j == 0
            for layer in stage_blocks(Stage(stage.channels, 1, 1), *values[6 * n : 6 * n + 6]):
                blocks.append(replace(layer, stride=2) if owed else layer)
                owed = max(0, owed - 1)
        for i in reversed(range(len(blocks))):  # no layer follows: the last that stand make it
            if owed and blocks[i].stride == 1:
                blocks[i], owed = replace(blocks[i], stride=2), owed - 1
        return skeleton.arch(blocks)

    return DecisionSpace(layer_decisions([f"{i}.{j + 1}" for i, j in places]), arch)


def small(images: DataSet, channels: Sequence[int]) -> dict[str, DecisionSpace]:
    """Both spaces of networks for `images`, with a stage for each of `channels`."""
    shape, n_classes = images.input_shape, len(images.class_names)
    skeleton = Skeleton.small(shape, n_classes, channels, widths=WIDTHS)
    return {HIERARCHICAL: MnasNetSpace(skeleton), FLAT: flat(skeleton)}


def sizes() -> pd.DataFrame:
    """Networks in the paper's space and in its flat counterpart, listed and searched."""
    factorized, per_layer = MnasNetSpace(IMAGENET), flat(IMAGENET)
    # of one block: convolution, kernel, SE, skip, width, layers
    n_options = factorized.n_options[:6]
    listed = int(3 * np.prod(n_options[1:]))
    blocks, layers = len(factorized.n_options) // 6, len(per_layer.n_options) // 6
    rows = [
        ("one block", listed, int(np.prod(n_options)), "432"),
        (f"{blocks} blocks (factorized)", listed**blocks, factorized.size(), "10¹³"),
        (f"{layers} layers (flat)", listed**layers, per_layer.size(), "10³⁹"),
    ]
    columns = ["space", "as listed", "with both expansions of MBConv", "printed"]
    return pd.DataFrame(rows, columns=columns)


def published_networks() -> pd.DataFrame:
    """Whether the networks that the paper found lie in its space, or why not."""
    names = [n for n in scaling.names() if n.startswith("mnasnet_")]
    two = {
        "widths 0.75, 1, 1.25, as stated": MnasNetSpace(IMAGENET),
        "with 7/6 and 1.2 as well": MnasNetSpace(IMAGENET, (0.75, 1.0, 7 / 6, 1.2, 1.25)),
    }
    found = {k: [whereabouts(space, scaling.get(n)) for n in names] for k, space in two.items()}
    return pd.DataFrame({"network": names} | found)


def random_costs(n: int, seed: int = 0) -> pd.DataFrame:
    """MACs of `n` random networks of each space at 224 px."""
    rng, price, parts = np.random.default_rng(seed), cost.Prices(), []
    for name, space in (("factorized", MnasNetSpace(IMAGENET)), ("flat", flat(IMAGENET))):
        macs = [price(space.decode(point))[0] for point in space.sample(rng, n)]
        parts.append(pd.DataFrame({"space": name, "macs": macs}))
    return pd.concat(parts, ignore_index=True)


def known_costs() -> dict[str, int]:
    """MACs of MobileNetV2 and of two networks that MnasNet found, at 224 px."""
    known = {"MobileNetV2": "mobilenet_v2", "MnasNet-A1": "mnasnet_a1", "MnasNet-B1": "mnasnet_b1"}
    return {name: cost.macs(scaling.get(n)) for name, n in known.items()}


def single_layer_variants(space: MnasNetSpace, arch: Arch) -> dict[str, Arch]:
    """Networks as deep and wide as `arch` of one layer type (MnasNet table 6), without SE."""
    options, found = space.options(space.find(arch)), {}
    for name, layer in LAYER_TYPES.items():
        everywhere = layer | {"se": 0, "skip": "identity"}
        new = {d: everywhere.get(d.partition(".")[2], value) for d, value in options.items()}
        found[name] = space.decode(space.point(new))
    return found


_COLUMNS = {"mean_acc": "accuracy", "flops": "macs", "params": "params"}


@dataclass(frozen=True)
class Tabular:
    """Networks that others trained, as a table by point, and where it comes from."""

    table: pd.DataFrame
    spec: str
    fingerprint: str


def nas_bench_macro(path: str | Path) -> Tabular:
    """NAS-Bench-Macro's table of 6,561 networks trained on CIFAR-10 (Su et al. 2021), by points of
    MACRO: accuracy (%, mean of three trainings), macs, params.

    `path` is its CSV file, packed or not. ValueError for anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give the path of NAS-Bench-Macro's CSV table")
    try:
        read = pd.read_csv(path, dtype={"arch": str})
    except (ValueError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: cannot be read as CSV ({type(error).__name__})") from None
    if missing := [c for c in ("arch", *_COLUMNS) if c not in read.columns]:
        raise ValueError(f"{path}: has no column {missing[0]!r}; is it NAS-Bench-Macro's table?")
    try:
        points = [MACRO.check(tuple(map(int, text))) for text in read["arch"]]
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: arch: {error}") from None
    if len(points) < MACRO.size():
        raise ValueError(f"{path}: has {len(points)} of the {MACRO.size()} networks")
    if len(set(points)) < len(points):
        raise ValueError(f"{path}: a network stands there twice")
    table = read[list(_COLUMNS)].rename(columns=_COLUMNS)
    if wrong := [c for c in table if not pd.api.types.is_numeric_dtype(table[c])]:
        raise ValueError(f"{path}: column {wrong[0]} holds other things than numbers")
    if not (
        table["accuracy"].between(0, 100).all() and (table[["macs", "params"]] > 0).all(axis=None)
    ):
        raise ValueError(f"{path}: a value is missing, or no accuracy in per cent or no count")
    table = table.set_index(pd.Index(points, tupleize_cols=False, name="point"))
    return Tabular(table, f"table:{path}", disk.sha256(path))

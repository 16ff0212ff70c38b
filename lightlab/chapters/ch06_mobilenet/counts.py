"""The costs that Howard et al. 2017 print, counted again: which come out, by which convention."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pandas as pd

from lightlab.measure import cost
from lightlab.nets.blocks import build_block
from lightlab.published import read_csv
from lightlab.space import scaling
from lightlab.space.arch import block_layers
from lightlab.space.blocks import Block, decode_block

# quantity, its name for readers, and a convention of `cost` with its name
_CONVENTIONS = [
    ("macs", "MACs (M)", "conv+fc", "with classifier"),
    ("macs", "MACs (M)", "conv", "without classifier"),
    ("params", "parameters (M)", "weights_only", "weights only"),
    ("params", "parameters (M)", "trainable", "all trainable"),
]
_ROLES = ("pointwise", "depthwise", "conv", "fc")


def layer_macs(op: str, kernel_size: int, channels: int, out_channels: int, side: int) -> int:
    """MACs of a "conv" or "sep" layer on maps of `side` px, by PyTorch's counter on real layers."""
    block = Block(op, out_channels, kernel_size=kernel_size)
    return cost.count_macs(build_block(block, channels), (channels, side, side))


def savings_formula(kernels: Iterable[int], channels: Iterable[int]) -> pd.DataFrame:
    """How many times fewer MACs a separable convolution takes: 1 / (1/N + 1/K²), eq. 5."""
    layers = pd.DataFrame(product(kernels, channels), columns=["kernel_size", "out_channels"])
    return layers.assign(saving=1 / (1 / layers["out_channels"] + 1 / layers["kernel_size"] ** 2))


def savings_counted(kernels: Iterable[int], channels: Iterable[int]) -> pd.DataFrame:
    """The same, counted on layers with as many input channels."""
    layers = savings_formula(kernels, channels)
    sizes = zip(layers["kernel_size"], layers["out_channels"], strict=True)
    macs = [[layer_macs(op, k, n, n, 14) for op in ("conv", "sep")] for k, n in sizes]
    return layers.assign(saving=[full / separable for full, separable in macs])


def shares(width_mult: float = 1.0, resolution: int = 224) -> pd.DataFrame:
    """A MobileNet's costs by type of layer."""
    arch = scaling.get("mobilenet_v1", width_mult=width_mult, resolution=resolution)
    table = cost.layer_table(arch).groupby("role")[["macs", "weights"]].sum()
    table = table.reindex(_ROLES, fill_value=0).reset_index()
    table["macs_percent"] = 100 * table["macs"] / table["macs"].sum()
    table["params_percent"] = 100 * table["weights"] / table["weights"].sum()
    return table


def table2() -> pd.DataFrame:
    """Table 2 of the paper beside our `shares`, in per cent, a row per type of layer."""
    printed = read_csv("mobilenet_table2.csv")
    counted = shares().set_index("role").loc[printed["role"]].reset_index()
    table = pd.DataFrame({"layer": printed["layer_type"]})
    for column, word, pad in (("macs_percent", "MACs", ""), ("params_percent", "parameters", " ")):
        table[f"{word} %, printed"] = printed[column]
        table["counted" + pad] = counted[column].round(3)
        table["difference" + pad] = (counted[column] - printed[column]).round(3)
    return table


def networks() -> pd.DataFrame:
    """The networks of Tables 4 to 9 that the catalog knows, each once: printed costs and ours, in
    millions; a row per network, quantity and convention.
    """
    same = ["arch", "width_mult", "resolution", "macs_millions", "params_millions"]
    printed = read_csv("mobilenet_results.csv").dropna(subset=["arch"])
    once = printed.astype({"table": str}).groupby(same, sort=False, as_index=False)
    once = once.agg(table=("table", lambda t: ", ".join(dict.fromkeys(t))), model=("model", "last"))
    count, rows = {"macs": cost.macs, "params": cost.param_count}, []
    for row in once.itertuples():
        arch = scaling.get(row.arch, width_mult=row.width_mult, resolution=int(row.resolution))
        counts = [count[quantity](arch, how) for quantity, _, how, _ in _CONVENTIONS]
        rows += _compared(row.table, row.model, row, counts)
    return pd.DataFrame(rows)


def blocks() -> pd.DataFrame:
    """The same for the single blocks of Table 3; without a classifier both counts of MACs agree."""
    rows = []
    for row in read_csv("mobilenet_table3.csv").itertuples():
        found = list(block_layers(decode_block(row.block), row.in_channels, row.size))
        kinds = ("macs", "macs", "weights", "trainable")
        counts = [sum(getattr(layer, kind) for layer in found) for kind in kinds]
        rows += _compared("3", row.modification, row, counts)
    return pd.DataFrame(rows)


def _compared(
    table: str, network: str, row: Any, counts: Iterable[int]
) -> Iterator[dict[str, Any]]:
    """What `row` of a published table says beside our counts. last_digits: the difference in units
    of the last printed digit; agrees: rounded like it, it is the printed number.
    """
    for (quantity, name, _, convention), count in zip(_CONVENTIONS, counts, strict=True):
        printed = getattr(row, f"{quantity}_millions")
        unit = 10.0 ** -len(f"{printed:g}".partition(".")[2])  # of the last digit printed
        difference = count / 1e6 - printed
        yield {
            "table": table,
            "network": network,
            "quantity": name,
            "printed": printed,
            "convention": convention,
            "counted": count / 1e6,
            "difference": difference,
            "last_digits": difference / unit,
            "agrees": abs(difference) <= unit / 2,
        }


def summary(compared: pd.DataFrame) -> pd.DataFrame:
    """One row per network: what is printed, our counts, and in words which of them round to it."""
    rows = []
    for (table, network), found in compared.groupby(["table", "network"], sort=False):
        row = {"table": table, "network": network}
        for quantity, part in found.groupby("quantity", sort=False):
            right = list(part.loc[part["agrees"], "convention"])
            words = "both" if len(right) == len(part) else (right or ["neither"])[0]
            row[f"{quantity}: printed"] = part["printed"].iloc[0]
            row |= dict(zip(part["convention"], part["counted"], strict=True))
            row[f"{quantity}: the same"] = f"{'✓' if right else '✗'} {words}"
        rows.append(row)
    return pd.DataFrame(rows)


def misprints() -> pd.DataFrame:
    """What is misprinted, with the numbers that show it."""
    v1 = scaling.get("mobilenet_v1")
    last = replace(v1.blocks[-1], stride=2)
    macs = cost.macs(v1) / 1e6
    with_2 = cost.macs(replace(v1, blocks=(*v1.blocks[:-1], last))) / 1e6
    first = shares().set_index("role").loc["conv", "macs_percent"]
    total = read_csv("mobilenet_table2.csv")["macs_percent"].sum()
    table9 = read_csv("mobilenet_results.csv").query("table == 9")
    top1 = table9.set_index("model")["top1"]
    own = top1["0.50 MobileNet-160"]
    why = f"with 2 the network would take {with_2:.0f} and not {macs:.0f} million"
    rows = [
        ("Table 2, first layer", "1.19 %", f"{first:.2f} %", f"the column sums to {total:.2f} %"),
        ("Table 1, last depthwise layer", "stride 2", "stride 1", why),
    ]
    for other in ("AlexNet", "Squeezenet"):
        better = f"{own - top1[other]:.1f} points"
        why = f"Table 9: {own} against {top1[other]} %"
        rows.append((f"text on Table 9, {other}", "4 % better", better, why))
    return pd.DataFrame(rows, columns=["where", "printed", "should_be", "why"])


def figure4() -> pd.DataFrame:
    """The sixteen networks of Figure 4 with MACs counted here, as results of one seed."""
    paper = read_csv("mobilenet_figure4.csv").assign(seed=0)
    paper["accuracy"] = paper["mean"] = paper["top1"]
    knobs = zip(paper["width_mult"], paper["resolution"], strict=True)
    archs = [scaling.get("mobilenet_v1", width_mult=w, resolution=r) for w, r in knobs]
    return paper.assign(macs=[cost.macs(arch) for arch in archs])

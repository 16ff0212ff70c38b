"""A paper's printed costs counted again: which numbers come out, and under which convention."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import pandas as pd

from lightlab.measure import cost
from lightlab.nets.build import build_block
from lightlab.published import loader
from lightlab.space.arch import Arch, Block, block_layers, catalog, decode_block

QUANTITIES = {"macs": "MACs (M)", "params": "parameters (M)"}
CONVENTIONS = {
    "macs": {"conv+fc": "with classifier", "conv": "without classifier"},
    "params": {"weights_only": "weights only", "trainable": "all trainable"},
}
ROLES = ("pointwise", "depthwise", "conv", "fc")


def networks(printed: pd.DataFrame) -> pd.DataFrame:
    """What our counts give for the networks of a paper's tables.

    `printed`: table, model, arch (a name of the catalog), width_mult, resolution, macs_millions,
    params_millions; rows without `arch` cannot be counted and are left out, and a network that
    several tables print is counted once. Returns one row per network, quantity and convention:
    table, network, quantity, convention, printed, counted, difference, last_digits (the difference
    in units of the last printed digit) and agrees: rounded like it, it is the printed number.
    """

    def counts(row: object) -> Iterator[tuple[str, str, float]]:
        arch = catalog.get(row.arch, width_mult=row.width_mult, resolution=int(row.resolution))
        for convention in CONVENTIONS["macs"]:
            yield "macs", convention, cost.macs(arch, convention)
        for convention in CONVENTIONS["params"]:
            yield "params", convention, cost.param_count(arch, convention)

    same = ["arch", "width_mult", "resolution", "macs_millions", "params_millions"]
    counted = printed.dropna(subset=["arch"]).groupby(same, sort=False, as_index=False)
    counted = counted.agg(table=("table", _listed), model=("model", "last"))
    return _compared((row.table, row.model, row, counts(row)) for row in counted.itertuples())


def blocks(printed: pd.DataFrame, table: str) -> pd.DataFrame:
    """The same for single blocks: modification, block (as text), in_channels, size (px), ….

    Without a classifier both ways of counting MACs are one.
    """

    def counts(row: object) -> Iterator[tuple[str, str, float]]:
        found = list(block_layers(decode_block(row.block), row.in_channels, row.size))
        for convention in CONVENTIONS["macs"]:
            yield "macs", convention, sum(x.macs for x in found)
        yield "params", "weights_only", sum(x.weights for x in found)
        yield "params", "trainable", sum(x.trainable for x in found)

    return _compared((table, row.modification, row, counts(row)) for row in printed.itertuples())


def summary(compared: pd.DataFrame) -> pd.DataFrame:
    """One row per network: what is printed, our counts, and which of them round to it.

    Columns: table, network, then for MACs and for parameters: printed, the two counts, and in words
    the conventions that agree.
    """
    rows = []
    for (table, network), found in compared.groupby(["table", "network"], sort=False):
        row = {"table": table, "network": network}
        for quantity, part in found.groupby("quantity", sort=False):
            right = part.loc[part["agrees"], "convention"]
            row[f"{quantity}: printed"] = part["printed"].iloc[0]
            row |= dict(zip(part["convention"], part["counted"], strict=True))
            row[f"{quantity}: the same"] = _verdict(list(right), len(part))
        rows.append(row)
    return pd.DataFrame(rows)


def _verdict(right: list[str], n: int) -> str:
    if not right:
        return "✗ neither"
    return "✓ both" if len(right) == n else f"✓ {right[0]}"


def shares(arch: Arch) -> pd.DataFrame:
    """MACs and weights by type of layer: role, macs, weights, macs_percent, params_percent."""
    table = cost.layer_table(arch).groupby("role")[["macs", "weights"]].sum()
    table = table.reindex(ROLES, fill_value=0).reset_index()
    table["macs_percent"] = 100 * table["macs"] / table["macs"].sum()
    table["params_percent"] = 100 * table["weights"] / table["weights"].sum()
    return table


def misprints() -> pd.DataFrame:
    """What is misprinted in Howard et al. 2017, with the numbers that show it: where, printed,
    should_be, why.
    """
    v1 = catalog.get("mobilenet_v1")
    last = replace(v1.blocks[-1], stride=2)
    table1 = cost.macs(replace(v1, blocks=(*v1.blocks[:-1], last))) / 1e6
    shares_2 = loader.read_csv("mobilenet_table2.csv")
    first = shares(v1).set_index("role").loc["conv", "macs_percent"]
    printed = shares_2["macs_percent"].sum()
    top1 = loader.read_csv("mobilenet_results.csv").query("table == 9").set_index("model")["top1"]
    own = top1["0.50 MobileNet-160"]
    rows = [
        ("Table 2, first layer", "1.19 %", f"{first:.2f} %", f"the column sums to {printed:.2f} %"),
        (
            "Table 1, last depthwise layer",
            "stride 2",
            "stride 1",
            f"with 2 the network would take {table1:.0f} and not {cost.macs(v1) / 1e6:.0f} million",
        ),
    ]
    for rival in ("AlexNet", "Squeezenet"):
        better = f"{own - top1[rival]:.1f} points"
        why = f"Table 9: {own} against {top1[rival]} %"
        rows.append((f"text on Table 9, {rival}", "4 % better", better, why))
    return pd.DataFrame(rows, columns=["where", "printed", "should_be", "why"])


def savings_formula(kernels: Iterable[int], channels: Iterable[int]) -> pd.DataFrame:
    """How many times fewer MACs a separable convolution takes: 1 / (1/N + 1/K²), MobileNet eq. 5.

    Columns kernel_size, out_channels, saving.
    """
    channels = list(channels)
    return pd.DataFrame(
        [(k, n, 1 / (1 / n + 1 / k**2)) for k in kernels for n in channels],
        columns=["kernel_size", "out_channels", "saving"],
    )


def savings_counted(
    kernels: Iterable[int], channels: Iterable[int], side: int = 14
) -> pd.DataFrame:
    """The same, counted by PyTorch's own counter on real layers for maps of `side` px."""
    channels = list(channels)
    rows = []
    for kernel in kernels:
        for n in channels:
            full, separable = (
                cost.count_macs(build_block(Block(op, n, kernel_size=kernel), n), (n, side, side))
                for op in ("conv", "sep")
            )
            rows.append((kernel, n, full / separable))
    return pd.DataFrame(rows, columns=["kernel_size", "out_channels", "saving"])


def _compared(rows: Iterable[tuple]) -> pd.DataFrame:
    found = []
    for table, network, row, counts in rows:
        for quantity, convention, count in counts:
            printed = getattr(row, f"{quantity}_millions")
            unit = 10.0 ** -_decimals(printed)
            difference = count / 1e6 - printed
            found.append(
                {
                    "table": table,
                    "network": network,
                    "quantity": QUANTITIES[quantity],
                    "printed": printed,
                    "convention": CONVENTIONS[quantity][convention],
                    "counted": count / 1e6,
                    "difference": difference,
                    "last_digits": difference / unit,
                    "agrees": abs(difference) <= unit / 2,
                }
            )
    return pd.DataFrame(found)


def _listed(tables: pd.Series) -> str:
    return ", ".join(str(t) for t in dict.fromkeys(tables))


def _decimals(printed: float) -> int:
    """Digits after the point as printed: 569 none, 4.2 one, 1.32 two."""
    return len(f"{printed:g}".partition(".")[2])

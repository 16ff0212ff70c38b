"""Printed costs come out of our count, each under the convention that its table says it has."""

import io
from importlib import resources

import pandas as pd
import pytest

from lightlab.measure import cost
from lightlab.published import read_csv
from lightlab.space import scaling
from lightlab.space.arch import block_layers
from lightlab.space.blocks import decode_block

# As counted by others: the papers' pages of this project, and for V2 and V3 public implementations.
COUNTED = """
name                 macs     millions   params       millions
mobilenet_v1         conv+fc  568.740352 weights_only 4.209088
mobilenet_v1_full    conv     4866.269   weights_only 29.2811
mobilenet_v1_shallow conv+fc  307.323    weights_only 2.8753
mobilenet_v2         with_se  300.8      trainable    3.504872
mobilenet_v3_large   with_se  216.6      trainable    5.483032
mobilenet_v3_small   with_se  56.5       trainable    2.542856
mnasnet_a1           with_se  311.579072 trainable    3.887038
mnasnet_b1           with_se  314.416    trainable    4.383312
mnasnet_small        with_se  68.339     trainable    2.030264
mnasnet_mbconv3_k3   with_se  186.267
mnasnet_mbconv3_k5   with_se  202.035
mnasnet_mbconv6_k3   with_se  330.311
mnasnet_mbconv6_k5   with_se  361.846
proxyless_mobile     with_se  320.428    trainable    4.0805
proxyless_gpu        with_se  465.26     trainable    7.1198
proxyless_cpu        with_se  439.244    trainable    4.3616
proxyless_mobile_14  with_se  580.883    trainable    6.8576
mnasnet_a1@0.35                          trainable    1.747018
mnasnet_a1@1.4                           trainable    6.105992
mobilenet_v2@1.4                         trainable    6.108776
mobilenet_v3_large@0.75                  trainable    3.993528
mobilenet_v3_small@0.75                  trainable    2.041872
"""


def _prints_as(value: float, printed: str) -> bool:
    """Whether `value` rounds to `printed` at the digits that were printed."""
    digits = len(printed.partition(".")[2])
    return f"{value:.{digits}f}" == printed


def _table(name: str, *printed: str) -> pd.DataFrame:
    """A published table with the columns `printed` as text: 2.0 is not 2."""
    text = (resources.files("lightlab.published") / name).read_text(encoding="utf-8")
    return pd.read_csv(io.StringIO(text), comment="#", dtype=dict.fromkeys(printed, str))


MILLIONS = ("macs_millions", "params_millions")
PRINTED = [
    (name, what)
    for name in scaling.names()
    for what in ("macs", "params")
    if what in scaling.entry(name).published
]


@pytest.mark.parametrize("line", COUNTED.strip().splitlines()[1:])
def test_macs_and_parameters_are_those_that_others_count(line):
    """Six digits after the point are a count to the last one."""
    name, *counts = line.split()
    name, _, width = name.partition("@")
    arch = scaling.get(name, width_mult=float(width or 1))
    for convention, millions in zip(counts[::2], counts[1::2], strict=True):
        count = cost.macs if convention in cost.MACS_CONVENTIONS else cost.param_count
        assert _prints_as(count(arch, convention) / 1e6, millions)


@pytest.mark.parametrize(("name", "what"), PRINTED)
def test_the_catalogues_numbers_come_out_under_their_convention_and_no_other_is_claimed(name, what):
    entry = scaling.entry(name)
    count = cost.macs if what == "macs" else cost.param_count
    conventions = cost.MACS_CONVENTIONS if what == "macs" else cost.PARAM_CONVENTIONS
    matches = {
        c for c in conventions if _prints_as(count(entry.arch, c) / 1e6, entry.published[what])
    }
    said = entry.published[f"{what}_convention"]
    assert said in matches if said else not matches


def test_numbers_that_no_convention_gives_are_these():
    """V2 and V3-Large: the papers cut or counted otherwise (see the notes in the catalogue)."""
    said = {n: scaling.entry(n).published for n in scaling.names()}
    for what in ("macs_convention", "params_convention"):
        missing = {name for name in said if said[name].get(what, "") is None}
        assert missing == {"mobilenet_v2", "mobilenet_v3_large"}


# MobileNetV1
RESULTS = _table("mobilenet_results.csv", *MILLIONS)
OURS = RESULTS[RESULTS["arch"].notna()]


@pytest.mark.parametrize("row", list(OURS.itertuples()), ids=lambda row: f"{row.table}-{row.model}")
def test_tables_4_to_9_of_mobilenet(row):
    arch = scaling.get(row.arch, width_mult=row.width_mult, resolution=int(row.resolution))
    assert _prints_as(cost.macs(arch, row.macs_convention) / 1e6, row.macs_millions)
    assert _prints_as(cost.param_count(arch, row.params_convention) / 1e6, row.params_millions)


def test_no_one_convention_gives_all_of_mobilenets_mult_adds():
    """Other families, whose architectures are no `Arch`, are shown as printed."""
    others = set(RESULTS.loc[RESULTS["arch"].isna(), "model"])
    assert others == {"GoogleNet", "VGG 16", "Squeezenet", "AlexNet"}
    needs = {}
    for row in OURS.drop_duplicates("macs_millions").itertuples():
        arch = scaling.get(row.arch, width_mult=row.width_mult, resolution=int(row.resolution))
        counts = {c: cost.macs(arch, c) / 1e6 for c in ("conv", "conv+fc")}
        needs[row.macs_millions] = [
            c for c, n in counts.items() if _prints_as(n, row.macs_millions)
        ]
    assert {m for m, c in needs.items() if c == ["conv"]} == {"4866", "290", "76"}
    assert {m for m, c in needs.items() if c == ["conv+fc"]} == {"569", "307", "418", "186"}


def test_table_2_of_mobilenet_and_its_misprint():
    """Shares of mult-adds and weights by layer type: all but the 1.19 that should be 1.91."""
    table = cost.layer_table(scaling.get("mobilenet_v1")).groupby("role")[["macs", "weights"]].sum()
    shares = 100 * table / table.sum()
    for row in _table("mobilenet_table2.csv", "macs_percent", "params_percent").itertuples():
        ours = shares.loc[row.role]
        assert _prints_as(ours["weights"], row.params_percent)
        expected = "1.91" if row.role == "conv" else row.macs_percent
        assert _prints_as(ours["macs"], expected)
        assert (row.macs_percent == "1.19") == (row.role == "conv")


def test_table_3_of_mobilenet():
    for row in _table("mobilenet_table3.csv", *MILLIONS).itertuples():
        found = list(block_layers(decode_block(row.block), row.in_channels, row.size))
        assert _prints_as(sum(x.macs for x in found) / 1e6, row.macs_millions)
        assert _prints_as(sum(x.weights for x in found) / 1e6, row.params_millions)


def test_figure_4_of_mobilenet_has_its_sixteen_points():
    figure = read_csv("mobilenet_figure4.csv")
    assert len(figure) == 16
    printed = figure.dropna(subset="top1_printed")
    assert (printed["top1"] == printed["top1_printed"]).all()
    v1 = RESULTS[RESULTS["arch"] == "mobilenet_v1"]
    both = pd.merge(printed, v1, on=["width_mult", "resolution"], suffixes=("", "_table"))
    assert (both["top1"] == both["top1_table"]).all()
    assert len(both) >= 8


@pytest.mark.parametrize(
    ("width_mult", "millions"), [(1, "4.24"), (0.75, "2.59"), (0.5, "1.34"), (0.25, "0.47")]
)
def test_widths_are_those_of_tf_slim(width_mult, millions):
    """Its README counts weights and three vectors per normalisation (inferred, papers' page)."""
    arch = scaling.get("mobilenet_v1", width_mult=width_mult)
    weights, trainable = (cost.param_count(arch, c) for c in cost.PARAM_CONVENTIONS)
    normalised = (trainable - weights - arch.n_classes) // 2
    assert _prints_as((weights + 3 * normalised) / 1e6, millions)


def test_table_4_of_mnasnet():
    """V2 at 0.35 and search2 come out; A1 at 0.35 counts 61.7M where 63 is printed."""
    table = _table("mnasnet_table4.csv", *MILLIONS).dropna(subset="arch").set_index("arch")
    counts = {
        name: cost.macs(scaling.get(name, width_mult=row.width_mult)) / 1e6
        for name, row in table.iterrows()
    }
    printed = table["macs_millions"]
    assert _prints_as(counts["mobilenet_v2"], printed["mobilenet_v2"])
    assert _prints_as(counts["mnasnet_small"], printed["mnasnet_small"])
    assert counts["mnasnet_a1"] == pytest.approx(61.682, abs=1e-3)
    v2 = cost.param_count(scaling.get("mobilenet_v2", width_mult=0.35), "weights_only")
    assert _prints_as(v2 / 1e6, table.loc["mobilenet_v2", "params_millions"])
    a1 = cost.param_count(scaling.get("mnasnet_a1", width_mult=0.35))
    assert _prints_as(a1 / 1e6, table.loc["mnasnet_a1", "params_millions"])


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("mnasnet_table6.csv", "latency_ms"),
        ("proxyless_cross_hardware.csv", "phone_latency_ms"),
    ],
)
def test_tables_and_catalogue_print_the_same(table, column):
    table = read_csv(table).set_index("arch")
    for name, row in table[["top1", column]].iterrows():
        published = scaling.entry(name).published
        assert [published["top1"], published["latency_ms"]] == row.tolist()


# OFA
OFA = _table("ofa_subnets.csv", *MILLIONS)


@pytest.mark.parametrize("row", range(len(OFA)))
def test_corners_of_ofa(row):
    """Eight at width 1.0 and at 1.2, and the smallest at 128 and 160 px."""
    row = OFA.iloc[row]
    name = f"ofa_d{row.depth:.0f}_w{row.expand_ratio:.0f}_k{row.kernel_size:.0f}"
    arch = scaling.get(name, width_mult=row.width_mult, resolution=int(row.resolution))
    assert _prints_as(cost.macs(arch) / 1e6, row.macs_millions)
    assert _prints_as(cost.param_count(arch) / 1e6, row.params_millions)


def test_every_published_table_says_where_it_is_from():
    files = [f.name for f in resources.files("lightlab.published").iterdir()]
    tables = [name for name in files if name.endswith(".csv")]
    assert tables
    for name in tables:
        source = read_csv(name).attrs["source"]  # a paper, or measured by ourselves
        assert "arXiv" in source or "by benchmarks/" in source, name

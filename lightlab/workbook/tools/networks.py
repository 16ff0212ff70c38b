"""`lightlab arch list`, `lightlab arch show` and `lightlab latency`."""

import re
from typing import TYPE_CHECKING, Annotated

import typer
from typer import Argument, Option

from lightlab.workbook.tools import common
from lightlab.workbook.tools.common import NAME, Resolution, Width, out, say

if TYPE_CHECKING:
    from lightlab.latency import Timings
    from lightlab.space.arch import Arch

arch = typer.Typer(
    help="The papers' networks: layers, shapes, MACs, parameters.", no_args_is_help=True
)


@arch.command("list")
def list_() -> None:
    """All networks by name, with MACs and parameters, and the paper that each comes from."""
    # not `measure.cost`, which gives the same numbers after PyTorch's seconds
    from lightlab.space import scaling
    from lightlab.space.arch import layers

    columns = ("name", "px", "MACs", "parameters", "source")
    rows = common.table(*columns, right=columns[1:4])
    for name in scaling.names():
        entry = scaling.entry(name)
        found = layers(entry.arch)
        macs, params = sum(x.macs for x in found), sum(x.trainable for x in found)
        px, paper = str(entry.arch.resolution), re.split(r" \(|, ", entry.source)[0]
        rows.add_row(name, px, common.millions(macs), common.millions(params), paper)
    out.print(rows)
    aliases = ", ".join(f"{short} is {name}" for short, name in scaling.ALIASES.items())
    say(f"MACs with squeeze-excite; parameters that are trained; {aliases}.")
    out.print("Table and page of each: `lightlab arch show NAME`.")


@arch.command()
def show(
    name: Annotated[str, Argument(help=NAME)], width: Width = 1.0, resolution: Resolution = None
) -> None:
    """The layers of one network, its costs by each way of counting, and the printed numbers."""
    with common.told("arch"):  # a misspelt name before PyTorch's seconds
        found = common.find(name, width, resolution)
    from lightlab.measure import cost

    columns = {"layer": "{name}", "kind": "{role}", "kernel": "{kernel_size}×{kernel_size}"}
    columns |= {"stride": "{stride}", "output": "{out_channels}×{out_size}×{out_size}"}
    columns |= {"MACs": "{macs:,}", "parameters": "{trainable:,}"}
    common.print_frame(cost.layer_table(found), columns, words=2)
    out.print()
    # what was printed is about the network as it is named, not about a narrower one
    _print_totals(found, name if width == 1 and resolution is None else None)
    memory = cost.activation_bytes(found) / 1e6
    out.print(f"\nactivations: at most {memory:.2f} MB at once (one image, float32)")
    say(f"text: {found}")


def _print_totals(found: "Arch", name: str | None) -> None:
    """MACs and parameters by convention, beside the published number where `name` has one."""
    from lightlab.measure import cost
    from lightlab.space import scaling

    entry = None if name is None or common.is_text(name) else scaling.entry(name)
    printed = entry.published if entry else {}
    counted_there = "macs" in printed or "params" in printed
    columns = ("total", "counted", "published") if counted_there else ("total", "counted")
    rows = common.table(*columns, right=columns[1:])
    kinds = (
        ("macs", "MACs", cost.MACS_CONVENTIONS, cost.macs),
        ("params", "parameters", cost.PARAM_CONVENTIONS, cost.param_count),
    )
    for kind, label, conventions, count in kinds:
        theirs = f"{printed[kind]}M" if kind in printed else ""
        reproducing = printed.get(f"{kind}_convention")
        for convention in conventions:
            beside = theirs if convention == reproducing else ""
            cells = f"{label}, {convention}", f"{count(found, convention):,}", beside
            rows.add_row(*cells[: len(columns)])
        if theirs and reproducing is None:
            rows.add_row(f"{label}, by no convention of these", "", theirs)
    out.print(rows)
    if entry:
        say(f"\nsource: {entry.source}")
    if "top1" in printed:
        ms = f", {printed['latency_ms']} ms on a Pixel 1" if "latency_ms" in printed else ""
        say(f"published: {printed['top1']} % top-1 on ImageNet{ms}")
    if entry and entry.note:
        say(f"note: {entry.note}")


def latency(
    names: Annotated[list[str], Argument(metavar="NAME...", help=NAME)],
    runtime: Annotated[
        str, Option(help="onnxruntime, onnxruntime-int8, torch, torch-compile or cuda.")
    ] = "onnxruntime",
    threads: Annotated[int, Option(min=1)] = 1,
    batch: Annotated[int, Option(min=1, help="Images per run.")] = 1,
    rounds: Annotated[int, Option(min=6, help="How often each network is visited.")] = 10,
    width: Width = 1.0,
    resolution: Resolution = None,
) -> None:
    """How long networks take on this machine, timed in turn, with random weights.

    The last line says whether they can be told apart, or that the noise drowns the differences.
    """
    with common.told("latency"):
        archs = {name: common.find(name, width, resolution) for name in names}
        from lightlab import latency as timing
        from lightlab.measure import cost

        plan = timing.Plan(rounds=rounds)
        timings = timing.measure_many(archs, timing.Setting(runtime, threads, batch), plan=plan)
    found = timings.table.assign(
        px=[a.resolution for a in archs.values()],
        macs=[common.millions(cost.macs(a)) for a in archs.values()],
    )
    columns = {"network": "{name}", "px": "{px}", "MACs": "{macs}", "ms": "{latency_ms:.3f}"}
    columns |= {"IQR": "{iqr_ms:.3f}", "95 % interval": "{ci_low_ms:.3f}..{ci_high_ms:.3f}"}
    common.print_frame(found, columns)
    about = timings.device
    machine = about["cpu"] + (f", {about['gpu']}" if "gpu" in about else "")
    setting = f"{runtime}, {threads} thread(s), batch {batch}, {rounds} rounds"
    say(f"{setting}; {machine}, load {about['load']}")
    if len(archs) > 1:
        say(_what_differs(timings))


def _what_differs(timings: "Timings") -> str:
    """Whether these networks can be told apart by these measurements."""
    from lightlab.latency import NoisyError

    order = timings.table.sort_values("latency_ms")["name"].tolist()
    try:
        if len(order) == 2:
            mean, low, high = timings.ratio(order[1], order[0])
            said = f"{order[1]} takes {mean:.2f} times as long as {order[0]}"
            return f"{said} ({low:.2f}..{high:.2f})"
        ranked = timings.ranking()
    except NoisyError as e:
        return f"noise drowns the differences: {e}"
    agree = f"two halves of the rounds agree, ρ = {timings.split_half:.2f}"
    if ranked["rank"].is_unique:
        return f"the order holds: {agree}"
    ties = " < ".join(" = ".join(same) for _, same in ranked.groupby("rank")["name"])
    return f"the order holds but for ties (=): {ties}; {agree}"

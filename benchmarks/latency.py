"""How well a look-up table predicts the latency of networks that it has not seen.

Writes benchmarks/latency.md. A minute for ONNX Runtime, three for its int8, seven for PyTorch:
python benchmarks/latency.py --runtimes onnxruntime onnxruntime-int8 torch
"""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from torch import nn

from lightlab import latency
from lightlab.chapters.ch07_latency import breakdown
from lightlab.latency import LookupTable, Plan, Setting, Timings
from lightlab.latency.pieces import joints, pieces_of
from lightlab.latency.runtimes import SESSIONS
from lightlab.latency.timing import FASTEST
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch

# an eager network takes ten times as long: fewer samples of it
PLANS = {
    "onnxruntime": FASTEST,
    "onnxruntime-int8": FASTEST,
    "torch": replace(FASTEST, samples=3),
}
BARS = {"corrected": 4.0, "calibrated": 2.0}  # per cent; Spearman 0.99 for both
NAMES = {
    "sum": "sum of the pieces",
    "call": "less an empty graph's call",
    "corrected": "less what joining saves",
    "calibrated": "that and the weights, fitted",
    "macs": "MACs, fitted",
    "counts": "MACs and weights, fitted",
    "repeat": "measured again",
}


@dataclass(frozen=True)
class Study:
    """One runtime: its table, the networks measured twice, seconds taken, an empty graph in ms."""

    table: LookupTable
    archs: Mapping[str, Arch]
    once: Timings
    again: Timings
    seconds: dict[str, float]
    empty_ms: float


def study(runtime: str, archs: Mapping[str, Arch]) -> Study:
    """The table first, then the networks, as somebody would who uses a stored table."""
    plan, setting, began = PLANS[runtime], Setting(runtime), time.perf_counter()
    table = LookupTable.build(archs.values(), setting=setting, plan=plan)
    seconds = {"table": time.perf_counter() - began}
    runners = {name: latency.runner(arch, setting) for name, arch in archs.items()}
    seconds["networks made ready"] = time.perf_counter() - began - seconds["table"]
    began, found = time.perf_counter(), []
    for seed in (1, 2):
        timed = replace(plan, seed=seed)
        found.append(latency.time_runners(runners, setting, plan=timed, estimate="fastest"))
    seconds["networks, each time"] = (time.perf_counter() - began) / 2
    empty = {"empty": latency.runner(nn.ReLU(), setting, (1, 1, 1))}
    empty_ms = latency.time_runners(empty, setting, plan=plan, estimate="fastest")
    return Study(table, archs, *found, seconds, empty_ms.latency_ms["empty"])


def errors(done: Study, estimate: str, n_calibration: int) -> pd.DataFrame:
    """`breakdown.errors`, and the sum less an empty graph's call at every joint."""
    once, again = (replace(t, estimate=estimate) for t in (done.once, done.again))
    predictions = breakdown.predictions(done.table, done.archs, once, n_calibration)
    found = breakdown.errors(predictions, again)
    held_out = list(done.archs)[n_calibration:]
    predicted = [
        done.table.predict(done.archs[n], "sum") - done.empty_ms * len(joints(done.archs[n]))
        for n in held_out
    ]
    measured = [once.latency_ms[n] for n in held_out]
    call = {"prediction": "call", **latency.agreement(predicted, measured)}
    found = pd.concat([found, pd.DataFrame([call])]).set_index("prediction")
    return found.loc[list(NAMES)]


def shown(found: pd.DataFrame) -> str:
    """`errors` as a Markdown table."""
    rows = [
        {
            "prediction": NAMES[row.Index],
            "RMSE %": f"{row.rmse_pct:.2f}",
            "bias %": f"{row.bias_pct:+.2f}",
            "R²": f"{row.r2:.4f}",
            "Spearman": f"{row.spearman:.4f}",
            "95 % interval": f"{row.ci_low:.4f} to {row.ci_high:.4f}",
        }
        for row in found.itertuples()
    ]
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def verdict(found: pd.DataFrame) -> str:
    """Whether the bars hold."""
    parts = []
    for name, bar in BARS.items():
        row = found.loc[name]
        holds = row["rmse_pct"] <= bar and row["spearman"] >= 0.99
        parts.append(
            f"{NAMES[name]}: RMSE {row['rmse_pct']:.2f} % (bar {bar:g}), Spearman "
            f"{row['spearman']:.4f} (bar 0.99): {'holds' if holds else 'does NOT hold'}"
        )
    return "; ".join(parts) + "."


def about(done: Study) -> str:
    """Circumstances of one study in a few sentences."""
    ms = list(done.once.latency_ms.values())
    places = {joint for arch in done.archs.values() for joint in joints(arch)}
    us = np.array([1e3 * done.table.joint_ms(joint) for joint in places])
    n_pieces = len({piece for arch in done.archs.values() for piece in pieces_of(arch)})
    seconds = ", ".join(f"{what} {value:.0f} s" for what, value in done.seconds.items())
    device, end = done.table.device, done.again.device["load_end"]
    return (
        f"{n_pieces} pieces and {len(places)} joints; {len(done.archs)} networks of "
        f"{min(ms):.3f} to {max(ms):.3f} ms. Load {device['load']} at the beginning, {end} at the "
        f"end; {seconds}. Noise of one latency by halves of the rounds "
        f"{done.once.noise_pct:.2f} %, split-half rho {done.once.split_half:.4f}. "
        f"A joint costs {us.min():.1f} to {us.max():.1f} µs, an empty graph "
        f"{1e3 * done.empty_ms:.1f} µs."
    )


def weights(done: Study, n_calibration: int) -> str:
    """What the corrected sum lacks, against the number of weights; and the fit with and without."""
    archs = list(done.archs.values())
    y = np.array([done.once.latency_ms[name] for name in done.archs])
    corrected = np.array([done.table.predict(arch, "corrected") for arch in archs])
    millions = np.array([cost.param_count(arch) for arch in archs]) / 1e6
    few, others = slice(n_calibration), slice(n_calibration, None)
    offset, slope = stats.relative_fit(corrected[few, None], y[few])
    alone = latency.agreement((offset + slope * corrected)[others], y[others])["rmse_pct"]
    r = np.corrcoef(y - corrected, millions)[0, 1]
    _, with_weights, price = done.table.calibrate(archs[few], y[few]).calibration
    return (
        f"The networks have {millions.min():.2f} to {millions.max():.2f} million weights. What the "
        f"corrected sum lacks goes with them by r = {r:.2f}. Fitted: {1e3 * price:.1f} µs for a "
        f"million of them, slope {with_weights:.3f}; without them a slope of {slope:.3f} and an "
        f"RMSE of {alone:.2f} %."
    )


def section(runtime: str, done: Study, n_calibration: int) -> str:
    """One runtime's part of the page."""
    found = errors(done, "fastest", n_calibration)
    by_median = errors(done, "median", n_calibration)
    return f"""## {runtime}

{about(done)}

{shown(found)}

{verdict(found)}

{weights(done, n_calibration)}

The same visits by their medians, networks only (the table stays that of the fastest samples):
calibrated RMSE {by_median.loc["calibrated", "rmse_pct"]:.2f} %, Spearman
{by_median.loc["calibrated", "spearman"]:.4f}; measured again RMSE
{by_median.loc["repeat", "rmse_pct"]:.2f} %, Spearman {by_median.loc["repeat", "spearman"]:.4f}.
"""


def report(studies: Mapping[str, Study], n: int, n_calibration: int) -> str:
    """The page benchmarks/latency.md."""
    first = next(iter(studies.values()))
    plan: Plan = FASTEST
    device = {k: v for k, v in first.table.device.items() if not k.startswith("load")}
    parts = "\n".join(section(runtime, done, n_calibration) for runtime, done in studies.items())
    return f"""# Latency: a look-up table against networks that it has not seen

Made by `python benchmarks/latency.py --runtimes {" ".join(studies)}`.
{n} random MBConv networks for 32 px (stem 16 at stride 2,
widths 16-24-40-80-96, kernels 3/5/7, expansion 3/6, one to three blocks a stage, 256 features);
{n_calibration} fit the lines, {n - n_calibration} are held out. One thread, one image; ONNX Runtime
has {SESSIONS} sessions of each graph, which take the rounds in turn. The table is measured before
the networks, not among them. Every number is the fastest sample of at least {plan.rounds}
interleaved rounds, going on until two rounds agree within {plan.settle:.0%}.
"Measured again" is the same networks in a second set of rounds: the noise of two measurements.

Device: {", ".join(f"{k} {v}" for k, v in device.items())}. No GPU: "cuda" is not measured.

{parts}
## What limits the accuracy

- **Where the weights lie.** A block timed alone finds its weights in the nearest cache; in a
  network that fills it they come from farther away, so that the corrected sum is too small by an
  amount that goes with the number of weights (above, for each runtime). A price per weight is
  therefore fitted beside offset and slope.
- **The ends of a graph.** A block alone pays the call and, in ONNX Runtime, two changes of layout
  (`ReorderInput`, `ReorderOutput`: its convolutions work on blocks of channels). An empty graph's
  call is not all of it. A joint is measured as 2 t₁ − t₂, from graphs of one and of two depthwise
  1×1 convolutions on that map: the second convolution costs t₂ − t₁, the rest of t₁ is ends.
- **The machine's other work.** With the other processor busy the same graph often takes nearly
  twice as long, in the thread's own processor time too (as if the two shared one core), so that the
  share of time on the processor does not tell. Times are then of two kinds and their median is
  either. The fastest sample comes from a moment when the neighbour paused; a second round has to
  confirm it. With a dozen rounds at loads of 4 to 6 single entries stayed in the slow state:
  calibrated errors of 1.4, 2.6 and 3.2 % in three runs; with two dozen or more 0.6, 0.6 and 0.7 %.
- **Eager PyTorch** changes no layout where pieces meet, and its sum is too small already: a block
  repeated alone presumably keeps its code and weights in the nearest cache. Taking joints off makes
  that worse; only the line through whole networks mends it, as far as the noise lets one see.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=140)
    parser.add_argument("--calibration", type=int, default=20)
    parser.add_argument("--runtimes", nargs="+", default=["onnxruntime"], choices=list(PLANS))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    archs = breakdown.random_networks(arguments.networks)
    studies = {runtime: study(runtime, archs) for runtime in arguments.runtimes}
    page = report(studies, arguments.networks, arguments.calibration)
    arguments.out.write_text(page, encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main()

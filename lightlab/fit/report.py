"""What was found, as tables for pictures and as sentences for the model's card."""

import pandas as pd

from lightlab.fit.budget import LATENCY, MACS, SIZE
from lightlab.fit.run import Fitted
from lightlab.methods.baselines import MOBILENET_V2, MOBILENET_V3, layer_rows

DESIGNS = (MOBILENET_V2, MOBILENET_V3)
LEAST_SPENT = 0.7  # share of the budget, below which the card warns
LEAST_TRAINING = 0.3  # share of the time spent, likewise
LEAST_USE = 0.65  # of what the target allows, likewise
COLUMNS = {LATENCY: "latency_ms", MACS: "macs", SIZE: "size_kb"}  # of a comparison


def cost_shown(fitted: Fitted) -> tuple[str, float]:
    return next(iter(fitted.target.limits.items()))


def tried(fitted: Fitted) -> pd.DataFrame:
    """Columns stage, cost, accuracy, arch, in the order in which networks were tried."""
    name, _ = cost_shown(fitted)
    return fitted.found.tried.rename(columns={name: "cost"})[["stage", "cost", "accuracy", "arch"]]


def models(fitted: Fitted) -> pd.DataFrame:
    """The trained finalists: model, delivered, cost, accuracy (validation)."""
    name, _ = cost_shown(fitted)
    table = fitted.comparison.rename(columns={COLUMNS[name]: "cost"})
    return table[["model", "delivered", "cost"]].assign(accuracy=table["validated"])


def layers(fitted: Fitted) -> pd.DataFrame:
    """The delivered network and what it was compared with, layer by layer, see `layer_rows`."""
    return layer_rows({one.name: one.network.arch for one in fitted.finalists})


def runs(fitted: Fitted) -> pd.DataFrame:
    """Single runs of the delivered model: column ms."""
    return pd.DataFrame({"ms": fitted.delivered.again.single_ms})


def costs(fitted: Fitted) -> pd.DataFrame:
    """What the delivered file costs when it is measured again: cost, measured, at_most."""
    limits = fitted.target.limits
    rows = [(name, value, limits.get(name)) for name, value in fitted.delivered.again.costs.items()]
    return pd.DataFrame(rows, columns=["cost", "measured", "at_most"])


def headline(fitted: Fitted) -> str:
    accuracy, low, high = fitted.tested.accuracy
    said = f"{accuracy:.1f} % of {len(fitted.tested.labels)} test images are recognised "
    said += f"(95 % interval {low:.1f} to {high:.1f} %)"
    ms = fitted.delivered.again.costs[LATENCY]
    kept = f"{ms:.3g} ms an image ({fitted.target.where}), target: {fitted.target}"
    word = "met when measured again" if fitted.delivered.met else "MISSED when measured again"
    return f"{said}; {kept}, {word}."


def warnings(fitted: Fitted) -> list[str]:
    """What a user has to know before using the model."""
    found, delivered = [], fitted.delivered
    if not delivered.met:
        over = ", ".join(
            f"{name} {delivered.again.costs[name]:.4g} instead of {most:.4g}"
            for name, most in fitted.target.limits.items()
            if delivered.again.costs[name] > most
        )
        found.append(
            f"The target was missed: {over}. A lower resolution, another runtime or a quieter "
            "machine would help."
        )
    trained = fitted.phases["phase"].str.startswith("training")
    share = fitted.phases["seconds"][trained].sum() / fitted.spent_s
    if fitted.capped and fitted.spent_s < LEAST_SPENT * fitted.budget_s:
        found.append(
            f"Ended after {fitted.spent_s:.0f} of {fitted.budget_s:.0f} seconds: longer training "
            "would learn so few images by heart. More images help, more minutes do not."
        )
    elif share < LEAST_TRAINING:
        found.append(
            f"Only {share:.0%} of the time was spent on training, the rest on measuring: give "
            "more minutes, or a quieter machine."
        )
    used = fitted.target.largest_share(delivered.again.costs)
    if used < LEAST_USE and not _loose(fitted):
        found.append(
            f"Only {used:.0%} of what the target allows is used: another --seed or more minutes "
            "may find a larger network."
        )
    worst = fitted.tested.classes.iloc[0]
    if worst["recognised"] < 50:
        share = f"{worst['recognised']:.0f} % of its {worst['images']} test images"
        found.append(f"The class {worst['class']} is hardly recognised: {share}.")
    if len(fitted.tested.labels) < 100:
        found.append("Few test images: the interval is wide; more images would narrow it.")
    return found


def how_found(fitted: Fitted) -> str:
    chosen = fitted.room.offered[fitted.room.offered["chosen"]]
    name = fitted.delivered.finalist.name
    n = len(fitted.found.tried)
    text = (
        f"Method {fitted.method}, seed {fitted.seed}, {fitted.spent_s:.0f} of "
        f"{fitted.budget_s:.0f} seconds; {n} evaluations in a space of units of "
        f"{chosen['channels'].iloc[0]} channels and at most {chosen['layers'].iloc[0]} layers. "
        f"Delivered: {name}, the one of highest balanced accuracy on the validation images "
        f"({fitted.delivered.finalist.accuracy:.1f} %) that keeps to the target."
    )
    if name != fitted.found.finalists[0].name:
        text += f" It did better there than what {fitted.method} found."
    if fitted.delivered.missed:
        text += f" Missed the target before it: {', '.join(fitted.delivered.missed)}."
    known = {*fitted.comparison["model"]}
    for design in (name for name in DESIGNS if name not in known and name not in fitted.failed):
        text += f" Not even the smallest of {design} keeps to it."
    if fitted.failed:
        text += f" {fitted.failed[0].upper()}{fitted.failed[1:].rstrip('.')}."
    if _loose(fitted):
        text += " The target is no limit here: time to train is; more of it, or larger images."
    return text


def _loose(fitted: Fitted) -> bool:
    """Whether even the largest network of the space keeps to the target."""
    offered = fitted.room.offered
    return bool(offered.loc[offered["chosen"], "position"].min() > 1)

"""A look-up table of latencies: a network's time as the sum of its pieces' (ProxylessNAS §3.3)."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike
from tqdm.auto import tqdm

from lightlab.latency.pieces import Joint, Piece, joints, pieces_of
from lightlab.latency.runtimes import runner
from lightlab.latency.setting import Setting, device
from lightlab.latency.timing import FASTEST, Plan, interleave
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch, block_layers
from lightlab.space.blocks import Block, encode_block


@dataclass(frozen=True)
class LookupTable:
    """Latencies of pieces by `Piece.key`, the fastest sample of every round in ms, the least of
    which counts. `calibration` (offset in ms, slope, ms per million weights) turns a sum into a
    prediction. What the table does not hold is a ValueError that names it.
    """

    setting: Setting
    device: dict
    entries: dict[str, list[float]] = field(default_factory=dict)
    calibration: tuple[float, float, float] | None = None

    @classmethod
    def build(
        cls,
        of: Iterable[Arch | Piece],
        *,
        setting: Setting = Setting(),  # noqa: B008  a frozen value
        plan: Plan = FASTEST,
    ) -> "LookupTable":
        """The table for all pieces of these networks and the joints between, measured in turn."""
        about = device(setting.runtime)
        wanted = {piece.key: piece for one in of for piece in _timed(one)}
        if not wanted:
            raise ValueError("there is no network to build a table for")
        ready = tqdm(wanted.items(), desc="making ready", unit="piece", leave=False, delay=1)
        runners = {key: runner(piece, setting) for key, piece in ready}
        fastest = interleave(runners, plan, "look-up table").fastest
        return cls(setting, about, dict(zip(wanted, fastest, strict=True)))

    def latency_ms(self, piece: Piece) -> float:
        """Of a piece alone, its call included."""
        if not (found := self.entries.get(piece.key)):
            said = f"the look-up table has no entry {piece.key!r}"
            raise ValueError(f"{said}: build it with a network that has it")
        return min(found)

    def joint_ms(self, joint: Joint) -> float:
        """What two pieces pay apart and not together where they meet; 0 where noise drowns it."""
        once, twice = (self.latency_ms(piece) for piece in joint.through)
        return max(0.0, 2 * once - twice)

    def predict(self, arch: Arch, how: str | None = None) -> float:
        """Latency of `arch` in ms: `how` "sum" adds the pieces up, "corrected" takes off what
        joining saves, "calibrated" is what `calibrate` made of that; None: the best there is.
        """
        ways = ("calibrated", "corrected", "sum")
        how = how or ("calibrated" if self.calibration else "corrected")
        if how not in ways:
            raise ValueError(f"how is one of {', '.join(ways)}, not {how!r}")
        total = sum(self.latency_ms(piece) for piece in pieces_of(arch))
        if how == "sum":
            return total
        total -= sum(self.joint_ms(joint) for joint in joints(arch))
        if how == "corrected":
            return total
        if self.calibration is None:
            raise ValueError("the table is not calibrated: give `calibrate` a few whole networks")
        offset, slope, per_million = self.calibration
        return offset + slope * total + per_million * (cost.param_count(arch) / 1e6)

    def added_ms(self, block: Block, in_channels: int, in_size: int) -> float:
        """What `block`, behind another piece and for such maps, adds to `predict`."""
        plain = self.latency_ms(Piece(encode_block(block), in_channels, in_size))
        plain -= self.joint_ms(Joint(in_channels, in_size))
        if self.calibration is None:
            return plain
        _, slope, per_million = self.calibration
        weights = sum(layer.trainable for layer in block_layers(block, in_channels, in_size))
        return slope * plain + per_million * weights / 1e6

    def calibrate(self, archs: Iterable[Arch], latencies_ms: Iterable[float]) -> "LookupTable":
        """This table fitted to 4 or more whole networks measured in its setting: an offset, a
        slope, and a price of weights, which a piece alone finds in the nearest cache. ValueError
        for fewer networks or ones too much alike.
        """
        archs, y = list(archs), np.array(list(latencies_ms))
        if len(archs) != len(y):
            raise ValueError(f"{len(archs)} networks and {len(y)} latencies to calibrate with")
        X = [(self.predict(one, "corrected"), cost.param_count(one) / 1e6) for one in archs]
        return replace(self, calibration=tuple(stats.relative_fit(X, y).tolist()))


def _timed(of: Arch | Piece) -> list[Piece]:
    if isinstance(of, Piece):
        return [of]
    return [*pieces_of(of), *(piece for joint in joints(of) for piece in joint.through)]


def agreement(predicted: ArrayLike, measured: ArrayLike) -> dict[str, float]:
    """How well `predicted` fits `measured`, both (n,) in ms: rmse_pct (rmse_low, rmse_high) and
    bias_pct of relative errors, rmse_ms, r2 of the values as they are, and Spearman's rho (ci_low,
    ci_high); bootstrap intervals over the networks.
    """
    p, y = np.asarray(predicted, dtype=float), np.asarray(measured, dtype=float)
    relative = p / y - 1
    rho, low, high = stats.spearman(p, y)
    rmse = stats.bootstrap_ci(lambda x: 100 * np.sqrt(np.mean(x**2, axis=-1)), relative)
    return {
        **dict(zip(("rmse_pct", "rmse_low", "rmse_high"), rmse, strict=True)),
        "bias_pct": 100 * float(relative.mean()),
        "rmse_ms": float(np.sqrt(np.mean((p - y) ** 2))),
        "r2": 1 - float(np.sum((p - y) ** 2) / np.sum((y - y.mean()) ** 2)),
        "spearman": rho,
        "ci_low": low,
        "ci_high": high,
        "n": len(y),
    }

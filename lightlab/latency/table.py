"""A look-up table of latencies: a network's time as the sum of its pieces' (ProxylessNAS §3.3)."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
from tqdm.auto import tqdm

from lightlab.latency import table_file
from lightlab.latency.device import device, fingerprint, lasting
from lightlab.latency.measuring import measure_many
from lightlab.latency.pieces import Joint, Piece, joints, pieces
from lightlab.latency.runtimes import runner
from lightlab.latency.setting import LatencyError, Setting
from lightlab.latency.timing import FASTEST, Plan, Visits, rounds
from lightlab.measure import cost, stats
from lightlab.space.arch import Arch, Block, block_layers

WAYS = ("calibrated", "corrected", "sum")


@dataclass(frozen=True)
class LookupTable:
    """Latencies of pieces by `Piece.key`, in one setting on one device.

    `entries` hold the fastest sample of every round in ms; a piece's latency is the least of them:
    other processes only ever add time. `calibration` (offset in ms, slope, ms per million weights)
    turns a sum into a prediction, once whole networks have been measured.
    """

    setting: Setting
    device: dict
    entries: dict[str, list[float]] = field(default_factory=dict)
    calibration: tuple[float, float, float] | None = None

    @classmethod
    def build(
        cls,
        of: Iterable[Arch | Piece],
        path: str | Path | None = None,
        *,
        runtime: str = "onnxruntime",
        threads: int = 1,
        batch: int = 1,
        plan: Plan = FASTEST,
    ) -> "LookupTable":
        """The table for all pieces of these networks, and for the joints between them.

        A file at `path` is taken over: only what it lacks is measured, in interleaved rounds. It is
        saved after every round, so that a run that was stopped goes on where it was. LatencyError
        for a file of another device or setting. A `Piece` alone is measured without joints. Where
        anything is measured, the file's calibration is dropped: it was for other entries.
        """
        setting = Setting(runtime, threads, batch)
        table = cls(setting, device(runtime))
        if path is not None and Path(path).exists():
            table = cls.load(path, setting)
        wanted = {piece.key: piece for one in of for piece in _timed(one)}
        if not wanted:
            raise LatencyError("there is no network to build a table for")
        todo = {k: p for k, p in wanted.items() if not plan.enough(table.entries.get(k, ()))}
        if not todo:
            return table
        table = replace(table, calibration=None)
        ready = tqdm(todo.items(), desc="making ready", unit="piece", leave=False, delay=1)
        runners = {key: runner(piece, setting) for key, piece in ready}
        visits = Visits.none(list(todo), [table.entries.setdefault(key, []) for key in todo])
        for _ in rounds(runners, plan, visits, "look-up table"):
            if path is not None:
                table.save(path)
        return table

    def latency_ms(self, piece: Piece) -> float:
        """Of a piece alone, its call included; LatencyError names what the table does not hold."""
        if piece.key not in self.entries:
            raise LatencyError(
                f"the look-up table has no entry {piece.key!r}: build it with a network that has it"
            )
        return min(self.entries[piece.key])

    def joint_ms(self, joint: Joint) -> float:
        """What two pieces pay apart and not together where they meet (see `pieces`), or 0 where
        that drowned in noise."""
        once, twice = (self.latency_ms(piece) for piece in joint.through)
        return max(0.0, 2 * once - twice)

    def predict(self, arch: Arch, how: str | None = None) -> float:
        """Latency of `arch` in ms; LatencyError names a piece that is missing.

        `how` "sum" adds the pieces up, "corrected" takes off what joining them saves, "calibrated"
        is what `calibrate` made of that; without `how` the last of them that is possible.
        """
        how = how or ("calibrated" if self.calibration else "corrected")
        if how not in WAYS:
            raise LatencyError(f"how is one of {', '.join(WAYS)}, not {how!r}")
        total = sum(self.latency_ms(piece) for piece in pieces(arch))
        if how == "sum":
            return total
        total -= sum(self.joint_ms(joint) for joint in joints(arch))
        if how == "corrected":
            return total
        if self.calibration is None:
            raise LatencyError("the table is not calibrated: give `calibrate` a few whole networks")
        offset, slope, per_million = self.calibration
        return offset + slope * total + per_million * _million_weights(arch)

    def added_ms(self, block: Block, in_channels: int, in_size: int) -> float:
        """What `block`, for such maps, adds to `predict` of a network that has it behind another
        piece; LatencyError where the table lacks it.
        """
        plain = self.latency_ms(Piece.of_block(block, in_channels, in_size))
        plain -= self.joint_ms(Joint(in_channels, in_size))
        if self.calibration is None:
            return plain
        _, slope, per_million = self.calibration
        weights = sum(layer.trainable for layer in block_layers(block, in_channels, in_size))
        return slope * plain + per_million * weights / 1e6

    def calibrate(self, archs: Iterable[Arch], latencies_ms: Iterable[float]) -> "LookupTable":
        """This table fitted to whole networks measured in its setting (4 or more): an offset, a
        slope, and a price of weights. Alone, a piece finds its weights in the nearest cache; in a
        network that fills it they come from farther away.

        LatencyError where there are not as many latencies as networks, ValueError for fewer than
        four networks or for ones that are too much alike.
        """
        archs, y = list(archs), np.array(list(latencies_ms))
        if len(archs) != len(y):
            raise LatencyError(f"{len(archs)} networks and {len(y)} latencies to calibrate with")
        X = [(self.predict(arch, "corrected"), _million_weights(arch)) for arch in archs]
        return replace(self, calibration=tuple(stats.relative_fit(X, y).tolist()))

    def calibrated_on(self, archs: Iterable[Arch], plan: Plan = FASTEST) -> "LookupTable":
        """This table, calibrated on these networks, which are timed now in its setting."""
        named, how = {str(i): arch for i, arch in enumerate(archs)}, self.setting
        timed = measure_many(
            named, how.runtime, how.threads, how.batch, plan=plan, estimate="fastest"
        )
        return self.calibrate(named.values(), timed.latency_ms.values())

    @property
    def fingerprint(self) -> str:
        """Twelve characters that tell device, versions and setting."""
        return fingerprint(self.device | asdict(self.setting))

    def save(self, path: str | Path) -> None:
        """Write the table as JSON, whole or not at all."""
        table_file.write(path, {"fingerprint": self.fingerprint, **asdict(self)})

    @classmethod
    def load(
        cls, path: str | Path, setting: Setting | None = None, *, any_device: bool = False
    ) -> "LookupTable":
        """The table of a file.

        LatencyError if it is no such file, if it is of another setting than `setting`, or of
        another device than this one unless `any_device` (which then is the one predicted for).
        """
        content = table_file.read(path)
        calibration = content["calibration"]
        table = cls(
            Setting(**content["setting"]),
            content["device"],
            content["entries"],
            calibration and tuple(calibration),
        )
        if table.fingerprint != content["fingerprint"]:
            raise LatencyError(f"{path}: its fingerprint does not fit its content; build it anew")
        if setting is not None and setting != table.setting:
            raise LatencyError(f"{path} is for {table.setting}, not for {setting}")
        if not any_device:
            _require_here(path, table)
        return table


def _million_weights(arch: Arch) -> float:
    return cost.param_count(arch) / 1e6


def _timed(of: Arch | Piece) -> list[Piece]:
    if isinstance(of, Piece):
        return [of]
    return [*pieces(of), *(piece for joint in joints(of) for piece in joint.through)]


def _require_here(path: str | Path, table: LookupTable) -> None:
    here, there = lasting(device(table.setting.runtime)), lasting(table.device)
    if differs := [key for key in here | there if here.get(key) != there.get(key)]:
        words = "; ".join(f"{key} {there.get(key)}, here {here.get(key)}" for key in differs)
        raise LatencyError(f"{path} was measured on another device ({words}): build one for this")

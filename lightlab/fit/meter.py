"""What networks and files really cost here, in each way that a target limits."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lightlab import deploy, latency
from lightlab.data import DataSet
from lightlab.fit.target import LATENCY, MACS, SIZE, Target
from lightlab.latency.runtimes import SESSIONS, onnx_runner, random_images
from lightlab.measure import cost
from lightlab.nets.build import Network, build
from lightlab.space.arch import Arch
from lightlab.space.scaling import scale

# Choices compare fastest samples, which others on the machine do not change; the delivered file has
# to keep to its limit in the median, which lies some per cent higher, as two sessions also differ.
RESERVE = 0.06
N_CALIBRATE = 200  # training images that ranges of activations are taken from
N_SINGLE = 300  # runs timed one by one
_BRIEF = latency.Plan(rounds=9, samples=5, sample_ms=0.3, min_busy=0, warmup_ms=3.0)
_LONG = latency.Plan(rounds=15, samples=5, sample_ms=1.0)
_WIDTHS = np.round(np.geomspace(0.25, 5.0, 31), 3)


@dataclass(frozen=True, eq=False)
class Again:
    """A delivered model measured again: its `costs` by name, the timing of the file's sessions made
    anew, and `single_ms`, the times of N_SINGLE runs one by one.
    """

    costs: dict[str, float]
    latency: latency.Latency
    single_ms: np.ndarray


class Meter:
    """Measures for a `target` and a data set, whose names and numbers the files hold."""

    def __init__(self, target: Target, images: DataSet) -> None:
        self.target, self.images = target, images

    def costs(self, archs: Sequence[Arch], names: Sequence[str] = ()) -> list[dict[str, float]]:
        """Of each network, by name (of what is limited, else); latencies are timed in turn."""
        how: dict[str, Callable[[Sequence[Arch]], Sequence[float]]] = {
            LATENCY: self._latencies,
            MACS: lambda archs: [cost.macs(arch) for arch in archs],
            SIZE: lambda archs: [len(self.file(build(arch))) / 1000 for arch in archs],
        }
        columns = {name: how[name](archs) for name in names or self.target.limits}
        return [{name: float(v[i]) for name, v in columns.items()} for i in range(len(archs))]

    def _latencies(self, archs: Sequence[Arch]) -> list[float]:
        setting, named = self.target.setting, {str(i): arch for i, arch in enumerate(archs)}
        how = {"plan": _BRIEF, "sessions": 1, "estimate": "fastest"}
        timed = latency.measure_many(named, setting.runtime, setting.threads, **how)
        return [timed.latency_ms[name] for name in named]

    def kept_by(self, archs: Sequence[Arch]) -> list[bool]:
        """Which networks keep to the target, a little of the latency in reserve."""
        return [self.target.kept_by(costs, RESERVE) for costs in self.costs(archs)]

    def widest(self, arch: Arch, most_macs: float) -> Arch | None:
        """`arch` of the greatest width that keeps to the target and has no more than `most_macs`,
        by halving (wider networks are taken to cost more); None where none does.
        """
        archs = dict.fromkeys(scale(arch, width_mult=float(w)) for w in _WIDTHS)
        archs = [one for one in archs if cost.macs(one) <= most_macs]
        low, high = -1, len(archs) - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.kept_by([archs[middle]])[0] else (low, middle - 1)
        return archs[low] if low >= 0 else None

    def file(self, network: Network) -> bytes:
        """The ONNX model that the target is about: fp32, or in 8-bit integers."""
        exact = self.exact_file(network)
        return self.integers(exact) if self.target.integers else exact

    def exact_file(self, network: Network) -> bytes:
        """The ONNX model in float32, which says class names, mean and std."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            facts = {k: getattr(self.images, k) for k in ("class_names", "mean", "std")}
            return deploy.export_onnx(network.arch, network, path, **facts).read_bytes()

    def integers(self, model: bytes) -> bytes:
        """`model` in 8-bit integers, calibrated on training images."""
        return deploy.int8_bytes(model, self.images.train.x[:N_CALIBRATE])

    def again(self, network: Network, model: bytes) -> Again:
        """The delivered `model` (what `file` gave) measured anew, and timed run by run."""
        setting, image = self.target.setting, random_images(1, network.arch.input_shape)
        runner = onnx_runner(model, setting, image, SESSIONS)
        timed = latency.time_runners({"model": runner}, setting, plan=_LONG)["model"]
        single = np.array([runner.time(1)[0] for _ in range(N_SINGLE)]) * 1000
        costs = {LATENCY: timed.median_ms, MACS: cost.macs(network.arch), SIZE: len(model) / 1000}
        return Again({k: float(v) for k, v in costs.items()}, timed, single)

    def promises(self, network: Network) -> bool:
        """Whether its file, measured as a delivered one, keeps to the target with some reserve."""
        costs = self.again(network, self.file(network)).costs
        return self.target.kept_by(costs, RESERVE / 2)

    def in_turn(self, networks: Mapping[str, Network]) -> dict[str, float]:
        """Latencies of networks in ms, timed in turn so that they can be compared."""
        setting, archs = self.target.setting, {k: net.arch for k, net in networks.items()}
        return latency.measure_many(archs, setting.runtime, setting.threads).latency_ms

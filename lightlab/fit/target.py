"""What the model may cost: asked for by its user, checked before anything is measured."""

import math
from dataclasses import dataclass

from lightlab.latency import Setting

RUNTIMES = ("onnxruntime", "onnxruntime-int8")  # what leaves is ONNX, and is what is timed
LATENCY, MACS, SIZE = "latency in ms", "MACs", "size in kB"


@dataclass(frozen=True)
class Target:
    """The most that the model may cost, 0 where it is no matter: of one image in `runtime`, in
    MACs, and of its file (8-bit in "onnxruntime-int8") in 1,000 bytes. ValueError on impossible
    values.
    """

    latency_ms: float = 0
    max_macs: float = 0
    max_size_kb: float = 0
    runtime: str = "onnxruntime"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise ValueError(f"runtime is one of {', '.join(RUNTIMES)}, not {self.runtime!r}")
        for name in ("latency_ms", "max_macs", "max_size_kb"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(
                    f"{name} has to be a number from 0 on (0: no limit), not {value!r}"
                )
        if not self.limits:
            raise ValueError("there is no target: give latency_ms, max_macs or max_size_kb")
        self.setting.check_here()

    @property
    def limits(self) -> dict[str, float]:
        """The most by the name of each cost that is limited."""
        every = {LATENCY: self.latency_ms, MACS: self.max_macs, SIZE: self.max_size_kb}
        return {name: float(most) for name, most in every.items() if most}

    @property
    def setting(self) -> Setting:
        return Setting(self.runtime, self.threads)

    @property
    def integers(self) -> bool:
        return self.runtime == "onnxruntime-int8"

    def most(self, cost: str) -> float:
        return self.limits.get(cost, math.inf)

    def kept_by(self, costs: dict[str, float], reserve: float = 0) -> bool:
        """Whether these costs keep to all limits, with a share of the latency in reserve."""
        room = {LATENCY: 1 - reserve}
        return all(costs[k] <= most * room.get(k, 1) for k, most in self.limits.items())

    def largest_share(self, costs: dict[str, float]) -> float:
        """The largest of these costs as a share of its limit; beyond 1 the target is missed."""
        return max(costs[name] / most for name, most in self.limits.items())

    def __str__(self) -> str:
        words = {LATENCY: f"{self.latency_ms:g} ms ({self.where})"}
        words |= {MACS: f"{self.max_macs / 1e6:g}M MACs", SIZE: f"{self.max_size_kb:g} kB"}
        return "at most " + ", ".join(words[name] for name in self.limits)

    @property
    def where(self) -> str:
        return f"{self.runtime}, {self.threads} thread{'s' if self.threads > 1 else ''}"

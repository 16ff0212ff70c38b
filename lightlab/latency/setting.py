"""How a network is run when it is timed, and what can go wrong in saying so."""

import difflib
from dataclasses import dataclass

import psutil

RUNTIMES = ("onnxruntime", "onnxruntime-int8", "torch", "torch-compile", "cuda")


class LatencyError(ValueError):
    """A measurement that cannot be made, or a table that does not fit; one line that says why."""


class NoisyError(LatencyError):
    """The noise of the measurement drowns the difference that was asked for."""


@dataclass(frozen=True)
class Setting:
    """Runtime, threads of the host and images per run.

    "onnxruntime" runs the exported graph, batch normalisation folded; "onnxruntime-int8" the same
    in static 8-bit integers; "torch" the module as it is, in eager mode, channels-last, batch
    normalisation not folded; "torch-compile" the same module compiled; "cuda" the same on the first
    GPU, threads being those of the host. LatencyError on a runtime that does not exist (it names
    the nearest), threads or batch < 1.
    """

    runtime: str = "onnxruntime"
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            near = difflib.get_close_matches(self.runtime.lower(), RUNTIMES, n=1, cutoff=0)[0]
            raise LatencyError(
                f"there is no runtime {self.runtime!r}; the nearest is {near!r} "
                f"of {', '.join(RUNTIMES)}"
            )
        for name in ("threads", "batch"):
            whole_number(name, getattr(self, name))

    @classmethod
    def of(cls, text: str) -> "Setting":
        """ "runtime/threads/batch", as "onnxruntime/1/1"; LatencyError on anything else."""
        runtime, *numbers = text.split("/")
        try:
            threads, batch = map(int, numbers)
        except ValueError:
            raise LatencyError(
                f"a setting is runtime/threads/batch, as onnxruntime/1/1, not {text!r}"
            ) from None
        return cls(runtime, threads, batch)

    def check_here(self) -> None:
        """LatencyError for more threads than this machine runs at once: they would wait for each
        other for minutes. Not when a setting is made, for a table's may be another machine's.
        """
        if (here := psutil.cpu_count()) and self.threads > here:
            raise LatencyError(
                f"threads must be at most {here}, what this machine has, got {self.threads}"
            )


def whole_number(name: str, value: object) -> None:
    """LatencyError where `value` is no whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise LatencyError(f"{name} must be a whole number from 1 on, got {value!r}")

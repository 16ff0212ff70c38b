"""How a network is run when it is timed, and on what machine."""

import difflib
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import psutil
import torch

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


# which integers and vectors the kernels may use: x86 beyond AVX2, ARM beyond NEON
_VECTORS = ("avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm", "sve")


def device(runtime: str = "onnxruntime") -> dict[str, str | int | float]:
    """This machine in words and numbers: processor, cores, threads, system, versions, load.

    `load` is the number of processes that ran or waited during the last minute (NaN where the
    system does not say); `governor` is that of the first core, or "unknown"; `vectors` are those of
    the processor's extensions that decide between kernels, VNNI and AVX-512 above all. With "cuda"
    the GPU's name stands beside them.
    """
    about = _cpuinfo()
    features = about.get("flags", about.get("Features", "")).split()
    found = {
        "cpu": _cpu(about),
        "vectors": " ".join(v for v in _VECTORS if v in features) or "none known",
        "cores": psutil.cpu_count(logical=False) or 0,
        "logical_cores": psutil.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "governor": _first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "load": load(),
    }
    if runtime == "cuda" and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(0)
    return found


def load() -> float:
    """Load average of the last minute; NaN where the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # not on Windows, not in every container
        return float("nan")


def _cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; nothing elsewhere."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return {}
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    return {key.strip(): value.strip() for key, value in fields.items()}


def _cpu(about: dict[str, str]) -> str:
    """Model of the processor with the widest vector instructions, which decide the kernels."""
    name = about.get("model name") or platform.processor() or platform.machine() or "unknown"
    parts = [name, *(f"{k} {about[k]}" for k in ("cpu family", "model") if k in about)]
    return ", ".join([*parts, torch.backends.cpu.get_cpu_capability()])


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"

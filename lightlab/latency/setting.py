"""How a network is run when it is timed, and on what machine."""

import difflib
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import psutil
import torch

from lightlab.measure import machine

RUNTIMES = ("onnxruntime", "onnxruntime-int8", "torch", "torch-compile", "cuda")
# which integers and vectors the kernels may use: x86 beyond AVX2, ARM beyond NEON
_VECTORS = ("avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm", "sve")


@dataclass(frozen=True)
class Setting:
    """Runtime, threads of the host and images per run. ValueError on what does not exist.

    "onnxruntime" runs the exported graph, batch normalisation folded, "onnxruntime-int8" in static
    8-bit integers; "torch" the module in eager mode, channels-last, "torch-compile" compiled,
    "cuda" on the first GPU.
    """

    runtime: str = "onnxruntime"
    threads: int = 1
    batch: int = 1

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            near = difflib.get_close_matches(self.runtime.lower(), RUNTIMES, n=1, cutoff=0)[0]
            said = f"there is no runtime {self.runtime!r}; the nearest is {near!r}"
            raise ValueError(f"{said} of {', '.join(RUNTIMES)}")
        for name in ("threads", "batch"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number from 1 on, got {value!r}")

    @classmethod
    def of(cls, text: str) -> "Setting":
        """ "runtime/threads/batch", as "onnxruntime/1/1"; ValueError on anything else."""
        runtime, *numbers = text.split("/")
        try:
            threads, batch = map(int, numbers)
        except ValueError:
            said = "a setting is runtime/threads/batch, as onnxruntime/1/1"
            raise ValueError(f"{said}, not {text!r}") from None
        return cls(runtime, threads, batch)

    def check_here(self) -> None:
        """ValueError for more threads than this machine runs at once, which would wait for each
        other; not when a setting is made, for a table's may be another machine's.
        """
        if (here := psutil.cpu_count()) and self.threads > here:
            most = f"at most {here}, what this machine has"
            raise ValueError(f"threads must be {most}, got {self.threads}")


def device(runtime: str = "onnxruntime") -> dict[str, str | int | float]:
    """What the numbers are measured on: processor, its extensions that decide between kernels
    (vectors), cores, system, versions, the first core's governor, load; with "cuda" the GPU.
    """
    about = machine.processor()
    features = about.get("flags", about.get("Features", "")).split()
    kind = (f"{k} {about[k]}" for k in ("cpu family", "model") if k in about)
    found = {
        # with the widest vector instructions, which decide the kernels
        "cpu": ", ".join([about["model name"], *kind, torch.backends.cpu.get_cpu_capability()]),
        "vectors": " ".join(v for v in _VECTORS if v in features) or "none known",
        "cores": psutil.cpu_count(logical=False) or 0,
        "logical_cores": psutil.cpu_count() or 0,
        "system": f"{platform.system()} {platform.machine()}",
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "governor": "unknown",
        "load": load(),
    }
    with suppress(OSError, IndexError):
        path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        found["governor"] = path.read_text().splitlines()[0]
    if runtime == "cuda" and torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name(0)
    return found


def load() -> float:
    """Processes that ran or waited during the last minute; NaN where the system does not say."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):  # not on Windows, not in every container
        return float("nan")

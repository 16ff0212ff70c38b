"""What the numbers were measured on: no millisecond is worth anything without it."""

import os
import platform
from pathlib import Path

import onnxruntime
import psutil
import torch

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

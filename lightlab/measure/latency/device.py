"""What the numbers were measured on: no millisecond is worth anything without it."""

import hashlib
import json
import os
import platform
from pathlib import Path

import onnxruntime
import psutil
import torch

# what may differ between two measurements on the same device
_MOMENTARY = ("load", "load_end", "governor")


def device(runtime: str = "onnxruntime") -> dict[str, str | int | float]:
    """This machine in words and numbers: processor, cores, threads, system, versions, load.

    `load` is the number of processes that ran or waited during the last minute (NaN where the
    system does not say); `governor` is that of the first core, or "unknown". With "cuda" the GPU's
    name stands beside them.
    """
    found = {
        "cpu": _cpu(),
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


def lasting(description: dict) -> dict:
    """What of a device's description does not change from one moment to the next."""
    return {k: v for k, v in description.items() if k not in _MOMENTARY}


def fingerprint(description: dict) -> str:
    """Twelve characters that change with the device or a version, not with the moment."""
    text = json.dumps(lasting(description), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cpu() -> str:
    """Model of the processor with the widest vector instructions, which decide the kernels."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine() or "unknown"
    fields = dict(line.split(":", 1) for line in text.split("\n\n")[0].splitlines() if ":" in line)
    about = {key.strip(): value.strip() for key, value in fields.items()}
    name = about.get("model name") or platform.processor() or "unknown"
    parts = [name, *(f"{k} {about[k]}" for k in ("cpu family", "model") if k in about)]
    return ", ".join([*parts, torch.backends.cpu.get_cpu_capability()])


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().splitlines()[0]
    except (OSError, IndexError):
        return "unknown"

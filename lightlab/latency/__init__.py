"""Latency: how long a network takes on this machine, said only as far as the noise allows.

ONNX Runtime on one thread is the default: eager PyTorch at batch 1 mostly times the calls of its
operators.
"""

from lightlab.latency.latencies import NoisyError, Timings
from lightlab.latency.pieces import pieces_of
from lightlab.latency.runtimes import onnx_model, runner
from lightlab.latency.setting import Setting, device
from lightlab.latency.table import LookupTable, agreement
from lightlab.latency.timing import (
    Plan,
    compare_files,
    measure_many,
    measure_settings,
    time_runners,
)

__all__ = [
    "LookupTable",
    "NoisyError",
    "Plan",
    "Setting",
    "Timings",
    "agreement",
    "compare_files",
    "device",
    "measure_many",
    "measure_settings",
    "onnx_model",
    "pieces_of",
    "runner",
    "time_runners",
]

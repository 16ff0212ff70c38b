"""Latency: how long a network takes on this machine, said only as far as the noise allows.

`measure` times one network, `measure_many` several in turn. ONNX Runtime on one thread is the
default: eager PyTorch at batch 1 mostly times the calls of its operators.
"""

from lightlab.latency.latencies import Latency, NoisyError, Timings
from lightlab.latency.pieces import pieces_of
from lightlab.latency.runtimes import onnx_model, runner
from lightlab.latency.setting import Setting, device
from lightlab.latency.table import LookupTable, agreement
from lightlab.latency.timing import (
    Plan,
    compare_files,
    measure,
    measure_many,
    measure_settings,
    time_runners,
)

__all__ = [
    "Latency",
    "LookupTable",
    "NoisyError",
    "Plan",
    "Setting",
    "Timings",
    "agreement",
    "compare_files",
    "device",
    "measure",
    "measure_many",
    "measure_settings",
    "onnx_model",
    "pieces_of",
    "runner",
    "time_runners",
]

"""Latency: how long a network takes on this machine, said only as far as the noise allows.

`measure` times one network, `measure_many` several in turn. ONNX Runtime on one thread is the
default: eager PyTorch at batch 1 mostly times the calls of its operators.
"""

from lightlab.latency.device import device
from lightlab.latency.measuring import measure, measure_many, measure_settings, time_runners
from lightlab.latency.pieces import Piece, pieces_of
from lightlab.latency.runtimes import onnx_model, runner
from lightlab.latency.setting import LatencyError, NoisyError, Setting
from lightlab.latency.table import LookupTable
from lightlab.latency.timing import Plan
from lightlab.latency.timings import Latency, Timings
from lightlab.latency.validation import agreement

__all__ = [
    "Latency",
    "LatencyError",
    "LookupTable",
    "NoisyError",
    "Piece",
    "Plan",
    "Setting",
    "Timings",
    "agreement",
    "device",
    "measure",
    "measure_many",
    "measure_settings",
    "onnx_model",
    "pieces_of",
    "runner",
    "time_runners",
]

"""Networks as ONNX: export, 8-bit integers, prediction on image files."""

from lightlab.deploy.export import export_onnx, parity, write_bytes
from lightlab.deploy.facts import facts_of
from lightlab.deploy.int8 import int8_bytes, quantize_int8
from lightlab.deploy.model import OPSET, DeployError, onnx_bytes, session
from lightlab.deploy.predict import Predictor

__all__ = [
    "OPSET",
    "DeployError",
    "Predictor",
    "export_onnx",
    "facts_of",
    "int8_bytes",
    "onnx_bytes",
    "parity",
    "quantize_int8",
    "session",
    "write_bytes",
]

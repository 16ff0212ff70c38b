"""Networks as ONNX: export, 8-bit integers, prediction on image files."""

from lightlab.deploy.export import export_onnx, int8_bytes, parity, quantize_int8, write_bytes
from lightlab.deploy.model import OPSET, Predictor, facts_of, onnx_bytes, session

__all__ = [
    "OPSET",
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

"""Networks as ONNX: export, 8-bit integers, prediction on image files."""

from lightlab.measure.deploy.model import OPSET, DeployError, onnx_bytes, session

__all__ = ["OPSET", "DeployError", "onnx_bytes", "session"]

"""ONNX models in 8-bit integers, calibrated on training images."""

import contextlib
import io
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from lightlab.deploy.export import run, write_bytes
from lightlab.deploy.model import DeployError, read_bytes, session

METHODS = {
    "minmax": quantization.CalibrationMethod.MinMax,
    "percentile": quantization.CalibrationMethod.Percentile,
    "entropy": quantization.CalibrationMethod.Entropy,
}
_BATCH = 32


def quantize_int8(
    path: str | Path, out_path: str | Path, calibration_images: Tensor, **how
) -> Path:
    """Write the model of `path` in 8-bit integers to `out_path`; its metadata go along.

    `calibration_images` (N, C, H, W), standardised: training images, for the ranges of all
    activations are taken from them (200 are enough). `how` as in `int8_bytes`.
    """
    return write_bytes(out_path, int8_bytes(read_bytes(path), calibration_images, **how))


def int8_bytes(
    model: bytes,
    calibration_images: Tensor,
    *,
    method: str = "minmax",
    weight_bits: int = 7,
) -> bytes:
    """`model` with static 8-bit activations and weights (Jacob et al. 2018), as ONNX bytes.

    Each output channel has a scale of its own: depthwise kernels differ widely. `weight_bits` 7
    because processors without VNNI (AVX2 alone) add pairs of 8-bit products in 16 bits, where full
    8-bit weights overflow: trained on cluttered digits, mobilenet_32 at width 0.5 kept 95 % of its
    predictions with 7 bits and 79 % with 8, mobilenet_v3_small 94 % and 74 %. With VNNI or on ARM
    take 8. `method` "minmax", "percentile" (99.99 %) or "entropy" for the activations' ranges made
    no difference beyond 1 % of the predictions there. DeployError on no images, images of another
    shape or not finite, and other words than these.
    """
    if method not in METHODS:
        raise DeployError(f"method is one of {', '.join(METHODS)}, not {method!r}")
    _check(model, calibration_images)
    if weight_bits not in (7, 8):
        raise DeployError(f"weight_bits is 7 or 8, not {weight_bits!r}")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        prepared, out = Path(folder, "prepared.onnx"), Path(folder, "int8.onnx")
        # constants folded and shapes known: what the quantiser cannot see it leaves in floats
        quant_pre_process(onnx.load_from_string(model), prepared, skip_symbolic_shape=True)
        quantization.quantize_static(
            prepared,
            out,
            _Reader(calibration_images),
            quant_format=quantization.QuantFormat.QDQ,
            calibrate_method=METHODS[method],
            per_channel=True,
            reduce_range=weight_bits == 7,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # batch by batch: else the calibrators keep every activation of all images at once
            extra_options={"CalibStridedMinMax": 1, "CalibPercentile": 99.99},
        )
        return _with_metadata_of(onnx.load_from_string(model), onnx.load(out))


class _Reader(quantization.CalibrationDataReader):
    """Batches of images in the form that ONNX Runtime's calibrators ask for."""

    def __init__(self, images: Tensor) -> None:
        self._batches = [{"input": x.numpy()} for x in images.float().split(_BATCH)]
        self._left = iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """Which batches `get_next` gives from now on."""
        self._left = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)


def _check(model: bytes, images: Tensor) -> None:
    if not len(images):
        raise DeployError("the calibration set is empty: give some 200 training images")
    if not images.isfinite().all():
        raise DeployError("the calibration images hold NaN or infinity")
    run(session(model), images[:1])  # refuses images that are not of the model's shape


def _with_metadata_of(original: onnx.ModelProto, quantised: onnx.ModelProto) -> bytes:
    """`quantised` with the metadata of `original`, for the quantiser drops or adds some."""
    texts = {p.key: p.value for p in original.metadata_props}
    onnx.helper.set_model_props(quantised, texts)
    return quantised.SerializeToString()

"""ONNX files of networks, in floats and in 8-bit integers, checked against PyTorch."""

import contextlib
import io
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime import quantization
from onnxruntime.quantization.shape_inference import quant_pre_process
from torch import Tensor

from lightlab import disk
from lightlab.data import DataSet
from lightlab.deploy.model import Facts, onnx_bytes, read_bytes, session
from lightlab.nets.build import Network, build, predicting
from lightlab.nets.weights import not_finite
from lightlab.space.arch import Arch, encode

BATCH, _CALIBRATION_BATCH = 256, 32  # images at once
METHODS = {
    "minmax": quantization.CalibrationMethod.MinMax,
    "percentile": quantization.CalibrationMethod.Percentile,
    "entropy": quantization.CalibrationMethod.Entropy,
}


def export_onnx(
    arch: Arch,
    weights: Network | Mapping[str, Tensor],
    path: str | Path,
    *,
    data: DataSet | None = None,
    class_names: Sequence[str] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
) -> Path:
    """Write `arch` with `weights` (a Network or its state dict) as one ONNX file; returns its path.

    Input "input" (N, C, H, W) float32, standardised by `mean` and `std` of pixels in 0..1; output
    "logits" (N, classes), before softmax; any N. The metadata (`Facts`) are those of `data`, or
    given one by one. ValueError on what does not fit, is not finite or cannot be written.
    """
    facts = _facts(arch, data, {"class_names": class_names, "mean": mean, "std": std})
    model = onnx.load_from_string(onnx_bytes(_network(arch, weights), arch.input_shape))
    texts = {k: json.dumps(v, ensure_ascii=False) for k, v in asdict(facts).items()}
    onnx.helper.set_model_props(model, texts)
    return write_bytes(path, model.SerializeToString())


def parity(network: torch.nn.Module, path: str | Path | bytes, images: Tensor) -> dict[str, float]:
    """How far the ONNX model is from `network` on standardised `images`: `max_abs_diff` of any
    logit, `top1_agreement` (share of equal classes), `n`. ValueError without images or finite
    logits.
    """
    if not len(images):
        raise ValueError("parity needs at least one image")
    theirs = run(session(path), images)
    like = next(network.parameters(), torch.zeros(()))  # its device and its precision
    with predicting(network):
        parts = [network(x.to(like)).cpu().numpy() for x in images.split(BATCH)]
    ours = np.concatenate(parts)
    if not np.isfinite(ours).all():
        raise ValueError("the network answers with NaN or infinity: its weights are no numbers")
    return {**difference(ours, theirs), "n": len(images)}


def run(running: onnxruntime.InferenceSession, images: Tensor) -> np.ndarray:
    """Logits (N, classes); ValueError on images of another shape, or where they are not finite."""
    wanted = running.get_inputs()[0].shape[1:]
    if list(images.shape[1:]) != wanted:
        raise ValueError(f"images are {list(images.shape)}, the model takes {['N', *wanted]}")
    parts = [running.run(None, {"input": x.numpy()})[0] for x in images.float().split(BATCH)]
    logits = np.concatenate(parts)
    if not np.isfinite(logits).all():
        raise ValueError("the model answers with NaN or infinity: its weights are no numbers")
    return logits


def difference(a: np.ndarray, b: np.ndarray) -> dict[str, float]:
    return {
        "max_abs_diff": float(np.abs(a - b).max()),
        "top1_agreement": float((a.argmax(1) == b.argmax(1)).mean()),
    }


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write `path` whole or not at all; ValueError in one line where that cannot be."""
    path = Path(path)
    if not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}: make it first")
    try:
        disk.write(path, lambda part: part.write_bytes(content))
    except OSError as e:
        raise ValueError(f"{path}: cannot be written: {e.strerror}") from e
    return path


def _facts(arch: Arch, data: DataSet | None, given: dict) -> Facts:
    if data is not None and data.input_shape != arch.input_shape:
        theirs, ours = ("×".join(map(str, s)) for s in (data.input_shape, arch.input_shape))
        raise ValueError(f"images of {data.spec} are {theirs}, the network takes {ours}")
    found = {k: getattr(data, k) if v is None and data is not None else v for k, v in given.items()}
    if missing := [k for k, v in found.items() if v is None]:
        raise ValueError(f"export needs {', '.join(missing)}: give data, or these one by one")
    if isinstance(found["class_names"], str):
        raise ValueError(f"class_names is a list of texts, not {found['class_names']!r}")
    names = tuple(map(str, found["class_names"]))
    if len(names) != arch.n_classes:
        raise ValueError(f"{len(names)} class names for the {arch.n_classes} classes of the arch")
    moments = []
    for k in ("mean", "std"):
        try:
            values = np.asarray(found[k], dtype=float).ravel().tolist()
        except (ValueError, TypeError):
            raise ValueError(
                f"{k} is a number, or one for each channel, not {found[k]!r}"
            ) from None
        moments.append(tuple(values * arch.in_channels if len(values) == 1 else values))
    return Facts(encode(arch), names, *moments, arch.input_shape)


def _network(arch: Arch, weights: Network | Mapping[str, Tensor]) -> Network:
    if isinstance(weights, Network):
        if weights.arch != arch:
            raise ValueError(f"the weights are of {encode(weights.arch)}, not of {encode(arch)}")
        weights = weights.state_dict()
    if broken := not_finite(weights):
        raise ValueError(f"the weights hold NaN or infinity: {broken[0]}")
    network = build(arch)
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as e:
        reason = " ".join(str(e).split())[:160]
        raise ValueError(f"the weights do not fit the architecture: {reason}") from e
    return network


def quantize_int8(
    path: str | Path, out_path: str | Path, calibration_images: Tensor, **how
) -> Path:
    return write_bytes(out_path, int8_bytes(read_bytes(path), calibration_images, **how))


def int8_bytes(
    model: bytes,
    calibration_images: Tensor,
    *,
    method: str = "minmax",
    weight_bits: int = 7,
) -> bytes:
    """`model` with static 8-bit activations and weights (Jacob et al. 2018) and its metadata.

    Ranges of activations come from standardised `calibration_images` (N, C, H, W), 200 are enough;
    `method` made no difference beyond 1 % of the predictions. Each output channel has a scale of
    its own: depthwise kernels differ widely. `weight_bits` 7, as processors without VNNI add pairs
    of products in 16 bits, where 8 overflow: on cluttered digits mobilenet_32 ×0.5 kept 95 % of its
    predictions with 7 bits and 79 % with 8. With VNNI or on ARM take 8.
    """
    if method not in METHODS:
        raise ValueError(f"method is one of {', '.join(METHODS)}, not {method!r}")
    if not len(calibration_images):
        raise ValueError("the calibration set is empty: give some 200 training images")
    if not calibration_images.isfinite().all():
        raise ValueError("the calibration images hold NaN or infinity")
    run(session(model), calibration_images[:1])  # refuses images of another shape
    if weight_bits not in (7, 8):
        raise ValueError(f"weight_bits is 7 or 8, not {weight_bits!r}")
    original = onnx.load_from_string(model)
    metadata = {p.key: p.value for p in original.metadata_props}
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        prepared, out = Path(folder, "prepared.onnx"), Path(folder, "int8.onnx")
        # constants folded and shapes known: what the quantiser cannot see it leaves in floats
        quant_pre_process(original, prepared, skip_symbolic_shape=True)
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
        found = onnx.load(out)
    onnx.helper.set_model_props(found, metadata)  # the quantiser drops or adds some
    return found.SerializeToString()


class _Reader(quantization.CalibrationDataReader):
    """Batches of images in the form that ONNX Runtime's calibrators ask for."""

    def __init__(self, images: Tensor) -> None:
        self._batches = [{"input": x.numpy()} for x in images.float().split(_CALIBRATION_BATCH)]
        self._left = iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._left, None)

"""What an ONNX file of ours says about itself: enough to use it on an image, years later."""

import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxruntime

from lightlab.measure.deploy.model import DeployError


@dataclass(frozen=True)
class Facts:
    """What stands in a model's `metadata_props`, each value as JSON under the field's name.

    `arch` is the architecture's text; `input_shape` (C, H, W) of one image. The graph takes
    float32 pixels that are standardised already, (pixel / 255 - mean) / std by channel: the same
    tensors as training, so that parity and calibration need no second way in. `predict` applies
    `mean` and `std`; other runtimes read them here.
    """

    arch: str
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_shape: tuple[int, int, int]
    lightlab_version: str = version("lightlab")

    def __post_init__(self) -> None:
        channels = self.input_shape[0]
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != channels:
                raise DeployError(f"{name} has {len(values)} values for {channels} channels")
        if not all(s > 0 for s in self.std):
            raise DeployError(f"std must be positive, got {list(self.std)}")


def with_facts(model: bytes, facts: Facts) -> bytes:
    """The ONNX model with `facts` in its metadata."""
    proto = onnx.load_from_string(model)
    texts = {k: json.dumps(v, ensure_ascii=False) for k, v in asdict(facts).items()}
    onnx.helper.set_model_props(proto, texts)
    return proto.SerializeToString()


def facts_of(session: onnxruntime.InferenceSession, name: str | Path) -> Facts:
    """The facts of the model that `session` runs; DeployError, with `name`, where it has none."""
    kept = session.get_modelmeta().custom_metadata_map
    fields = Facts.__dataclass_fields__
    if missing := [key for key in fields if key not in kept]:
        raise DeployError(
            f"{name}: is no model of this workbook, its metadata lack {', '.join(missing)}; "
            "write it with `lightlab export`"
        )
    try:
        values = {key: json.loads(kept[key]) for key in fields}
        return Facts(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except (ValueError, TypeError) as e:
        raise DeployError(f"{name}: its metadata cannot be read: {e}") from e

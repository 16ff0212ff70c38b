"""What an ONNX file of ours says about itself: enough to use it on an image, years later."""

import json
import math
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import onnx
import onnxruntime
from pydantic import BaseModel, ConfigDict, ValidationError

from lightlab.deploy.model import DeployError


@dataclass(frozen=True)
class Facts:
    """What stands in a model's `metadata_props`, each value as JSON under the field's name.

    `arch` is the architecture's text; `input_shape` (C, H, W) of one image. The graph takes
    float32 pixels that are standardised already, (pixel / 255 - mean) / std by channel: the same
    tensors as training, so that parity and calibration need no second way in. `predict` applies
    `mean` and `std`; other runtimes read them here. DeployError where they are not one finite
    number for each channel, std is not positive, or class names are equal or no text.
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
            if not all(map(math.isfinite, values)):
                raise DeployError(f"{name} must be finite, got {list(values)}")
        if not all(s > 0 for s in self.std):
            raise DeployError(f"std must be positive, got {list(self.std)}")
        for i, name in enumerate(self.class_names):
            if name in self.class_names[:i]:
                raise DeployError(f"two classes are named {name!r}")
            if any("\ud800" <= c <= "\udfff" for c in name):
                raise DeployError(f"the class name {name!r} is no text: rename the class")


class _Written(BaseModel):
    """`Facts` as JSON: types only."""

    model_config = ConfigDict(strict=True)
    arch: str
    class_names: list[str]
    mean: list[float]
    std: list[float]
    input_shape: list[int]
    lightlab_version: str


def with_facts(model: bytes, facts: Facts) -> bytes:
    """The ONNX model with `facts` in its metadata."""
    proto = onnx.load_from_string(model)
    texts = {k: json.dumps(v, ensure_ascii=False) for k, v in asdict(facts).items()}
    onnx.helper.set_model_props(proto, texts)
    return proto.SerializeToString()


def facts_of(session: onnxruntime.InferenceSession, name: str | Path) -> Facts:
    """The facts of the model that `session` runs.

    DeployError, with `name`, where it has none, or where they are not those of its graph.
    """
    kept = session.get_modelmeta().custom_metadata_map
    fields = Facts.__dataclass_fields__
    if missing := [key for key in fields if key not in kept]:
        raise DeployError(
            f"{name}: is no model of this workbook, its metadata lack {', '.join(missing)}; "
            "write it with `lightlab export`"
        )
    try:
        written = _Written.model_validate({key: json.loads(kept[key]) for key in fields})
        _check_graph(session, written)
        values = written.model_dump()
        return Facts(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise DeployError(f"{name}: its metadata cannot be read: {where}: {first['msg']}") from e
    except (ValueError, RecursionError) as e:
        raise DeployError(f"{name}: its metadata cannot be read: {e}") from e


def _check_graph(session: onnxruntime.InferenceSession, written: _Written) -> None:
    """DeployError where the graph does not take and give what the metadata say."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if [x.name for x in inputs] != ["input"] or inputs[0].type != "tensor(float)":
        raise DeployError('the graph must have one input, "input", of float32')
    takes = inputs[0].shape[1:]
    if len(takes) != 3 or written.input_shape != takes:
        raise DeployError(f"input_shape is {written.input_shape}, the graph takes {takes}")
    gives, n = outputs[0].shape[1:], len(written.class_names)
    if gives != [n]:
        raise DeployError(f"{n} class names for {gives} logits of the graph")

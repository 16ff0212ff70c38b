"""`lightlab export` and `lightlab predict`."""

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from lightlab.workbook.project import Fault, WorkbookError
from lightlab.workbook.tools import common
from lightlab.workbook.tools.common import Resolution, Width, refusal, say, size, told

if TYPE_CHECKING:
    from lightlab.data import DataSet
    from lightlab.nets.build import Network

CALIBRATION_IMAGES = 200
MIN_SAME = 0.99  # of the answers in float32: fewer are no rounding
_refusal = partial(refusal, "export")


def export(
    source: Annotated[
        str, Argument(metavar="WEIGHTS|NAME", help=f"A file of weights. {common.NAME}")
    ],
    target: Annotated[Path, Argument(metavar="OUT.onnx")],
    data: Annotated[
        str | None,
        Option(help="What it was trained on, e.g. imagefolder:photos: names, mean, std."),
    ] = None,
    int8: Annotated[
        bool, Option("--int8", help="8-bit integers, calibrated on training images.")
    ] = False,
    calibration: Annotated[
        str, Option(help="Ranges of activations: minmax, percentile or entropy.")
    ] = "minmax",
    weight_bits: Annotated[
        int, Option(min=7, max=8, help="8 only where the device has VNNI or is an ARM.")
    ] = 7,
    random_weights: Annotated[
        bool, Option("--random-weights", help="NAME untrained: for timing, not predicting.")
    ] = False,
    width: Width = 1.0,
    resolution: Resolution = None,
) -> None:
    """Write a trained network as an ONNX file that says what is needed to use it.

    WEIGHTS is a safetensors file with the network's text, as `save_weights` makes it; --data names
    the classes. Validation images show that the file answers as the network does, or nothing is
    written; with --int8, accuracy, size and latency before and after.
    """
    _check_target(source, target)
    with told("export"):
        _check_source(source, random_weights, width, resolution)
    if data is None and (int8 or not random_weights):
        what = "class names, normalisation and calibration come from the training data"
        raise _refusal(what, "say which with --data")
    from lightlab import deploy  # only now: PyTorch takes seconds

    # elsewhere first: what stands at `target` stays until all is well
    with told("export"), tempfile.TemporaryDirectory() as folder:
        network = _network(source, random_weights, width, resolution)
        facts = _facts(network, data)
        made = deploy.export_onnx(network.arch, network, Path(folder, "fp32.onnx"), **facts)
        if loaded := facts.get("data"):
            _print_parity(deploy.parity(network, made, loaded.val.x))
        if int8:
            made = _integers(made, loaded, method=calibration, weight_bits=weight_bits)
        deploy.write_bytes(target, made.read_bytes())
    about = f"{network.arch.n_classes} classes, {size(target.stat().st_size)}"
    say(f"{target}: {about}, opset {deploy.OPSET}")


def predict(
    model: Annotated[Path, Argument(metavar="MODEL.onnx")],
    images: Annotated[list[Path], Argument(metavar="IMAGE...")],
    top: Annotated[int, Option(min=1, help="Classes per image.")] = 5,
) -> None:
    """The likeliest classes of each IMAGE; what cannot be read is told after the others."""
    if not model.exists():  # before PyTorch's seconds
        raise refusal("predict", f"{model}: there is no such file")
    from lightlab import deploy

    with told("predict"):
        predictor = deploy.Predictor(model)
    rows, faults = common.table("image", "class", "probability", right=("probability",)), []
    for image in images:
        try:
            found = predictor(image).head(top)
        except ValueError as e:
            faults.append(Fault("predict", str(e)))
            continue
        for i, (name, probability) in enumerate(found.itertuples(index=False)):
            rows.add_row("" if i else str(image), common.one_line(name), f"{probability:.1%}")
    if rows.rows:
        common.out.print(rows)
    if faults:
        raise WorkbookError(faults)


def _check_target(source: str, target: Path) -> None:
    """WorkbookError for a file that must not or cannot be written."""
    if target.suffix != ".onnx":
        raise _refusal(f"{target} is no name of an ONNX file, it does not end in .onnx")
    if not target.parent.is_dir():
        raise _refusal(f"{target}: there is no folder {target.parent}", "make it first")
    if target.exists() and Path(source).exists() and target.samefile(source):
        what = f"{target} holds the weights that are read, and would be lost"
        raise _refusal(what, "choose another name")


def _check_source(source: str, random_weights: bool, width: float, resolution: int | None) -> None:
    """WorkbookError or ValueError where there is no such network, or it has no weights."""
    if random_weights or not (source.endswith(".safetensors") or Path(source).is_file()):
        common.find(source, width, resolution)
        if not random_weights:
            what = f"{source} is a network without weights, and its predictions would mean nothing"
            raise _refusal(what, "give a .safetensors file, or --random-weights")
    elif not Path(source).exists():
        raise _refusal(f"{source}: no such file")
    elif width != 1 or resolution is not None:
        what = "a file of weights has its own width and resolution"
        raise _refusal(what, "leave --width and --resolution out")


def _network(source: str, random_weights: bool, width: float, resolution: int | None) -> "Network":
    """The trained network of a file, or the untrained one of a name where that is asked for."""
    if not random_weights:
        from lightlab.nets.weights import load_network

        return load_network(source)
    from lightlab.nets.build import build, build_named

    if common.is_text(source):  # of which no paper says how it begins
        return build(common.find(source, width, resolution))
    return build_named(source, width_mult=width, resolution=resolution)


def _facts(network: "Network", spec: str | None) -> dict[str, Any]:
    """The data set, or numbers for names where nothing was trained."""
    if spec is not None:
        from lightlab import data

        return {"data": data.load(spec, resolution=network.arch.resolution)}
    return {"class_names": range(network.arch.n_classes), "mean": 0.0, "std": 1.0}


def _print_parity(found: dict[str, float]) -> None:
    """What `deploy.parity` found; WorkbookError where the file is not that network."""
    same = f"{found['top1_agreement']:.2%}"
    if found["top1_agreement"] < MIN_SAME:
        what = f"the file gives the network's class for {same} of the images"
        raise _refusal(what, "nothing was written")
    images, most = f"{found['n']:,} validation images", f"{found['max_abs_diff']:.1e}"
    say(f"against PyTorch on {images}: same class {same}, largest difference of a logit {most}")


def _integers(exact: Path, loaded: "DataSet", **how: Any) -> Path:
    """The model of `exact` in 8-bit integers, a file beside it; prints what that did."""
    from lightlab import deploy, latency

    images = loaded.train.x[:CALIBRATION_IMAGES]
    small = deploy.quantize_int8(exact, exact.with_name("int8.onnx"), images, **how)
    found = latency.compare_files(exact, small, loaded.val)
    columns = {
        "model": "{model}",
        "accuracy": "{accuracy:.2%}",
        "same class": "{top1_agreement:.2%}",
    }
    columns |= {"size": "{size}", "ms": "{latency_ms:.3f}"}
    columns["IQR"] = "{iqr_ms:.3f}"
    common.print_frame(found.assign(size=found["size_bytes"].map(size)), columns)
    return small

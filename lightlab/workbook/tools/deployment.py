"""`lightlab export` and `lightlab predict`."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lightlab.workbook.faults import Fault, WorkbookError
from lightlab.workbook.tools.common import NAME, Resolution, Width, find, out, table, told

if TYPE_CHECKING:
    from lightlab.measure.data import DataSet
    from lightlab.nets.build import Network

CALIBRATION_IMAGES = 200


def export(
    source: Annotated[
        str, typer.Argument(metavar="WEIGHTS|NAME", help=f"A file of weights. {NAME}")
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT.onnx")],
    data: Annotated[
        str | None,
        typer.Option(help="What it was trained on, e.g. imagefolder:photos: names, mean, std."),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit integers, calibrated on training images.")
    ] = False,
    calibration: Annotated[
        str, typer.Option(help="Ranges of activations: minmax, percentile or entropy.")
    ] = "minmax",
    weight_bits: Annotated[
        int, typer.Option(min=7, max=8, help="8 only where the device has VNNI or is an ARM.")
    ] = 7,
    random_weights: Annotated[
        bool, typer.Option("--random-weights", help="NAME untrained: for timing, not predicting.")
    ] = False,
    width: Width = 1.0,
    resolution: Resolution = None,
) -> None:
    """Write a trained network as an ONNX file that says what is needed to use it.

    WEIGHTS is a safetensors file with the network's text, as `save_weights` makes it; --data names
    the classes. Validation images show that the file answers as the network does; with --int8,
    accuracy, size and latency before and after.
    """
    from lightlab.measure import deploy

    with told("export"):
        network = _network(source, random_weights, width, resolution)
        facts = _facts(network, data, needed=int8 or not random_weights)
        loaded: DataSet | None = facts.get("data")
        if int8:
            with tempfile.TemporaryDirectory() as folder:
                exact = deploy.export_onnx(
                    network.arch, network, Path(folder, "fp32.onnx"), **facts
                )
                images = loaded.train.x[:CALIBRATION_IMAGES]
                how = {"method": calibration, "weight_bits": weight_bits}
                deploy.quantize_int8(exact, target, images, **how)
                _print_before_after(deploy.compare(exact, target, loaded.val or loaded.test))
        else:
            deploy.export_onnx(network.arch, network, target, **facts)
            if loaded:
                _print_parity(deploy.parity(network, target, (loaded.val or loaded.test).x))
    size = f"{target.stat().st_size / 1e6:.2f} MB, opset {deploy.OPSET}"
    out.print(f"{target}: {network.arch.n_classes} classes, {size}", soft_wrap=True)


def predict(
    model: Annotated[Path, typer.Argument(metavar="MODEL.onnx")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...")],
    top: Annotated[int, typer.Option(min=1, help="Classes per image.")] = 5,
) -> None:
    """The likeliest classes of each IMAGE; what cannot be read is told after the others."""
    from lightlab.measure import deploy

    with told("predict"):
        predictor = deploy.Predictor(model)
    rows, faults = table("image", "class", "probability", right=("probability",)), []
    for image in images:
        try:
            found = predictor(image).head(top)
        except deploy.DeployError as e:
            faults.append(Fault("predict", str(e)))
            continue
        for i, (name, probability) in enumerate(found.itertuples(index=False)):
            rows.add_row("" if i else str(image), name, f"{probability:.1%}")
    if rows.rows:
        out.print(rows)
    if faults:
        raise WorkbookError(faults)


def _network(source: str, random_weights: bool, width: float, resolution: int | None) -> "Network":
    """The trained network of a file, or the untrained one of a name where that is asked for."""
    if random_weights:
        from lightlab.nets.build import build_named

        find(source, width, resolution)
        return build_named(source, width_mult=width, resolution=resolution)
    if source.endswith(".safetensors") or Path(source).is_file():
        from lightlab.nets.weights import load_network

        if width != 1 or resolution is not None:
            what = "a file of weights has its own width and resolution"
            raise WorkbookError(Fault("export", what, "leave --width and --resolution out"))
        return load_network(source)
    find(source, width, resolution)  # a misspelt name is told first
    what = f"{source} is a network without weights, and its predictions would mean nothing"
    raise WorkbookError(Fault("export", what, "give a .safetensors file, or --random-weights"))


def _facts(network: "Network", spec: str | None, needed: bool) -> dict[str, Any]:
    """The data set, or numbers for names where nothing was trained."""
    if spec is not None:
        from lightlab.measure import data

        return {"data": data.load(spec, resolution=network.arch.resolution)}
    if needed:
        what = "class names, normalisation and calibration come from the training data"
        raise WorkbookError(Fault("export", what, "say which with --data"))
    return {"class_names": range(network.arch.n_classes), "mean": 0.0, "std": 1.0}


def _print_parity(found: dict[str, float]) -> None:
    same, images = f"{found['top1_agreement']:.2%}", f"{found['n']:,} validation images"
    out.print(
        f"against PyTorch on {images}: same class {same}, "
        f"largest difference of a logit {found['max_abs_diff']:.1e}",
        soft_wrap=True,
    )


def _print_before_after(found: Any) -> None:
    columns = ("model", "accuracy", "same class", "MB", "ms", "IQR")
    rows = table(*columns, right=columns[1:])
    for r in found.itertuples():
        shares = f"{r.accuracy:.2%}", f"{r.top1_agreement:.2%}"
        numbers = f"{r.size_bytes / 1e6:.2f}", f"{r.latency_ms:.3f}", f"{r.iqr_ms:.3f}"
        rows.add_row(r.model, *shares, *numbers)
    out.print(rows)

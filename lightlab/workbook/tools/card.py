"""The card of a model: everything that whoever uses it has to know, as Markdown and as HTML."""

import base64
import io
import platform
import re
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import jinja2
import pandas as pd
from markupsafe import escape

from lightlab.show import style, tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from lightlab.data import DataSet
    from lightlab.fit.run import Fitted

_PICTURE = re.compile(r'src="(figures/[a-z]+\.png)"')
_SIGNS = re.compile(r"([\\`*_\[\]#|<>$&~])")
MODEL, INT8 = "model.onnx", "model-int8.onnx"


def contents(fitted: "Fitted", images: "DataSet", licence: str, title: str) -> dict[str, bytes]:
    """What its user is given, by path: the models, a script that runs one, the card, pictures."""
    delivered, drawn = fitted.delivered, pictures(fitted, images)
    text = markdown(fitted, images, licence, title)
    page = html(text, title, drawn)
    texts = {"run_model.py": snippet(fitted), "card.md": text, "card.html": page}
    models = {MODEL: delivered.model}
    if delivered.keeps_int8:
        models[INT8] = delivered.int8
    return models | {name: words.encode() for name, words in texts.items()} | drawn


def figures(fitted: "Fitted", images: "DataSet") -> dict[str, "Figure"]:
    """The card's pictures by name."""
    from lightlab.fit import figures as plots
    from lightlab.fit import report

    style.use()
    name, most = report.cost_shown(fitted)
    tested, timed = fitted.tested, fitted.delivered.again.latency
    return {
        "confusion": plots.confusion(tested.confusion),
        "examples": plots.examples(tested.examples(images)),
        "latency": plots.latency(report.runs(fitted), timed.median_ms, fitted.target.latency_ms),
        "comparison": plots.comparison(fitted.comparison),
        "layers": plots.networks(report.layers(fitted)),
        "tried": plots.tried(report.tried(fitted), report.models(fitted), most, name),
        "budget": plots.budget(fitted.phases, fitted.budget_s),
    }


def pictures(fitted: "Fitted", images: "DataSet") -> dict[str, bytes]:
    """The same as PNG, by the paths that the card has for them."""
    from matplotlib import pyplot as plt

    found = {}
    for name, figure in figures(fitted, images).items():
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        plt.close(figure)
        found[f"figures/{name}.png"] = stream.getvalue()
    return found


def markdown(fitted: "Fitted", images: "DataSet", licence: str, title: str) -> str:
    """The card; pictures are those of `figures` in a folder of that name."""
    from lightlab.fit import report
    from lightlab.space.arch import encode

    values = {
        "title": plain(title),
        "headline": plain(report.headline(fitted)),
        "summary": plain(fitted.delivered.int8_note),
        "warnings": [plain(word) for word in report.warnings(fitted)],
        "ten_lines": ten_lines(fitted),
        "files": _files(fitted),
        "accuracy": _accuracy(fitted),
        "classes": _table(fitted.tested.classes.head(10)),
        "costs": _costs(fitted),
        "compared": _table(fitted.comparison.drop(columns=["arch", "delivered"])),
        "arch": encode(fitted.arch),
        "found": plain(report.how_found(fitted)),
        "data": _data(images, licence, fitted.seed),
        "machine": _machine(fitted),
    }
    return _environment().get_template("card.md.j2").render(**values)


def html(text: str, title: str, pictures: dict[str, bytes]) -> str:
    """The card as a page of its own, its pictures (PNG by path) inside."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=True, exclude_anchor_links=True)
    body = MarkdownWithMath(renderer=renderer).render(text)

    def inside(match: re.Match) -> str:
        content = base64.b64encode(pictures[match[1]]).decode()
        return f'src="data:image/png;base64,{content}"'

    body = _PICTURE.sub(inside, body)
    return _environment().get_template("card.html.j2").render(title=escape(title), body=body)


def snippet(fitted: "Fitted") -> str:
    """A script beside the model that the target is about, which runs it without lightlab."""
    return _code("run_model.py.j2", fitted)


def ten_lines(fitted: "Fitted") -> str:
    """As few lines as it takes to run that model without lightlab, for opaque photos of 8 bits."""
    return _code("ten_lines.py.j2", fitted)


def _code(template: str, fitted: "Fitted") -> str:
    file = INT8 if fitted.target.integers else MODEL
    text = _environment().get_template(template)
    return text.render(file=file, threads=fitted.target.threads) + "\n"


def plain(text: str) -> str:
    """Text with the signs that mean something in Markdown taken literally."""
    return _SIGNS.sub(r"\\\1", text)


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("lightlab.workbook.tools"),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def _table(df: pd.DataFrame) -> str:
    shown = tables.rounded(df).map(plain).rename(columns=lambda name: name.replace("_", " "))
    sides = ["right" if pd.api.types.is_numeric_dtype(t) else "left" for t in df.dtypes]
    return shown.to_markdown(index=False, disable_numparse=True, colalign=sides)


def _files(fitted: "Fitted") -> str:
    """One row for each file."""
    from lightlab.fit import run

    delivered, target = fitted.delivered, fitted.target
    shares = {kind: fitted.answers[kind].accuracy[0] for kind in (run.FLOAT, run.INT8)}
    rows = [(MODEL, "float32", len(delivered.model) / 1000, shares[run.FLOAT])]
    if delivered.keeps_int8:
        rows.append((INT8, "8-bit integers", len(delivered.int8) / 1000, shares[run.INT8]))
    table = pd.DataFrame(rows, columns=["file", "numbers", "kB", "test accuracy, %"])
    about = f"The target is about `{INT8 if target.integers else MODEL}`."
    return f"{_table(table)}\n\n{about}"


def _accuracy(fitted: "Fitted") -> str:
    accuracy, low, high = fitted.tested.accuracy
    return (
        f"Accuracy {accuracy:.1f} % (95 % interval {low:.1f} to {high:.1f} %, Wilson), balanced "
        f"accuracy (mean over the classes) {fitted.tested.balanced:.1f} %, on "
        f"{len(fitted.tested.labels)} test images that were used once, after all choices. Classes, "
        "the worst first; what each is most often taken for instead:"
    )


def _costs(fitted: "Fitted") -> str:
    from lightlab.fit import report
    from lightlab.measure import cost

    ms, arch, n = fitted.delivered.again.latency, fitted.arch, fitted.delivered.measurements
    times = "at the first try" if n == 1 else f"try {n}; other work on the machine only adds time"
    about = (
        f"Measured again on the delivered file ({times}): {ms}. "
        f"{tables.short(cost.param_count(arch))} parameters, "
        f"{tables.short(cost.macs(arch))} multiply-accumulates, at most "
        f"{cost.activation_bytes(arch) / 1000:.0f} kB of activations at once."
    )
    return f"{_table(report.costs(fitted))}\n\n{plain(about)}"


def _data(images: "DataSet", licence: str, seed: int) -> str:
    """Where the images come from and how they were split."""
    sizes = ", ".join(f"{len(getattr(images, p))} {p}" for p in ("train", "val", "test"))
    C, H, W = images.input_shape
    counts = images.train.y.bincount(minlength=len(images.class_names)).tolist()
    classes = ", ".join(f"{n} {name}" for name, n in zip(images.class_names, counts, strict=True))
    colour = "grey" if C == 1 else "RGB"
    words = [
        f"{images.spec}: {sizes} images, {W}×{H} px, {colour}, the middle square of each.",
        f"Training images by class: {classes}.",
        "Parts that the data do not bring themselves were drawn at random, class by class, with "
        f"seed {seed}.",
        f"Fingerprint {images.fingerprint[:16]}. Licence of the data as given: {licence}.",
    ]
    return plain(" ".join(words))


def _machine(fitted: "Fitted") -> str:
    device: dict[str, Any] = fitted.delivered.again.latency.device
    versions = [f"{name} {version(name)}" for name in ("lightlab", "torch", "onnxruntime")]
    words = [
        f"{device['cpu']}; {device['cores']} cores, {device['system']}, load {device['load']}.",
        f"Python {platform.python_version()}, {', '.join(versions)}.",
    ]
    return plain(" ".join(words))

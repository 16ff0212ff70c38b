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


def pictures(fitted: "Fitted", images: "DataSet") -> dict[str, bytes]:
    """The card's pictures as PNG, by the paths that it has for them."""
    from matplotlib import pyplot as plt

    from lightlab.fit import figures as plots
    from lightlab.fit import report
    from lightlab.fit.budget import LATENCY

    style.use()
    name, most = report.cost_shown(fitted)
    tested, median_ms = fitted.tested, fitted.delivered.again.costs[LATENCY]
    drawn = {
        "confusion": plots.confusion(tested.confusion),
        "examples": plots.examples(tested.examples(images)),
        "latency": plots.latency(report.runs(fitted), median_ms, fitted.target.latency_ms),
        "comparison": plots.comparison(fitted.comparison),
        "layers": plots.networks(report.layers(fitted)),
        "tried": plots.tried(report.tried(fitted), report.models(fitted), most, name),
        "budget": plots.budget(fitted.phases, fitted.budget_s),
    }
    found = {}
    for name, figure in drawn.items():
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        plt.close(figure)
        found[f"figures/{name}.png"] = stream.getvalue()
    return found


def markdown(fitted: "Fitted", images: "DataSet", licence: str, title: str) -> str:
    """The card; pictures are those of `figures` in a folder of that name."""
    from lightlab.fit import report
    from lightlab.measure import cost

    versions = [f"{name} {version(name)}" for name in ("lightlab", "torch", "onnxruntime")]
    about = {"python": platform.python_version(), "versions": ", ".join(versions)}
    about |= {"fitted": fitted, "images": images, "licence": licence, "title": title}
    about["counts"] = images.train.y.bincount(minlength=len(images.class_names)).tolist()
    about |= {"ten_lines": ten_lines(fitted), "file": _file(fitted), "files": _files(fitted)}
    return _render("card.md.j2", report=report, cost=cost, **about)


def html(text: str, title: str, pictures: dict[str, bytes]) -> str:
    """The card as a page of its own, its pictures (PNG by path) inside."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    renderer = IPythonRenderer(escape=True, exclude_anchor_links=True)
    body = MarkdownWithMath(renderer=renderer).render(text)

    def inside(match: re.Match) -> str:
        content = base64.b64encode(pictures[match[1]]).decode()
        return f'src="data:image/png;base64,{content}"'

    body = _PICTURE.sub(inside, body)
    return _render("card.html.j2", title=escape(title), body=body)


def snippet(fitted: "Fitted") -> str:
    """A script beside the model that the target is about, which runs it without lightlab."""
    return _render("run_model.py.j2", file=_file(fitted), threads=fitted.target.threads) + "\n"


def ten_lines(fitted: "Fitted") -> str:
    """As few lines as it takes to run that model without lightlab, for opaque photos of 8 bits."""
    return _render("ten_lines.py.j2", file=_file(fitted)) + "\n"


def _file(fitted: "Fitted") -> str:
    return INT8 if fitted.target.integers else MODEL


def _files(fitted: "Fitted") -> pd.DataFrame:
    """One row for each file."""
    from lightlab.fit import run

    delivered = fitted.delivered
    kinds = [(MODEL, "float32", delivered.model, run.FLOAT)]
    if delivered.keeps_int8:
        kinds.append((INT8, "8-bit integers", delivered.int8, run.INT8))
    rows = [
        (file, of, len(model) / 1000, fitted.answers[kind].accuracy[0])
        for file, of, model, kind in kinds
    ]
    return pd.DataFrame(rows, columns=["file", "numbers", "kB", "test accuracy, %"])


def _render(template: str, **values: Any) -> str:
    env = jinja2.Environment(
        loader=jinja2.PackageLoader("lightlab.workbook.tools"),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    env.filters |= {"plain": plain, "table": _table, "short": tables.short}
    return env.get_template(template).render(**values)


def plain(text: object) -> str:
    """Text with the signs that mean something in Markdown taken literally."""
    return _SIGNS.sub(r"\\\1", str(text))


def _table(df: pd.DataFrame) -> str:
    shown = tables.rounded(df).map(plain).rename(columns=lambda name: name.replace("_", " "))
    sides = ["right" if pd.api.types.is_numeric_dtype(t) else "left" for t in df.dtypes]
    return shown.to_markdown(index=False, disable_numparse=True, colalign=sides)

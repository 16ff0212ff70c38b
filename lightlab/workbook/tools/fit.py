"""`lightlab fit`: from a folder of images and a target to a model that keeps to it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from lightlab.workbook.project import Fault, WorkbookError
from lightlab.workbook.tools import model_folder
from lightlab.workbook.tools.common import millions, one_line, out, size, table, told

if TYPE_CHECKING:
    from lightlab.fit.clock import Update
    from lightlab.fit.run import Fitted

CARD_S = 6.0  # of the budget: the card's pictures


def fit(
    dataset: Annotated[
        str, typer.Argument(help="A folder of images (one folder per class), parquet:…, hf:….")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the model.")],
    target_latency_ms: Annotated[
        float, typer.Option(min=0, help="Most milliseconds of one image; 0: no matter.")
    ] = 0,
    max_macs: Annotated[
        float, typer.Option(min=0, help="Most multiply-accumulates, e.g. 5e6; 0: no matter.")
    ] = 0,
    max_size_kb: Annotated[
        float, typer.Option(min=0, help="Most kB of the model's file; 0: no matter.")
    ] = 0,
    runtime: Annotated[
        str, typer.Option(help="What it runs in: onnxruntime or onnxruntime-int8.")
    ] = "onnxruntime",
    threads: Annotated[int, typer.Option(min=1, help="Threads that one image may use.")] = 1,
    budget_minutes: Annotated[
        float, typer.Option(min=0.25, help="Minutes of wall clock for everything.")
    ] = 20,
    method: Annotated[
        str, typer.Option(help="How it is found: once-for-all, random, scaled; auto: by the time.")
    ] = "auto",
    resolution: Annotated[
        int, typer.Option(min=8, max=512, help="Side in px that images come to.")
    ] = 32,
    mirror: Annotated[
        bool, typer.Option(help="Train on mirrored images, too: not for writing.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Start of all random numbers.")] = 0,
    licence: Annotated[str, typer.Option(help="Of the images, for the card.")] = "not given",
) -> None:
    """Find, train and deliver a small model for the images of DATASET that keeps to a target.

    The folder holds the model as ONNX (in 8-bit integers, too, where that keeps the accuracy and
    saves a tenth of the file), its card (card.html), and run_model.py, which runs it without
    lightlab. The exit code is 1 where the delivered model misses the target, 2 where there can be
    none.
    """
    begin = time.monotonic()
    replaces = model_folder.check(output)
    os.environ.setdefault("TQDM_DISABLE", "1")  # the screen tells the phase instead
    with told("fit"):
        from lightlab.fit.target import Target  # only now: PyTorch takes seconds

        target = Target(target_latency_ms, max_macs, max_size_kb, runtime, threads)
        from lightlab.fit import photos, run

        images = photos.loaded(dataset, resolution=resolution, seed=seed)
        out.print(_about(images, target), soft_wrap=True)
        left = 60 * budget_minutes - (time.monotonic() - begin) - CARD_S
        if left < run.LEAST_BUDGET_S:
            gone = f"{_time(60 * budget_minutes - left)} go to reading the images and the card"
            hint = f"give --budget-minutes {budget_minutes + 0.5:g} or more"
            raise WorkbookError(Fault("fit", f"{budget_minutes:g} minutes: {gone}", hint))
        with Screen() as screen, _lost():
            how = {"seed": seed, "mirror": mirror, "tell": screen.tell}
            fitted = run.fit(images, target, left, method, **how)
    model_folder.write(output, fitted, images, licence)
    _print_result(output, fitted, replaces, time.monotonic() - begin)
    raise typer.Exit(0 if fitted.delivered.met else 1)


@contextmanager
def _lost() -> Iterator[None]:
    """A search that cannot go on is told in one line, and one that is stopped wrote nothing."""
    from lightlab.search.searcher import SearchError
    from lightlab.train import DivergedError, JobError

    try:
        yield
    except (DivergedError, JobError, SearchError) as e:
        raise WorkbookError(Fault("fit", str(e), "try another --seed or --method")) from e
    except KeyboardInterrupt as e:
        out.print("lightlab: stopped; nothing was written", soft_wrap=True)
        raise typer.Exit(130) from e


class Screen:
    """Phase, best so far and time left: a live line in a terminal, else a line for every phase."""

    def __init__(self) -> None:
        self._update: Update | None = None
        self._since, self._spinner = time.monotonic(), Spinner("line")
        self._live = Live(get_renderable=self._line, console=out, transient=True)

    def __enter__(self) -> "Screen":
        if out.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def tell(self, update: "Update") -> None:
        """A new phase."""
        self._update, self._since = update, time.monotonic()
        if not out.is_terminal:
            out.print(self._words(), soft_wrap=True)

    def _words(self) -> str:
        if self._update is None:
            return "making ready"
        now, gone = self._update, time.monotonic() - self._since
        expected = f" (about {_time(now.expected_s)})" if now.expected_s else ""
        left = f"{_time(max(0.0, now.left_s - gone))} left"
        return f"{now.phase}{expected}; best so far: {now.best or 'none yet'}; {left}"

    def _line(self) -> Spinner:
        gone = time.monotonic() - self._since
        self._spinner.update(text=Text(f"{self._words()}; {_time(gone)} in this phase"))
        return self._spinner


def _time(seconds: float) -> str:
    """12 s, or 3 min 20 s."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def _about(images: object, target: object) -> str:
    """One line: what was read and what is wanted."""
    sizes = ", ".join(f"{len(getattr(images, p)):,} {p}" for p in ("train", "val", "test"))
    C, H, _ = images.input_shape
    colour = "grey" if C == 1 else "RGB"
    n = len(images.class_names)
    return f"{images.spec}: {n} classes, {sizes} images at {H} px, {colour}; wanted: {target}"


def _print_result(folder: Path, fitted: "Fitted", replaced: bool, seconds: float) -> None:
    from lightlab.fit import report

    columns = ("→ delivered", "test accuracy", "95 % interval", "balanced", "ms", "MACs", "size")
    rows = table(*columns, right=columns[1:])
    for r in fitted.comparison.itertuples():
        name = f"{'→ ' if r.delivered else '  '}{r.model}"
        shares = f"{r.accuracy:.1f} %", f"{r.low:.1f}..{r.high:.1f}", f"{r.balanced:.1f} %"
        costs = f"{r.latency_ms:.3f}", millions(r.macs), size(round(1000 * r.size_kb))
        rows.add_row(name, *shares, *costs)
    out.print(rows)
    out.print(report.headline(fitted), soft_wrap=True)
    out.print(fitted.delivered.int8_note, soft_wrap=True)
    for word in report.warnings(fitted):
        out.print(one_line(word), soft_wrap=True)
    done = "replaced" if replaced else "written"
    out.print(f"{folder}: {done} in {_time(seconds)}; read {folder / 'card.html'}", soft_wrap=True)

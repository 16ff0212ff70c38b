"""`lightlab fit`: from a folder of images and a target to a model that keeps to it.

The model's folder is written whole or not at all, over nothing that is not ours.
"""

import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text
from typer import Argument, Option

from lightlab import disk
from lightlab.workbook.project import WorkbookError
from lightlab.workbook.tools import common
from lightlab.workbook.tools.common import out, refusal, say

if TYPE_CHECKING:
    from lightlab.data import DataSet
    from lightlab.fit.budget import Update
    from lightlab.fit.run import Fitted

MARK = "fit.json"  # what tells a folder of ours
CARD_S = 6.0  # of the budget: the card's pictures


def check(folder: Path) -> bool:
    """Whether a model of ours stands at `folder`, which `write` will replace. WorkbookError for a
    file, for a folder of anything else, or where nothing can be written.
    """
    parent, ours = folder.absolute().parent, (folder / MARK).is_file()
    if not parent.is_dir():
        raise refusal("fit", f"{folder}: there is no folder {parent}", "make it first")
    if not os.access(parent, os.W_OK):
        raise refusal("fit", f"{folder}: nothing can be written to {parent}")
    if folder.exists() and not folder.is_dir():
        raise refusal("fit", f"{folder} is a file", "choose another name with -o")
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        what = f"{folder} holds files that are no model of `lightlab fit`"
        raise refusal("fit", what, "choose another folder with -o, or empty it")
    return ours


def write(folder: Path, fitted: "Fitted", images: "DataSet", licence: str) -> None:
    """Everything about the model to `folder`, in the place of a model of ours that stands there;
    where that cannot be written, to a temporary folder, which the WorkbookError names.
    """
    from lightlab.workbook.tools import card  # with pandas and matplotlib: not for each command

    folder = folder.absolute()
    made = card.contents(fitted, images, licence, folder.name)
    made[MARK] = _facts(fitted, images, licence)
    try:
        check(folder)  # again: much may have happened there since the search began
        _publish(folder, made)
    except (OSError, WorkbookError) as e:
        spare = Path(tempfile.mkdtemp(prefix="lightlab-fit-"), folder.name)
        _publish(spare, made)
        why = f"{folder}: {e.strerror or e}" if isinstance(e, OSError) else e.faults[0].what
        hint = f"the model is in {spare}: move it to where it is to stay"
        raise refusal("fit", why, hint) from e


def _publish(folder: Path, made: Mapping[str, bytes]) -> None:
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        for name, content in made.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(content)
        disk.sync_folder(part)
        old = part.with_suffix(".old")
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _facts(fitted: "Fitted", images: "DataSet", licence: str) -> bytes:
    """The card's numbers for programs, as JSON."""
    accuracy, low, high = fitted.tested.accuracy
    facts = disk.plain(
        {
            "made_by": "lightlab fit",
            "dataset": images.spec,
            "fingerprint": images.fingerprint,
            "licence": licence,
            "class_names": list(images.class_names),
            "target": fitted.target.limits,
            "setting": fitted.target.where,
            "met": fitted.delivered.met,
            "measured": fitted.delivered.again.costs,
            "accuracy": accuracy,
            "ci_low": low,
            "ci_high": high,
            "balanced": fitted.tested.balanced,
            "arch": str(fitted.arch),
            "method": fitted.method,
            "found_by": fitted.delivered.finalist.name,
            "seed": fitted.seed,
            "budget_s": fitted.budget_s,
            "spent_s": fitted.spent_s,
        }
    )
    return f"{json.dumps(facts, indent=1)}\n".encode()


def fit(
    dataset: Annotated[
        str, Argument(help="A folder of images (one folder per class), parquet:…, hf:….")
    ],
    output: Annotated[Path, Option("--output", "-o", help="Folder of the model.")],
    target_latency_ms: Annotated[
        float, Option(min=0, help="Most milliseconds of one image; 0: no matter.")
    ] = 0,
    max_macs: Annotated[
        float, Option(min=0, help="Most multiply-accumulates, e.g. 5e6; 0: no matter.")
    ] = 0,
    max_size_kb: Annotated[
        float, Option(min=0, help="Most kB of the model's file; 0: no matter.")
    ] = 0,
    runtime: Annotated[
        str, Option(help="What it runs in: onnxruntime or onnxruntime-int8.")
    ] = "onnxruntime",
    threads: Annotated[int, Option(min=1, help="Threads that one image may use.")] = 1,
    budget_minutes: Annotated[
        float, Option(min=0.25, help="Minutes of wall clock for everything.")
    ] = 20,
    method: Annotated[
        str, Option(help="How it is found: once-for-all, random, scaled; auto: by the time.")
    ] = "auto",
    resolution: Annotated[int, Option(min=8, max=512, help="Side in px that images come to.")] = 32,
    mirror: Annotated[bool, Option(help="Train on mirrored images, too: not for writing.")] = True,
    seed: Annotated[int, Option(min=0, help="Start of all random numbers.")] = 0,
    licence: Annotated[str, Option(help="Of the images, for the card.")] = "not given",
) -> None:
    """Find, train and deliver a small model for the images of DATASET that keeps to a target.

    The folder holds the model as ONNX (in 8-bit integers, too, where that keeps the accuracy and
    saves a tenth of the file), its card (card.html), and run_model.py, which runs it without
    lightlab. The exit code is 1 where the delivered model misses the target, 2 where there can be
    none.
    """
    begin = time.monotonic()
    replaces = check(output)
    os.environ.setdefault("TQDM_DISABLE", "1")  # the screen tells the phase instead
    with common.told("fit"):
        from lightlab.fit import run  # only now: PyTorch takes seconds
        from lightlab.fit.budget import Target

        target = Target(target_latency_ms, max_macs, max_size_kb, runtime, threads)
        run.check_method(method)
        images = run.loaded(dataset, resolution=resolution, seed=seed)
        say(_about(images, target))
        left = 60 * budget_minutes - (time.monotonic() - begin) - CARD_S
        if left < run.LEAST_BUDGET_S:
            gone = f"{_time(60 * budget_minutes - left)} go to reading the images and the card"
            hint = f"give --budget-minutes {budget_minutes + 0.5:g} or more"
            raise refusal("fit", f"{budget_minutes:g} minutes: {gone}", hint)
        with Screen() as screen, _lost():
            how = {"seed": seed, "mirror": mirror, "tell": screen.tell}
            fitted = run.fit(images, target, left, method, **how)
    write(output, fitted, images, licence)
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
        raise refusal("fit", str(e), "try another --seed or --method") from e
    except KeyboardInterrupt as e:
        say("lightlab: stopped; nothing was written")
        raise typer.Exit(130) from e


class Screen(Live):
    """Phase, best so far and time left: a live line in a terminal, else a line for every phase."""

    def __init__(self) -> None:
        self._phase: Update | None = None
        self._since, self._spinner = time.monotonic(), Spinner("line")
        super().__init__(get_renderable=self._line, console=out, transient=True)

    def tell(self, phase: "Update") -> None:
        self._phase, self._since = phase, time.monotonic()
        if not out.is_terminal:
            say(self._words())

    def _words(self) -> str:
        if self._phase is None:
            return "making ready"
        now, gone = self._phase, time.monotonic() - self._since
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


def _about(images: "DataSet", target: object) -> str:
    sizes = ", ".join(f"{len(getattr(images, p)):,} {p}" for p in ("train", "val", "test"))
    C, H, _ = images.input_shape
    colour = "grey" if C == 1 else "RGB"
    about = f"{len(images.class_names)} classes, {sizes} images at {H} px, {colour}"
    return f"{images.spec}: {about}; wanted: {target}"


def _print_result(folder: Path, fitted: "Fitted", replaced: bool, seconds: float) -> None:
    from lightlab.fit import report

    columns = {"→ delivered": "{mark} {model}", "test accuracy": "{accuracy:.1f} %"}
    columns |= {"95 % interval": "{low:.1f}..{high:.1f}", "balanced": "{balanced:.1f} %"}
    columns |= {"ms": "{latency_ms:.3f}", "MACs": "{macs}", "size": "{size}"}
    found = fitted.comparison.assign(
        mark=lambda df: df["delivered"].map({True: "→", False: " "}),
        macs=lambda df: df["macs"].map(common.millions),
        size=lambda df: df["size_kb"].map(lambda kb: common.size(round(1000 * kb))),
    )
    common.print_frame(found, columns)
    say(report.headline(fitted))
    say(fitted.delivered.int8_note)
    for word in report.warnings(fitted):
        say(common.one_line(word))
    done = "replaced" if replaced else "written"
    say(f"{folder}: {done} in {_time(seconds)}; read {folder / 'card.html'}")

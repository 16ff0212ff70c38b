"""The folder of a delivered model: written whole or not at all, over nothing that is not ours."""

import json
import os
import shutil
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lightlab.workbook import files
from lightlab.workbook.project import Fault, WorkbookError

if TYPE_CHECKING:
    from lightlab.data import DataSet
    from lightlab.fit.run import Fitted

MARK = "fit.json"  # what tells a folder of ours


def check(folder: Path) -> bool:
    """Whether a model of ours stands at `folder`, which `write` will replace. WorkbookError for a
    file, for a folder of anything else, or where nothing can be written.
    """
    parent = folder.absolute().parent
    if not parent.is_dir():
        raise WorkbookError(Fault("fit", f"{folder}: there is no folder {parent}", "make it first"))
    if not os.access(parent, os.W_OK):
        raise WorkbookError(Fault("fit", f"{folder}: nothing can be written to {parent}"))
    if folder.exists() and not folder.is_dir():
        raise WorkbookError(Fault("fit", f"{folder} is a file", "choose another name with -o"))
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        what = f"{folder} holds files that are no model of `lightlab fit`"
        raise WorkbookError(Fault("fit", what, "choose another folder with -o, or empty it"))
    return (folder / MARK).is_file()


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
        raise WorkbookError(Fault("fit", why, hint)) from e


def _publish(folder: Path, made: Mapping[str, bytes]) -> None:
    part = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        for name, content in made.items():
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_bytes(content)
        files.sync_folder(part)
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
    facts = files.plain(
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

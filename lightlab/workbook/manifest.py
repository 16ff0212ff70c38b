"""Provenance: which code, which machine, which versions, which files came out."""

import os
import platform
import subprocess
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from lightlab import disk
from lightlab.measure import machine

PACKAGES = (
    *("torch", "gpytorch", "botorch", "numpy", "scipy", "pandas", "scikit-learn", "optuna"),
    *("onnx", "onnxruntime", "matplotlib", "papermill", "nbclient", "ipykernel", "jupyterlab"),
)
# Not results of the notebook: the runner's own papers, or made anew from the others.
PAPERS = {"manifest.json", "task.json", "status.json", "notebook.html", ".site.json"}


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(root: Path) -> dict[str, Any]:
    commit = _printed("git", "-C", str(root), "rev-parse", "HEAD")
    changes = _printed("git", "-C", str(root), "status", "--porcelain", "--untracked-files=no")
    # OpenMP allows a list, one number for each level of nesting
    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    gpus = _printed("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")  # without torch
    return {
        "git_commit": commit,
        "git_dirty": None if changes is None else bool(changes),  # None: this is no git checkout
        "python": platform.python_version(),
        "packages": {p: version for p, version in versions().items() if version},
        "cpu": machine.processor()["model name"],
        "cores": os.cpu_count(),
        "threads": int(threads) if threads.isdigit() else os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpu": gpus.splitlines()[0] if gpus else None,
        "os": platform.platform(),
    }


def _printed(*command: str) -> str | None:
    """What a command prints; None where it fails, takes ten seconds or is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def hashes(folder: Path) -> dict[str, str]:
    """sha256 of every file that the notebook saved, by its path below `folder`."""
    return {
        p.relative_to(folder).as_posix(): disk.sha256(p)
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.relative_to(folder).as_posix() not in PAPERS
    }


def damaged(folder: Path, manifest: dict[str, Any]) -> list[str]:
    """Recorded files that are missing or have changed."""
    return [
        name
        for name, recorded in manifest["files"].items()
        if not (folder / name).is_file() or disk.sha256(folder / name) != recorded
    ]


def damage(folder: Path, manifest: dict[str, Any]) -> str | None:
    """Which recorded files are damaged, in words; None: they are whole."""
    found = damaged(folder, manifest)
    return f"damaged since it was recorded: {', '.join(found)}" if found else None


def write_interactive(folder: Path, notebook: str, params: dict[str, Any]) -> None:
    """The manifest of a record made without the runner: no key, so never taken as up to date."""
    facts = {"schema": 1, "unit": notebook, "notebook": notebook, "status": "ok", "cause": None}
    facts |= {"params": params, "provenance": provenance(Path.cwd())}
    facts |= {"ended": now(), "files": hashes(folder)}
    disk.write_json(folder / "manifest.json", facts)


def versions() -> dict[str, str | None]:
    """Of what the results depend on; None: it is not installed."""
    found: dict[str, str | None] = dict.fromkeys(PACKAGES)
    for package in PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found

"""Does smoke give what it gave at another commit? `make same COMMIT=… NOTEBOOKS="01 02"`

Tables and claims have to agree to a relative 1e-6, figures in all but their ids. What differs
among three runs of that commit itself (times, and what follows from them) is not compared; columns
that are declared volatile neither. Its runs are kept below .cache/same/.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from lightlab.workbook.project import Project, WorkbookError
from lightlab.workbook.review import compare, results
from lightlab.workbook.review.compare import IDENTICAL, WITHIN
from lightlab.workbook.review.results import Unit

ROOT = Path(__file__).parents[1]
# claims are compared field by field; the table names commits, of which a run may have several
APART = ("claim ", "table machines")
CLAIM = ("verdict", "value", "ci_low", "ci_high", "n")


def smoke(tree: Path, name: str, notebooks: Iterable[str] = ()) -> Path:
    """The folder of smoke's results by the code in `tree`; what is up to date is not run again.

    It ends this program where a notebook fails.
    """
    words = [sys.executable, "-m", "lightlab", "run", *notebooks, "--profile", "smoke"]
    env = os.environ | {"PYTHONPATH": str(tree), "LIGHTLAB_ROOT": str(tree)}
    if subprocess.run([*words, "--name", name], cwd=tree, env=env).returncode:
        sys.exit(f"same: nothing was compared, for smoke did not end well in {tree}")
    return tree / "results" / name


def runs_of(commit: str) -> list[Path]:
    """Three runs of smoke at `commit`."""
    words = ["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"]
    sha = subprocess.run(words, capture_output=True, text=True).stdout.strip()
    if not sha:
        sys.exit(f"same: there is no commit {commit!r} here; name one: make same COMMIT=HEAD~1")
    tree = ROOT / ".cache" / "same" / sha[:12]
    if not tree.exists():
        part = tree.with_suffix(".part")  # of one that was stopped halfway
        shutil.rmtree(part, ignore_errors=True)
        subprocess.run(["git", "clone", "-q", "--shared", "-n", str(ROOT), str(part)], check=True)
        subprocess.run(["git", "-C", str(part), "checkout", "-q", sha], check=True)
        part.rename(tree)
    done = [tree / "results" / name for name in ("first", "second", "third")]
    for run in done:
        if not all(u.has_results for u in units(run)) or not units(run):
            smoke(tree, run.name)
    return done


def units(run: Path) -> list[Unit]:
    """The notebooks of a run; none where it has not been made."""
    return results.read(run).units if (run / "run.json").exists() else []


def plain(svg: Path) -> str:
    """An SVG whose ids are numbered in the order in which they come."""
    text, numbers = svg.read_text(), {}
    for name in re.findall(r'\bid="([^"]+)"', text):
        numbers.setdefault(name, f"id{len(numbers)}")
    pattern = r'(id="|url\(#|href="#)([^")]+)'
    return re.sub(pattern, lambda m: m[1] + numbers.get(m[2], m[2]), text)


def moved(a: Path, b: Path, chosen: set[str]) -> Iterator[tuple[str, str]]:
    """(place, what happened) of everything in which two runs differ."""
    old, new = ({u.name: u for u in units(run) if u.name in chosen} for run in (a, b))
    yield from ((name, "is in one run only") for name in sorted(old.keys() ^ new))
    for name in sorted(old.keys() & new):
        x, y = old[name], new[name]
        for cell in compare.cells(x, y):
            if cell.place.startswith(APART):
                continue
            if cell.verdict not in (IDENTICAL, WITHIN):
                yield f"{name}: {cell.place}", f"{cell.recorded} → {cell.fresh} ({cell.verdict})"
        before, after = ({c["id"]: c for c in unit.claims} for unit in (x, y))
        for claim, key in ((c, k) for c in sorted(before | after) for k in CLAIM):
            values = [side.get(claim, {}).get(key) for side in (before, after)]
            if compare.agree(*map(str, values), None) not in (IDENTICAL, WITHIN):
                yield f"{name}: claim {claim}, {key}", f"{values[0]} → {values[1]}"
        for figure in sorted(x.figures() | y.figures()):
            svgs = [u.folder / "figures" / f"{figure}.svg" for u in (x, y)]
            if not all(p.is_file() for p in svgs):
                yield f"{name}: figure {figure}", "is in one run only"
            elif plain(svgs[0]) != plain(svgs[1]):
                yield f"{name}: figure {figure}", "looks different"


def main(commit: str, notebooks: list[str]) -> None:
    """Compare all notebooks, or only these; exit code 1 where something moved."""
    try:
        chosen = set(Project(ROOT).select(notebooks))
    except WorkbookError as error:
        sys.exit(f"same: {error}")
    first, *others = runs_of(commit)
    here = smoke(ROOT, "smoke", notebooks)
    if not notebooks:
        chosen |= {u.name for u in units(first)}  # those, too, that are no longer here
    noise = {place for other in others for place, _ in moved(first, other, chosen)}
    found = {place: what for place, what in moved(first, here, chosen) if place not in noise}
    for place, what in found.items():
        print(f"{place}: {what}")
    figures = sum(": figure " in place for place in noise)
    print(f"{len(found)} places differ from {commit}; not compared, for they differ among "
          f"runs of {commit} itself: {len(noise)}, of which {figures} figures")  # fmt: skip
    sys.exit(bool(found))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("same: name a commit, then notebooks if not all: make same COMMIT=HEAD~1")
    main(sys.argv[1], sys.argv[2:])

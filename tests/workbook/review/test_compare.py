"""Cell by cell: what is identical, within tolerance, moved, missing; and the page of two runs."""

import json
import re
import shutil
from functools import partial
from urllib.parse import unquote

import pytest

from lightlab.workbook.project import WorkbookError
from lightlab.workbook.review import compare, site

HEADER = "method,n_trials,regret,seconds"
ROWS = ("random,50,0.1234567,1.5", "ours,50,0.0123,2.5", "tpe,50,0.2,3.5")
CLAIM = {"id": "a.b", "sentence": "Ours is <b>better</b>.", "source": "Paper 2018, table 1"}
CLAIM |= {"kind": "order", "published": "> 0", "measured": "difference", "unit": "%"}
CLAIM |= {"holds_in": [0.0, None], "value": 1.5, "ci_low": 0.5, "ci_high": 2.5, "n": 5}
CLAIM |= {"verdict": "reproduced", "note": "", "notebook": "01_a"}
EXACT = CLAIM | {"id": "a.exact", "value": 6.0, "ci_low": 6.0, "ci_high": 6.0, "n": 1}


def _unit(folder, *, header=HEADER, rows=ROWS, claims=(CLAIM, EXACT), svg="<svg/>", **manifest):
    """A unit's recorded results: one table, two claims, one figure."""
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True)
    (folder / "tables" / "regret.csv").write_text("\n".join((header, *rows)) + "\n")
    (folder / "figures" / "curve.svg").write_text(svg)
    table = {"name": "regret", "caption": "Regret.", "files": ["tables/regret.csv"]}
    table |= {"volatile": ["seconds"], "tolerance": {"regret": 0.01}}
    figure = {"name": "curve", "caption": "A curve.", "files": ["figures/curve.svg"]}
    saved = {"schema": 1, "finished": True, "tables": [table], "figures": [figure]}
    facts = {"unit": folder.name, "status": "ok", "params": {"seed": 0, "lr": 0.1}}
    facts |= {"provenance": {"python": "3.11.2", "packages": {"torch": "2.13.0"}}, "files": {}}
    written = {"record": saved, "claims": list(claims), "manifest": facts | manifest}
    for name, value in written.items():
        (folder / f"{name}.json").write_text(json.dumps(value))
    return folder


def _told(tmp_path, **changed):
    """What verify tells of a unit that came out with these changes."""
    a = _unit(tmp_path / "a" / "01_a")
    return [str(d) for d in compare.verify(a, _unit(tmp_path / "b" / "01_a", **changed))]


JITTER, LOST = CLAIM | {"value": 1.4}, CLAIM | {"verdict": "inconclusive"}
OTHER = EXACT | {"value": 6.1, "ci_low": 6.1, "ci_high": 6.1}
ADDED = "grid,50,0.3,1.0"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, []),
        ({"rows": [r.rpartition(",")[0] + ",99" for r in ROWS]}, []),  # a volatile column
        ({"rows": ["random,50,0.1334567,1.5", *ROWS[1:]]}, []),
        ({"rows": ["random,50,0.1134567,1.5", *ROWS[1:]]}, []),
        ({"rows": ["random,50,0.12345670000001,1.5", *ROWS[1:]]}, []),
        (
            {"rows": ["random,50,0.1345,1.5", *ROWS[1:]]},
            ["method=random, regret: 0.1234567 → 0.1345, moved by +8.95%, allowed ± 0.01"],
        ),
        ({"rows": ROWS[::-1]}, []),
        ({"rows": ROWS[:2]}, ["method=tpe: missing"]),
        ({"rows": [*ROWS, ADDED]}, ["method=grid: added"]),
        (
            {"rows": ["sobol,50,0.1234567,1.5", *ROWS[1:]]},
            ["row 1, method: random → sobol, moved"],
        ),
        (
            {"header": "method,n_trials,loss,seconds"},
            ["column regret: missing", "column loss: added"],
        ),
    ],
)
def test_tables_are_compared_cell_by_cell(tmp_path, changed, told):
    assert _told(tmp_path, **changed) == [f"01_a: table regret, {t}" for t in told]


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ([JITTER, EXACT], []),
        ([LOST, EXACT], ["a.b, verdict: reproduced → inconclusive, moved"]),
        ([CLAIM, OTHER], ["a.exact, value: 6.0 → 6.1, moved by +1.67%"]),
        ([CLAIM], ["a.exact: missing"]),
    ],
)
def test_claims_have_to_keep_their_verdict_and_certain_values(tmp_path, claims, told):
    assert _told(tmp_path, claims=claims) == [f"01_a: claim {t}" for t in told]


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "verdict"),
    [
        ("1000000", "1000000.9", None, "within tolerance"),  # a relative 1e-6
        ("1000000", "1000001.1", None, "moved"),
        ("0.0", "1e-300", None, "moved"),
        ("nan", "nan", 0.5, "identical"),
        ("", "", 0.5, "identical"),
        ("3", "3.0", 0.5, "identical"),
        ("1" + "0" * 30, "1" + "0" * 29 + "1", 0.5, "within tolerance"),
        ("1" + "0" * 400, "2" + "0" * 400, 0.5, "moved"),
        ("nan", "0.1", 0.5, "moved"),
        ("0.1", "", 0.5, "moved"),
        ("inf", "1e9", 0.5, "moved"),
        ("inf", "-inf", 0.5, "moved"),
        ("relu", "gelu", 0.5, "moved"),
        ("True", "False", 0.5, "moved"),
    ],
)
def test_agreement_of_odd_cells(a, b, tolerance, verdict):
    assert compare.agree(a, b, tolerance) == verdict


def test_the_fewest_columns_that_name_a_row_are_its_label_and_integers_where_texts_do_not():
    old = [{"m": "a", "n": str(n), "y": f"{n}.5"} for n in (1, 2)]
    new = [{"m": "a", "n": str(n), "y": f"{n}.5"} for n in (2, 3, 1)]
    labels = [(label, x is None) for label, x, _ in compare._aligned(old, new)]
    assert labels == [("m=a, n=1", False), ("m=a, n=2", False), ("m=a, n=3", True)]
    rows = [{"method": m, "meaning": "long text", "n": "1", "y": "0.5"} for m in ("a", "b")]
    labels = [label for label, *_ in compare._aligned(rows, rows[::-1])]
    assert labels == ["method=a", "method=b"]


def test_a_missing_table_or_unit_is_a_difference(tmp_path):
    a, b = _unit(tmp_path / "a" / "01_a"), _unit(tmp_path / "b" / "01_a")
    (b / "tables" / "regret.csv").unlink()
    assert [str(d) for d in compare.verify(a, b)] == ["01_a: table regret, its CSV: missing"]
    record = json.loads((b / "record.json").read_text())
    (b / "record.json").write_text(json.dumps(record | {"tables": []}))
    assert [str(d) for d in compare.verify(a, b)] == ["01_a: table regret: missing"]
    assert [str(d) for d in compare.verify(b, a)] == ["01_a: table regret: added"]
    shutil.rmtree(b)
    assert [str(d) for d in compare.verify(a, b)] == ["01_a: record.json: missing"]


def _run(folder, unit_changes, extra=()):
    """A run of one unit, and of further equal ones named in `extra`."""
    _unit(folder / "01_a", **unit_changes)
    for name in extra:
        _unit(folder / name)
    units = [{"unit": p.name, "notebook": p.name, "state": "ok"} for p in folder.iterdir()]
    about = {"run": folder.name, "profile": "quick", "started": "2026-11-23T18:00:00+00:00"}
    (folder / "run.json").write_text(json.dumps(about | {"units": units}))
    return folder


@pytest.fixture
def two_runs(tmp_path):
    a = _run(tmp_path / "run-a", {}, extra=("02_b", "03_only"))
    provenance = {"python": "3.12.1", "packages": {"torch": "2.13.0"}}
    changed = {
        "params": {"seed": 1, "lr": 0.1, "width": 8},
        "provenance": provenance,
        "rows": ["random,50,0.1250,7", "ours,50,0.0456,2.5", ROWS[2]],
        "claims": (CLAIM | {"verdict": "not reproduced", "value": -1.0}, EXACT),
        "svg": "<svg><title>other</title></svg>",
    }
    return a, _run(tmp_path / "run-b", changed, extra=("02_b",))


def test_differences_hold_only_what_differs(two_runs):
    found = compare.differences(*two_runs)
    assert found.params == [("01_a", "seed", 0, 1), ("01_a", "width", None, 8)]
    assert found.provenance == [("python", "3.11.2", "3.11.2, 3.12.1")]
    assert [(d.place, d.verdict) for d in found.cells] == [
        ("table regret, method=ours, regret", "moved"),
        ("table regret, method=random, regret", "within tolerance"),
    ]
    assert found.cells[0].relative == pytest.approx((0.0456 - 0.0123) / 0.0123)
    assert [(u.name, old["verdict"], new["verdict"]) for u, old, new in found.claims] == [
        ("01_a", "reproduced", "not reproduced")
    ]
    assert [(f["unit"], f["name"]) for f in found.figures] == [("01_a", "curve")]
    assert found.only_in == [("03_only", "run-a")]
    # Of 2 × 3 rows × (method, n_trials, regret) two cells differ.
    assert found.unchanged == {"cells": 16, "claims": 3, "figures": 1}


def test_the_page_shows_both_sides_and_links_that_exist_or_that_all_is_equal(two_runs, tmp_path):
    page = compare.build(*two_runs)
    assert page == tmp_path / "compare-run-a-run-b.html"
    text = page.read_text(encoding="utf-8")
    links = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert len(links) == 4
    assert all((page.parent / unquote(link)).is_file() for link in links)
    for shown in ("0.0123", "0.0456", "+270.73 %", "not reproduced", "3.12.1", "03_only"):
        assert shown in text
    assert "Ours is &lt;b&gt;better&lt;/b&gt;." in text
    elsewhere = compare.build(*two_runs, out=tmp_path / "deep" / "er" / "page.html")
    assert 'src="../../run-a/01_a/figures/curve.svg"' in elsewhere.read_text(encoding="utf-8")
    same = compare.build(two_runs[0], two_runs[0], tmp_path / "same.html").read_text()
    assert "All 27 compared cells identical." in same
    assert "All 6 equal, values included." in same


def test_a_folder_that_is_no_run_is_refused(two_runs, tmp_path):
    (tmp_path / "empty").mkdir()
    for build in (site.build, partial(compare.build, two_runs[0])):
        with pytest.raises(WorkbookError, match=r"run\.json cannot be read"):
            build(tmp_path / "empty")

"""The review site, opened from disk in a headless Chromium, on a run saved through the record."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from lightlab import published
from lightlab.show import style
from lightlab.workbook import manifest, record
from lightlab.workbook.review import compare, html, results, site

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
ATTACK = "A <script>document.title='owned'</script> & <img src=x onerror=alert(1)> bound"
FIRST, SWEPT, BROKEN, SKIPPED = "01_ok", "02_sweep@seed=1", "03_broken", "04_skipped"


_CLAIM = {"sentence": "A claim holds.", "source": "Shannon 1948, theorem 9", "kind": "within"}
_CLAIM |= {"published": "0 ≤ L − H < 1 bit", "measured": "what we measured", "profile": "smoke"}
_GIVEN = {
    "first.in": {"holds_in": [0.0, 1.0], "unit": "bits"},
    "first.out": {"holds_in": [2.0, None], "unit": "bits", "sentence": ATTACK},
    "first.edge": {"holds_in": [0.0, 0.5], "unit": "bits", "note": "Few seeds."},
    "first.exact": {"holds_in": [6.0, 6.0], "kind": "exact", "published": 6},  # without a unit
}
CLAIMS = {id: _CLAIM | {"id": id} | given for id, given in _GIVEN.items()}


def _save(folder, notebook, monkeypatch, values, n_figures=1):
    """A unit's folder as a notebook leaves it; returns what the saving calls displayed."""
    folder.mkdir(parents=True)
    kept = str(folder.parent / ".unfinished" / notebook)
    (folder / "source.ipynb").write_text('{"cells": []}')
    task = {"notebook": notebook, "params": values, "unfinished": kept}
    task["source"] = str(folder / "source.ipynb")
    (folder / "task.json").write_text(json.dumps(task))
    monkeypatch.setenv(record.OUT, str(folder))
    monkeypatch.setenv(record.PROFILE, "quick")
    run = record.start(notebook, values)
    shown = []
    for i in range(n_figures):
        fig, ax = style.subplots()
        regret = np.minimum.accumulate(run.rng(str(i)).random(40))
        curve = pd.DataFrame({"trials": np.arange(40), "regret": regret})
        ax.plot(curve.trials, curve.regret, label="random")
        caption = "Regret over trials: mean of 12 seeds, band: 95 % interval."
        shown.append(run.figure(fig, f"regret-{i}", caption=caption, data=curve))
    table = pd.DataFrame(
        {"method": ["random", "ours <b>"], "regret": [0.0512345678, -1.5e-7], "seconds": [1.0, 2.0]}
    )
    shown.append(run.table(table, "regret", caption="Final <i>regret</i>.", volatile=["seconds"]))
    run.trials(table)
    run.artifact("net.json").write_text("{}")
    if run._published:
        run.claim("first.in", np.linspace(0.4, 0.5, 12))
        run.claim("first.out", np.linspace(0.1, 0.2, 5))
        run.claim("first.edge", [0.2, 0.5, 0.9])
        run.claim("first.exact", 6)
    shown.append(run.finish())
    (folder / "params.yaml").write_text(json.dumps(values))
    (folder / "log.txt").write_text("cell 1 of 4\nKernel was killed by SIGKILL\n")
    return [h.data for h in shown]


def _notebook(folder, title, shown, error=None):
    """The executed notebook, with the outputs that the record displayed."""
    text = (
        f"# {title}\n\nWhat is a good point? See [the next](02_sweep.ipynb), Shannon's\n\n"
        r"$$H(p) = -\sum_{i=1}^{n} p_i \log_2 p_i,$$ with $p_i \ge 0$ and $\unknown{x}$."
        "\n\n## Results\n\n<script>document.title='owned'</script>"
    )
    tagged = {"tags": ["parameters"]}
    cells = [
        v4.new_markdown_cell(text),
        v4.new_code_cell("seed: int = 0  # seed [0..]", metadata=tagged),
    ]
    for html_shown in shown:
        out = v4.new_output("display_data", {"text/html": html_shown, "text/plain": "HTML"})
        cells.append(v4.new_code_cell("run.figure(fig, 'x')", outputs=[out]))
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk"
    pixel += "YAAAAAYAAjCB0C8AAAAASUVORK5CYII="
    widget = {"application/vnd.jupyter.widget-view+json": {}, "image/png": pixel}
    outputs = [v4.new_output("stream", name="stdout", text="50 trials \x1b[31mdone\x1b[0m <b>\n")]
    outputs += [v4.new_output("display_data", widget)]
    cells.append(v4.new_code_cell("for trial in range(50):\n    step(trial)", outputs=outputs))
    if error:
        trace = ["\x1b[31mValueError\x1b[0m", "  line 3, in step", f"ValueError: {error}"]
        out = v4.new_output("error", ename="ValueError", evalue=error, traceback=trace)
        cells.append(v4.new_code_cell("step(51)", outputs=[out]))
    nbformat.write(v4.new_notebook(cells=cells), folder / "notebook.ipynb")


STARTED = "2026-11-23T18:00:00+00:00"
PROVENANCE = {"git_commit": "0123456789abcdef", "git_dirty": True, "python": "3.11.2"}
PROVENANCE |= {"packages": {"torch": "2.13.0"}, "cpu": "A <cpu>", "cores": 2, "gpu": None}


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A run: one good notebook, one sweep point, one failed over an older result, one skipped."""
    run = tmp_path_factory.mktemp("results") / "quick"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(published, "claims", lambda name: CLAIMS if name == "01_ok" else {})
        tried = f"{BROKEN}.failed"
        for name, n_figures in ((FIRST, 3), (SWEPT, 1), (BROKEN, 1), (tried, 1)):
            folder, unit = run / name, name.removesuffix(".failed")
            failed, notebook = name == tried, unit.partition("@")[0]
            shown = _save(folder, notebook, patch, {"seed": 1}, n_figures)
            title, error = f"{unit[:2]} The title of {unit[3:]}", ATTACK if failed else None
            _notebook(folder, title, shown[:1] if failed else shown, error)
            facts = {"schema": 1, "unit": unit, "notebook": notebook, "seconds": 12.3}
            facts |= {"params": {"seed": 1, "lr": [1e-3, 0.1]}, "provenance": PROVENANCE}
            facts |= {"started": STARTED, "ended": "2026-11-23T18:00:12+00:00"}
            facts |= {"peak_memory_mib": 512, "files": manifest.hashes(folder)}
            facts |= {"status": "failed" if failed else "ok"}
            (folder / "manifest.json").write_text(json.dumps(facts))
    states = [(FIRST, "ok", 12.3, None), (SWEPT, "up-to-date", None, None)]
    states += [(BROKEN, "failed", 75.0, "cell 7 raised ValueError")]
    states += [(SKIPPED, "skipped", None, f"needs {BROKEN}, which failed")]
    units = [
        {"unit": u, "notebook": u.partition("@")[0], "state": s, "seconds": t, "cause": c}
        for u, s, t, c in states
    ]
    about = {"schema": 1, "run": "quick", "profile": "quick", "argv": ["run", "--profile", "quick"]}
    about |= {"started": STARTED, "ended": "2026-11-23T18:02:00+00:00"}
    (run / "run.json").write_text(json.dumps(about | {"provenance": PROVENANCE, "units": units}))
    site.build(run)
    return run


@pytest.fixture
def run(run_folder, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(run_folder, tmp_path / "quick")


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.skip("no chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        args = ["--no-sandbox", "--disable-dev-shm-usage"]
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=args)
        yield started
        started.close()


@pytest.fixture
def look():
    """Saves a full-page picture for people where LIGHTLAB_LOOK names a folder."""

    def save(page, name):
        if folder := os.environ.get("LIGHTLAB_LOOK"):
            page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    return save


@pytest.fixture
def open_page(browser):
    """Opens a file in a fresh context; asserts at the end that nothing left file:// and that no
    page reported an error."""
    asked, problems, contexts = [], [], []

    def note_failure(request):
        if request.failure != "net::ERR_ABORTED":  # the test itself left the page
            problems.append(f"{request.url}: {request.failure}")

    def open_(path, **context):
        contexts.append(browser.new_context(**context))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", note_failure)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert asked
    assert [url for url in asked if urlsplit(url).scheme not in ("file", "data")] == []
    assert problems == []


def _broken_links(folder):
    """(page, link) of every link that leads nowhere, over all pages below `folder`."""
    broken, pages = [], {}
    for page in folder.rglob("*.html"):
        pages[page.resolve()] = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    for page, soup in pages.items():
        for tag in soup.select("[href], [src]"):
            target = tag.get("href") or tag["src"]
            url = urlsplit(target)
            if url.scheme == "data":
                continue
            goal = (page.parent / unquote(url.path)).resolve() if url.path else page
            there = goal.is_file() and not url.scheme
            if url.fragment and there:
                there = goal in pages and pages[goal].find(id=unquote(url.fragment))
            if not there:
                broken.append((page.name, target))
    return broken


def test_every_link_leads_somewhere(run_folder, tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html">x</a><a href="#no">y</a><p id="yes">')
    assert len(_broken_links(tmp_path)) == 2
    assert (run_folder / "index.html").read_text().count("<a ") > 40
    assert _broken_links(run_folder) == [("notebook.html", "../index.html#nb-02_sweep")] * 4


@pytest.mark.browser
def test_the_index_filters_and_sorts_its_scoreboard_and_enlarges_figures(run_folder, open_page):
    page = open_page(run_folder / "index.html")
    rows = page.locator("table.score tbody tr")
    verdicts = [rows.nth(i).locator("td").first.inner_text() for i in range(rows.count())]
    assert verdicts == ["✓ reproduced", "✗ not reproduced", "? inconclusive", "✓ reproduced"]
    first = rows.first.inner_text()
    assert "0.450 bits" in first
    assert "n\u00a0=\u00a012" in first
    assert "0 ≤ L − H < 1 bit" in first
    assert rows.nth(1).inner_text().count(ATTACK) == 1
    assert rows.nth(3).locator("td").nth(2).inner_text().startswith("6")
    page.locator("#f-not-reproduced").check()
    assert page.locator("table.score tbody tr:visible").count() == 1
    page.locator("#f-all").check()
    page.get_by_role("button", name="Measured here").click()
    cells = rows.locator("td[data-value]")
    values = cells.evaluate_all("cells => cells.map(c => Number(c.dataset.value))")
    assert values == sorted(values)
    assert len(values) == 4
    assert page.title() == "quick · lightlab results"
    page.evaluate("document.querySelectorAll('img').forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth > 100)")
    page.locator(".plate").first.click()
    assert page.locator("dialog[open] img").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0


@pytest.mark.browser
def test_filter_works_without_scripts(run_folder, open_page):
    page = open_page(run_folder / "index.html", java_script_enabled=False)
    assert page.locator("table.score tbody tr:visible").count() == 4
    page.locator("#f-inconclusive").check()
    assert page.locator("table.score tbody tr:visible").count() == 1
    assert page.locator("figure img").count() == 5


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone_and_both_colour_schemes(run_folder, open_page, scheme, look):
    for name in ("index.html", f"{FIRST}/notebook.html", f"{BROKEN}.failed/notebook.html"):
        page = open_page(
            run_folder / name, viewport={"width": 390, "height": 844}, color_scheme=scheme
        )
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        back = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        assert (sum(map(int, back[4:-1].split(","))) < 200) == (scheme == "dark")
        look(page, f"phone-{scheme}-{name.replace('/', '-')}")
    page = open_page(run_folder / "index.html", color_scheme=scheme)
    plate = page.locator(".plate").first
    assert plate.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 255, 255)"
    look(page, f"wide-{scheme}")


@pytest.mark.browser
def test_notebook_page_folds_code_and_shows_formulas(run_folder, open_page, look):
    page = open_page(run_folder / FIRST / "notebook.html")
    look(page, "notebook")
    assert page.title() == "01 The title of ok · quick"  # its <script> did not run
    assert page.locator("section.code > details[open]").count() == 0
    assert page.locator("math munderover").count() == 1
    assert page.locator("math munderover").bounding_box()["height"] > 20
    assert page.locator("code.math-source").inner_text() == r"\unknown{x}"
    assert page.locator(".outputs figure img").count() == 3
    assert "open the notebook in JupyterLab" in page.locator(".aside").inner_text()
    page.get_by_role("button", name="Show all code").click()
    assert page.locator("section.code > details[open]").count() > 4
    assert "for trial in range(50)" in page.locator("main").inner_text()


@pytest.mark.browser
def test_failed_and_skipped_say_why_and_mark_old_results(run_folder, open_page):
    page = open_page(run_folder / "index.html")
    failed = page.locator(f'article[id="nb-{BROKEN}"]')
    told = failed.inner_text()
    assert "cell 7 raised ValueError" in told
    assert f"ValueError: {ATTACK}" in told
    assert "last good results, of 2026-11-23 18:00 UTC" in told
    assert failed.locator("figure").count() == 1
    assert failed.get_by_role("link", name="last good notebook").count() == 1
    assert "needs 03_broken" in page.locator(f'[id="nb-{SKIPPED}"]').inner_text()
    assert page.locator("article.stale").count() == 1
    failed.get_by_role("link", name="partial notebook").click()
    assert page.locator("pre.error").is_visible()


def test_only_a_changed_notebook_is_rendered_again(run, monkeypatch):
    convert, rendered = site._convert, []
    monkeypatch.setattr(site, "_convert", lambda *a: rendered.append(a[2]) or convert(*a))
    before = {p: p.stat().st_mtime_ns for p in run.rglob("*.html")}
    site.build(run)
    assert rendered == []
    assert {p: p.stat().st_mtime_ns for p in run.rglob("*.html")} == before
    source = run / FIRST / "notebook.ipynb"
    source.write_text(source.read_text().replace("The title of", "Another title of"))
    assert "01 Another title of ok" in site.build(run).read_text()
    assert rendered == [source]


def test_what_is_missing_torn_or_of_an_earlier_version_is_shown_as_far_as_it_goes(run):
    (run / FIRST / "figures" / "regret-0.svg").unlink()
    (run / FIRST / "claims.json").write_text('[{"id": "first.in", ')
    path = run / FIRST / "record.json"
    saved = json.loads(path.read_text())
    for figure in saved["figures"]:
        del figure["drawn_by"], figure["cell"]  # nobody asked who drew them
    path.write_text(json.dumps(saved))
    killed = run / f"{BROKEN}.failed" / "notebook.ipynb"
    nb = nbformat.read(killed, as_version=4)
    nb.cells.pop()  # the cell with the traceback: the kernel was killed
    nbformat.write(nb, killed)
    text = site.build(run).read_text()
    assert "figures/regret-0.svg is missing" in text
    assert "regret-1" in text
    assert "Cannot be read: claims.json" in text
    assert not [b for b in _broken_links(run) if b[0] == "index.html"]
    assert "Kernel was killed by SIGKILL" in text
    assert "#error" not in text


def test_an_older_failure_is_not_told_of_a_skipped_notebook(run):
    about = json.loads((run / "run.json").read_text())
    about["units"][2] |= {"state": "skipped", "cause": "needs 02"}
    (run / "run.json").write_text(json.dumps(about))
    text = site.build(run).read_text()
    assert "partial notebook" not in text
    assert "line 3, in step" not in text
    assert "Everything below is older" in text


def test_text_from_outside_is_escaped(run_folder):
    text = (run_folder / "index.html").read_text()
    assert "<script>document" not in text
    assert "<img src=x" not in text
    assert "ours &lt;b&gt;" in text
    assert html.href("javascript:alert(1)") == "javascript%3Aalert%281%29"
    assert html.href('a"b#c?d') == "a%22b%23c%3Fd"


def test_interval_mark_keeps_order_and_open_ends():
    claim = {"value": 2.0, "ci_low": 1.0, "ci_high": 3.0, "holds_in": [None, 1.5]}
    mark = html.interval_mark(claim)
    assert mark["low"] == 0.0
    assert mark["ci_low"] < mark["low"] + mark["width"] < mark["value"] < mark["ci_high"] < 100
    assert html.interval_mark(claim | {"value": None}) is None


def test_sweep_points_sort_by_number(run_folder, tmp_path):
    run = results.read(run_folder)
    names = ["02_s@seed=10", "02_s@seed=2", "01_a"]
    about = run.about | {"units": [{"unit": n, "notebook": n, "state": "ok"} for n in names]}
    (tmp_path / "run.json").write_text(json.dumps(about))
    assert [u.name for u in results.read(tmp_path).units] == ["01_a", "02_s@seed=2", "02_s@seed=10"]
    assert not replace(run.units[0], state="ok").is_stale


@pytest.mark.browser
def test_comparison_page_opens_from_disk(run_folder, tmp_path, open_page, look):
    folders = [shutil.copytree(run_folder, tmp_path / name) for name in ("quick", "other")]
    table = folders[1] / FIRST / "tables" / "regret.csv"
    table.write_text(table.read_text().replace("0.0512345678", "0.0499"))
    drawn = folders[1] / FIRST / "figures" / "regret-0.svg"
    drawn.write_text(drawn.read_text().replace("#0072b2", "#d55e00"))
    claims = folders[1] / FIRST / "claims.json"
    claims.write_text(claims.read_text().replace('"reproduced"', '"inconclusive"', 1))
    site.build(folders[1])
    path = compare.build(*folders)
    page = open_page(path, viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    look(page, "compare-phone-dark")
    page = open_page(path)
    look(page, "compare-wide")
    assert page.locator("figure.pair img").count() == 2
    assert page.locator("tr.moved").count() == 1
    assert "0.0512346" in page.inner_text("main")
    assert "−2.60 %" in page.inner_text("main")
    page.get_by_role("link", name="other").click()
    assert page.title() == "other · lightlab results"

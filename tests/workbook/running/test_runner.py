"""What runs: notebooks that measure time alone; with `only` nothing but what is asked for."""

import json
import os
import random

import joblib
import pytest

from lightlab import disk
from lightlab.workbook.project import Project, WorkbookError
from lightlab.workbook.running import plan, store
from lightlab.workbook.running.executor import Event
from lightlab.workbook.running.runner import Options, Run


class Played:
    """An executor in which nothing runs: attempts end one at a time, in an order drawn at random.

    `started` holds, for each submitted unit, those at work and those that wait at that moment.
    """

    def __init__(self, seed: int = 0, broken: tuple[str, ...] = (), stop_after: int | None = None):
        self._rng, self._broken, self._stop_after = random.Random(seed), broken, stop_after
        self._at_work, self.started, self.run = {}, [], None

    def submit(self, unit, folder):
        waits = [n for n, s in self.run.states.items() if s.state == "waiting"]
        self._at_work[unit] = folder
        self.started.append((unit, set(self._at_work), waits))

    def events(self):
        if self._stop_after is not None and len(self.started) >= self._stop_after:
            raise KeyboardInterrupt
        unit = self._rng.choice(sorted(self._at_work))
        folder = self._at_work.pop(unit)
        task = json.loads((folder / "task.json").read_text())
        facts = {"status": "ok", "hashes": task["hashes"], "files": {}}
        if unit in self._broken:
            facts = {"status": "failed", "cause": "broken", "kind": "kernel-died"}
        disk.write_json(folder / "manifest.json", facts)
        yield Event(unit, {}, ended=True)

    def cancel(self):
        self._at_work.clear()

    @property
    def order(self) -> list[str]:
        return [unit for unit, _, _ in self.started]


def play(workbook, executor, jobs: int = 2, wanted: tuple = (), **options) -> Run:
    project = Project(workbook.root)
    units = plan.make(project, list(wanted), "quick")
    folder = workbook.root / "results" / "quick"
    run = executor.run = Run(project, units, folder, Options("quick", jobs, **options), executor)
    run.execute()
    return run


def test_what_took_longest_last_time_begins_first(workbook):
    """In this run or, before there is one, in the reference; what neither knows comes last."""
    for name in ("01_a", "02_b", "03_c", "04_d"):
        workbook.add(name)
    took = {"reference/02_b": 5.0, "reference/03_c": 9.0, "quick/02_b": 20.0}
    for place, seconds in took.items():
        folder = workbook.root / "results" / place
        folder.mkdir(parents=True)
        disk.write_json(folder / "manifest.json", {"seconds": seconds, "status": "failed"})
    executor = Played()
    play(workbook, executor, jobs=1)
    assert executor.order == ["02_b", "03_c", "01_a", "04_d"]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_the_needs_and_the_failures_nothing_runs_beside_them(workbook, seed):
    rng = random.Random(seed)
    names = [f"0{i}_x" for i in range(1, 8)]
    alone = {n for n in names if rng.random() < 0.4}
    broken = tuple(n for n in names if rng.random() < 0.2)
    needs = {n: rng.sample(names[:i], rng.randint(0, min(i, 2))) for i, n in enumerate(names)}
    for name in names:
        workbook.add(name, needs=needs[name], alone=name in alone)
    jobs, executor = rng.randint(1, 3), Played(seed, broken)
    run = play(workbook, executor, jobs, force=True, retries=1)

    good = set()
    for name in names:
        expected = "failed" if name in broken else "ok"
        expected = expected if good >= set(needs[name]) else "skipped"
        assert run.states[name].state == expected
        good |= {name} if expected == "ok" else set()
        assert executor.order.count(name) == {"ok": 1, "failed": 2, "skipped": 0}[expected]
    for unit, together, waits in executor.started:
        assert len(together) <= (1 if together & alone else jobs)
        if unit in alone:  # last of what was ready: all others wait for one that waits or for it
            assert all({*needs[n]} & {*waits, unit} for n in waits if n not in alone)


def test_one_that_is_up_to_date_holds_nothing_up(workbook):
    workbook.add("01_times", alone=True)
    workbook.add("02_needs_times", needs=["01_times"])
    workbook.add("03_free")
    play(workbook, Played())
    workbook.add("02_needs_times", "print(1)", needs=["01_times"])
    workbook.add("03_free", "print(1)")
    executor = Played()
    run = play(workbook, executor)
    assert run.states["01_times"].state == "up-to-date"
    assert executor.started[1][1] == {"02_needs_times", "03_free"}


def test_fail_fast_and_a_stop_reach_one_that_was_held_back(workbook):
    workbook.add("01_times", alone=True)
    workbook.add("02_broken")
    play(workbook, Played(broken=("02_broken",)), fail_fast=True)
    assert workbook.states() == {"01_times": "skipped", "02_broken": "failed"}
    with pytest.raises(KeyboardInterrupt):
        play(workbook, Played(stop_after=1))
    assert workbook.states() == {"01_times": "cancelled", "02_broken": "cancelled"}


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_alone_is_true_or_false(workbook, wrong):
    workbook.add("01_a", alone=wrong)
    with pytest.raises(WorkbookError, match=r"01_a\.ipynb: `alone` has to be true or false") as e:
        plan.make(Project(workbook.root), [], "quick")
    assert len(e.value.faults) == 1


def test_sweep_and_verify_keep_them_alone_and_each_knows_its_cores(workbook):
    cores = "import joblib, os\nprint(joblib.cpu_count(), os.environ['OMP_NUM_THREADS'])"
    workbook.add_recorded("01_shares", cores)
    workbook.add_recorded("02_alone", cores, alone=True)
    project = Project(workbook.root)
    swept = plan.make(project, [], "quick", {}, {"seed": ["0", "1"]})
    assert [u.alone for u in swept] == [False, False, True, True]
    workbook("run", "--jobs", "2")
    printed = {}
    for name in ("01_shares", "02_alone"):
        cells = workbook.json("quick", name, "notebook.ipynb")["cells"]
        printed[name] = "".join("".join(o.get("text", "")) for c in cells for o in c["outputs"])
    share, threads = printed["01_shares"].split()
    assert int(share) == max(1, joblib.cpu_count() // 2)
    assert printed["02_alone"].split() == [str(joblib.cpu_count()), threads]
    units = store.units_of(project, project.results / "quick", [])
    assert [u.alone for u in units] == [False, True]


@pytest.mark.skipif(os.cpu_count() < 2, reason="one core has one thread to give")
def test_verify_gives_each_unit_the_threads_it_had(workbook):
    threads = "import os\nseen = pd.DataFrame({'threads': [os.environ['OMP_NUM_THREADS']]})"
    for name in ("01_a", "02_b"):
        workbook.add_recorded(name, threads, "run.table(seen, 'seen', caption='Seen.')")
    workbook("run", "01", "--jobs", "1")
    workbook("run", "--jobs", str(os.cpu_count()))
    one, other = (p.read_text() for p in workbook.root.glob("results/quick/*/tables/seen.csv"))
    assert one != other
    assert "every table and claim of 2 notebooks came out again" in workbook("verify", "quick")


def test_only_takes_what_is_needed_as_it_is_and_nothing_runs_without_a_whole_result(workbook):
    def run(**options):
        """02_b needs 01_a; a run of 02: what ran, how 01_a stands and why."""
        executor = Played()
        first = play(workbook, executor, jobs=1, wanted=["02"], **options).states["01_a"]
        return executor.order, first.state, first.cause or ""

    workbook.add("01_a", "print(1)")
    workbook.add("02_b", needs=["01_a"])
    only = {"only": ("02_b",), "force": True}
    order, state, cause = run(**only)
    assert (order, state) == ([], "skipped")
    assert "no result of 01_a to take: run it first" in cause
    assert run()[0] == ["01_a", "02_b"]
    workbook.add("01_a", "print(2)")  # out of date
    assert run(**only) == (["02_b"], "up-to-date", "taken as it is")
    assert run()[0] == ["01_a"]  # without it, the need runs again
    manifest = workbook.root / "results/quick/01_a/manifest.json"
    disk.write_json(manifest, json.loads(manifest.read_text()) | {"files": {"gone.csv": "0"}})
    order, state, cause = run(**only)
    assert (order, state) == ([], "skipped")
    assert "damaged" in cause

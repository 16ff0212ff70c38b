"""The parameters cell as schema: what passes, what is refused, and how it is told."""

import ast
import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightlab.workbook import params
from lightlab.workbook.project import Project, WorkbookError

CELL = """\
seed: int = 0  # seed of all randomness [0..]
lr: float = 0.1  # learning rate (0..1]
kind: str = "a"  # what to do [a|b]
widths: list[int] = [1, 2]  # channels [1..100]
flag: bool = True  # whether
names: list[str] = ["x"]  # names of things
top: float = 1.0  # may be infinite [0..inf]
"""


@pytest.fixture
def workbook(workbook):
    workbook.add("01_a", parameters=CELL)
    return workbook


def faults_of(call) -> list[str]:
    with pytest.raises(WorkbookError) as e:
        call()
    return [str(f) for f in e.value.faults]


def resolve(workbook, **overrides):
    return params.resolve(Project(workbook.root), "01_a", "quick", overrides)


def test_values_come_from_cell_then_file_then_command_line(workbook):
    workbook.values("01_a", "lr: 0.5\nseed: 3\n")
    resolved = resolve(workbook, seed="7", widths="3, 4", names="p, q", top="inf")
    assert resolved.values == {
        "seed": 7,
        "lr": 0.5,
        "kind": "a",
        "widths": [3, 4],
        "flag": True,
        "names": ["p", "q"],
        "top": math.inf,
    }
    assert resolved.sources["lr"] == "params/quick/01_a.yaml"
    assert resolved.sources["seed"] == "-p"
    assert resolved.sources["kind"] == "default"


def test_numbers_are_what_people_read(workbook):
    workbook.values("01_a", "seed: 010\nlr: 1e-3\n")
    values = resolve(workbook).values
    assert (values["seed"], values["lr"]) == (10, 1e-3)
    assert resolve(workbook, seed="012").values["seed"] == 12
    for wrong in ("1:30", "1e-3"):
        told = faults_of(lambda wrong=wrong: resolve(workbook, seed=wrong))[0]
        assert f"seed = {wrong!r}: wrong type" in told


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("sed: 3", "'sed': unknown parameter (did you mean 'seed'?)"),
        ("seed: ten", "seed = 'ten': wrong type: has to be int"),
        ("seed: 1.5", "seed = 1.5: wrong type: has to be int"),
        ("seed: true", "seed = True: wrong type: has to be int"),
        ("seed: -1", "seed = -1: out of range [0..]"),
        ("flag: 1", "flag = 1: wrong type: has to be bool"),
        ("lr: 0", "lr = 0: out of range (0..1]"),
        ("lr: .nan", "lr = nan: NaN and infinity are not allowed"),
        ("lr: .inf", "lr = inf: NaN and infinity are not allowed"),
        ("top: .nan", "top = nan: NaN and infinity are not allowed"),
        ("kind: c", "kind = 'c': not one of a | b"),
        ("widths: [1, 200]", "widths = [1, 200]: item 1: out of range [1..100]"),
        ("widths: 3", "widths = 3: wrong type: has to be list[int]"),
        ("no: 1", "False: is not a Python identifier"),
        ('"seed = 1\\nprint(2)": 1', "'seed = 1\\nprint(2)': is not a Python identifier"),
        ("print: 1", "'print': hides a Python builtin"),
        ("class: 1", "'class': is a Python keyword"),
        ("seed: [", "does not parse"),
        ("seed: 2026-99-99", "does not parse"),
        ("seed: " + "9" * 5000, "does not parse"),
        ("seed: 1\nseed: 2", "the key 'seed' stands twice"),
        ("- 1", "has to be `name: value` lines"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(workbook, line, reason):
    workbook.values("01_a", line + "\n")
    (told,) = faults_of(lambda: resolve(workbook))
    assert told.startswith("params/quick/01_a.yaml: ")
    assert reason in told


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m = 3", "write `name: type = literal"),
        ("m: float | None = None", "type float | None: use one of"),
        ("m: int = 2 * 3", "the default has to be a literal"),
        ("m: int = 3; k: int = 4  # two", "write `name: type = literal"),
        ("print: int = 3", "hides a Python builtin"),
        ("m: int = 3  # range [5..1]", "the range [5..1] is empty"),
        ("m: str = 'x'  # text [1..2]", "a range does not go with the type str"),
        ("m: int = 3  # what [maybe]", "is neither a range a..b nor choices a|b"),
        ("import os", "write `name: type = literal"),
        ("m: int = (", "is not Python"),
        ("seed: int = 1  # m", "seed: is declared twice"),
    ],
)
def test_a_cell_that_declares_something_else_is_refused(workbook, line, reason):
    path = workbook.add("01_a", parameters=f"seed: int = 0  # seed\n{line}")
    told = faults_of(lambda: params.read(path))[-1]
    assert "notebooks/01_a.ipynb, parameters cell, line 2" in told
    assert reason in told


def test_signs_in_texts_and_comments_are_read_as_python_reads_them(workbook):
    path = workbook.add("01_a", parameters="m: str = 'é#b'  # as in a = b, 100 # [é#b|c]")
    read = params.Parameter("m", "str", "é#b", "as in a = b, 100 #", choices=("é#b", "c"))
    assert params.read(path) == {"m": read}


def test_a_default_outside_its_own_range_is_refused(workbook):
    workbook.add("01_a", parameters="m: int = 5  # how many [1..3]")
    assert "m = 5: out of range [1..3]" in faults_of(lambda: resolve(workbook))[0]


def test_all_faults_of_all_notebooks_are_told_at_once_before_any_kernel(workbook):
    workbook.add("01_a", "open('ran', 'w')", parameters=CELL)
    workbook.add("02_b", "open('ran', 'w')", parameters=CELL)
    workbook.values("01_a", "lr: 5\nsed: 1\n")
    workbook.values("02_b", "kind: z\n")
    printed = workbook("run", "-p", "seed=x", code=2)
    for part in ("01_a.yaml: 'sed'", "01_a.yaml: lr = 5", "02_b.yaml: kind = 'z'", "-p (02_b)"):
        assert part in printed
    assert not (workbook.root / "ran").exists()
    assert not (workbook.root / "results").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--profile", "quik"], "there is no profile 'quik' (did you mean 'quick'?)"),
        (["07"], "there is no notebook '07'"),
        (["01_b"], "there is no notebook '01_b' (did you mean '01_a'?)"),
        (["-p", "sed=1"], "'sed': no notebook that runs has this parameter (did you mean 'seed'?)"),
        (["-p", "__import__('os')=1"], "is not a Python identifier"),
        (["-p", "seed"], "'seed' is not NAME=VALUE"),
        (["-p", "seed=2026-99-99"], "seed = '2026-99-99': wrong type"),
        (["-p", "seed=4", "--sweep", "seed=5"], "'seed' is given to both"),
        (["--sweep", "seed=0,x"], "seed = 'x': wrong type"),
        (["--name", "../out"], "'../out' is not usable as a folder"),
        (["--jobs", "0"], "--jobs"),
    ],
)
def test_a_wrong_command_is_one_clear_line(workbook, words, told):
    printed = workbook("run", *words, code=2)
    assert told in " ".join(printed.split())
    assert "Traceback" not in printed


def test_a_missing_values_file_and_a_torn_notebook_are_told(workbook):
    path = workbook.add("01_a")
    (workbook.root / "params/quick/01_a.yaml").unlink()
    assert "params/quick/01_a.yaml: there is no such file" in workbook("run", code=2)
    path.write_text(path.read_text()[:100])
    assert "notebooks/01_a.ipynb: is not a notebook" in workbook("run", code=2)


def test_outside_a_workbook_the_command_says_what_it_needs(lightlab):
    assert "no workbook here or above" in lightlab("run", code=2)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=TEXTS, value=TEXTS)
def test_neither_name_nor_value_can_become_code(name, value):
    """What papermill would inject is one assignment per declared name, of exactly our value."""
    from papermill.translators import PythonTranslator

    text = params.Parameter("kind", "str", "a")
    good, faults = params.check({"kind": text}, {name: value, "kind": value}, "here")
    assert set(good) == {"kind"}
    assert faults or name == "kind"
    body = ast.parse(PythonTranslator.codify(good)).body
    assert [type(s) for s in body] == [ast.Assign]
    assert ast.literal_eval(body[0].value) == value


@given(st.integers(-10, 10), st.integers(-10, 10), st.integers(-12, 12), st.booleans())
def test_ranges_agree_with_comparison(low, high, value, is_open):
    low, high = sorted((low, high))
    p = params.Parameter("m", "int", 0, low=low, high=high, low_open=is_open)
    good, faults = params.check({"m": p}, {"m": value}, "here")
    inside = (low < value if is_open else low <= value) and value <= high
    assert (good == {"m": value}) == inside == (not faults)


def test_the_params_command_shows_where_each_value_comes_from(workbook):
    workbook.values("01_a", "lr: 0.5\n")
    printed = workbook("params", "01", "--profile", "quick")
    row = next(line for line in printed.splitlines() if line.startswith("lr"))
    assert row.split()[:6] == ["lr", "float", "0.1", "(0..1]", "0.5", "params/quick/01_a.yaml"]


def test_values_reach_the_notebook_as_they_are(workbook):
    cell = "import json; json.dump([seed, lr, kind, widths, flag, names, str(top)], open('v', 'w'))"
    workbook.add("01_a", cell, parameters=CELL)
    nasty = "a'\"\\n{x}"
    workbook("run", "-p", f"names={nasty}", "-p", "top=inf", "-p", "lr=1e-3")
    got = json.loads((workbook.root / "v").read_text())
    assert got == [0, 0.001, "a", [1, 2], True, [nasty], "inf"]

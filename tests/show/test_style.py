"""Methods look the same everywhere, and no two of one figure look alike."""

import numpy as np
import pytest

from lightlab.chapters.ch07_latency.experiment import _FAMILIES
from lightlab.chapters.ch11_compression import search
from lightlab.chapters.ch12_playing_field import methods
from lightlab.show import style

# linear RGB as seen with full colour blindness of each kind (Machado, Oliveira, Fernandes 2009)
NO_RED = [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]
NO_GREEN = [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]
TOGETHER = {
    "tuning": ["bo", "no-warp", "botorch", "optuna-gp", "tpe", "random", "grid", "hand"],
    "families": list(_FAMILIES.values()),
    "compression": search.METHODS,
    "playing field": list(methods.table()["method"]),
}


def seen(colour: str, eye: list) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.clip(np.array(eye) @ rgb**2.2, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("names", TOGETHER.values(), ids=TOGETHER)
def test_methods_of_one_figure_differ_in_marker_and_colour(names):
    looks = [style.method(name) for name in names]
    for kind in ("color", "marker"):
        assert len({look[kind] for look in looks}) == len(looks), kind


def test_every_method_has_a_look_of_its_own():
    assert len(set(style.METHODS.values())) == len(style.METHODS)


def test_names_of_a_method_give_one_look():
    names = ("MobileNetV2", "MobileNetV2 by hand", "MobileNetV2's design")
    looks = [style.method(name, label="") for name in names]
    assert looks[0] == looks[1] == looks[2]
    assert style.method("bo", marker="")["marker"] == ""


@pytest.mark.parametrize("eye", [NO_RED, NO_GREEN], ids=["no red", "no green"])
def test_colours_differ_for_readers_who_see_no_red_or_green(eye):
    colours = [seen(colour, eye) for colour in style.COLOURS]
    apart = [np.abs(a - b).max() for i, a in enumerate(colours) for b in colours[:i]]
    assert min(apart) > 0.04

"""Sizes of spaces against the numbers that their papers print."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightlab.chapters.ch01_search_spaces import sizes


@pytest.fixture(scope="module")
def known() -> dict[str, int]:
    frame = sizes.known_spaces()
    assert frame["log10_size"].is_monotonic_increasing
    return dict(zip(frame["name"], frame["size"], strict=True))


def test_computed_sizes_are_the_published_ones(known: dict[str, int]) -> None:
    assert known["MnasNet, one design per block"] == 432**5
    assert known["MnasNet, one design per layer"] == 432**15
    assert known["ProxylessNAS"] == 6**6 * 7**15
    assert known["Once-for-All sub-networks"] == (9**2 + 9**3 + 9**4) ** 5 == 7371**5
    assert known["NAS-Bench-Macro"] == 6561
    assert known["tic-tac-toe positions"] == 5478
    assert known["cells of a 10 × 10 board"] == 100


def test_every_space_names_its_source_and_origin() -> None:
    frame = sizes.known_spaces()
    assert frame["source"].str.len().gt(0).all()
    assert set(frame["origin"]) == {"computed", "counted", "published"}
    assert set(frame["group"]) == {"board", "architecture"}
    computed = frame[frame["origin"] != "published"]
    assert all(isinstance(size, int) for size in computed["size"])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 6))
def test_grammar(a: int, b: int, times: int) -> None:
    first, second = list(range(a)), list(range(b))
    assert sizes.size(first) == a
    assert sizes.size({"all": {"x": first, "y": second}}) == a * b
    assert sizes.size({"any": {"x": first, "y": second}}) == a + b
    assert (
        sizes.size({"repeat": times, "of": {"any": {"x": first, "y": second}}}) == (a + b) ** times
    )


@pytest.mark.parametrize(
    "bad", [[], {}, 3, "all", {"all": {}}, {"repeat": 0, "of": [1]}, {"all": {"x": [1]}, "of": 2}]
)
def test_what_is_no_definition_is_refused(bad: object) -> None:
    with pytest.raises(ValueError, match="not a definition"):
        sizes.size(bad)

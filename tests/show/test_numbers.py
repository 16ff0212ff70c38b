"""Numbers as readers see them."""

import pytest

from lightlab.show import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (12345678, "12\u202f345\u202f678"),
        (2 * 10**170 + 1, "2 × 10¹⁷⁰"),
        ("-123456", "−123\u202f456"),
        (1948, "1948"),
        ("1948", "1948"),
        ("007", "007"),
        (0.0512345678, "0.05123"),
        (-1.5e-7, "−1.5 × 10⁻⁷"),
        (2.0**70, "1.181 × 10²¹"),
        (123456.7, "123\u202f457"),
        (float("inf"), "∞"),
        ("inf", "inf"),
        (True, "True"),
        ([1e-3, 16], "0.001, 16"),
        ("mb_k5", "mb_k5"),
    ],
)
def test_number(value, text):
    assert numbers.number(value) == text


def test_measured_rounds_to_its_interval():
    claim = {"value": 0.123456, "ci_low": 0.111, "ci_high": 0.1359, "n": 5}
    assert numbers.measured(claim) == ("0.123", "[0.111, 0.136], n\u00a0=\u00a05")
    assert numbers.measured(claim | {"ci_low": None}) == ("0.1235", "n\u00a0=\u00a05, no interval")
    assert numbers.measured({"value": 6.0, "ci_low": 6.0, "ci_high": 6.0, "n": 1}) == ("6", "")


def test_what_is_claimed_exactly_is_shown_with_all_digits():
    claim = {"value": 567716352.0, "ci_low": 567716352.0, "ci_high": 567716352.0, "n": 1}
    assert numbers.measured(claim | {"kind": "exact"}) == ("567\u202f716\u202f352", "")
    assert numbers.measured(claim | {"kind": "within"}) == ("5.677 × 10⁸", "")


@pytest.mark.parametrize(
    ("number", "text"),
    [(568_740_352, "569M"), (999_600, "1M"), (999_000, "999k"), (1.5e12, "1.5T"), (12, "12")],
)
def test_numbers_are_short(number, text):
    assert numbers.short(number) == text

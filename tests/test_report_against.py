"""The report's what-if curves, peak use and near misses."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from cwts.report import PAGE_BYTES_MAX, report_html
from report_run import assert_inert, day


def test_curves_peaks_and_near_misses_are_shown_in_their_units() -> None:
    run = day()
    page = report_html(run)
    said = assert_inert(page).said
    for word in (
        "MAX_ORDER_QTY (account)",
        "limit in force 50,000; 27,845 orders met it",
        "limit in force 900,000,000",
        "600 bps",
        "it holds everything else fixed",
        "28 orders accepted at 90 % of a limit or above: PRICE_COLLAR 20, MESSAGE_RATE 8.",
        "of 640 limits",
        "A0 / mm-1 / AMZN",
        "09:30:00",
    ):
        assert word in said, word
    pair = page[page.index('class="pair"') : page.index('id="peaks"')]
    assert pair.count("<svg") == 4
    # The limit is marked where it lies in view, and named where it does not.
    assert pair.count('class="limit"') == 3
    assert "above this scale" in pair


def test_a_curve_falls_from_left_to_right() -> None:
    page = report_html(day())
    pair = page[page.index('class="pair"') : page.index('id="peaks"')]
    for path in re.findall(r'<path class="line c1" d="([^"]*)"', pair):
        ys = [int(y) for y in re.findall(r"V(\d+)", path)]
        xs = [int(x) for x in re.findall(r"H(\d+)", path)]
        assert ys == sorted(ys), "y grows downwards"
        assert xs == sorted(xs)
        assert len(xs) > 20


def test_a_run_that_measured_nothing_says_so() -> None:
    run = day() | {"against_limits": {"measured": False}}
    said = assert_inert(report_html(run)).said
    assert said.count("Not measured in this run") == 3


WRONG: list[tuple[str, Any]] = [
    ("x", "not a list"),
    ("x", [5, 3, 1]),
    ("rejected", [1]),
    ("rejected", ["1"] * 30),
    ("orders", 0),
    ("unit", ["micros"]),
    ("limit_min", float("nan")),
    ("limit_max", -5),
    ("control", {"a": 1}),
]


@pytest.mark.parametrize(("key", "value"), WRONG, ids=range(len(WRONG)))
def test_a_curve_that_is_none_does_no_harm(key: str, value: Any) -> None:
    run = copy.deepcopy(day())
    run["against_limits"]["curves"][0][key] = value
    assert_inert(report_html(run))


def test_many_curves_and_peaks_stay_within_the_page() -> None:
    run = day()
    against = run["against_limits"]
    curve = against["curves"][0] | {"control": "&" * 500, "level": "<" * 500}
    against["curves"] = [curve] * 4_000
    against["peaks"] = [against["peaks"][0] | {"scope": '"' * 500}] * 4_000
    against["peaks_total"] = 10**9
    page = report_html(run)
    assert len(page.encode()) <= PAGE_BYTES_MAX
    assert "of 1,000,000,000 limits" in assert_inert(page).said


def test_a_limit_from_below_counts_what_lies_under_it() -> None:
    run = day()
    against = run["against_limits"]
    floor = against["curves"][0] | {
        "control": "MIN_ORDER_QTY", "floor": True, "min": 2, "limit_min": 10, "limit_max": 10,
        "x": [2, 40, 80], "rejected": [0, 7, 90], "max": 900,
    }  # fmt: skip
    # The nearest to its limit comes first, however many there are.
    against["curves"] = [*([against["curves"][0]] * 30), floor]
    page = report_html(run)
    said = assert_inert(page).said
    assert "MIN_ORDER_QTY (account), from below" in said
    assert "the smallest 2" in said
    assert "11 other limits came less near" in said

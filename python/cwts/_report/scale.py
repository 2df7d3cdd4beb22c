"""Axes and the cutting of series: all that stands between numbers and coordinates.

Invariant: whatever the length of a series, at most `POINTS_MAX` points of it are drawn, and the
largest value in it is one of them. A burst of one bucket must not vanish in an average.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import floor, log10
from typing import Any, Final

from . import text

POINTS_MAX: Final = 2_000
# As many columns as a page is wide enough to tell apart.
LINE_COLUMNS: Final = 320
BAR_COLUMNS: Final = 160

_S: Final = 1_000_000_000
_MS: Final = 1_000_000
# Where a signed 64-bit clock of nanoseconds ends, in the year 2262.
_TS_NS_END: Final = 1 << 63
_DAY_S: Final = 86_400
# Steps that a clock face knows, in nanoseconds.
_TIME_STEPS: Final = (
    *(digit * 10**power for power in range(9) for digit in (1, 2, 5)),
    *(seconds * _S for seconds in (1, 2, 5, 10, 15, 30)),
    *(minutes * 60 * _S for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * 3600 * _S for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY_S * _S for days in (1, 2, 7, 14, 30, 90, 365)),
)
_TICKS_MAX: Final = 8

Ticks = list[tuple[float, str]]


def series(value: object, length: int) -> list[int] | None:
    """`value` as `length` integers >= 0: cut or padded, other values 0; None if it is no list."""
    given: Sequence[Any] = text.sequence(value)
    if not given:
        return None
    numbers = list(given[:length])
    try:
        total = sum(numbers)
        # An integer sum of bounded terms means integer terms: the common case costs three scans.
        clean = type(total) is int and min(numbers) >= 0 and text.whole(max(numbers)) is not None
    except TypeError:
        clean = False
    if not clean:
        numbers = [max(0, text.whole(number) or 0) for number in numbers]
    return numbers + [0] * (length - len(numbers))


def columns(length: int, wanted: int) -> list[tuple[int, int]]:
    """At most `wanted` runs of indexes that cover `range(length)` once, in order."""
    parts = min(length, wanted)
    bounds = [index * length // parts for index in range(parts + 1)]
    return list(pairwise(bounds))


def cut(
    values: list[int], runs: list[tuple[int, int]], by: Callable[[list[int]], int]
) -> list[int]:
    """One value a run: the sum, the least or the largest of it."""
    if len(runs) == len(values):
        return values
    return [by(values[low:high]) for low, high in runs]


def linear_ticks(top: float, label: Callable[[float], str] = text.short) -> tuple[float, Ticks]:
    """A round number at or above `top`, and ticks from 0 to it as (share of the axis, label)."""
    if top <= 0:
        return 1.0, [(0.0, label(0))]
    rough = top / 4
    power = 10.0 ** floor(log10(rough))
    step = next(power * digit for digit in (1, 2, 2.5, 5, 10) if power * digit >= rough)
    # Counts have no halves: the axis says 1, 2, 3 then.
    step = max(step, 1.0) if top == int(top) and label is text.short else step
    number = -int(-top // step)
    limit = step * number
    return limit, [(index / number, label(step * index)) for index in range(number + 1)]


def log_ticks(low: float, high: float, label: Callable[[float], str]) -> Ticks:
    """Round numbers inside [low, high] as (share of the logarithmic axis, label)."""
    span = log10(high) - log10(low)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [
            (log10(value / low) / span, label(value))
            for power in range(floor(log10(low)), floor(log10(high)) + 1)
            for digit in digits
            if low <= (value := digit * 10.0**power) <= high
        ]
        if len(ticks) <= _TICKS_MAX:
            return ticks
    return ticks[:: -(-len(ticks) // _TICKS_MAX)]


@dataclass(frozen=True)
class TimeAxis:
    """Equal buckets of time: `start_ns` of the first, `width_ns` of each, how many."""

    start_ns: int
    width_ns: int
    length: int
    utc_offset_s: int

    @classmethod
    def of(cls, value: object, utc_offset_s: int | None) -> TimeAxis | None:
        """Read the bucket starts, or None if there are none that make sense."""
        starts = text.sequence(value)
        if not starts:
            return None
        first, last = text.whole(starts[0]), text.whole(starts[-1])
        if first is None or last is None or not 0 <= first <= last < _TS_NS_END:
            return None
        length = len(starts)
        width_ns = max(1, (last - first) // (length - 1)) if length > 1 else _S
        offset_s = utc_offset_s if utc_offset_s and abs(utc_offset_s) < _DAY_S else 0
        return cls(first, width_ns, length, offset_s)

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.width_ns * self.length

    @property
    def dated(self) -> bool:
        """Whether the times are a date's: a file without one counts from its midnight."""
        return self.start_ns >= 366 * _DAY_S * _S

    @property
    def zone(self) -> str:
        if not self.dated:
            return "time of day in the file, no date known"
        if not self.utc_offset_s:
            return "UTC"
        sign = "+" if self.utc_offset_s > 0 else "\N{MINUS SIGN}"
        hours, seconds = divmod(abs(self.utc_offset_s), 3600)
        return f"UTC{sign}{hours:02}:{seconds // 60:02}"

    @property
    def title(self) -> str:
        """The words under the axis: which clock, and the day of its first bucket."""
        return f"{self.zone} {self.day(self.start_ns)}".strip()

    def clock(self, ts_ns: int, digits: int = 0) -> str:
        """Time of day with `digits` of a second's fraction."""
        seconds, rest_ns = divmod(ts_ns + self.utc_offset_s * _S, _S)
        day_s = seconds % _DAY_S
        face = f"{day_s // 3600:02}:{day_s // 60 % 60:02}:{day_s % 60:02}"
        return f"{face}.{rest_ns // 10 ** (9 - digits):0{digits}}" if digits else face

    def day(self, ts_ns: int) -> str:
        """Year, month and day, or nothing when the file has none."""
        return day(ts_ns + self.utc_offset_s * _S) if self.dated else ""

    def bucket(self, index: float) -> str:
        """The clock at a bucket's start, fine enough to tell it from the next."""
        digits = 0 if self.width_ns >= _S else 3 if self.width_ns >= _MS else 6
        return self.clock(self.start_ns + int(index * self.width_ns), digits)

    def ticks(self) -> Ticks:
        """Round times as (share of the axis, label)."""
        span = self.end_ns - self.start_ns
        step = next((s for s in _TIME_STEPS if span <= s * _TICKS_MAX), _TIME_STEPS[-1])
        shift = self.utc_offset_s * _S
        first = -(-(self.start_ns + shift) // step) * step - shift
        # The fewest digits of a second that tell one tick from the next.
        digits = next(d for d in range(10) if step % 10 ** (9 - d) == 0)
        ticks: Ticks = []
        for ts_ns in range(first, self.end_ns + 1, step):
            if step >= _DAY_S * _S:
                label = self.day(ts_ns)[5:] or f"day {ts_ns // (_DAY_S * _S)}"
            elif step >= 60 * _S:
                label = self.clock(ts_ns)[:5]
            else:
                label = self.clock(ts_ns, digits)
            ticks.append(((ts_ns - self.start_ns) / span, label))
        return ticks[: 4 * _TICKS_MAX]


def day(ts_ns: int) -> str:
    """Year, month and day in UTC, or nothing where the calendar ends."""
    try:
        return f"{datetime.fromtimestamp(ts_ns // _S, UTC):%Y-%m-%d}"
    except (ValueError, OverflowError, OSError):
        return ""

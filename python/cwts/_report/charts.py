"""The four pictures: flow and rejections, exposure, rate, latency."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import accumulate, pairwise
from math import log10
from typing import Any, Final

from . import plot, scale, text
from .scale import BAR_COLUMNS, LINE_COLUMNS, TimeAxis, columns, cut
from .table import empty

# The colours that the eye keeps apart; what is left shares one more.
_COLOURS: Final = ("c1", "c2", "c3", "c4", "c5", "c6")
# A limit further away than this would press the curve flat: it is named instead of drawn.
_LIMIT_IN_VIEW: Final = 4
_HEAD_ROOM: Final = 1.1
# The share of a plot's height that a line of words takes.
_WORDS_HIGH: Final = 0.14
_EDGES_MAX: Final = 400
_QUANTILES: Final = (("p50", "p50", 0.5), ("p99", "p99", 0.99), ("p999", "p99.9", 0.999))


def time_axis(run: Mapping[str, Any]) -> TimeAxis | None:
    """The axis that the run's series share."""
    given = text.mapping(run.get("series"))
    return TimeAxis.of(given.get("t_ns"), text.whole(given.get("utc_offset_s")))


def flow(run: Mapping[str, Any]) -> str:
    """Orders over time, and below them the rejections by control on their own scale."""
    axis, given = time_axis(run), text.mapping(run.get("series"))
    orders = axis and scale.series(given.get("orders"), axis.length)
    if not axis or not orders:
        return empty("The run carries no orders over time.")
    runs = columns(axis.length, BAR_COLUMNS)
    orders = cut(orders, runs, sum)
    accepted = scale.series(given.get("accepted"), axis.length)
    accepted = cut(accepted, runs, sum) if accepted else orders
    rejected = [max(0, every - some) for every, some in zip(orders, accepted, strict=True)]
    period = text.nanoseconds((axis.end_ns - axis.start_ns) / len(runs))
    clocks = [axis.bucket(low) for low, _ in runs]
    top, y_ticks = scale.linear_ticks(max(orders))
    body = plot.frame(
        plot.stacked((("accepted", accepted), ("rejected", rejected)), top)
        + plot.tooltips(
            [
                f"{clock}: {every:,} orders, {some:,} rejected"
                for clock, every, some in zip(clocks, orders, rejected, strict=True)
            ]
        ),
        label=f"Orders in each {period}: accepted and rejected",
        y_title=f"Orders in each {period}",
        x_title=axis.title,
        y_ticks=y_ticks,
        x_ticks=axis.ticks(),
        legend=plot.legend((("accepted", "accepted"), ("rejected", "rejected"))),
    )
    return body + _rejections(axis, given, runs, clocks, period)


def _rejections(
    axis: TimeAxis,
    given: Mapping[str, Any],
    runs: list[tuple[int, int]],
    clocks: list[str],
    period: str,
) -> str:
    found = []
    for name, values in text.mapping(given.get("rejected")).items():
        numbers = scale.series(values, axis.length)
        if isinstance(name, str) and numbers and any(numbers):
            found.append((name, sum(numbers), cut(numbers, runs, sum)))
    if not found:
        return empty("No control rejected an order in this time.")
    found.sort(key=lambda row: (-row[1], row[0]))
    layers = [
        (colour, f"{text.plain(name, 32)} {total:,}", values)
        for colour, (name, total, values) in zip(_COLOURS, found, strict=False)
    ]
    rest = found[len(_COLOURS) :]
    if rest:
        together = [sum(parts) for parts in zip(*(values for *_, values in rest), strict=True)]
        total = sum(total for _, total, _ in rest)
        layers.append(("rest", f"{text.plural(len(rest), 'other control')} {total:,}", together))
    sums = [sum(parts) for parts in zip(*(values for *_, values in layers), strict=True)]
    top, y_ticks = scale.linear_ticks(max(sums))
    names = [text.esc(word.rsplit(" ", 1)[0], 48) for _, word, _ in layers]
    tips = []
    for index, clock in enumerate(clocks):
        parts = [
            f"{name} {values[index]:,}"
            for name, (_, _, values) in zip(names, layers, strict=True)
            if values[index]
        ]
        tips.append(f"{clock}: {', '.join(parts) or 'none rejected'}")
    return plot.frame(
        plot.stacked(((colour, values) for colour, _, values in layers), top) + plot.tooltips(tips),
        label=f"Rejected orders in each {period}, by the deciding control",
        y_title=f"Rejected in each {period}, by deciding control",
        x_title=axis.title,
        y_ticks=y_ticks,
        x_ticks=axis.ticks(),
        legend=plot.legend((colour, word) for colour, word, _ in layers),
    )


def exposure(run: Mapping[str, Any]) -> str:
    """Open notional against its limit."""
    return _against_limit(
        run,
        values_key="open_notional",
        limit_key="open_notional_limit",
        noun="open notional",
        y_title="Open notional, largest in each interval, in units of currency",
        label=text.money,
        axis_label=lambda micros: text.short(micros / 1e6),
    )


def rate(run: Mapping[str, Any]) -> str:
    """The fullest rate window against its limit."""
    return _against_limit(
        run,
        values_key="rate_peak",
        limit_key="rate_limit",
        noun="message rate",
        y_title="Messages in the fullest window of each interval",
        label=lambda number: f"{number:,.0f}",
        axis_label=text.short,
    )


def _against_limit(
    run: Mapping[str, Any],
    *,
    values_key: str,
    limit_key: str,
    noun: str,
    y_title: str,
    label: Callable[[float], str],
    axis_label: Callable[[float], str],
) -> str:
    axis, given = time_axis(run), text.mapping(run.get("series"))
    values = axis and scale.series(given.get(values_key), axis.length)
    if not axis or not values:
        return empty(f"The run carries no {noun} over time.")
    runs = columns(axis.length, LINE_COLUMNS)
    lows, highs = cut(values, runs, min), cut(values, runs, max)
    peak = max(highs)
    at = highs.index(peak)
    peak_at = next(i for i in range(*runs[at]) if values[i] == peak)
    limit = text.whole(given.get(limit_key))
    drawn = limit is not None and 0 < limit <= _LIMIT_IN_VIEW * max(peak, 1)
    # Head-room for the words over the peak and the limit.
    most = max(peak, limit if drawn and limit else 0) * _HEAD_ROOM
    top, y_ticks = scale.linear_ticks(most, axis_label)
    drawing = plot.envelope("c1", lows, highs, top)
    x, y = (at + 0.5) / len(runs), peak / top
    # Where the words would hide the limit's line, they stand above it.
    beside = limit / top if drawn and limit and 0 < limit - peak < top * _WORDS_HIGH else y
    overlay = plot.dot(x, y) + plot.note(x, beside, f"peak {label(peak)} at {axis.bucket(peak_at)}")
    entries = [("c1", noun)]
    if limit is None:
        words = f"No limit is set for {noun}, or the run does not carry it."
    else:
        words = f"Peak {label(peak)} of {label(limit)}: {text.share(peak, limit)} of the limit."
        if drawn:
            drawing += plot.level(limit, top)
            entries.append(("limit", f"limit {label(limit)}"))
        else:
            words += " The limit lies above this scale."
    return f'<p class="lead">{text.esc(words, 300)}</p>' + plot.frame(
        drawing,
        label=f"{noun} over time. {words}",
        y_title=y_title,
        x_title=axis.title,
        y_ticks=y_ticks,
        x_ticks=axis.ticks(),
        overlay=overlay,
        legend=plot.legend(entries),
    )


def latency(run: Mapping[str, Any]) -> str:
    """Time of a check: histogram on logarithmic axes with its quantiles."""
    given = text.mapping(run.get("latency"))
    edges = [text.real(edge) for edge in text.sequence(given.get("edges_ns"))[: _EDGES_MAX + 1]]
    tallies = [max(0, text.whole(n) or 0) for n in text.sequence(given.get("counts"))[:_EDGES_MAX]]
    stated = text.mapping(run.get("ns_per_order"))
    bounds = [edge for edge in edges if edge is not None]
    valid = len(bounds) == len(edges) == len(tallies) + 1 and all(
        a < b for a, b in pairwise(bounds)
    )
    if not valid or not any(tallies):
        words = [f"{name} {text.nanoseconds(ns)}" for _, name, ns in _stated(stated)]
        if words:
            return empty(f"The run carries no histogram of latency, only {text.joined(words)}.")
        return empty("The run carries no latency.")
    # A logarithmic axis has no zero; the first bin then starts at half its end, at most at 1 ns.
    bounds[0] = bounds[0] if bounds[0] > 0 else min(1.0, bounds[1] / 2)
    low = next(i for i, tally in enumerate(tallies) if tally)
    high = len(tallies) - next(i for i, tally in enumerate(reversed(tallies)) if tally)
    if bounds[low] <= 0:
        return empty("The latency histogram has edges below zero; it is not drawn.")
    total = sum(tallies)
    marks = _stated(stated)
    source = "as measured"
    if not marks:
        marks = _from_histogram(bounds, tallies)
        source = "upper edges of their bins"
    bounds, tallies = bounds[low : high + 1], tallies[low:high]
    span = log10(bounds[-1]) - log10(bounds[0])
    words = [
        f"{text.nanoseconds(a)} to {text.nanoseconds(b)}: {n:,} orders ({text.share(n, total)})"
        for (a, b), n in zip(pairwise(bounds), tallies, strict=True)
    ]
    drawing, y_ticks = plot.histogram(bounds, tallies, words)
    overlay = ""
    for index, (_, name, ns) in enumerate(marks):
        at = (log10(max(ns, 1e-3)) - log10(bounds[0])) / span
        if 0 <= at <= 1:
            drawing += f'<path class="mark" d="M{plot.WIDTH * at:.1f} 0V{plot.HEIGHT}"/>'
            overlay += plot.note(at, 0.84 - 0.11 * index, f"{name} {text.nanoseconds(ns)}", "at")
    summary = text.joined(f"{name} {text.nanoseconds(ns)}" for _, name, ns in marks)
    lead = f"{total:,} orders: {summary} ({source}). Measured on the machine of this run."
    return f'<p class="lead">{text.esc(lead, 300)}</p>' + plot.frame(
        drawing,
        label=f"Histogram of latency. {lead}",
        y_title="Orders in each bin, logarithmic",
        x_title="time of one check, logarithmic",
        y_ticks=y_ticks,
        x_ticks=scale.log_ticks(bounds[0], bounds[-1], text.nanoseconds),
        overlay=overlay,
    )


def _stated(stated: Mapping[str, Any]) -> list[tuple[str, str, float]]:
    found = [(key, name, text.real(stated.get(key))) for key, name, _ in _QUANTILES]
    return [(key, name, ns) for key, name, ns in found if ns is not None and ns > 0]


def _from_histogram(bounds: list[float], tallies: list[int]) -> list[tuple[str, str, float]]:
    sums = list(accumulate(tallies))
    return [
        (key, name, bounds[1 + next(i for i, n in enumerate(sums) if n >= share * sums[-1])])
        for key, name, share in _QUANTILES
    ]

"""How orders stood against their limits: what-if curves, peak use, near misses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import log10
from typing import Any, Final

from . import plot, scale, text
from .charts import time_axis
from .table import Column, empty, shown_of, table
from .text import count, esc

#: Curves drawn, points of one, and how far above its values a limit is still drawn.
_CURVES_MAX: Final = 20
_CURVES_READ_MAX: Final = 4_000
_POINTS_MAX: Final = 300
_LIMIT_IN_VIEW: Final = 100
#: Half a page has room for so many words below the axis.
_X_TICKS_MAX: Final = 5
#: Where no order is refused any more a logarithmic axis has no place: it stands here.
_NONE: Final = 0.2
_NOT_MEASURED: Final = (
    "Not measured in this run: it was made without a report in view (observe=False)."
)


def curves(run: Mapping[str, Any]) -> str:
    """One picture a limit: what it would refuse at other values."""
    given = text.mapping(run.get("against_limits"))
    if not given:
        return empty("The run carries no values that were compared with limits.")
    if given.get("measured") is not True:
        return empty(_NOT_MEASURED)
    found = [text.mapping(curve) for curve in text.sequence(given.get("curves"))[:_CURVES_READ_MAX]]
    # Those that came nearest to their limit are worth the room; stable, so equal ones keep theirs.
    found.sort(key=_use, reverse=True)
    drawn = [picture for curve in found[:_CURVES_MAX] if (picture := _curve(curve))]
    if not drawn:
        return empty("No order met a numeric limit.")
    left = len(found) - _CURVES_MAX
    others = (
        f" {text.plural(left, 'other limit')} came less near; --json has them." if left > 0 else ""
    )
    sampled = text.mapping(given.get("sampled"))
    after, one_in = text.whole(sampled.get("after_orders")), text.whole(sampled.get("one_in"))
    orders = text.whole(run.get("orders"))
    rough = ""
    if after is not None and one_in is not None and orders is not None and orders > after:
        rough = (
            f" After the first {after:,} orders, values below a quarter of their limit are taken "
            f"from one order in {one_in:,}, which counts for all; above it every order counts."
        )
    return (
        f'<div class="pair">{"".join(drawn)}</div>'
        '<p class="lead">Each curve counts the orders whose value lies above the limit on the '
        "axis (of a limit from below: under it): what that limit alone would refuse, of all "
        "orders that met it. For limits on a state (rates, positions, sums) it holds everything "
        "else fixed: the state is that of this run, and an order that is refused would have "
        "changed what the next ones meet. Above the limit in force the values of a state are cut "
        "off by it. <code>cwts whatif</code> decides the orders again, and knows."
        f"{esc(rough, 300)}{esc(others, 100)}</p>"
    )


def _use(curve: Mapping[str, Any]) -> float:
    """How near its extreme came to its limit; 1 is at it."""
    is_floor = curve.get("floor") is True
    value = text.real(curve.get("min" if is_floor else "max"))
    limit = text.real(curve.get("limit_max" if is_floor else "limit_min"))
    if value is None or limit is None or value <= 0 or limit <= 0:
        return 0.0
    return limit / value if is_floor else value / limit


def _curve(curve: Mapping[str, Any]) -> str:
    xs = [text.real(x) for x in text.sequence(curve.get("x"))[:_POINTS_MAX]]
    above = [text.whole(n) for n in text.sequence(curve.get("rejected"))[:_POINTS_MAX]]
    orders = text.whole(curve.get("orders"))
    points = [
        (x, n)
        for x, n in zip(xs, above, strict=False)
        if x is not None and x > 0 and n is not None and n >= 0
    ]
    is_floor = curve.get("floor") is True
    rising = all(
        a[0] < b[0] and (a[1] <= b[1] if is_floor else a[1] >= b[1]) for a, b in pairwise(points)
    )
    if not points or not orders or orders < 0 or not rising or len(xs) != len(above):
        return ""
    word = _unit(curve.get("unit"))
    name = f"{text.plain(curve.get('control'), 40)} ({text.plain(curve.get('level'), 24)})"
    if is_floor:
        name += ", from below"
    limits = sorted(
        {
            limit
            for key in ("limit_min", "limit_max")
            if (limit := text.real(curve.get(key))) is not None and limit > 0
        }
    )
    top_value = points[-1][0]
    most = max(n for _, n in points)
    in_view = [limit for limit in limits if limit <= top_value * _LIMIT_IN_VIEW]
    low = min([points[0][0], *in_view])
    high = max([top_value, *in_view])
    if high <= low:
        low, high = low * 0.8, high * 1.25
    span = log10(high) - log10(low)
    top = 10.0 ** (log10(max(most, 1)) * 1.1 + 0.2)
    span_y = log10(top) - log10(_NONE)

    def at(value: float) -> float:
        return (log10(value) - log10(low)) / span

    def up(number: float) -> float:
        return (log10(max(number, _NONE)) - log10(_NONE)) / span_y

    # A limit between two points refuses what the lower one does at most: steps, not slopes.
    path = f"M{plot.WIDTH * at(points[0][0]):.0f} {plot.HEIGHT * (1 - up(points[0][1])):.0f}"
    path += "".join(
        f"H{plot.WIDTH * at(x):.0f}V{plot.HEIGHT * (1 - up(n)):.0f}" for x, n in points[1:]
    )
    path += f"H{plot.WIDTH}"
    drawing = f'<path class="line c1" d="{path}"/>'
    overlay = ""
    said = []
    for limit in limits:
        if limit in in_view:
            drawing += f'<path class="limit" d="M{plot.WIDTH * at(limit):.0f} 0V{plot.HEIGHT}"/>'
        said.append(word(limit))
    if in_view:
        overlay = plot.note(at(in_view[-1]), 0.97, f"limit {word(in_view[-1])}", "limit-word")
    wording = " to ".join(said) or "none"
    if limits and not in_view:
        wording += ", above this scale"
    extreme = text.real(curve.get("min")) if is_floor else top_value
    which = "smallest" if is_floor else "largest"
    lead = f"limit in force {wording}; {orders:,} orders met it, the {which} {word(extreme or 0)}"
    decades = max(1, len(str(most)))
    y_ticks = [(0.0, "0")] + [
        (up(10**power), text.short(10**power)) for power in range(0, decades, -(-decades // 4))
    ]
    x_ticks = scale.log_ticks(low, high, lambda value: word(value, axis=True))
    return plot.frame(
        drawing,
        label=f"Orders {'below' if is_floor else 'above'} each value of {name}: {lead}",
        y_title=name,
        x_title=lead,
        y_ticks=y_ticks,
        x_ticks=x_ticks[:: -(-len(x_ticks) // _X_TICKS_MAX) or 1],
        overlay=overlay,
    )


def peaks(run: Mapping[str, Any], rows_max: int) -> str:
    """The highest use of each limit: how much of it, when, and whose order it was."""
    given = text.mapping(run.get("against_limits"))
    if given.get("measured") is not True:
        return empty(_NOT_MEASURED if given else "The run carries no peak use of limits.")
    rows = [text.mapping(row) for row in text.sequence(given.get("peaks"))]
    if not rows:
        return empty("No accepted order met a numeric limit.")
    total = max(text.whole(given.get("peaks_total")) or 0, len(rows))
    cut = rows[:rows_max]
    return _rows(run, cut, shown_of(len(cut), total, "limits", ", the fullest first"))


def near(run: Mapping[str, Any], rows_max: int) -> str:
    """Orders that were accepted close to a limit."""
    given = text.mapping(run.get("against_limits"))
    if given.get("measured") is not True:
        return empty(_NOT_MEASURED if given else "The run carries no near misses.")
    tally = text.mapping(given.get("near"))
    orders, percent = text.whole(tally.get("orders")), text.whole(tally.get("percent"))
    if orders is None or percent is None:
        return empty("The run carries no near misses.")
    by_control = text.counts(tally.get("by_control"))
    words = ", ".join(f"{text.plain(name, 40)} {n:,}" for name, n in by_control.items())
    lead = (
        f"{text.plural(orders, 'order')} accepted at {percent} % of a limit or above"
        f"{': ' + words if words else ''}."
    )
    rows = [
        row
        for row in map(text.mapping, text.sequence(given.get("peaks")))
        if (text.whole(row.get("near")) or 0) > 0
    ]
    rows.sort(key=lambda row: -(text.whole(row.get("near")) or 0))
    body = f"<p>{esc(lead, 400)}</p>"
    if not rows:
        return body
    cut = rows[:rows_max]
    shown = shown_of(len(cut), len(rows), "limits of the table above", ", the most often first")
    return body + _rows(run, cut, shown, with_near=True)


def _rows(
    run: Mapping[str, Any],
    rows: list[Mapping[str, Any]],
    caption: str,
    *,
    with_near: bool = False,
) -> str:
    axis = time_axis(run)
    columns = [
        Column("Limit", "w"),
        Column("Scope", "w"),
        Column("Highest use", "n"),
        Column("Limit's value", "n"),
        Column("Use", "n"),
        Column("Near misses", "n"),
        Column("When", "nb"),
        Column("Order", "w"),
        Column("By", "w"),
    ]
    if not with_near:
        del columns[5]
    body = []
    for row in rows:
        word, percent = _unit(row.get("unit")), text.real(row.get("pct"))
        value, limit = text.real(row.get("value")), text.real(row.get("limit"))
        ts_ns = text.whole(row.get("ts_ns"))
        when = axis.clock(ts_ns, 3) if axis and ts_ns is not None else ts_ns
        by = " / ".join(text.plain(row.get(key), 40) for key in ("account", "strategy", "symbol"))
        line = [
            f'<span class="tag">{esc(row.get("control"), 40)}</span>',
            esc(row.get("scope"), 64),
            esc(word(value), 40) if value is not None else text.MISSING,
            esc(word(limit), 40) if limit is not None else text.MISSING,
            f"{percent:.1f} %" if percent is not None else text.MISSING,
            count(row.get("near")),
            esc(when, 32),
            esc(row.get("order_id"), 40),
            esc(by, 128),
        ]
        if not with_near:
            del line[5]
        body.append(line)
    return table(columns, body, caption)


def _unit(unit: object) -> Callable[..., str]:
    """How a value of this unit is written."""
    if unit == "micros":
        return lambda value, axis=False: text.short(value / 1e6) if axis else text.money(value)
    if unit == "ns":
        return lambda value, axis=False: text.nanoseconds(value)  # noqa: ARG005 - one signature
    if unit == "price_e9":
        return lambda value, axis=False: text.short(value / 1e9) if axis else f"{value / 1e9:,.6g}"
    if unit == "bps":
        return lambda value, axis=False: f"{text.short(value)} bps"  # noqa: ARG005
    return lambda value, axis=False: text.short(value) if axis else f"{value:,.0f}"

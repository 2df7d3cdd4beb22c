"""Plots as inline SVG under HTML labels.

The drawing is stretched to the width of the page (`preserveAspectRatio="none"`, strokes that do
not scale), while every word stands in HTML over it: so the type keeps its size on a telephone
and on paper. Coordinates of series are integers in a box of `WIDTH` by `HEIGHT`, finer than the
pixels of a page; y grows downwards.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import log10
from typing import Final

from .scale import Ticks
from .text import count, esc

WIDTH: Final = 2_000
HEIGHT: Final = 1_000

# A label this close to an end of the axis is aligned with that end instead of centred.
_NEAR: Final = 0.06
# Words about a point above this share of the height stand below it.
_HIGH: Final = 0.85


def frame(
    drawing: str,
    *,
    label: str,
    y_title: str,
    x_title: str,
    y_ticks: Ticks,
    x_ticks: Ticks,
    overlay: str = "",
    legend: str = "",
) -> str:
    """A figure: legend, axis titles, grid, drawing, labels over it."""
    grid = "".join(f"M0 {HEIGHT * (1 - at):.1f}H{WIDTH}" for at, _ in y_ticks)
    grid_x = "".join(f"M{WIDTH * at:.1f} 0V{HEIGHT}" for at, _ in x_ticks if 0 <= at <= 1)
    y_labels = "".join(
        f'<span style="bottom:{100 * at:.1f}%">{esc(word)}</span>' for at, word in y_ticks
    )
    # On a narrow screen every second label goes.
    x_labels = "".join(
        f'<span class="{"alt " if index % 2 else ""}{_edge(at)}" style="left:{100 * at:.2f}%">'
        f"{esc(word)}</span>"
        for index, (at, word) in enumerate(x_ticks)
        if 0 <= at <= 1
    )
    return (
        f'<figure class="plot"><div class="head"><span>{esc(y_title)}</span>{legend}</div>'
        f'<div class="grid"><div class="y">{y_labels}</div><div class="box">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{esc(label, 300)}"><path class="rule" d="{grid}"/>'
        f'<path class="rule faint" d="{grid_x}"/>{drawing}</svg>{overlay}</div>'
        f'<div class="x">{x_labels}</div></div>'
        f'<figcaption class="x-title">{esc(x_title)}</figcaption></figure>'
    )


def _edge(at: float) -> str:
    return "from" if at < _NEAR else "to" if at > 1 - _NEAR else "mid"


def stacked(layers: Iterable[tuple[str, list[int]]], top: float) -> str:
    """Columns, one path a layer, each layer standing on those before it."""
    drawn: list[str] = []
    base: list[int] = []
    scale = HEIGHT / top
    for name, values in layers:
        base = base or [0] * len(values)
        starts, wide = _columns(len(values))
        sums = [below + value for below, value in zip(base, values, strict=True)]
        # From the top down to the layer below, both rounded alike: no gap opens between layers.
        path = [
            f"{start}{HEIGHT - int(high * scale)}h{wide}V{HEIGHT - int(low * scale)}h-{wide}z"
            for start, low, high in zip(starts, base, sums, strict=True)
            if high > low
        ]
        base = sums
        drawn.append(f'<path class="fill {name}" d="{"".join(path)}"/>')
    return "".join(drawn)


def tooltips(words: list[str]) -> str:
    """Invisible columns over the drawing, which show their words (safe markup) on hover."""
    step = WIDTH / len(words)
    rects = [
        f'<rect x="{int(index * step)}" width="{step:.0f}" height="{HEIGHT}">'
        f"<title>{word}</title></rect>"
        for index, word in enumerate(words)
    ]
    return f'<g class="tips">{"".join(rects)}</g>'


def envelope(name: str, lows: list[int], highs: list[int], top: float) -> str:
    """The band between the least and the largest value of each column, and its upper edge."""
    centres = _centres(len(highs))
    scale = HEIGHT / top
    upper = [f"{x}{HEIGHT - int(v * scale)}" for x, v in zip(centres, highs, strict=True)]
    lower = [f"{x}{HEIGHT - int(v * scale)}" for x, v in zip(centres, lows, strict=True)]
    edge = "L".join(upper)
    return (
        f'<path class="area {name}" d="M{centres[0]}{HEIGHT}L{edge}V{HEIGHT}z"/>'
        f'<path class="band {name}" d="M{edge}L{"L".join(reversed(lower))}z"/>'
        f'<path class="line {name}" d="M{edge}"/>'
    )


@lru_cache(maxsize=8)
def _columns(length: int) -> tuple[tuple[str, ...], int]:
    """How the path of each of `length` columns begins, and their width."""
    step = WIDTH / length
    return tuple(f"M{int(index * step)} " for index in range(length)), max(1, int(step * 0.92))


@lru_cache(maxsize=8)
def _centres(length: int) -> tuple[str, ...]:
    """Where the centres of `length` columns stand."""
    return tuple(f"{int((index + 0.5) * WIDTH / length)} " for index in range(length))


def level(value: float, top: float) -> str:
    """A limit: a dashed line across the drawing."""
    return f'<path class="limit" d="M0 {HEIGHT * (1 - value / top):.1f}H{WIDTH}"/>'


def note(x: float, y: float, words: str, kind: str = "") -> str:
    """Words over the drawing at (share of the width, share of the height)."""
    return (
        f'<span class="note {kind} {_edge(x)} {"under" if y > _HIGH else ""}" '
        f'style="left:{100 * x:.2f}%;bottom:{100 * min(1, y):.1f}%">{esc(words)}</span>'
    )


def dot(x: float, y: float) -> str:
    """A round mark; drawn in HTML, for the stretched drawing would make an ellipse of it."""
    return f'<i class="dot" style="left:{100 * x:.2f}%;bottom:{100 * min(1, y):.1f}%"></i>'


def legend(entries: Iterable[tuple[str, str]]) -> str:
    """Swatches with their names, in the order of the layers."""
    items = "".join(f'<li><i class="{name}"></i>{esc(word, 48)}</li>' for name, word in entries)
    return f'<ul class="legend">{items}</ul>'


def bar(part: float, inner: float = 0.0, kind: str = "") -> str:
    """A bar of `part` of its track (0 to 1), with a narrower one of `inner` in it."""
    part, inner = (max(0.0, min(1.0, share)) for share in (part, inner))
    return (
        '<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="10"/>'
        f'<rect class="outer {kind}" width="{100 * part:.2f}" height="10"/>'
        f'<rect class="inner {kind}" y="2.5" width="{100 * inner:.2f}" height="5"/></svg>'
    )


def histogram(edges: list[float], tallies: list[int], words: list[str]) -> tuple[str, Ticks]:
    """Bars between logarithmic edges on a logarithmic count axis; returns the y ticks too."""
    floor_count = 0.5  # a single order still has a visible bar
    decades = max(1, len(str(max(tallies))))
    # A quarter above the highest bar is left to the words of the quantiles.
    top = 10.0 ** (log10(max(tallies)) * 1.25 + 0.4)
    low, span = log10(edges[0]), log10(edges[-1]) - log10(edges[0])
    span_y = log10(top) - log10(floor_count)
    bars = []
    for left, right, tally, word in zip(edges, edges[1:], tallies, words, strict=False):
        if not tally:
            continue
        x = WIDTH * (log10(left) - low) / span
        wide = WIDTH * (log10(right) - log10(left)) / span
        high = HEIGHT * (log10(tally) - log10(floor_count)) / span_y
        bars.append(
            f'<rect x="{x:.1f}" y="{HEIGHT - high:.1f}" width="{wide * 0.94:.1f}" '
            f'height="{high:.1f}"><title>{esc(word, 300)}</title></rect>'
        )
    ticks = [
        ((power - log10(floor_count)) / span_y, count(10**power))
        for power in range(0, decades, -(-decades // 6))
    ]
    return f'<g class="fill c1">{"".join(bars)}</g>', ticks


def spark(values: list[int], rejected: list[int]) -> str:
    """A word-sized plot for a notebook: orders a column, the rejected part in front."""
    top = max(values, default=0) or 1
    step = 240 / len(values)

    def columns(numbers: list[int]) -> str:
        return "".join(
            f"M{index * step:.1f} {36 - 36 * number / top:.1f}h{step * 0.9:.1f}V36h-"
            f"{step * 0.9:.1f}z"
            for index, number in enumerate(numbers)
            if number
        )

    return (
        '<svg width="240" height="36" viewBox="0 0 240 36" role="img" '
        'aria-label="orders over time, rejected ones in red">'
        f'<path d="{columns(values)}" fill="currentColor" fill-opacity="0.35"/>'
        f'<path d="{columns(rejected)}" fill="#d03b3b"/></svg>'
    )

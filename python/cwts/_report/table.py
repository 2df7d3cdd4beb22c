"""Tables of at most so many rows, with the number of all of them said below.

A table becomes a list of cards on a narrow screen; its cells carry their column's name for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from .text import count, esc, share

REASONS_MAX: Final = 6


@dataclass(frozen=True)
class Column:
    """A heading and how its cells are set: `n` numeral, `b` bar, `w` long word, `h` hash."""

    heading: str
    kind: str = ""

    @cached_property
    def opening(self) -> str:
        """The start tag of a cell."""
        return f'<td class="{self.kind}" data-l="{esc(self.heading)}">'


def table(
    columns: Sequence[Column], rows: Iterable[Sequence[str]], caption: str = "", body: str = ""
) -> str:
    """A table of cells that are safe markup already; ready-made rows may stand in `body`."""
    # A heading follows its cells to the right, or keeps a bar's distance; it never breaks.
    heads = "".join(
        f'<th scope="col" class="{column.kind if column.kind in {"n", "b"} else ""}">'
        f"{esc(column.heading)}</th>"
        for column in columns
    )
    body = body or "".join(f"<tr>{cells(columns, row)}</tr>" for row in rows)
    foot = f"<caption>{esc(caption, 400)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table class="cards">{foot}<thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cells(columns: Sequence[Column], row: Sequence[str]) -> str:
    """The cells of one row."""
    return "".join(
        f"{column.opening}{cell}</td>" for column, cell in zip(columns, row, strict=True)
    )


def shown_of(shown: int, total: int, noun: str, order: str = "") -> str:
    """Words under a table: how much of the whole it holds."""
    if shown >= total:
        return f"All {count(total)} {noun}{order}." if total > 1 else ""
    return f"The first {count(shown)} of {count(total)} {noun} ({share(shown, total)}){order}."


def tags(names: Sequence[object], names_max: int = REASONS_MAX) -> str:
    """Reason names as small labels; what does not fit is counted."""
    words = "".join(f'<span class="tag">{esc(name, 40)}</span>' for name in names[:names_max])
    more = len(names) - names_max
    return words + (f'<span class="tag">+{more}</span>' if more > 0 else "")


def bullets(lines: Sequence[object], total: int, noun: str) -> str:
    """A plain list, with the total below when it is longer than what is shown."""
    items = "".join(f"<li>{esc(line, 240)}</li>" for line in lines)
    more = f'<p class="lead">{shown_of(len(lines), total, noun)}</p>' if total > len(lines) else ""
    return f'<ul class="plain">{items}</ul>{more}'


def empty(sentence: str) -> str:
    """What a section says when the run carried nothing for it."""
    return f'<p class="empty">{esc(sentence, 400)}</p>'

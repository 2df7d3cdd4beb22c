r"""From values of unknown shape to safe, bounded text.

Symbols, FIX text and file names are hostile input. Three dangers are met here:

* markup: everything is escaped, quotes too;
* characters that lie about what is on the screen (bidirectional overrides, zero-width and
  control characters): shown as ``\u202e``;
* a cell that a spreadsheet would run as a formula when the page is opened in one (CWE-1236):
  it gets a leading apostrophe.

A value of the wrong type counts as missing: a report never fails because of what it shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import isfinite
from typing import Any, Final

MISSING: Final = "\N{EM DASH}"

# No count or amount of a run comes near it; beyond it, arithmetic on floats would overflow.
_WHOLE_MAX: Final = 1 << 126
_TEXT_CHARS_MAX: Final = 160
_PERCENT_SHOWN_MIN: Final = 0.01
# From here on an amount is shown without its fraction.
_AMOUNT_WHOLE_MIN: Final = 1_000

_HIDDEN: Final = (
    *range(0x20),
    *range(0x7F, 0xA0),
    0xAD,
    *range(0x200B, 0x2010),
    *range(0x2028, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
)
_VISIBLE: Final = {code: f"\\u{code:04x}" for code in _HIDDEN} | {
    ord("\t"): " ",
    ord("\r"): " ",
    ord("\n"): " ",
}
# Nearly every text is made of these alone, and needs nothing done to it.
_HARMLESS: Final = re.compile(r"(?!-)[A-Za-z0-9_ .,:;()/%-]*\Z").match
_VISIBLE_LINES: Final = _VISIBLE | {ord("\n"): "\n"}


def plain(value: object, chars_max: int = _TEXT_CHARS_MAX, *, lines: bool = False) -> str:
    """Text of `value` without hidden characters, at most `chars_max` long; not yet escaped."""
    if value is None:
        return MISSING
    if isinstance(value, int) and abs(value) > _WHOLE_MAX:
        return "out of range"
    # A container or a stranger's object is not printed: neither its length nor its code is known.
    text = str(value) if isinstance(value, str | int | float) else f"({type(value).__name__})"
    if len(text) > chars_max:
        text = text[: chars_max - 1] + "…"
    # `isprintable` is a scan in C: the common case pays nothing for the table.
    if not text.isprintable():
        text = text.translate(_VISIBLE_LINES if lines else _VISIBLE)
        # Half a surrogate pair cannot be written as UTF-8.
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if text[:1] in {"=", "+", "-", "@"} and not _is_number(text):
        text = "'" + text
    return text


def esc(value: object, chars_max: int = _TEXT_CHARS_MAX, *, lines: bool = False) -> str:
    """`plain`, escaped for an element or a quoted attribute."""
    if isinstance(value, str) and len(value) <= chars_max and _HARMLESS(value):
        return value
    return escape(plain(value, chars_max, lines=lines))


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).replace(",", "").isdecimal()


def whole(value: object) -> int | None:
    """`value` if it is an integer of a sane size, else None."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -_WHOLE_MAX <= value <= _WHOLE_MAX else None


def real(value: object) -> float | None:
    """`value` as a finite float, else None."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    integer = whole(value)
    return None if integer is None else float(integer)


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """`value` if it is a list, a tuple or an array of numbers, else an empty one."""
    if isinstance(value, list | tuple):
        return value
    as_list = getattr(value, "tolist", None)
    listed = as_list() if callable(as_list) else ()
    return listed if isinstance(listed, list) else ()


def counts(value: object) -> dict[str, int]:
    """The entries of a mapping that are counts, largest first, then by name."""
    found = [(name, whole(count)) for name, count in mapping(value).items()]
    valid = [(k, n) for k, n in found if isinstance(k, str) and n is not None and n >= 0]
    return dict(sorted(valid, key=lambda pair: (-pair[1], pair[0])))


def count(value: object) -> str:
    """An integer with separators between thousands."""
    integer = whole(value)
    return MISSING if integer is None else f"{integer:,}"


def share(part: float, total: float) -> str:
    """`part` of `total` in per cent, with as many digits as tell something."""
    if total <= 0:
        return MISSING
    percent = 100 * part / total
    if percent < _PERCENT_SHOWN_MIN:
        return "< 0.01 %" if part else "0 %"
    return f"{percent:.2f} %" if percent < 1 else f"{percent:.1f} %"


def short(value: float) -> str:
    """A number for an axis: 850, 12.5 k, 3 M, 1.2 bn."""
    for unit, name in ((1e12, " tn"), (1e9, " bn"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= unit:
            scale = 1e3 if name == " k" else unit
            return f"{value / scale:.4g}{name}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def money(micros: float) -> str:
    """An amount given in millionths, in whole units where it is large."""
    value = micros / 1e6
    return f"{value:,.0f}" if abs(value) >= _AMOUNT_WHOLE_MIN else f"{value:,.2f}"


def nanoseconds(value: float) -> str:
    """A duration in the unit in which it has one to three digits before the point."""
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if value >= unit:
            return f"{value / unit:.3g} {name}" if value < unit * 1000 else f"{value / unit:,.0f} s"
    return f"{value:.3g} ns"


def size(value: object) -> str:
    """A number of bytes in decimal units."""
    integer = whole(value)
    if integer is None:
        return MISSING
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if integer >= unit:
            return f"{integer / unit:.4g} {name}"
    return f"{integer} B"


def plural(number: int, noun: str) -> str:
    """`1 order`, `2 orders`, `2 entries`."""
    if number != 1:
        noun = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number:,} {noun}"


def joined(parts: Iterable[str]) -> str:
    """The parts with a comma between them and "and" before the last."""
    items = list(parts)
    *heads, last = items or [""]
    return f"{', '.join(heads)} and {last}" if heads else last

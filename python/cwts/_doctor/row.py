"""One answer of `cwts doctor`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

__all__ = ["Row", "State", "missing", "ok", "text_of", "warn"]

#: ``missing`` is what CWTS cannot work without; ``warn`` costs time, accuracy or safety.
State = Literal["ok", "warn", "missing"]


@dataclass(frozen=True, slots=True)
class Row:
    """What was asked, what was found, and what to do about it."""

    area: str
    name: str
    state: State
    value: str
    #: Empty where there is nothing to do.
    todo: str = ""

    def to_json(self) -> dict[str, Any]:
        """Give it as an object for JSON."""
        return asdict(self)


def ok(area: str, name: str, value: str, todo: str = "") -> Row:
    """Give a row that is as it should be; ``todo`` then says what would be better still."""
    return Row(area, name, "ok", value, todo)


def warn(area: str, name: str, value: str, todo: str) -> Row:
    """Give a row that works, and not as well as it could."""
    return Row(area, name, "warn", value, todo)


def missing(area: str, name: str, value: str, todo: str) -> Row:
    """Give a row without which CWTS does not work."""
    return Row(area, name, "missing", value, todo)


def text_of(path: str) -> str | None:
    """Read a small file of the kernel's; ``None`` where it has no such file, or hides it."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None

"""Comparing a run with a published fingerprint: one letter an order, in file order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cwts.errors import input_error

__all__ = ["differences", "read_fingerprint"]

#: The letter of an order is that of the first of these controls that it violates, A without one,
#: X if it violates others only.
_LETTERS: Final = (
    ("Q", "MAX_ORDER_QTY"),
    ("N", "MAX_ORDER_NOTIONAL"),
    ("C", "PRICE_COLLAR"),
    ("R", "MESSAGE_RATE"),
    ("D", "DUPLICATE_ORDER"),
)


def read_fingerprint(path: Path) -> dict[str, Any]:
    """Read a fingerprint.

    An object with ``submits``, ``counts``, ``decisions_sha256`` and, if it goes into such detail,
    ``masks``: orders by all the controls that they violate, ``{"Q+N": 109}``.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise input_error(f"--expect {path}: {error.strerror}; pass a fingerprint") from None
    except ValueError as error:
        raise input_error(f"{path}: is no JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("decisions_sha256"), str):
        raise input_error(f"{path}: is no fingerprint: it has no decisions_sha256")
    return found


def differences(run: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Name what a run has other than the fingerprint says, one sentence each."""
    found: dict[str, Any] = {
        "submits": run["orders"],
        "counts": letter_counts(run["by_mask"]),
        "masks": mask_counts(run["by_mask"]),
        "decisions_sha256": run["decisions_sha256"],
    }
    return [
        f"{key}: expected {expected[key]}, got {value}"
        for key, value in found.items()
        if key in expected and expected[key] != value
    ]


def letter_counts(by_mask: Mapping[str, int]) -> dict[str, int]:
    """Count the letters of a run; zeros are left out."""
    counts: Counter[str] = Counter()
    for mask, count in by_mask.items():
        names = mask.split("|")
        letter = next((letter for letter, name in _LETTERS if name in names), "X")
        counts["A" if mask == "ACCEPT" else letter] += count
    return dict(counts)


def mask_counts(by_mask: Mapping[str, int]) -> dict[str, int]:
    """Count the orders of a run by the letters of all that they violate, ``+`` between them."""
    counts: Counter[str] = Counter()
    known = {name for _, name in _LETTERS}
    for mask, count in by_mask.items():
        names = mask.split("|")
        letters = [letter for letter, name in _LETTERS if name in names]
        if not known.issuperset(names):
            letters.append("X")
        counts["A" if mask == "ACCEPT" else "+".join(letters)] += count
    return dict(counts)

"""How orders of several files stood against their limits, as one account of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

__all__ = ["merged_against_limits"]

Object = dict[str, Any]

#: As the core cuts a curve and the list of peaks of one file.
_POINTS_MAX: Final = 300
_PEAKS_MAX: Final = 200


def merged_against_limits(runs: Iterable[Object]) -> Object:
    """Add curves and near misses; of the peaks keep the fullest of each file.

    Parameters
    ----------
    runs : iterable
        Results of replays, schema ``cwts/replay/v1``, each from fresh state.
    """
    given = [run["against_limits"] for run in runs]
    if not all(one["measured"] for one in given):
        return {"measured": False}
    peaks = [row for one in given for row in one["peaks"]]
    by_control: Counter[str] = Counter()
    for one in given:
        by_control.update(one["near"]["by_control"])
    return {
        "measured": True,
        "sampled": given[0]["sampled"],
        "curves": _curves(given),
        # Stable, so that equal rows keep the files' order.
        "peaks": sorted(peaks, key=lambda row: -row["pct"])[:_PEAKS_MAX],
        "peaks_total": sum(one["peaks_total"] for one in given),
        "near": {
            "percent": given[0]["near"]["percent"],
            "orders": sum(one["near"]["orders"] for one in given),
            "by_control": dict(by_control),
        },
    }


def _curves(given: list[Object]) -> list[Object]:
    of: dict[tuple[str, str, str], list[Object]] = {}
    for one in given:
        for curve in one["curves"]:
            # A control may have several limits at one level, each in a unit of its own.
            of.setdefault((curve["control"], curve["level"], curve["unit"]), []).append(curve)
    return [_sum(curves) for curves in of.values()]


def _sum(curves: list[Object]) -> Object:
    xs = sorted({x for curve in curves for x in curve["x"]})
    refused = _above
    if curves[0].get("floor"):
        # Beyond the end of one curve nobody knows how many orders lie below.
        refused, end = _below, min(curve["x"][-1] for curve in curves)
        xs = [x for x in xs if x <= end]
    # Points are left out evenly, never the last: it is the largest value that was met.
    step = -(-len(xs) // _POINTS_MAX)
    xs = xs[::-1][::step][::-1]
    limits = [
        limit
        for curve in curves
        for limit in (curve["limit_min"], curve["limit_max"])
        if limit is not None
    ]
    return {
        **curves[0],
        "orders": sum(curve["orders"] for curve in curves),
        "max": max(curve["max"] for curve in curves),
        "min": min(curve.get("min", 0) for curve in curves),
        "limit_min": min(limits, default=None),
        "limit_max": max(limits, default=None),
        "x": xs,
        "rejected": [sum(refused(curve, x) for curve in curves) for x in xs],
    }


def _below(curve: Object, x: int) -> int:
    """Give the orders below a value: between two points those below the upper one, at most."""
    at = bisect_left(curve["x"], x)
    refused: list[int] = curve["rejected"]
    return refused[min(at, len(refused) - 1)]


def _above(curve: Object, x: int) -> int:
    """Give the orders above a value: between two points those above the lower one, at most."""
    at = bisect_right(curve["x"], x)
    count: int = curve["rejected"][at - 1] if at else curve["orders"]
    return count

"""One result out of those of several files, each from fresh state."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from cwts._replay_against import merged_against_limits

__all__ = ["merged"]

Object = dict[str, Any]

#: As the core cuts a series of one file.
_BUCKETS_MAX: Final = 2_000
_DENIALS_MAX: Final = 50
_LIMIT_ROWS_MAX: Final = 200
_QUANTILES: Final = {"p50": 0.5, "p99": 0.99, "p999": 0.999}


def merged(
    parts: Mapping[int, Object],
    failed: Iterable[Mapping[str, Any]],
    log: Path | None,
    head: Mapping[str, Any] | None,
    wall_s: float,
) -> Object:
    """Sum the results of the files that went well, and name all.

    Parameters
    ----------
    parts : mapping
        The file's number on the command line, from 1, and its result.
    failed : iterable
        Number, path, code and message of each file that failed.
    log : Path, optional
        The run's directory.
    head : mapping, optional
        The run's signed root; without it there is none, because a file failed.
    wall_s : float
        What the run took by the clock.
    """
    runs = [parts[number] for number in sorted(parts)]
    first = runs[0]
    accounts = {run["mapping"]["account"] for run in runs}
    latency = _latency(runs)
    found: Object = {
        "schema": first["schema"],
        "session": "file",
        "inputs": [file for run in runs for file in run["inputs"]],
        "files": _files(parts, failed),
        "limits": first["limits"],
        "mapping": {
            "account": accounts.pop() if len(accounts) == 1 else "mixed",
            "replace": first["mapping"]["replace"],
        },
        "events": sum(run["events"] for run in runs),
        "orders": sum(run["orders"] for run in runs),
        "accepted": sum(run["accepted"] for run in runs),
        "by_first": _sum(runs, "by_first"),
        "by_bit": _sum(runs, "by_bit"),
        "by_mask": _sum(runs, "by_mask"),
        "passed": _sum(runs, "passed"),
        "anomalies": _sum(runs, "anomalies"),
        "halt": None,
        "decisions_sha256": _digest(runs),
        "log": _log(runs, log, head),
        "ns_per_order": _quantiles(runs, latency),
        "seconds": _seconds(runs, wall_s),
        "series": _series(runs),
        "latency": latency,
        "top_denials": _denials(parts),
        "denials_total": sum(run["denials_total"] for run in runs),
        "labels": [label for run in runs for label in run["labels"]],
        "limit_use": _limit_use(runs),
        "against_limits": merged_against_limits(runs),
        "controls": first["controls"],
        "warnings": [
            text if text.startswith(path) else f"{path}: {text}"
            for run in runs
            for path in [run["inputs"][0]["path"]]
            for text in run["warnings"]
        ],
        "mapping_notes": list(dict.fromkeys(n for run in runs for n in run["mapping_notes"])),
    }
    return found


def _files(parts: Mapping[int, Object], failed: Iterable[Mapping[str, Any]]) -> list[Object]:
    """Give each file's own figures, or why it has none, in the order of the command line."""
    rows: dict[int, Object] = {
        number: {
            "number": number,
            "path": run["inputs"][0]["path"],
            "ok": True,
            "error": None,
            "orders": run["orders"],
            "accepted": run["accepted"],
            "by_first": run["by_first"],
            "decisions_sha256": run["decisions_sha256"],
            "log": run["log"],
            "seconds": run["seconds"]["total"],
        }
        for number, run in parts.items()
    }
    for file in failed:
        rows[file["number"]] = {
            "number": file["number"],
            "path": file["path"],
            "ok": False,
            "error": {"code": file["code"], "message": file["message"]},
            "orders": 0,
            "accepted": 0,
            "by_first": {},
            "decisions_sha256": None,
            "log": None,
            "seconds": 0,
        }
    return [rows[number] for number in sorted(rows)]


def _sum(runs: list[Object], key: str) -> dict[str, int]:
    total: Counter[str] = Counter()
    for run in runs:
        # `update` and not `+`: a count of nothing stays a count.
        total.update(run[key])
    return dict(total)


def _digest(runs: list[Object]) -> str:
    """Hash the files' digests as text, one a line: any tool can do that."""
    text = "".join(f"{run['decisions_sha256']}\n" for run in runs)
    return hashlib.sha256(text.encode()).hexdigest()


def _log(runs: list[Object], log: Path | None, head: Mapping[str, Any] | None) -> Object | None:
    if log is None or head is None:
        return None
    return {
        "dir": str(log),
        "entries": sum(run["log"]["entries"] for run in runs),
        "origin": head["origin"],
        "root": head["root"],
        "checkpoint": head["checkpoint"],
        "durable": True,
    }


def _seconds(runs: list[Object], wall_s: float) -> dict[str, float]:
    """Sum the work of all workers; the total is the clock's."""
    work = {key: sum(run["seconds"][key] for run in runs) for key in runs[0]["seconds"]}
    return work | {"total": wall_s}


def _latency(runs: list[Object]) -> Object:
    """Add histograms; all of them are cut from one grid."""
    counts: Counter[tuple[int, int]] = Counter()
    for run in runs:
        edges = run["latency"]["edges_ns"]
        for low, high, count in zip(edges, edges[1:], run["latency"]["counts"], strict=False):
            counts[low, high] += count
    # Every edge of the grid between the first and the last, for the drawing.
    bins = _grid(min(counts), max(counts)) if counts else []
    return {
        "edges_ns": [low for low, _ in bins] + ([bins[-1][1]] if bins else []),
        "counts": [counts[bin_] for bin_ in bins],
    }


def _grid(first: tuple[int, int], last: tuple[int, int]) -> list[tuple[int, int]]:
    """Give the quarter octaves from one bin to another."""
    bins = [first]
    while bins[-1] < last:
        low = bins[-1][1]
        octave = 1 << (low.bit_length() - 1)
        bins.append((low, low + octave // 4))
    return bins


def _quantiles(runs: list[Object], latency: Object) -> dict[str, int]:
    """Read quantiles off the added histogram, upwards; the burst's is the worst file's."""
    counts, edges = latency["counts"], latency["edges_ns"]
    total = sum(counts)
    found = {"burst_p999": max(run["ns_per_order"]["burst_p999"] for run in runs)}
    for name, share in _QUANTILES.items():
        seen, at = 0, 0
        while at < len(counts) and seen + counts[at] < share * total:
            seen, at = seen + counts[at], at + 1
        found[name] = edges[min(at + 1, len(edges) - 1)] if total else 0
    return {key: found[key] for key in runs[0]["ns_per_order"]}


def _series(runs: list[Object]) -> Object:
    """Put series on one axis; a bucket goes where it starts."""
    given = [run["series"] for run in runs if run["series"]["t_ns"]]
    if not given:
        series: Object = runs[0]["series"]
        return series
    start = min(series["t_ns"][0] for series in given)
    last = max(series["t_ns"][-1] for series in given)
    # Widths are powers of two of one unit, so the widest holds whole buckets of the others.
    width = max(series["width_ns"] for series in given)
    while (last - start) // width >= _BUCKETS_MAX:
        width *= 2
    length = (last - start) // width + 1
    names = list(dict.fromkeys(name for series in given for name in series["rejected"]))
    out: Object = {
        "t_ns": [start + at * width for at in range(length)],
        "width_ns": width,
        "orders": [0] * length,
        "accepted": [0] * length,
        "rejected": {name: [0] * length for name in names},
        "open_notional": [0] * length,
        "open_notional_limit": given[0]["open_notional_limit"],
    }
    for series in given:
        places = [(t - start) // width for t in series["t_ns"]]
        for column, into in (
            (series["orders"], out["orders"]),
            (series["accepted"], out["accepted"]),
            *((series["rejected"][name], out["rejected"][name]) for name in series["rejected"]),
        ):
            for place, value in zip(places, column, strict=True):
                into[place] += value
        # Fresh states have nothing in common: the largest, not the sum.
        for place, value in zip(places, series["open_notional"], strict=True):
            out["open_notional"][place] = max(out["open_notional"][place], value)
    return out


def _denials(parts: Mapping[int, Object]) -> list[Object]:
    rows = (
        {**denial, "file": number}
        for number in sorted(parts)
        for denial in parts[number]["top_denials"]
    )
    return [row for row, _ in zip(rows, range(_DENIALS_MAX), strict=False)]


def _limit_use(runs: list[Object]) -> list[Object]:
    """Of each limit the file that came closest to it."""
    rows: dict[tuple[str, str], Object] = {}
    for run in runs:
        for row in run["limit_use"]:
            key = row["scope"], row["limit"]
            if key not in rows or row["pct"] > rows[key]["pct"]:
                rows[key] = row
    return sorted(rows.values(), key=lambda row: (-row["pct"], row["scope"]))[:_LIMIT_ROWS_MAX]

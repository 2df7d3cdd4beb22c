"""The figures of the asv suite as one page that loads nothing.

Usage: asv_plain.py RESULTS HTML

asv's own pages fetch their scripts from elsewhere and stay empty without them. This writes
`figures.html` beside them: each benchmark with its newest value and its course over commits.
"""

from __future__ import annotations

import html
import json
import math
import sys
from pathlib import Path
from typing import Any

#: Time of a commit in ms, its hash, and the values of one benchmark at it.
Point = tuple[int, str, list[float | None]]


def points(results: Path) -> dict[str, list[Point]]:
    """Every benchmark's values in the order of the commits."""
    found: dict[str, list[Point]] = {}
    for path in results.glob("*/*.json"):
        if path.name in ("machine.json", "benchmarks.json"):
            continue
        run = json.loads(path.read_text(encoding="utf-8"))
        at = run["result_columns"].index("result")
        for name, row in run["results"].items():
            values = row[at] if isinstance(row, list) else row
            kept = values if isinstance(values, list) else [values]
            found.setdefault(name, []).append((run["date"], run["commit_hash"], kept))
    return {name: sorted(found[name], key=lambda point: point[0]) for name in sorted(found)}


def number(value: Any) -> float | None:
    """The value if it was measured."""
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def course(values: list[float | None]) -> str:
    """A line over commits, as an inline picture; a dot where there is one commit."""
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    if not known:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    across, up = WIDTH / max(len(values) - 1, 1), HEIGHT / ((high - low) or 1)
    places = [(at * across + MARGIN, HEIGHT - (v - low) * up + MARGIN) for at, v in known]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = places[-1]
    return (
        f'<svg width="{WIDTH + 2 * MARGIN}" height="{HEIGHT + 2 * MARGIN}">'
        f'<polyline points="{line}"/><circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/></svg>'
    )


def page(found: dict[str, list[Point]], units: dict[str, str]) -> str:
    """The whole page; a benchmark with parameters has a row for each."""
    rows = []
    for name, course_of in found.items():
        for at in range(max(len(values) for _, _, values in course_of)):
            values = [number(v[at]) if at < len(v) else None for _, _, v in course_of]
            newest = "not measured" if values[-1] is None else f"{values[-1]:.4g}"
            label = name if len(course_of[-1][2]) == 1 else f"{name} [{at}]"
            rows.append(
                f"<tr><td>{html.escape(label)}</td><td class=n>{newest}</td>"
                f"<td>{html.escape(units.get(name, ''))}</td><td>{course(values)}</td></tr>"
            )
    commits = sorted({(date, commit) for line in found.values() for date, commit, _ in line})
    newest = commits[-1][1][:12] if commits else "none"
    told = f"Commits: {len(commits)}, the newest {newest}"
    return PAGE.format(told=told, rows="\n".join(rows))


def main(results: Path, out: Path) -> None:
    """Write the page."""
    text = (results / "benchmarks.json").read_text(encoding="utf-8")
    benchmarks = {name: row for name, row in json.loads(text).items() if isinstance(row, dict)}
    units = {name: str(row.get("unit", "")) for name, row in benchmarks.items()}
    (out / "figures.html").write_text(page(points(results), units), encoding="utf-8")


WIDTH, HEIGHT, MARGIN = 240, 28, 4
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>cwts: figures over commits</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }}
table {{ border-collapse: collapse }}
td, th {{ padding: 3px 14px; border-bottom: 1px solid #ddd; text-align: left }}
.n {{ white-space: nowrap; text-align: right; font-variant-numeric: tabular-nums }}
polyline {{ fill: none; stroke: #2563a8; stroke-width: 1.5 }} circle {{ fill: #2563a8 }}
</style>
<h1>Figures over commits</h1>
<p>{told}. A ratio (x) is the peer's time over ours in the same run.</p>
<table><tr><th>benchmark<th class=n>newest<th>unit<th>course</tr>
{rows}
</table></html>
"""

if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Whether every benchmark of the asv suite ran, and stands in the published pages.

Usage: asv_page.py BENCHES RESULTS HTML
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

#: What asv takes for a benchmark, by the first word of a method's name.
KINDS = ("time", "timeraw", "track", "mem", "peakmem")


def written(folder: Path) -> set[str]:
    """Names of the benchmarks in the sources, as asv names them."""
    names = set()
    for path in sorted(folder.glob("bench_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                methods = (item.name for item in node.body if isinstance(item, ast.FunctionDef))
                found = (name for name in methods if name.split("_")[0] in KINDS)
                names |= {f"{path.stem}.{node.name}.{name}" for name in found}
    return names


def outcomes(folder: Path) -> dict[str, str]:
    """What became of each benchmark: measured, skipped or failed."""
    found = {}
    for path in folder.glob("*/*.json"):
        if path.name in ("machine.json", "benchmarks.json"):
            continue
        run = json.loads(path.read_text(encoding="utf-8"))
        at = run["result_columns"].index("result")
        for name, row in run["results"].items():
            values = row[at] if isinstance(row, list) else row
            if values is None or any(value is None for value in values):
                found[name] = "failed"
            elif all(value != value for value in values):  # noqa: PLR0124 - asv's NaN: skipped
                found[name] = "skipped"
            else:
                found[name] = "measured"
    return found


def main(benches: Path, results: Path, html: Path) -> int:
    """Print what became of each benchmark; 1 if one failed or is missing."""
    names, ran = written(benches), outcomes(results)
    listed = set(json.loads((html / "index.json").read_text(encoding="utf-8"))["benchmarks"])
    # The page that loads nothing lists them too.
    plain = (html / "figures.html").read_text(encoding="utf-8")
    listed = {name for name in listed if name in plain}
    bad = 0
    for name in sorted(names | ran.keys() | listed):
        outcome = ran.get(name, "did not run")
        place = "listed" if name in listed else "NOT LISTED"
        bad += outcome not in ("measured", "skipped") or name not in listed or name not in names
        print(f"{outcome:12} {place:10} {name}")
    measured = sum(outcome == "measured" for outcome in ran.values())
    print(f"{len(names)} benchmarks, {measured} measured, {bad} bad; pages under {html}")
    return 1 if bad or not measured else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4])))

"""The check of asv's pages: it is red where a benchmark failed, is missing or is not listed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = """
class Quick:
    def setup(self): ...
    def time_one(self): ...
    def track_two(self): ...
"""
ONE, TWO = "bench_x.Quick.time_one", "bench_x.Quick.track_two"
GOOD: dict[str, Any] = {ONE: [[0.1]], TWO: [[2.5], [], "version"]}


def page(tmp_path: Path, results: dict[str, Any], listed: list[str]) -> tuple[int, str]:
    """Run the check on pages that list these benchmarks, after a run that gave these results."""
    benches, machine, html = (tmp_path / name for name in ("benches", "results/m", "html"))
    for folder in (benches, machine, html):
        folder.mkdir(parents=True)
    (benches / "bench_x.py").write_text(SOURCE, encoding="utf-8")
    run = {"result_columns": ["result", "params"], "results": results}
    run |= {"date": 1, "commit_hash": "1234"}
    (machine / "1234-env.json").write_text(json.dumps(run), encoding="utf-8")
    (machine / "machine.json").write_text("{}", encoding="utf-8")
    index = {"benchmarks": {name: {} for name in listed}}
    (html / "index.json").write_text(json.dumps(index), encoding="utf-8")
    units = {name: {"unit": "x"} for name in listed} | {"version": 2}
    (tmp_path / "results" / "benchmarks.json").write_text(json.dumps(units), encoding="utf-8")
    plain = [sys.executable, str(ROOT / "tools" / "asv_plain.py"), str(tmp_path / "results")]
    subprocess.run([*plain, str(html)], check=True)
    script = ROOT / "checks" / "asv_page.py"
    command = [sys.executable, str(script), str(benches), str(tmp_path / "results"), str(html)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_a_suite_that_ran_and_is_listed_is_good(tmp_path: Path) -> None:
    status, text = page(tmp_path, GOOD, [ONE, TWO])
    assert (status, text.splitlines()[-1].split(";")[0]) == (0, "2 benchmarks, 2 measured, 0 bad")


def test_the_plain_page_has_each_figure_and_loads_nothing(tmp_path: Path) -> None:
    page(tmp_path, GOOD | {TWO: [[float("nan")]]}, [ONE, TWO])
    text = (tmp_path / "html" / "figures.html").read_text(encoding="utf-8")
    assert f"<tr><td>{ONE}</td><td class=n>0.1</td><td>x</td>" in text
    assert f"<tr><td>{TWO}</td><td class=n>not measured</td>" in text
    assert not any(word in text for word in ("://", "src=", "@import", "<script"))


def test_a_skipped_benchmark_is_said_and_is_no_fault(tmp_path: Path) -> None:
    status, text = page(tmp_path, GOOD | {TWO: [[float("nan")]]}, [ONE, TWO])
    assert status == 0
    assert f"skipped      listed     {TWO}" in text


@pytest.mark.parametrize(
    ("results", "listed", "said"),
    [
        (GOOD | {ONE: [[None]]}, [ONE, TWO], f"failed       listed     {ONE}"),
        (GOOD | {ONE: [None]}, [ONE, TWO], f"failed       listed     {ONE}"),
        ({TWO: [[1.0]]}, [ONE, TWO], f"did not run  NOT LISTED {ONE}"),
        (GOOD, [TWO], f"measured     NOT LISTED {ONE}"),
        ({ONE: [[float("nan")]], TWO: [[float("nan")]]}, [ONE, TWO], "2 benchmarks, 0 measured"),
    ],
)
def test_a_benchmark_that_failed_or_is_missing_is_red(
    tmp_path: Path, results: dict[str, Any], listed: list[str], said: str
) -> None:
    status, text = page(tmp_path, results, listed)
    assert status == 1
    assert said in text


def test_the_suites_own_names_are_found() -> None:
    sys.path.insert(0, str(ROOT / "checks"))
    try:
        import asv_page
    finally:
        sys.path.pop(0)
    names = asv_page.written(ROOT / "benches")
    assert {
        "bench_feeds.AgainstPeers.track_lobster_columns",
        "bench_log.Verify.time_verify_full",
    } <= names
    assert not any("setup" in name for name in names)

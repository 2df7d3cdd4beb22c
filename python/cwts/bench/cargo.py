"""Rust benchmarks, built from a checkout by cargo; they print one JSON object a line."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from cwts.bench.peers import PeerMissing

__all__ = ["run", "run_apart"]


@cache
def run(package: str, bench: str, *arguments: str) -> tuple[dict[str, Any], ...]:
    """The lines of one run; the same run is not made twice.

    Raises
    ------
    PeerMissing
        This is no checkout, there is no cargo, or the benchmark failed.
    """
    folder = f"rust/{package.removeprefix('cwts-')}/benches"
    return _lines(folder, ["bench", "-p", package, "--bench", bench], arguments)


@cache
def run_apart(folder: str, *arguments: str) -> tuple[dict[str, Any], ...]:
    """The same of a workspace of its own, which is built at its first run: minutes.

    Raises
    ------
    PeerMissing
        This is no checkout, there is no cargo, or the benchmark failed.
    """
    manifest = ["--manifest-path", f"{folder}/Cargo.toml"]
    return _lines(folder, ["run", "--release", *manifest], arguments)


def _lines(folder: str, words: list[str], arguments: tuple[str, ...]) -> tuple[dict[str, Any], ...]:
    root = Path(__file__).resolve().parents[3]
    if not (root / folder).is_dir():
        raise PeerMissing(f"{folder} is not here: its benchmark is built from a checkout")
    cargo = shutil.which("cargo")
    if cargo is None:
        raise PeerMissing("cargo is not on PATH: a Rust benchmark is built when it is run")
    command = [cargo, words[0], "--locked", "--quiet", *words[1:]]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PeerMissing(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return parsed(done.stdout)


def parsed(lines: str) -> tuple[dict[str, Any], ...]:
    """The JSON objects of a benchmark's output."""
    return tuple(json.loads(line) for line in lines.splitlines() if line.startswith("{"))

"""The queues between threads, against other crates' in one process: a Rust benchmark's own words.

Queues are measured where they are used, in Rust. The benchmark is built from a checkout by cargo
and prints one JSON object a line: ``{"name": ..., "ours_ns": [...], "peer_ns": [...]}``, the times
of alternating rounds in ns a record.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from cwts.bench.peers import PeerMissing
from cwts.bench.timing import PAIRS_MIN, Pairs

__all__ = ["PEERS", "Queues", "find", "pairs_of"]

#: The crates, as goals name them.
PEERS = ("crossbeam", "rtrb")


class Queues:
    """The benchmark's figures; it ran once, whatever is asked of it."""

    def __init__(self, name: str, lines: str) -> None:
        self.name = name
        self._lines = lines

    def pairs(self, bench: str) -> Pairs:
        """Times of ours and of the peer's queue.

        Raises
        ------
        PeerMissing
            The benchmark has printed no such line.
        """
        return pairs_of(self._lines, bench)


def pairs_of(lines: str, bench: str) -> Pairs:
    """The times of one benchmark, out of all that was printed."""
    rows: list[dict[str, Any]] = [
        json.loads(line) for line in lines.splitlines() if line.startswith("{")
    ]
    for row in rows:
        if row["name"] == bench:
            ours, theirs = tuple(row["ours_ns"]), tuple(row["peer_ns"])
            if len(ours) != len(theirs) or len(ours) < PAIRS_MIN:
                raise PeerMissing(f"{bench}: {len(ours)} and {len(theirs)} rounds are no pairs")
            return Pairs(ours, theirs)
    raise PeerMissing(f"the benchmark of the queues printed no line {bench!r}")


def find(name: str) -> Queues:
    """A peer crate's queues and ours, measured.

    Raises
    ------
    PeerMissing
        This is no checkout, there is no cargo, or the benchmark failed.
    """
    return Queues(name, _run(Path(__file__).resolve().parents[3]))


@cache
def _run(root: Path) -> str:
    cargo = shutil.which("cargo")
    if not (root / BENCH_SOURCE).is_file():
        raise PeerMissing(f"{BENCH_SOURCE} is not here: queues are measured from a checkout")
    if cargo is None:
        raise PeerMissing("cargo is not on PATH: the queues' benchmark is built when it is run")
    command = [cargo, "bench", "--locked", "--quiet", "-p", "cwts-ring", "--bench", "queues"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, "--", "--json"], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PeerMissing(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


BENCH_SOURCE = Path("rust/ring/benches/queues.rs")

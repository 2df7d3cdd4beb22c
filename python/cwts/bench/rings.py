"""The queues between threads, against other crates' in one process: a Rust benchmark's own words.

Queues are measured where they are used, in Rust. The benchmark is built from a checkout by cargo,
runs ours and the peer's in turn, and prints one JSON object a line: `name`, `peer`, `ours` and
`peer_value` (millions of records a second, the best rounds) and `median_ratio`, ours over theirs.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from cwts.bench.peers import PeerMissing

__all__ = ["PEERS", "Queues", "find"]

#: The crates, as goals name them.
PEERS = ("crossbeam", "rtrb")


class Queues:
    """The benchmark's figures; it ran once, whatever is asked of it."""

    def __init__(self, name: str, lines: str) -> None:
        self.name = name
        found = (json.loads(line) for line in lines.splitlines() if line.startswith("{"))
        self._rows: dict[tuple[str, str], dict[str, Any]] = {
            (row["name"], row["peer"]): row for row in found
        }

    def against(self, queue: str, peer: str) -> tuple[float, float, float]:
        """Ns a record of ours and of the peer's queue at their best, and the ratio of medians.

        Raises
        ------
        PeerMissing
            The benchmark has printed no such line.
        """
        row = self._rows.get((queue, peer))
        if row is None:
            raise PeerMissing(
                f"the benchmark of the queues printed no line {queue!r} with {peer!r}"
            )
        return 1e3 / row["ours"], 1e3 / row["peer_value"], float(row["median_ratio"])


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
        command, cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise PeerMissing(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return done.stdout


BENCH_SOURCE = Path("rust/ring/benches/queues.rs")

"""The queues between threads, against other crates' in one process: a Rust benchmark's own words.

Queues are measured where they are used, in Rust. The benchmark is built from a checkout by cargo,
runs ours and the peer's in turn, and prints one JSON object a line: `name`, `peer`, `ours` and
`peer_value` (millions of records a second, the best rounds) and `median_ratio`, ours over theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cwts.bench import cargo
from cwts.bench.peers import PeerMissing

__all__ = ["PEERS", "Queues", "find"]

#: The crates, as goals name them.
PEERS = ("crossbeam", "rtrb")


class Queues:
    """The benchmark's figures; it ran once, whatever is asked of it."""

    def __init__(self, name: str, lines: Iterable[dict[str, Any]]) -> None:
        self.name = name
        self._rows = {(row["name"], row["peer"]): row for row in lines}

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
    return Queues(name, cargo.run("cwts-ring", "queues"))

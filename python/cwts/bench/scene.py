"""What benchmarks share: a run's directory, peer and flow, and how two sides are compared."""

from __future__ import annotations

import itertools
import os
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from cwts.bench import ours
from cwts.bench.flow import Flow, flow_of_the_day, sample_of
from cwts.bench.peers import PeerMissing
from cwts.bench.timing import PAIRS, PAIRS_MIN, Job, Pairs, alternate

__all__ = ["Measured", "Scene", "WorkDiffersError", "against", "alone", "same"]

PeerKind = TypeVar("PeerKind")


class WorkDiffersError(RuntimeError):
    """The two sides did not do the same work: their times must not be compared."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a benchmark found; `peer` and `ratio` are None where no peer ran.

    `ours` and `peer` are medians, `ours_min` and `peer_min` the best runs. `ours` is None where
    nothing could be measured. `detail` says under which facts the figures were found.
    """

    ours: float | None
    ours_min: float | None = None
    peer: float | None = None
    peer_min: float | None = None
    ratio: float | None = None
    is_generated: bool = False
    detail: dict[str, Any] | None = None

    @classmethod
    def of(cls, pairs: Pairs, *, is_generated: bool = False) -> Measured:
        """Both sides of alternating runs, ours first."""
        return cls(
            ours=statistics.median(pairs.a),
            ours_min=min(pairs.a),
            peer=statistics.median(pairs.b),
            peer_min=min(pairs.b),
            ratio=pairs.ratio,
            is_generated=is_generated,
        )


class Scene:
    """What the benchmarks of one run share: a directory, the flow, and the peer at hand.

    Parameters
    ----------
    scratch : Path
        An empty directory; logs are written and synced here.
    peer : object or None
        The peer of the benchmark that runs next, if it is to be measured.
    pairs : int
        How often each side runs.
    is_quick : bool
        Whether little is run, to see that it runs.

    Attributes
    ----------
    native : tuple of dict or None
        The lines of the Rust benchmark of the risk path, once it ran.
    halts : tuple or None
        Of each ``cwts halt``: ns to the first refusal; ns of the whole command.
    """

    def __init__(
        self, scratch: Path, peer: Any, pairs: int = PAIRS, *, is_quick: bool = False
    ) -> None:
        self.scratch = scratch
        self.peer = peer
        self.pairs = pairs
        self.is_quick = is_quick
        self.native: tuple[dict[str, Any], ...] | None = None
        self.halts: tuple[list[int], list[int]] | None = None
        self.desk = ours.Desk(scratch)
        self.keys = scratch / "keys"
        self._numbers = itertools.count()

    @cached_property
    def flow(self) -> Flow:
        """The flow of the replays, parsed at its first use."""
        return flow_of_the_day(self.scratch)

    def sample(self, path: Path) -> Path:
        """A public file by its place under ``$CWTS_DATA``.

        Raises
        ------
        PeerMissing
            It is not there.
        """
        found = sample_of(path, os.environ)
        if found is None:
            raise self.missing(f"{path} is absent; set CWTS_DATA to the folder that holds it")
        return found

    def peer_as(self, _kind: type[PeerKind]) -> PeerKind | None:
        """The peer, which the goal's name has chosen."""
        peer: PeerKind | None = self.peer
        return peer

    def missing(self, why: str) -> PeerMissing:
        """The error of a benchmark that cannot run here."""
        return PeerMissing(why)

    def new_log(self) -> str:
        """A name in `scratch` that nobody has used."""
        return f"log-{next(self._numbers)}"


def alone(us: Job, pairs: int, *, is_generated: bool = False) -> Measured:
    """Our side without a peer, after one unmeasured run."""
    us()
    times = [us() for _ in range(max(pairs, PAIRS_MIN))]
    return Measured(statistics.median(times), min(times), is_generated=is_generated)


def against(us: Job, them: Job, pairs: int, *, is_generated: bool = False) -> Measured:
    """Both sides in turn."""
    return Measured.of(alternate(us, them, pairs), is_generated=is_generated)


def same(what: str, value: object, *, expected: object) -> None:
    """Raises `WorkDiffersError` unless the two are equal."""
    if value != expected:
        shown, wanted = (str(side)[:SHOWN_MAX] for side in (value, expected))
        raise WorkDiffersError(f"{what}: {shown}, expected {wanted}")


#: Characters of a value in an error.
SHOWN_MAX = 200

"""Two jobs timed in turn: A B A B, so that whatever slows the machine slows both.

A job is a function that runs once and returns the time of one unit of its work in ns; preparing
and clearing up are its own and outside what it times. The ratio is the median of the pairs'
ratios: one slow run spoils one pair, never the figure.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = [
    "PAIRS",
    "PAIRS_MIN",
    "Clock",
    "Job",
    "Pairs",
    "alternate",
    "cpu",
    "cpu_of_all",
    "quiet",
    "wall",
]

Job = Callable[[], float]
Clock = Callable[[], int]

#: CPU time of the calling thread: for work that stays on it, deaf to other programs.
cpu: Clock = time.thread_time_ns
#: CPU time of all our threads together: for work that hands over to threads but waits for nobody.
cpu_of_all: Clock = time.process_time_ns
#: Time on the wall: for work that waits for a disk.
wall: Clock = time.perf_counter_ns


@dataclass(frozen=True, slots=True)
class Pairs:
    """What alternating runs of two jobs gave, in ns a unit.

    Attributes
    ----------
    a, b : tuple of float
        Times of the first and of the second job; ``a[i]`` and ``b[i]`` ran one after the other.
    """

    a: tuple[float, ...]
    b: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """How many times longer the second job takes: median over the pairs."""
        return statistics.median(b / a for a, b in zip(self.a, self.b, strict=True))

    @property
    def difference(self) -> float:
        """How much longer the second job takes, in ns: median over the pairs."""
        return statistics.median(b - a for a, b in zip(self.a, self.b, strict=True))


def alternate(a: Job, b: Job, pairs: int) -> Pairs:
    """Runs two jobs in turn, after one unmeasured run of each.

    Parameters
    ----------
    a, b : Job
        The jobs.
    pairs : int
        How often each runs, at least `PAIRS_MIN`.

    Returns
    -------
    Pairs
        The times of all measured runs.

    Raises
    ------
    ValueError
        Fewer pairs than `PAIRS_MIN`: a median of less is a guess.
    """
    if pairs < PAIRS_MIN:
        raise ValueError(f"pairs is {pairs}, below {PAIRS_MIN}")
    a(), b()  # caches, page tables and lazy imports
    times = [(a(), b()) for _ in range(pairs)]
    first, second = zip(*times, strict=True)
    return Pairs(first, second)


@contextmanager
def quiet() -> Iterator[None]:
    """No garbage collection while the body runs: it would hit whoever happens to run."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


#: Pairs by default, and at least.
PAIRS = 9
PAIRS_MIN = 7

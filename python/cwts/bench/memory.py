"""Resident memory of a replay, each in a process of its own: a peak has no way down."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources

__all__ = ["growth_mb", "peak_mb"]


def growth_mb(*, few: int, many: int) -> float:
    """How much more memory `many` orders take than `few`."""
    return peak_mb(many) - peak_mb(few)


def peak_mb(orders: int) -> float:
    """The peak of a process that generates and decides so many orders, without a log, in MB."""
    with resources.as_file(resources.files("cwts.bench") / "replay_limits.toml") as limits:
        command = [sys.executable, "-c", REPLAY, str(limits), str(orders)]
        done = subprocess.run(  # noqa: S603 - our own text
            command, check=True, capture_output=True, text=True
        )
    decided, peak_kib = (int(word) for word in done.stdout.split())
    if decided < orders:
        raise RuntimeError(f"{decided} orders were decided, not {orders}")
    return peak_kib * 1024 / 1e6


#: Of a hundred generated events at least 47 are orders: see the profile's marks.
REPLAY = """\
import json, resource, sys
from cwts import _core
limits, orders = sys.argv[1], int(sys.argv[2])
with open(limits, "rb") as file:
    replay = _core.Replay(
        file.read(), limits, profile="equity-liquid", events=orders * 100 // 47, seed=7
    )
found = json.loads(replay.run())
print(found["orders"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""

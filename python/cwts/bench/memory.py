"""Resident memory of a replay, each in a process of its own: a peak has no way down.

``python -m cwts.bench.memory [ORDERS]`` prints how much more that many orders take than a million.
"""

from __future__ import annotations

import json
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


def _main(args: list[str]) -> None:
    many = int(args[0]) if args else 20 * MILLION
    told = {"orders": many, "from_orders": MILLION, "growth_mb": growth_mb(few=MILLION, many=many)}
    sys.stdout.write(json.dumps(told) + "\n")


MILLION = 1_000_000
#: Of a hundred generated events at least 47 are orders: see the profile's marks. The peak is the
#: kernel's of this process alone: `ru_maxrss` counts that of whoever started it too.
REPLAY = """\
import json, sys
from pathlib import Path
from cwts import _core
limits, orders = sys.argv[1], int(sys.argv[2])
with open(limits, "rb") as file:
    replay = _core.Replay(
        file.read(), limits, profile="equity-liquid", events=orders * 100 // 47, seed=7
    )
found = json.loads(replay.run())
rows = Path("/proc/self/status").read_text().splitlines()
peak = next(int(row.split()[1]) for row in rows if row.startswith("VmHWM:"))
print(found["orders"], peak)
"""

if __name__ == "__main__":
    _main(sys.argv[1:])

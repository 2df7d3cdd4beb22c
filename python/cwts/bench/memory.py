"""How much memory a replay takes, and that it does not grow with the number of orders.

Each size runs in a process of its own: generated flow through the whole pipeline, without a log,
because a log is disk and not memory. ``python -m cwts.bench.memory`` prints the growth.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Final

__all__ = ["SMALL_EVENTS", "memory_growth_mb", "peak_rss_mb"]

#: What the growth is measured from.
SMALL_EVENTS: Final = 1_000_000
_PROFILE: Final = "equity-liquid"
_SEED: Final = 7
_MIB: Final = 1 << 20
_STATUS: Final = Path("/proc/self/status")


def memory_growth_mb(events: int, small: int = SMALL_EVENTS) -> float:
    """Measure how many MiB more a replay of `events` takes at its peak than one of `small`."""
    return peak_rss_mb(events) - peak_rss_mb(small)


def peak_rss_mb(events: int) -> float:
    """Measure the peak memory of a process that replays `events` generated events, in MiB."""
    command = [sys.executable, "-m", "cwts.bench.memory", "--one", str(events)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return float(json.loads(found.stdout)["peak_mb"])


def _replay_and_tell(events: int) -> None:
    from cwts import _core
    from cwts.datasets import default_limits

    run = _core.Replay(default_limits(), "equity.toml", profile=_PROFILE, events=events, seed=_SEED)
    found = json.loads(run.run())
    told = {"events": found["events"], "orders": found["orders"], "peak_mb": _peak_bytes() / _MIB}
    sys.stdout.write(json.dumps(told) + "\n")


def _peak_bytes() -> int:
    """Give this process's own peak: `ru_maxrss` also counts that of whoever started it."""
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _main(args: list[str]) -> None:
    if args[:1] == ["--one"]:
        _replay_and_tell(int(args[1]))
        return
    events = int(args[0]) if args else 20 * SMALL_EVENTS
    growth = memory_growth_mb(events)
    told = {"events": events, "from_events": SMALL_EVENTS, "memory_growth_mb": round(growth, 2)}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1:])

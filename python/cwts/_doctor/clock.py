"""Whether the clock is anybody's time, and how finely it counts.

RTS 25 asks for a clock that is traceable to UTC; CWTS cannot give one, only say that it has none.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import Final

from cwts import _adjtimex as _kernel
from cwts._doctor.row import Row, ok, text_of, warn

__all__ = ["rows"]

_AREA: Final = "clock"
#: A maximum error above this is no longer a time stamp for orders, microseconds.
_ERROR_US_MAX: Final = 100_000
#: How long a helper may take.
_PATIENCE_S: Final = 2.0
#: Reads for the smallest step of the clock.
_READS: Final = 20_000
_STEP_NS_MAX: Final = 1_000


def rows() -> list[Row]:
    """Give the rows of this area."""
    return [_synchronised(), _resolution(), _source()]


def _synchronised() -> Row:
    name, todo = "synchronised", "run chrony or systemd-timesyncd: order times need UTC"
    found = _adjtimex()
    if found is not None:
        is_synchronised, error_us, offset_us = found
        value = f"adjtimex: off by {offset_us:,} us, at most {error_us:,} us"
        if not is_synchronised:
            return warn(_AREA, name, "adjtimex: nobody disciplines this clock", todo)
        if error_us > _ERROR_US_MAX:
            return warn(_AREA, name, value, f"{todo}; above {_ERROR_US_MAX:,} us is too far")
        return ok(_AREA, name, value)
    for said, is_good in (_chrony(), _timedatectl()):
        if said:
            return ok(_AREA, name, said) if is_good else warn(_AREA, name, said, todo)
    value = "not told: adjtimex is forbidden here, chronyc and timedatectl are absent"
    return warn(_AREA, name, value, "ask whoever runs the host, then look again")


def _adjtimex() -> tuple[bool, int, int] | None:
    """Whether it is synchronised, its largest error and its offset in us, as the kernel says."""
    said = _kernel.read()
    if said is None:
        return None
    is_synchronised = not said.flags & _kernel.STA_UNSYNC
    return is_synchronised, said.maxerror_us, abs(said.offset_ns) // 1_000


def _chrony() -> tuple[str, bool]:
    said = _run("chronyc", "-n", "tracking")
    leap = next((line for line in said.splitlines() if line.startswith("Leap status")), "")
    value = leap.partition(":")[2].strip()
    return (f"chrony: {value}", value == "Normal") if value else ("", False)


def _timedatectl() -> tuple[str, bool]:
    said = _run("timedatectl", "show", "-p", "NTPSynchronized", "--value").strip()
    return (f"timedatectl: NTPSynchronized={said}", said == "yes") if said else ("", False)


def _run(program: str, *args: str) -> str:
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603 - a program of the host's, words of ours
            [path, *args], capture_output=True, text=True, timeout=_PATIENCE_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _resolution() -> Row:
    told_ns = round(time.clock_getres(time.CLOCK_REALTIME) * 1e9)
    last, steps = time.time_ns(), []
    for _ in range(_READS):
        now = time.time_ns()
        if now > last:
            steps.append(now - last)
        last = now
    step_ns = min(steps, default=0)
    value = f"{told_ns} ns told, {step_ns} ns between two readings"
    if told_ns > _STEP_NS_MAX or not steps:
        return warn(_AREA, "resolution", value, "orders in one step share a time stamp")
    return ok(_AREA, "resolution", value)


def _source() -> Row:
    folder = "/sys/devices/system/clocksource/clocksource0"
    source = text_of(f"{folder}/current_clocksource")
    if source is None:
        return ok(_AREA, "source", "not told")
    # Clocks that a process reads without entering the kernel.
    if source in ("tsc", "kvm-clock", "hyperv_clocksource_tsc_page", "arch_sys_counter"):
        return ok(_AREA, "source", source)
    todo = "each reading enters the kernel; boot with a stable tsc, or another kind of guest"
    return warn(_AREA, "source", source, todo)

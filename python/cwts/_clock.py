"""The clock in the log: a reading each second, and what follows from one that shows nothing."""

from __future__ import annotations

import threading
import time
import weakref
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from cwts import _adjtimex, _core

__all__ = ["ClockSync", "watch"]

_PERIOD_S: Final = 1.0
_BOUND_US_MAX: Final = 2**32 - 1


class _Writer(Protocol):
    """Who writes a log: a gateway, or a log of records."""

    _core: _core.Gateway


@dataclass(frozen=True, slots=True)
class ClockSync:
    """How near to UTC the clock must be shown to be, and what to do when it is not.

    Parameters
    ----------
    max_divergence_us : int
        The bound, microseconds. RTS 25 asks for 100 of members that trade at high frequency.
    policy : {"warn", "reduce_only", "halt"}
        The first reading that does not show the bound kept raises an alert; the other two also
        restrict the firm, until two people lift the hold.

    Notes
    -----
    Delegated Regulation (EU) 2017/574 (RTS 25), Art. 2 to 4. CWTS disciplines no clock: it records
    what the kernel says of it, once a second, as CLOCK entries.
    """

    max_divergence_us: int = 100
    policy: Literal["warn", "reduce_only", "halt"] = "warn"

    def __post_init__(self) -> None:
        if not 0 < self.max_divergence_us <= _BOUND_US_MAX:
            bound = f"1 to {_BOUND_US_MAX:,}"
            why = f"max_divergence_us is {self.max_divergence_us}, must be {bound}"
            raise ValueError(why)
        if self.policy not in ("warn", "reduce_only", "halt"):
            why = f'policy is {self.policy!r}, must be "warn", "reduce_only" or "halt"'
            raise ValueError(why)


def watch(gateway: _Writer, sync: ClockSync) -> None:
    """Log a reading now, and one each second until the gateway is closed or gone."""
    _record(gateway._core, sync)  # noqa: SLF001 - the facade's own clock
    stop = threading.Event()
    weakref.finalize(gateway, stop.set)
    # Only the gateway's owner keeps it alive: its log is free for others when it is dropped.
    known = weakref.ref(gateway)

    def run() -> None:
        while not stop.wait(_PERIOD_S):
            alive = known()
            if alive is None:
                return
            try:
                _record(alive._core, sync)  # noqa: SLF001
            except _core.CwtsError:
                # Closed, or its log has failed: the next caller is told.
                return
            del alive

    threading.Thread(target=run, name="cwts-clock", daemon=True).start()


def _record(core: _core.Gateway, sync: ClockSync) -> bool:
    said = _adjtimex.read()
    return _core.record_clock(
        core,
        None if said is None else (said.status, said.flags, said.tai),
        (0, 0, 0, 0)
        if said is None
        else (said.maxerror_us, said.esterror_us, said.offset_ns, said.freq),
        bound_us=sync.max_divergence_us,
        raw_ns=time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW),
        policy=sync.policy,
    )

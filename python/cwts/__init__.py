"""A market-access gateway whose every decision anyone can check afterwards.

Examples
--------
>>> import cwts
>>> gateway = cwts.Gateway("limits.toml", log="audit/")  # doctest: +SKIP
>>> gateway.set_reference("AAPL", last="585.30")  # doctest: +SKIP
>>> decision = gateway.submit(cwts.Order("AAPL", "buy", qty=100, price="585.33"))  # doctest: +SKIP
>>> decision.accepted, decision.violations, decision.explain()  # doctest: +SKIP

Names load at their first use, so that ``import cwts`` itself stays cheap.
"""

from __future__ import annotations

from importlib import import_module

# What a type checker reads below; `typing` itself would be most of this import's time.
TYPE_CHECKING = False

__all__ = [
    "BUILD_PROFILE",
    "DECISION_DTYPE",
    "ORDER_DTYPE",
    "AuditLog",
    "ClockSync",
    "CwtsError",
    "Decision",
    "ExecReport",
    "Gateway",
    "Hold",
    "Order",
    "Producer",
    "Proposal",
    "RejectReason",
    "ReplayResult",
    "SuggestedLimits",
    "WhatIfResult",
    "Witness",
    "__version__",
    "areplay",
    "asuggest_limits",
    "audit",
    "awhatif",
    "datasets",
    "errors",
    "replay",
    "suggest_limits",
    "threshold",
    "whatif",
    "zk",
]

if TYPE_CHECKING:
    from typing import Any, Final

    from cwts import audit, datasets, errors, threshold, zk
    from cwts._audit_log import AuditLog
    from cwts._clock import ClockSync
    from cwts._core import BUILD_PROFILE, CwtsError, Decision, Order
    from cwts._core import VERSION as __version__  # noqa: N811 - Python's name for it
    from cwts._replay import ReplayResult, areplay, replay
    from cwts._suggest import SuggestedLimits, asuggest_limits, suggest_limits
    from cwts._whatif import WhatIfResult, awhatif, whatif
    from cwts.gateway import Gateway
    from cwts.limits import Proposal
    from cwts.orders import ExecReport, Hold
    from cwts.producer import Producer
    from cwts.reasons import RejectReason
    from cwts.records import DECISION_DTYPE, ORDER_DTYPE
    from cwts.witnesses import Witness

#: Where each name comes from; a module stands for itself.
_HOMES: Final = {
    "AuditLog": ("cwts._audit_log", "AuditLog"),
    "BUILD_PROFILE": ("cwts._core", "BUILD_PROFILE"),
    "ClockSync": ("cwts._clock", "ClockSync"),
    "CwtsError": ("cwts._core", "CwtsError"),
    "DECISION_DTYPE": ("cwts.records", "DECISION_DTYPE"),
    "Decision": ("cwts._core", "Decision"),
    "ExecReport": ("cwts.orders", "ExecReport"),
    "Gateway": ("cwts.gateway", "Gateway"),
    "Hold": ("cwts.orders", "Hold"),
    "ORDER_DTYPE": ("cwts.records", "ORDER_DTYPE"),
    "Order": ("cwts._core", "Order"),
    "Producer": ("cwts.producer", "Producer"),
    "Proposal": ("cwts.limits", "Proposal"),
    "RejectReason": ("cwts.reasons", "RejectReason"),
    "ReplayResult": ("cwts._replay", "ReplayResult"),
    "SuggestedLimits": ("cwts._suggest", "SuggestedLimits"),
    "WhatIfResult": ("cwts._whatif", "WhatIfResult"),
    "Witness": ("cwts.witnesses", "Witness"),
    "__version__": ("cwts._core", "VERSION"),
    "areplay": ("cwts._replay", "areplay"),
    "asuggest_limits": ("cwts._suggest", "asuggest_limits"),
    "audit": ("cwts.audit", ""),
    "awhatif": ("cwts._whatif", "awhatif"),
    "datasets": ("cwts.datasets", ""),
    "errors": ("cwts.errors", ""),
    "replay": ("cwts._replay", "replay"),
    "suggest_limits": ("cwts._suggest", "suggest_limits"),
    "threshold": ("cwts.threshold", ""),
    "whatif": ("cwts._whatif", "whatif"),
    "zk": ("cwts.zk", ""),
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cwts' has no attribute {name!r}")
    module = import_module(home[0])
    value = getattr(module, home[1]) if home[1] else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)

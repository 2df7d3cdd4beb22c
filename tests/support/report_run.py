"""A run that a report can be made of, and a reader that sees the page as a browser would."""

from __future__ import annotations

import math
import random
from html.parser import HTMLParser
from typing import Any

BUCKETS = 2_000
CONTROLS = ("PRICE_COLLAR", "MAX_ORDER_QTY", "MESSAGE_RATE", "DUPLICATE_ORDER")
VOID = {"meta", "br", "hr", "img", "input", "link"}


def day(seed: int = 7) -> dict[str, Any]:
    """A run of a busy day: bursts, four controls, a limit that is nearly reached."""
    rng = random.Random(seed)
    start_ns = 1_340_285_400 * 10**9
    mean = [14 + 40 * math.exp(-i / 60) + 25 * math.exp((i - BUCKETS) / 90) for i in range(BUCKETS)]
    orders = [int(rng.gammavariate(1.2, value / 1.2)) for value in mean]
    rejected = {
        name: [sum(rng.random() < odds for _ in range(count)) for count in orders]
        for name, odds in zip(CONTROLS, (0.09, 0.007, 0.004, 0.0004), strict=True)
    }
    turned = [sum(column) for column in zip(*rejected.values(), strict=True)]
    accepted = [max(0, count - lost) for count, lost in zip(orders, turned, strict=True)]
    orders = [count + lost for count, lost in zip(accepted, turned, strict=True)]
    level, exposure = 0, []
    for count in accepted:
        level = max(0, int(level * 0.995 + count * rng.uniform(-2, 5) * 10**9))
        exposure.append(level)
    first = {name: sum(values) for name, values in rejected.items()}
    edges = [20 * 1.25**index for index in range(40)]
    shape = [
        math.exp(-((index - 8) ** 2) / 9) + 0.002 * math.exp(-index / 8) for index in range(39)
    ]
    total = sum(orders)
    denials = [
        {
            "seq": 40 + 311 * index,
            "order_id": 16_113_575 + 97 * index,
            "ts_ns": start_ns + index * 11 * 10**9 + 123_456_789,
            "symbol": "AMZN",
            "account": "ALL",
            "side": ("buy", "sell")[index % 2],
            "qty": 100 + 50 * (index % 7),
            "price": f"{223 + index / 100:.2f}",
            "first": CONTROLS[index % 4],
            "reasons": [CONTROLS[index % 4], *(["MAX_ORDER_NOTIONAL"] if index % 3 == 0 else [])],
            "text": f"{CONTROLS[index % 4]}: price 226.04 lies outside 221.57 to 226.05, which is "
            "1.00 % around the last trade 223.81 (SEC Rule 15c3-5(c)(1)(ii)).",
        }
        for index in range(50)
    ]
    return {
        "schema": "cwts/replay/v1",
        "inputs": [
            {
                "path": "AMZN_2012-06-21_message.csv",
                "sha256": "9f3c" * 16,
                "format": "lobster",
                "bytes": 2_493_868,
                "records": 57_515,
                "skipped": {"SNAPSHOT": 0, "STATE": 3},
            }
        ],
        "limits": {"sha256": "ab12" * 16, "version": 1},
        "mapping": {"account": "all", "replace": "apply"},
        "orders": total,
        "accepted": sum(accepted),
        "by_first": first,
        "by_bit": first | {"MAX_ORDER_NOTIONAL": 107},
        "passed": {"cancel": 13_855, "fill": 5_903},
        "anomalies": {"UNKNOWN_ORDER": 7_467, "TIME_BACK": 0},
        "decisions_sha256": "77aa" * 16,
        "log": {
            "dir": "run1/log",
            "entries": 61_204,
            "origin": "cwts.local/replay/0123456789abcdef",
            "root": "5d" * 32,
            "checkpoint": "cwts.local/replay/0123456789abcdef\n61204\nXV1dXV0=\n\n"
            "\u2014 cwts.local AAAAAbbbb0123456789abcdefghijklmnopqrstuvwxyz=\n",
            "durable": True,
        },
        "ns_per_order": {"p50": 118, "p99": 344, "p999": 2_210, "burst_p999": 2_900},
        "seconds": {"decode": 0.0031, "check": 0.0042, "log": 0.012, "total": 0.021},
        "series": {
            "t_ns": [start_ns + index * 11_700_000_000 for index in range(BUCKETS)],
            "utc_offset_s": -4 * 3600,
            "orders": orders,
            "accepted": accepted,
            "rejected": rejected,
            "open_notional": exposure,
            "open_notional_limit": int(max(exposure) * 1.12),
            "rate_peak": [min(60, int(count * rng.uniform(0.3, 1.4))) for count in orders],
            "rate_limit": 60,
        },
        "latency": {"edges_ns": edges, "counts": [int(total * part / 5.3) for part in shape]},
        "top_denials": denials,
        "denials_total": total - sum(accepted),
        "labels": [
            {"seq": 900 * index, "kind": kind, "expect": [reason], "found": True}
            for index, (kind, reason) in enumerate(
                (
                    ("fat finger, quantity", "MAX_ORDER_QTY"),
                    ("fat finger, price", "PRICE_COLLAR"),
                    ("duplicate burst", "DUPLICATE_ORDER"),
                    ("runaway loop", "MESSAGE_RATE"),
                    ("clock jump back", "TIME_BACK"),
                ),
                start=1,
            )
        ],
        "warnings": [],
        "mapping_notes": ["Hidden executions are prints only; they move the reference price."],
        "against_limits": against_limits(),
        "registers": registers(start_ns),
        "verify": {"ok": True, "text": "61,204 entries, 1 checkpoint, root 5d5d5d5d."},
        "limit_use": [
            {
                "scope": "account:ALL",
                "limit": "max_open_notional",
                "used": 410_000,
                "peak": 892_000,
                "max": 1_000_000,
                "pct": 89.2,
            },
            {
                "scope": "account:ALL",
                "limit": "message_rate",
                "used": 2,
                "peak": 60,
                "max": 60,
                "pct": 100.0,
            },
            {
                "scope": "firm",
                "limit": "credit",
                "used": "410000.50",
                "peak": 892_000,
                "max": 20_000_000,
                "pct": 4.46,
            },
        ],
    }


def registers(start_ns: int) -> dict[str, Any]:
    """What a log says of its limits, its holds and its refusals."""

    def at(index: int, kind: str, *fields: str) -> dict[str, Any]:
        return {field: {"entry": index, "type": kind} for field in fields}

    first = {
        "version": 1, "state": "replaced", "how": "start", "direction": None, "reason": None,
        "proposed_by": None, "approved_by": None, "authenticated": None, "in_force_ns": start_ns,
        "until_ns": start_ns + 10**9, "expires_ns": None, "ends_proposal": None,
        "changed_total": 26, "changed": [], "sources": at(3, "LIMIT_ACTIVATE", "version"),
    }  # fmt: skip
    changed = {"key": "account.ALL.max_order_qty", "old": "500", "new": "700", "direction": "raise"}
    second = first | {
        "version": 2, "state": "in force", "how": "proposal", "direction": "raise",
        "reason": "index day", "proposed_by": "anna", "approved_by": "bo", "authenticated": False,
        "until_ns": None, "expires_ns": start_ns + 10**12, "changed_total": 1,
        "changed": [changed], "sources": at(17, "LIMIT_PROPOSE", "version", "reason"),
    }  # fmt: skip
    hold = {
        "hold": 1, "scope": "account:ALL", "state": "HALTED", "allow_reduce": False,
        "automatic": True, "actor": "gateway", "reason": "LOSS_LIMIT: observed 600, limit 500",
        "set_ns": start_ns, "lifted": True, "lifted_by": "anna", "lifted_approved_by": "bo",
        "lifted_reason": "reviewed", "lifted_ns": start_ns + 10**9, "lifted_authenticated": False,
        "sources": at(40, "KILL", "hold"),
    }  # fmt: skip
    trigger = {
        "day_ends_ns": start_ns, "control": "PRICE_COLLAR", "bit": 10, "refused": 7, "decided": 6,
        "soft_blocked": 0, "alerted": 2, "overridden": 1, "passed": 0,
        "first_entry": 9, "last_entry": 99,
        "sources": at(99, "DECISION", "refused"),
    }  # fmt: skip
    rows = {"limits": [first, second], "kills": [hold], "triggers": [trigger]}
    return {
        kind: {"schema": f"cwts/report/{kind}/v1", "kind": kind, "rows": given}
        for kind, given in rows.items()
    }


def against_limits() -> dict[str, Any]:
    """What orders were compared with: three limits, one far away, and who came near them."""
    rng = random.Random(5)
    curves = []
    for control, level, unit, first, limit in (
        ("MAX_ORDER_QTY", "account", "qty", 100, 50_000),
        ("CREDIT_LIMIT", "firm", "micros", 2_000_000_000, 900_000_000_000_000),
        ("MESSAGE_RATE", "account", "count", 1, 60),
        ("PRICE_COLLAR", "instrument", "bps", 4, 600),
    ):
        xs = [int(first * 1.3**index) + index for index in range(30)]
        rejected = sorted((rng.randrange(1, 27_000) for _ in xs[1:]), reverse=True)
        curves.append(
            {
                "control": control,
                "level": level,
                "unit": unit,
                "orders": 27_845,
                "max": xs[-1],
                "limit_min": limit,
                "limit_max": limit,
                "stateful": unit == "count",
                "x": xs,
                "rejected": [*rejected, 0],
            }
        )
    peaks = [
        {
            "control": CONTROLS[index % 4],
            "level": "account",
            "scope": f"account:A{index}",
            "unit": ("bps", "qty", "count", "micros")[index % 4],
            "value": 1_000_000 - index,
            "limit": 1_000_000,
            "pct": 100 - index / 10_000,
            "near": 7 - index if index < 7 else 0,
            "seq": 90 + index,
            "ts_ns": 1_340_285_400 * 10**9 + index * 10**9,
            "order_id": 16_113_575 + index,
            "account": f"A{index}",
            "strategy": "mm-1",
            "symbol": "AMZN",
        }
        for index in range(60)
    ]
    near = {"percent": 90, "orders": 28, "by_control": {"PRICE_COLLAR": 20, "MESSAGE_RATE": 8}}
    return {"measured": True, "curves": curves, "peaks": peaks, "peaks_total": 640, "near": near}


class Page(HTMLParser):
    """The page as a browser would see it: tags that balance, attributes, words."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        opened = self.open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return " ".join(" ".join(self.words).split())


def parsed(page: str) -> Page:
    seen = Page(page)
    assert seen.open == [], "an element is left open"
    return seen


def assert_inert(page: str) -> Page:
    """Nothing in the page runs or fetches, whatever stands in its text."""
    seen = parsed(page)
    assert not seen.tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form"}
    assert not any(name.startswith("on") for name in seen.attributes)
    assert not seen.attributes & {"src", "srcset", "xlink:href", "action", "background"}
    return seen

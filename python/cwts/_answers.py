"""Reports that answer a rule's question order by order: SQL over a log's views.

Source: 17 CFR 240.17a-3(a)(6) (order memoranda), 15c3-5(e) and RTS 6 (2017/589) Art. 9 (yearly
review), RTS 6 Art. 15(6) (overrides), RTS 25 (2017/574) (clocks), RTS 24 (2017/580) Annex, the CAT
Industry Member event columns. CWTS supports these records; whether they suffice is for the firm.
Each row names the log indices that it was read from, each column its rule and its source.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cwts import _query

__all__ = ["DECIDED", "KINDS", "MACROS", "Column", "Report", "answer", "reports", "run"]

#: The kinds that are SQL over the views; `annual` is assembled of all others.
KINDS: Final = ("orders", "overrides", "clock", "cat", "rts24")


@dataclass(frozen=True)
class Column:
    """One column of a report: which rule asks for it, and from which of the row's entries it is."""

    field: str
    rule: str
    source: str


@dataclass(frozen=True)
class Report:
    """A report: SQL over the views, its columns, and what a reader must know."""

    kind: str
    sql: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    #: Macros and views that the SQL uses, made before it is run.
    setup: str = ""


#: What every report's SQL may use.
MACROS: Final = """\
-- No double stands between units of 1e-9 and the text.
CREATE MACRO exact(e9) AS CASE WHEN e9 = 0 THEN NULL ELSE CASE WHEN e9 < 0 THEN '-' ELSE ''
  END || rtrim(rtrim((abs(e9::HUGEINT) // 1000000000) || '.' || lpad((abs(e9::HUGEINT) %
  1000000000)::VARCHAR, 9, '0'), '0'), '.') END;
CREATE MACRO order_type(t) AS CASE t & 15 WHEN 1 THEN 'market' WHEN 2 THEN 'limit' WHEN 3 THEN
  'stop' WHEN 4 THEN 'stop_limit' WHEN 5 THEN 'pegged' END;
CREATE MACRO tif(t) AS CASE t >> 4 WHEN 0 THEN 'DAY' WHEN 1 THEN 'GTC' WHEN 2 THEN 'OPG' WHEN
  3 THEN 'IOC' WHEN 4 THEN 'FOK' WHEN 6 THEN 'GTD' WHEN 7 THEN 'CLO' END;
CREATE MACRO second_of(ns) AS epoch_ms((ns // 1000000000) * 1000);
CREATE MACRO micros(ns) AS strftime(second_of(ns), '%Y-%m-%dT%H:%M:%S') || '.' || lpad(((ns %
  1000000000) // 1000)::VARCHAR, 6, '0') || 'Z';
"""
#: Orders with their decision, and what became of them.
DECIDED: Final = """\
CREATE TEMP TABLE accounts AS SELECT handle, name FROM registers WHERE kind = 'account';
CREATE TEMP TABLE instruments AS SELECT handle, name FROM registers WHERE kind = 'instrument';
CREATE TEMP TABLE strategies AS SELECT handle, name FROM registers WHERE kind = 'strategy';
CREATE TEMP TABLE actors AS SELECT handle, name FROM registers WHERE kind = 'actor';
CREATE TEMP TABLE decided AS SELECT o.*, d.index AS decision_entry, d.utc_ns AS decided_ns,
  d.verdict, d.first AS control, d.limits_version, x.index AS denied_entry, a.name AS
  account_name, i.name AS instrument_name, s.name AS strategy_name, p.name AS actor_name FROM
  orders o LEFT JOIN decisions d ON d.order_seq = o.index LEFT JOIN denials x ON x.order_seq =
  o.index LEFT JOIN accounts a ON a.handle = o.account LEFT JOIN instruments i ON i.handle =
  o.instrument LEFT JOIN strategies s ON s.handle = o.strategy LEFT JOIN actors p ON p.handle
  = o.actor_handle;
"""
_LIFE: Final = """\
CREATE TEMP TABLE filled AS SELECT order_id, count(*) AS fills, max(cum_qty) AS filled_qty,
  string_agg(last_qty || ' at ' || coalesce(exact(last_px), '?') || ' (entry ' || index ||
  ')', '; ' ORDER BY index) AS prices, max(index) AS last_fill_entry FROM execs WHERE
  exec_type = 'F' GROUP BY order_id;
CREATE TEMP TABLE last_exec AS SELECT order_id, max(index) AS exec_entry, arg_max(exec_type,
  index) AS exec_type FROM execs GROUP BY order_id;
CREATE TEMP TABLE asked AS SELECT ref_id, min(index) FILTER (kind = 'cancel') AS cancel_entry,
  min(utc_ns) FILTER (kind = 'cancel') AS cancel_ns, min(index) FILTER (kind = 'replace') AS
  replace_entry FROM orders WHERE ref_id <> 0 GROUP BY ref_id;
CREATE TEMP TABLE allowed AS SELECT order_seq, min(index) AS override_entry FROM overrides
  GROUP BY order_seq;
"""
_NAMED: Final = """\
CREATE MACRO named(k, h) AS (SELECT any_value(r.name) FROM registers r WHERE r.kind = k AND
  r.handle = h);
"""
_A6: Final = "17a-3(a)(6)(i)"
ORDERS: Final = Report(
    "orders",
    """\
SELECT o.index AS order_entry, o.utc_ns AS received_ns, o.order_id, o.kind, CASE WHEN o.ref_id
  = 0 THEN NULL ELSE o.ref_id END AS ref_id, o.account_name AS account, o.instrument_name AS
  instrument, o.strategy_name AS strategy, o.side, order_type(o.type_tif) AS type,
  tif(o.type_tif) AS time_in_force, o.qty, exact(o.px) AS price, o.actor_name AS
  responsible, (o.entry_flags & 1) = 1 AS manual, o.decision_entry, o.decided_ns, o.verdict,
  o.control, o.limits_version, o.denied_entry, w.override_entry, c.cancel_entry, c.cancel_ns,
  c.replace_entry, coalesce(f.fills, 0) AS fills, coalesce(f.filled_qty, 0) AS filled_qty,
  f.prices AS executions, e.exec_entry AS last_report_entry, e.exec_type AS last_report FROM
  decided o LEFT JOIN asked c ON c.ref_id = o.order_id LEFT JOIN filled f ON f.order_id =
  o.order_id LEFT JOIN last_exec e ON e.order_id = o.order_id LEFT JOIN allowed w ON
  w.order_seq = o.index ORDER BY o.index
""",
    (
        Column("order_entry", "17a-4(f)(2)(iii): serialised", "its own log index"),
        Column("received_ns", f"{_A6}: time the order was received", "order_entry"),
        Column("order_id", _A6, "order_entry"),
        Column("kind", f"{_A6}: modifications and cancellations", "order_entry"),
        Column("ref_id", f"{_A6}: the order that it changes", "order_entry"),
        Column("account", f"{_A6}: the account for which entered", "order_entry, REGISTER"),
        Column("instrument", f"{_A6}: terms", "order_entry, REGISTER"),
        Column("strategy", "RTS 6 Art. 28", "order_entry, REGISTER"),
        Column("side", f"{_A6}: terms", "order_entry"),
        Column("type", f"{_A6}: terms and conditions", "order_entry"),
        Column("time_in_force", f"{_A6}: terms and conditions", "order_entry"),
        Column("qty", f"{_A6}: terms", "order_entry"),
        Column("price", f"{_A6}: terms; exact", "order_entry"),
        Column("responsible", f"{_A6}: each person who entered or accepted", "order_entry"),
        Column("manual", "entry flag: a person acted", "order_entry"),
        Column("decision_entry", "15c3-5(c)", "its own log index"),
        Column("decided_ns", f"{_A6}: time of entry", "decision_entry"),
        Column("verdict", "15c3-5(c)", "decision_entry"),
        Column("control", "15c3-5(c): the first that was violated", "decision_entry"),
        Column("limits_version", "15c3-5(e)", "decision_entry"),
        Column("denied_entry", "15c3-5(c): accepted, and held back", "its own log index"),
        Column("override_entry", "RTS 6 Art. 15(6)", "its own log index"),
        Column("cancel_entry", f"{_A6}: cancellation", "its own log index"),
        Column("cancel_ns", f"{_A6}: time of cancellation", "cancel_entry"),
        Column("replace_entry", f"{_A6}: modification", "its own log index"),
        Column("fills", f"{_A6}: execution", "EXEC entries in executions"),
        Column("filled_qty", f"{_A6}: execution", "EXEC entries in executions"),
        Column("executions", f"{_A6}: price at which executed", "EXEC entries named in it"),
        Column("last_report_entry", f"{_A6}: execution or cancellation", "its own log index"),
        Column("last_report", "FIX 150 of the venue's last report", "last_report_entry"),
    ),
    ("cancel_entry and replace_entry are the first that name the order's id",),
    DECIDED + _LIFE,
)
_B6: Final = "RTS 6 Art. 15(6)"
OVERRIDES: Final = Report(
    "overrides",
    """\
SELECT v.index AS override_entry, v.utc_ns, v.order_id, v.order_seq AS blocked_entry,
  named('account', o.account) AS account, named('instrument', o.instrument) AS instrument,
  o.side, o.qty, exact(o.px) AS price, (SELECT string_agg(c.name, ' ' ORDER BY c.bit) FROM
  controls c WHERE (v.controls >> c.bit) & 1 = 1) AS controls, v.expires_ns, v.actor AS
  asked_by, v.approver AS approved_by, v.reason, v.authenticated = 1 AS authenticated,
  p.passed_entry, p.passed_ns, p.controls AS passed_controls, p.alert_entries FROM overrides v
  LEFT JOIN orders o ON o.index = v.order_seq LEFT JOIN LATERAL (SELECT min(a.order_seq) AS
  passed_entry, min(a.utc_ns) AS passed_ns, string_agg(a.control, ' ' ORDER BY a.index) AS
  controls, string_agg(a.index::VARCHAR, ' ' ORDER BY a.index) AS alert_entries FROM alerts a
  WHERE a.kind = 'overridden' AND a.order_id = v.order_id AND a.index > v.index AND a.index <
  coalesce((SELECT min(n.index) FROM overrides n WHERE n.order_id = v.order_id AND n.index >
  v.index), 18446744073709551615)) p ON true ORDER BY v.index
""",
    (
        Column("override_entry", _B6, "its own log index"),
        Column("utc_ns", _B6, "override_entry"),
        Column("order_id", _B6, "override_entry"),
        Column("blocked_entry", f"{_B6}: the order that was blocked", "its own log index"),
        Column("account", _B6, "blocked_entry, REGISTER"),
        Column("instrument", _B6, "blocked_entry, REGISTER"),
        Column("side", _B6, "blocked_entry"),
        Column("qty", _B6, "blocked_entry"),
        Column("price", f"{_B6}; exact", "blocked_entry"),
        Column("controls", f"{_B6}: what it may violate", "override_entry"),
        Column("expires_ns", f"{_B6}: temporary", "override_entry"),
        Column("asked_by", f"{_B6}: trading", "override_entry"),
        Column("approved_by", f"{_B6}: the risk function's word", "override_entry"),
        Column("reason", f"{_B6}: the circumstances", "override_entry"),
        Column("authenticated", "both signatures are in the entry", "override_entry"),
        Column("passed_entry", f"{_B6}: the order that it let pass", "its own log index"),
        Column("passed_ns", _B6, "alert_entries"),
        Column("passed_controls", f"{_B6}: what it did violate", "alert_entries"),
        Column("alert_entries", "RTS 6 Art. 16", "their own log indices"),
    ),
    ("an override without passed_entry was not used",),
    _NAMED,
)
_R25: Final = "RTS 25 Art. 3 and Annex, Table 2"
#: RTS 25: members with high-frequency algorithmic trading.
DIVERGENCE_US_MAX: Final = 100
CLOCK: Final = Report(
    "clock",
    """\
SELECT index AS clock_entry, utc_ns, status, flags, (flags & 64) <> 0 OR status = 5 AS
  unsynchronised, maxerror_us, esterror_us, offset_ns, freq, tai, bound_us, CASE source WHEN 0 THEN
  'none' WHEN 1 THEN 'adjtimex' WHEN 2 THEN 'chrony' END AS source, raw_ns, utc_minus_mono_ns,
  utc_ns - lag(utc_ns) OVER (ORDER BY index) AS since_last_ns, NOT ((flags & 64) <> 0 OR
  status = 5) AND source <> 0 AND maxerror_us <= 100 AS shown_within FROM clock ORDER BY index
""",
    (
        Column("clock_entry", "RTS 25 Art. 4: traceability", "its own log index"),
        Column("utc_ns", "RTS 25 Art. 2", "clock_entry"),
        Column("status", "adjtimex(2): clock state; 5 is not synchronised", "clock_entry"),
        Column("flags", "adjtimex(2): timex.status", "clock_entry"),
        Column("unsynchronised", _R25, "clock_entry: STA_UNSYNC in flags, or status 5"),
        Column("maxerror_us", f"{_R25}: the bound that can be shown", "clock_entry"),
        Column("esterror_us", "adjtimex(2): estimated error", "clock_entry"),
        Column("offset_ns", "adjtimex(2): offset being corrected", "clock_entry"),
        Column("freq", "adjtimex(2): 2^-16 ppm", "clock_entry"),
        Column("tai", "adjtimex(2): TAI minus UTC, s", "clock_entry"),
        Column("bound_us", "the divergence that was configured", "clock_entry"),
        Column("source", "RTS 25 Art. 4: where it was read", "clock_entry"),
        Column("raw_ns", "CLOCK_MONOTONIC_RAW", "clock_entry"),
        Column("utc_minus_mono_ns", "how the gateway stamps", "clock_entry"),
        Column("since_last_ns", "RTS 25 Art. 4: monitoring", "clock_entry and the one before"),
        Column("shown_within", f"{_R25}: {DIVERGENCE_US_MAX} us from UTC", "maxerror_us, flags"),
    ),
    (
        "shown_within: the divergence is shown to be at most 100 us; false: it is not shown",
        "the point of time stamping is the gateway's reading of the clock when an order enters it",
    ),
)


def answer(log: str | os.PathLike[str], kind: str) -> dict[str, Any]:
    """Give a report with all its rows as an Arrow table under ``"table"``, of `cat` one an event.

    Raises
    ------
    InputError
        duckdb or pyarrow is not installed, or the log cannot be read.
    """
    tables = _query.views(log, _VIEWS[kind])
    head = {"schema": f"cwts/report/{kind}/v1", "kind": kind}
    if kind == "cat":
        from cwts._cat import events

        made = events(tables)
    else:
        from cwts._rts24 import RTS24

        of = {"orders": ORDERS, "overrides": OVERRIDES, "clock": CLOCK, "rts24": RTS24}
        made = run(of[kind], tables)
    made["notes"].append("CWTS supports these records; it submits none")
    return head | made


def reports(
    log: str | os.PathLike[str], kinds: Iterable[str], keys: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """Give reports of these kinds: as `registers`, with the rows as an Arrow table.

    Raises
    ------
    InputError
        As `answer`.
    TamperError
        Keys were given, and the log is not what they say.
    """
    from cwts import audit

    held = {row["kind"]: row for row in audit.registers(log, keys=keys)}
    about = held["limits"]
    read = {name: about[name] for name in ("log", "authenticated", "how")}
    found = []
    for kind in kinds:
        if kind == "annual":
            from cwts._annual import annual

            found.append(annual(log, held, str(about["how"])) | read)
        else:
            found.append(answer(log, kind) | read)
    return found


def run(report: Report, tables: Mapping[str, Any]) -> dict[str, Any]:
    """Run a report's SQL over views."""
    notes = list(report.notes)
    table = _query.rows_after(tables, MACROS + report.setup, report.sql)
    if report.kind == "clock" and not table.num_rows:
        notes.append("this log has no CLOCK entries: nothing shows how far its clock was from UTC")
    return {"columns": [vars(one) for one in report.columns], "notes": notes, "table": table}


_ORDER_VIEWS: Final = ("orders", "decisions", "denials", "execs", "registers", "overrides")
_VIEWS: Final[dict[str, tuple[str, ...]]] = {
    "orders": _ORDER_VIEWS,
    "cat": _ORDER_VIEWS,
    "rts24": _ORDER_VIEWS,
    "overrides": ("overrides", "orders", "alerts", "registers"),
    "clock": ("clock",),
}

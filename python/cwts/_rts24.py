"""Order records by the fields of RTS 24's Annex, for orders that a gateway saw.

Source: Delegated Regulation (EU) 2017/580, Annex, Table 2. Times are truncated to microseconds, as
its format has no more; the sequence number, the log index, tells apart what is equal in time.
"""

from __future__ import annotations

from typing import Final

from cwts._answers import DECIDED, Column, Report

__all__ = ["RTS24"]

_T2: Final = "RTS 24 Annex, Table 2"
#: The event of an order's own decision, and those of the venue's reports.
_EVENTS: Final = """\
SELECT o.utc_ns AS event_ns, o.index AS event_entry, o.index AS order_entry, NULL::UBIGINT AS
  report_entry, CASE WHEN o.verdict IN ('reject', 'soft_block') OR o.denied_entry IS NOT NULL
  THEN 'REMO' WHEN o.kind = 'new' THEN 'NEWO' WHEN o.kind = 'replace' THEN 'REME' ELSE 'CAME'
  END AS event, o.*, NULL::BIGINT AS last_px, NULL::BIGINT AS last_qty, NULL::BIGINT AS
  cum_qty FROM decided o UNION ALL BY NAME SELECT e.utc_ns AS event_ns, e.index AS
  event_entry, o.index AS order_entry, e.index AS report_entry, CASE e.exec_type WHEN 'F' THEN
  CASE WHEN e.cum_qty >= o.qty THEN 'FILL' ELSE 'PARF' END WHEN '4' THEN 'CAMO' WHEN 'C' THEN
  'EXPI' WHEN '8' THEN 'REMO' END AS event, o.*, e.last_px, e.last_qty, e.cum_qty FROM execs e
  JOIN LATERAL (SELECT q.* FROM decided q WHERE q.order_id = e.order_id AND q.kind <> 'cancel'
  AND q.index < e.index ORDER BY q.index DESC LIMIT 1) o ON true WHERE e.exec_type IN ('F',
  '4', 'C', '8')
"""
_COLUMNS: Final = (
    ("date_and_time", "field 9", "event_entry; truncated to microseconds", "micros(event_ns)"),
    ("sequence_number", "field 15", "event_entry: its own log index", "event_entry"),
    ("instrument_code", "field 18", "order_entry, REGISTER", "instrument_name"),
    ("date_of_receipt", "field 19", "order_entry", "micros(utc_ns)[1:10]"),
    ("order_id", "field 20", "order_entry", "CASE WHEN ref_id <> 0 THEN ref_id ELSE order_id END"),
    ("event", "field 21", "decision_entry or report_entry", "event"),
    ("order_type", "field 22", "order_entry", "order_type(type_tif)"),
    ("order_type_class", "field 23", "order_entry",
     "CASE type_tif & 15 WHEN 2 THEN 'LMTO' WHEN 3 THEN 'STOP' WHEN 4 THEN 'STOP' END"),
    ("limit_price", "field 24", "order_entry; exact", "exact(px)"),
    ("transaction_price", "field 28", "report_entry; exact", "exact(last_px)"),
    ("side", "field 32", "order_entry",
     "CASE WHEN side = 'buy' THEN 'BUYI' WHEN side <> 'none' THEN 'SELL' END"),
    ("initial_quantity", "field 36", "order_entry", "CASE WHEN kind <> 'cancel' THEN qty END"),
    ("remaining_quantity", "field 37", "order_entry, report_entry",
     "CASE event WHEN 'NEWO' THEN qty WHEN 'PARF' THEN qty - cum_qty WHEN 'FILL' THEN 0 END"),
    ("traded_quantity", "field 39", "report_entry",
     "CASE WHEN event IN ('PARF', 'FILL') THEN last_qty END"),
    ("passive_only", "field 43", "order_entry", "(flags & 2) = 2"),
    ("validity_period", "field 10", "order_entry", "tif(type_tif)"),
    ("account", "field 3: the account's name, no LEI", "order_entry, REGISTER", "account_name"),
    ("execution_within_firm", "field 5: the person or algorithm, no code", "order_entry, REGISTER",
     "actor_name"),
    ("order_entry", "its own log index", "order_entry", "order_entry"),
    ("decision_entry", "its own log index", "decision_entry", "decision_entry"),
    ("report_entry", "its own log index", "report_entry", "report_entry"),
)  # fmt: skip
RTS24: Final = Report(
    "rts24",
    f"WITH happened AS ({_EVENTS}) SELECT "  # noqa: S608 - every part is this file's own
    + ", ".join(f"{sql} AS {name}" for name, _, _, sql in _COLUMNS)
    + " FROM happened ORDER BY event_entry",
    tuple(
        Column(name, f"{_T2}, {rule}" if rule.startswith("field") else rule, source)
        for name, rule, source, _ in _COLUMNS
    ),
    (
        "times are truncated to microseconds (YYYY-MM-DDThh:mm:ss.ddddddZ); prices are exact",
        "of fields that are not listed a gateway knows nothing: codes, capacity, MIC, currencies",
        "accounts, persons and instruments have the limits file's names: put LEI and ISIN there",
        "REMO is any order that the gateway refused or held back, or that the venue rejected",
    ),
    DECIDED,
)

"""CAT Industry Member events of a log's orders: MENO, MEOR, MEOM, MEOC.

Source: the CAT Industry Member column lists in schemas/cat-im-columns.json; times in Eastern time
to the nanosecond, the granularity captured. What a gateway does not know stays empty: `events` says
which columns. CWTS writes rows and submits none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from cwts import _answers, _query

__all__ = ["EVENTS", "events", "layouts"]

#: Events in the order in which they are written.
EVENTS: Final = ("MENO", "MEOR", "MEOM", "MEOC")
_SETUP: Final = """\
-- The zone's rules give microseconds: the nanoseconds are put back behind the second.
CREATE MACRO eastern(ns) AS strftime(timezone('America/New_York', (second_of(ns))::TIMESTAMP
  AT TIME ZONE 'UTC'), '%Y%m%dT%H%M%S') || '.' || lpad((ns % 1000000000)::VARCHAR, 9, '0');
CREATE MACRO eastern_day(ns) AS eastern(ns)[1:8];
CREATE MACRO cat_side(s) AS CASE s WHEN 'buy' THEN 'B' WHEN 'sell' THEN 'SL' WHEN 'short' THEN
  'SS' WHEN 'short_exempt' THEN 'SX' END;
CREATE MACRO cat_type(t) AS CASE t & 15 WHEN 1 THEN 'MKT' WHEN 2 THEN 'LMT' END;
CREATE MACRO cat_tif(t, ns) AS CASE t >> 4 WHEN 0 THEN 'DAY=' || eastern_day(ns) WHEN 1 THEN
  'GTC' WHEN 3 THEN 'IOC' WHEN 4 THEN 'FOK' END;
"""
_ORDER: Final = "order_entry"
_DECISION: Final = "decision_entry"
#: Column: expression over a decided order `o` (`p`: the order that it changes), and its source.
_COMMON: Final[dict[str, tuple[str, str]]] = {
    "actionType": ("'NEW'", "fixed: CWTS corrects nothing that was reported"),
    "firmROEID": ("eastern_day(o.utc_ns) || '_' || {entry} || '{event}'", "its own log index"),
    "type": ("'{event}'", "fixed"),
    "orderKeyDate": ("eastern(o.utc_ns)", _ORDER),
    "orderID": ("o.order_id::VARCHAR", _ORDER),
    "symbol": ("o.instrument_name", f"{_ORDER}, REGISTER"),
}
_TERMS: Final[dict[str, tuple[str, str]]] = {
    "eventTimestamp": ("eastern(o.utc_ns)", _ORDER),
    "manualFlag": ("CASE WHEN o.entry_flags & 1 = 1 THEN 'true' ELSE 'false' END", _ORDER),
    "electronicDupFlag": ("'false'", "fixed: an order enters once"),
    "side": ("cat_side(o.side)", _ORDER),
    "price": ("exact(o.px)", f"{_ORDER}; exact"),
    "quantity": ("o.qty::VARCHAR", _ORDER),
    "orderType": ("cat_type(o.type_tif)", f"{_ORDER}: market and limit"),
    "timeInForce": ("cat_tif(o.type_tif, o.utc_ns)", _ORDER),
    "seqNum": ("{entry}::VARCHAR", "its own log index"),
}
_OWN: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "MENO": {"firmDesignatedID": ("o.account_name", f"{_ORDER}, REGISTER")},
    "MEOR": {
        "eventTimestamp": ("eastern(o.decided_ns)", _DECISION),
        "routedOrderID": ("o.order_id::VARCHAR", _ORDER),
    },
    "MEOM": {
        "priorOrderKeyDate": ("eastern(p.utc_ns)", "prior_entry"),
        "priorOrderID": ("p.order_id::VARCHAR", "prior_entry"),
    },
    "MEOC": {
        "orderKeyDate": ("eastern(p.utc_ns)", "prior_entry"),
        "orderID": ("p.order_id::VARCHAR", "prior_entry"),
        "symbol": ("coalesce(o.instrument_name, p.instrument_name)", "prior_entry, REGISTER"),
    },
}
#: Which orders make an event. A refused order is MENO without MEOR.
_WHEN: Final = {
    "MENO": "o.kind = 'new'",
    "MEOR": "o.kind IN ('new', 'replace') AND o.verdict = 'accept' AND o.denied_entry IS NULL",
    "MEOM": "o.kind = 'replace' AND o.verdict = 'accept' AND o.denied_entry IS NULL",
    "MEOC": "o.kind = 'cancel' AND o.verdict = 'cancel_passed'",
}
_ENTRY: Final = {"MEOR": "o.decision_entry"}
NOTES: Final = (
    "times are Eastern time, to the nanosecond; prices are exact",
    "a refused order has a MENO and no MEOR",
    "an order that was held back, or a replace that was, has neither MEOR nor MEOM",
    "MEOC stands for a cancel that the gateway passed: it waits for no confirmation of the venue",
    "the columns are those of the list that CWTS ships: compare them with what is in force",
)


@cache
def layouts() -> dict[str, list[str]]:
    """Give the columns of each event, in order."""
    text = files("cwts").joinpath("schemas/cat-im-columns.json").read_text(encoding="utf-8")
    read = json.loads(text)
    return {event: [*read["common_order"], *read[event]] for event in EVENTS}


def known(event: str) -> dict[str, tuple[str, str]]:
    """Give expression and source of the columns of an event that a gateway knows."""
    entry = _ENTRY.get(event, "o.index")
    named = _COMMON | _TERMS | _OWN[event]
    return {
        name: (sql.format(event=event, entry=entry), source)
        for name, (sql, source) in named.items()
        if name in layouts()[event]
    }


def events(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Give the events: a table each of exactly its columns, and of the entries it was read from."""
    made: dict[str, Any] = {}
    columns: list[dict[str, Any]] = []
    for event in EVENTS:
        told = known(event)
        names = layouts()[event]
        fields = [
            f'{told[name][0] if name in told else "NULL::VARCHAR"} AS "{name}"' for name in names
        ]
        sql = (  # every part is one of this file's own
            f"SELECT {', '.join(fields)}, o.index AS order_entry, o.decision_entry, "  # noqa: S608
            "p.index AS prior_entry FROM decided o LEFT JOIN LATERAL (SELECT q.index, q.utc_ns, "
            "q.order_id, q.instrument_name FROM decided q WHERE o.ref_id <> 0 "
            "AND q.order_id = o.ref_id AND q.index < o.index ORDER BY q.index DESC LIMIT 1) p "
            f"ON true WHERE {_WHEN[event]} ORDER BY o.index"
        )
        setup = _answers.MACROS + _answers.DECIDED + _SETUP
        made[event] = _query.rows_after(tables, setup, sql)
        columns += [
            {
                "event": event,
                "field": name,
                "rule": f"CAT IM {event}, column {number}",
                "source": told[name][1] if name in told else None,
            }
            for number, name in enumerate(names, 1)
        ]
    return {"columns": columns, "notes": list(NOTES), "events": made}

"""The yearly review's material, put together from a log: one row a fact, with its entries and rule.

Source: SEC Rule 15c3-5(e)(1) (review of the effectiveness of the controls), RTS 6 (2017/589) Art. 9
(self-assessment) and Annex I. It is material for a review and no review: a person judges it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, Final

from cwts import _answers, _query, _views

__all__ = ["annual"]

Row = tuple[str, str, str, int | None, int | None, str]
_FIELDS: Final = ("section", "fact", "value", "first_entry", "last_entry", "rule")
_REVIEW: Final = "15c3-5(e)(1); RTS 6 Art. 9(1)"
#: Facts that SQL counts: section, rule, and a SELECT of fact, value, first and last entry.
_COUNTED: Final = (
    (
        "orders",
        _REVIEW,
        """\
SELECT verdict, count(*), min(index), max(index) FROM decisions GROUP BY verdict ORDER BY
  verdict""",
    ),
    (
        "held back at release",
        "15c3-5(c)(1)",
        """\
SELECT 'RELEASE_DENIED', count(*), min(index), max(index) FROM denials HAVING count(*) > 0""",
    ),
    (
        "overrides",
        "RTS 6 Art. 15(6)",
        """\
SELECT 'asked by ' || actor || ', approved by ' || approver || CASE authenticated WHEN 1 THEN
  '' ELSE ', unauthenticated' END, count(*), min(index), max(index) FROM overrides GROUP BY
  ALL ORDER BY 1""",
    ),
    (
        "alerts",
        "RTS 6 Art. 16",
        """\
SELECT kind || coalesce(' of ' || control, ''), count(*), min(index), max(index) FROM alerts
  GROUP BY ALL ORDER BY 1""",
    ),
    (
        "gaps",
        "17a-4(f)(2)(i)(A)",
        """\
SELECT 'orders refused unlogged: the log had no room', sum(count), min(index), max(index) FROM
  gaps HAVING count(*) > 0""",
    ),
    (
        "opens",
        "17a-4(f)(2)(i)(A)",
        """\
SELECT CASE type WHEN 'RECOVERY' THEN 'opened after an unclean end: ' || cause WHEN 'CLOSE'
  THEN 'closed cleanly' ELSE 'log begun' END, count(*), min(index), max(index) FROM opens
  GROUP BY ALL ORDER BY 1""",
    ),
)
_CLOCK: Final = (
    "SELECT CASE WHEN shown_within THEN 'seconds shown to be within 100 us of UTC' "
    "ELSE 'seconds not shown to be within 100 us of UTC' END, count(*), min(clock_entry), "
    "max(clock_entry) FROM clock_report GROUP BY ALL ORDER BY 1"
)
_VIEWS: Final = ("decisions", "denials", "overrides", "alerts", "gaps", "opens", "clock", "kills")


def annual(
    log: str | os.PathLike[str], registers: Mapping[str, Mapping[str, Any]], how: str
) -> dict[str, Any]:
    """Put the material together.

    Parameters
    ----------
    log : path-like
        The log's directory.
    registers : Mapping
        What `registers` gives, by kind: limits, kills and triggers.
    how : str
        What the verification that was asked for proved.
    """
    tables = _query.views(log, _VIEWS)
    rows: list[Row] = [("verification", "the log", how, None, None, "17a-4(f)(2)(ii)")]
    rows += _limits(registers["limits"]["rows"])
    rows += _triggers(registers["triggers"]["rows"])
    rows += _kills(registers["kills"]["rows"], _tests(tables["kills"]))
    for section, rule, sql in _COUNTED:
        rows += _counted(section, rule, _query.rows_after(tables, "", sql))
    clock = _answers.run(_answers.CLOCK, tables)["table"]
    if clock.num_rows:
        counted = _query.rows_after({"clock_report": clock}, "", _CLOCK)
        rows += _counted("clock", "RTS 25 Art. 4", counted)
    else:
        rows.append(("clock", "CLOCK entries", "none", None, None, "RTS 25 Art. 4"))
    columns = [list(column) for column in zip(*rows, strict=True)]
    return {
        "schema": "cwts/report/annual/v1",
        "kind": "annual",
        "columns": [
            {"field": "section", "rule": _REVIEW, "source": None},
            {"field": "fact", "rule": _REVIEW, "source": "first_entry to last_entry"},
            {"field": "value", "rule": _REVIEW, "source": "first_entry to last_entry"},
            {"field": "first_entry", "rule": "its own log index", "source": "first_entry"},
            {"field": "last_entry", "rule": "its own log index", "source": "last_entry"},
            {"field": "rule", "rule": "the rule that asks for the row", "source": None},
        ],
        "notes": [
            "material for a review: whether the controls were effective, a person judges",
            "a drill is a hold whose entry has the flag test, or whose reason has the word drill",
            "CWTS supports these records; it submits none",
        ],
        "table": _views.arrow().table(dict(zip(_FIELDS, columns, strict=True))),
    }


def _counted(section: str, rule: str, table: Any) -> Iterator[Row]:
    for fact, value, first, last in zip(*(c.to_pylist() for c in table.columns), strict=True):
        yield (section, str(fact), str(value), first, last, rule)


def _limits(rows: list[Mapping[str, Any]]) -> Iterator[Row]:
    for row in rows:
        people = [f"proposed by {row['proposed_by']}"] if row["proposed_by"] else []
        people += [f"approved by {row['approved_by']}"] if row["approved_by"] else []
        signed = "" if row["authenticated"] or not people else "unauthenticated"
        moved = f"{row['changed_total']:,} keys changed"
        words = (row["how"], row["direction"], *people, signed, row["reason"], moved)
        value = ", ".join(str(word) for word in words if word)
        fact = f"version {row['version']}, {row['state']}"
        yield ("limits", fact, value, *_entries(row), "15c3-5(e)(1); RTS 6 Art. 9(2)")


def _triggers(rows: list[Mapping[str, Any]]) -> Iterator[Row]:
    """Counts over all days, a row a control."""
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        one = found.setdefault(row["control"], {"first": row["first_entry"], "last": 0})
        one["last"] = max(one["last"], row["last_entry"])
        one["first"] = min(one["first"], row["first_entry"])
        for name in ("refused", "soft_blocked", "alerted", "overridden", "passed"):
            one[name] = one.get(name, 0) + row[name]
    for control, one in sorted(found.items()):
        value = ", ".join(f"{count:,} {name}" for name, count in one.items()
                          if count and name not in {"first", "last"})  # fmt: skip
        yield ("triggers", control, value, one["first"], one["last"], _REVIEW)


def _kills(rows: list[Mapping[str, Any]], tests: set[int]) -> Iterator[Row]:
    for row in rows:
        lifted = "standing"
        if row["lifted"]:
            lifted = f"lifted by {row['lifted_by']} and {row['lifted_approved_by']}"
        entries = _entries(row)
        drill = entries[0] in tests or "drill" in str(row["reason"]).lower().split()
        fact = f"{'drill: ' if drill else ''}hold {row['hold']}, {row['state']} {row['scope']}"
        value = f"by {row['actor']}: {row['reason']}; {lifted}"
        yield ("kills and drills", fact, value, *entries, "15c3-5(c)(1); RTS 6 Art. 12")


def _tests(kills: Any) -> set[int]:
    """Entries that say of themselves that they are a test."""
    flags, indices = kills["entry_flags"].to_pylist(), kills["index"].to_pylist()
    return {index for index, flag in zip(indices, flags, strict=True) if flag & _TEST}


def _entries(row: Mapping[str, Any]) -> tuple[int | None, int | None]:
    held = [source["entry"] for source in row["sources"].values()]
    return (min(held), max(held)) if held else (None, None)


#: `entry_flag::TEST`.
_TEST: Final = 4

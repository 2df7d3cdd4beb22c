"""The registers on a page: of a run's report, and of a log alone."""

from __future__ import annotations

from typing import Any

import pytest

from cwts.report import PAGE_BYTES_MAX, registers_html, report_html
from report_run import assert_inert, day

HOSTILE = "<script>alert(1)</script>\u202e'\"=cmd()" * 40


def given(**more: Any) -> list[dict[str, Any]]:
    log = {"origin": "cwts.example/gw", "entries": 120}
    read = {"log": log, "authenticated": False, "how": "read and not verified"} | more
    return [register | read for register in day()["registers"].values()]


def test_a_run_shows_its_registers_where_there_is_anything_to_show() -> None:
    run = day()
    said = assert_inert(report_html(run)).said
    for words in ("Limits register", "Kill register", "Triggers by day", "index day", "automatic",
                  "account.ALL.max_order_qty: 500 to 700", "17 LIMIT_PROPOSE"):  # fmt: skip
        assert words in said, words
    for kind, title in (("limits", "Limits register"), ("kills", "Kill register")):
        # One version from the start says nothing, nor do holds that nobody made.
        run["registers"][kind]["rows"] = run["registers"][kind]["rows"][: kind == "limits"]
        assert title not in assert_inert(report_html(run)).said


def test_a_log_that_nobody_verified_says_so_first() -> None:
    said = assert_inert(registers_html(given())).said
    assert "Not verified" in said[: said.index("Limits register", said.index("verified"))]
    said = assert_inert(registers_html(given(authenticated=True, how="verified with k"))).said
    assert "Not verified" not in said


@pytest.mark.parametrize("rows", [1, 4_000])
def test_hostile_text_stays_text_and_the_page_stays_small(rows: int) -> None:
    found = given()
    for register in found:
        row = {key: HOSTILE if isinstance(value, str) else value
               for key, value in register["rows"][-1].items()}  # fmt: skip
        if "changed" in row:
            row["changed"] = [dict.fromkeys(("key", "old", "new", "direction"), HOSTILE)] * 999
        register["rows"] = [row] * rows
    page = registers_html(found)
    assert len(page.encode()) <= PAGE_BYTES_MAX
    seen = assert_inert(page)
    assert "<script" not in page
    assert "\u202e" not in page
    if rows > 1:
        assert "of 4,000 holds" in seen.said

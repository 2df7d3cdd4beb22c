"""A regulator's letter: what it asks for is kept, by two people, until two people let it go."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cli_run import cli
from cwts import AuditLog, Gateway, Order, archives, audit
from cwts.errors import PermissionDeniedError, RetentionError
from desk import LIMITS
from old_archive import old_archive

LETTER = ("--account", "alpha", "--from", "2026-01-01T00:00Z", "--reason", "letter 7")


def said(*args: object) -> Any:
    """What a command says as JSON."""
    return json.loads(cli("log", *args, "--json").stdout)


def test_a_case_of_a_running_gateway_takes_two_keys_and_is_listed(tmp_path: Path) -> None:
    log, lines = tmp_path / "log", ""
    for name, may in (("anna", "hold"), ("bo", "hold"), ("cy", "resume")):
        made = json.loads(cli("operator", "new", name, "--json").stdout)
        assert "hold" in made["may"]
        lines += f'[operator.{name}]\nkey = "{made["key"]}"\nmay = ["{may}"]\n'
    limits = tmp_path / "limits.toml"
    limits.write_text(LIMITS + lines)
    with Gateway(limits, log=log, keys=tmp_path / "keys", clock=None) as gateway:
        gateway.set_reference("ACME", last="10.00")
        assert gateway.submit(Order("ACME", "buy", 1, "10.00", "alpha"))
        for people, why in (
            (("--as", "anna", "--approve-as", "anna"), "second person"),
            (("--as", "anna", "--approve-as", "cy"), "may not hold"),
            (("--as", "anna", "--approve-as", "eve"), "no [operator]"),
            ((), "two people"),
        ):
            refused = cli("log", "hold", log, "case-7", *LETTER, *people)
            assert (refused.returncode, why in refused.stderr) == (2, True), refused.stderr
        unknown = cli(
            "log", "hold", log, "case-7", "--account", "zeta", "--reason", "r", "--as", "anna"
        )
        assert "knows no account `zeta`" in unknown.stderr
        done = said("hold", log, "case-7", *LETTER, "--as", "anna", "--approve-as", "bo")
        assert done["opened"]
        again = cli("log", "hold", log, "case-7", *LETTER, "--as", "anna", "--approve-as", "bo")
        assert "was used" in again.stderr
        half = said("release", log, "case-7", "--reason", "closed", "--as", "bo")
        assert half["waits"]
        (row,) = said("holds", log)["cases"]
        assert (row["case"], row["account"], row["authenticated"]) == ("case-7", "alpha", True)
    # The gateway is closed: the second key comes later, and the log is written at once.
    done = said("release", log, "case-7", "--approve-as", "anna")
    assert done["closed"]
    assert said("holds", log)["cases"] == []
    verdict = audit.verify(log)
    assert verdict.ok, verdict.findings
    assert (verdict.counts["HOLD"], verdict.counts["HOLD_RELEASE"]) == (1, 1)
    assert any("2 changes, resumes, overrides and holds are signed" in n for n in verdict.notes)


def test_an_archive_goes_when_its_years_are_over_and_no_case_holds_it(tmp_path: Path) -> None:
    two = {"actor": "anna", "approver": "bo"}
    with AuditLog.open(tmp_path / "old", retention_years=6, retention_rule="17a-4(a)") as log:
        log.append(audit.Note("a trade", actor="carl"))
    cold = old_archive(tmp_path / "old", tmp_path)
    with AuditLog.open(tmp_path / "log") as log:
        log.append(audit.Note("of today", actor="carl"))
        log.hold("c", **two, reason="letter", person="carl")
        young = tmp_path / "young"
    archives.archive(tmp_path / "log", young)
    ask = ("expire", "--log", tmp_path / "log", "--as", "carl")
    held = cli("log", *ask[:1], cold, *ask[1:])
    assert (held.returncode, "held for case c" in held.stderr) == (2, True), held.stderr
    assert said(
        "release", tmp_path / "log", "c", "--reason", "r", "--as", "anna", "--approve-as", "bo"
    )["closed"]
    early = cli("log", "expire", young, *ask[1:])
    assert (early.returncode, "7 years are promised" in early.stderr) == (2, True), early.stderr
    gone = said("expire", cold, *ask[1:])
    assert not any(cold.rglob("*.cwz"))
    assert list(young.rglob("*.cwz"))
    again = cli("log", "expire", cold, *ask[1:])
    assert "is no archive" in again.stderr
    future = cli("log", "expire", young, *ask[1:], "--now", "2190-01-01T00:00Z")
    assert "has not come yet" in future.stderr
    (row,) = json.loads(cli("log", "show", tmp_path / "log", str(gone["seq"]), "--json").stdout)
    assert row["type"] == "ACCESS"
    verdict = audit.verify(tmp_path / "log")
    assert verdict.ok, verdict.findings
    assert verdict.counts["ACCESS"] == 3


def test_fewer_years_than_the_rule_asks_for_are_refused(tmp_path: Path) -> None:
    for years, rule in ((5, "17a-4(a)"), (2, "17a-4(b)"), (4, "rts6"), (9, "rts7"), (0, None)):
        with pytest.raises(RetentionError, match="retention") as refused:
            AuditLog.open(tmp_path / "log", retention_years=years, retention_rule=rule)
        assert refused.value.code == "RETENTION"
    assert not (tmp_path / "log").exists()
    with AuditLog.open(tmp_path / "log", retention_years=10):
        pass
    with pytest.raises(RetentionError, match="promises 10 years"):
        AuditLog.open(tmp_path / "log", retention_years=7)


def test_a_gateway_promises_years_as_a_log_of_records_does(tmp_path: Path) -> None:
    limits, log = tmp_path / "limits.toml", tmp_path / "log"
    limits.write_text(LIMITS)

    def opened(**asked: Any) -> Gateway:
        return Gateway(limits, log, keys=tmp_path / "keys", clock=None, **asked)

    opened(retention_years=6, retention_rule="17a-4(a)").close()
    (genesis,) = said("show", log, "1")
    assert genesis["body"]["retention_years"] == 6
    opened().close()  # what it promised stands, whoever opens it next
    for asked, why in (((7, None), "promises 6"), ((5, "17a-4(a)"), "asks for 6")):
        with pytest.raises(RetentionError, match=why):
            opened(retention_years=asked[0], retention_rule=asked[1])
    with pytest.raises(ValueError, match="goes with"):
        opened(retention_rule="rts6")


def test_a_log_of_records_keeps_what_a_person_did(tmp_path: Path) -> None:
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    two = {"actor": "anna", "approver": "bo"}
    with AuditLog.open(tmp_path / "log", keys=tmp_path / "keys") as log:
        log.append(audit.Note("a trade", actor="carl"))
        with pytest.raises(PermissionDeniedError, match="second person"):
            log.hold("c", actor="anna", approver="anna", reason="r")
        with pytest.raises(PermissionDeniedError, match="ends before it begins"):
            log.hold("c", **two, reason="r", start=end, end=start)
        log.hold("c", **two, reason="letter", person="carl", start=start, end=end)
        (row,) = log.holds()
        assert (row["person"], row["account"], row["actor"]) == ("carl", None, "anna")
        with pytest.raises(PermissionDeniedError, match="c2 is not open; open: c"):
            log.release("c2", **two, reason="r")
    with AuditLog.open(tmp_path / "log", keys=tmp_path / "keys") as log:
        assert [row["case"] for row in log.holds()] == ["c"]
        log.release("c", **two, reason="done")
        assert log.holds() == []
    assert audit.verify(tmp_path / "log").ok


def test_who_got_a_receipt_is_an_entry(tmp_path: Path) -> None:
    with AuditLog.open(tmp_path / "log") as log:
        index = log.append(audit.Note("a trade", actor="carl"))
        log.receipt(index)
        size = len(log)
        log.receipt(index, who="auditor")
        assert len(log) == size + 1
        at = log.record_access("export", who="auditor", what="all of March")
        row = log.entry(at)
    assert (row["type"], row["body"]["who"]) == ("ACCESS", "auditor")
    assert audit.verify(tmp_path / "log").counts["ACCESS"] == 2

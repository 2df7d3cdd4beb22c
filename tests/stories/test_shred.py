"""A customer left eight years ago and asks to be forgotten: nobody reads the name any more."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV

from cli_run import cli
from cwts import AuditLog, Gateway, Order, _core, audit
from cwts.errors import LogError, PermissionDeniedError
from desk import LIMITS

NAME = "Jane Maria Doe"
YEARS_NS = 8 * 366 * 86_400 * 10**9
BOTH = ("--as", "anna", "--approve-as", "bo", "--reason", "Art. 17")
#: The account of the customer, and who reads: the levels of a verification.
SUBJECT = "account:K-77"
LEVELS = ("roots", "full", "replay")
WITH_CODE = LIMITS.replace("alpha", "K-77")


def said(*args: object) -> Any:
    """What a command says as JSON."""
    done = cli("log", *args, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refusal(log: Path, *args: str) -> str:
    """Why a shred is bad input."""
    done = cli("log", "shred", log, "--subject", SUBJECT, *args)
    assert done.returncode == 2, (done.stdout, done.stderr)
    return done.stderr


def holders(root: Path, secret: bytes) -> list[str]:
    """Files that hold some bytes."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return [str(path) for path in files if secret in path.read_bytes()]


def old_log(root: Path) -> tuple[Path, int, int]:
    """A gateway's log, who the account is and its order: of eight years ago, others trade still."""
    limits, log = root / "limits.toml", root / "log"
    limits.write_text(LIMITS)
    with Gateway(limits, log, keys=root / "keys", clock=None) as gateway:
        _core.torture_clock(gateway._core, -YEARS_NS)
        gateway.set_reference("ACME", last="10.00")
        limits.write_text(WITH_CODE)
        proposed = gateway.propose_limits(limits, maker="ana", reason="a new account")
        gateway.approve_limits(proposed, checker="ben")
        index = gateway.identify(SUBJECT, NAME, actor="u:9")
        order = gateway.submit(Order("ACME", "buy", 1, "10.00", "K-77"))
        assert order
        with pytest.raises(PermissionDeniedError, match="no such code"):
            gateway.identify("account:nobody", NAME)
        with pytest.raises(LogError, match="KIND:CODE"):
            gateway.identify("K-77", NAME)
        limits.write_text(LIMITS)
        proposed = gateway.propose_limits(limits, maker="ana", reason="the account is closed")
        gateway.approve_limits(proposed, checker="ben")
        _core.torture_clock(gateway._core, YEARS_NS)
        gateway.set_reference("ACME", last="10.00")
        assert gateway.submit(Order("ACME", "buy", 1, "10.00", "alpha"))
    return log, index, order.order_id


def verified(log: Path, receipt: Path) -> list[str]:
    """What every level gives, and the receipt."""
    found = []
    for level in LEVELS:
        verdict = audit.verify(log, level=level)  # type: ignore[arg-type]
        assert verdict.ok, verdict.findings
    for path in (receipt, receipt.parent / "order"):
        proved = audit.verify(path, [(log / "log.vkey").read_text().strip()])
        assert proved.ok, proved.findings
        found += [json.dumps(proved.entries), *proved.text, *proved.not_checked]
    return found


def test_a_customers_name_is_forgotten_and_every_proof_stays(tmp_path: Path) -> None:
    log, index, order = old_log(tmp_path)
    keys, receipt = tmp_path / "keys", tmp_path / "r.tlog-proof"
    said("receipt", log, index, "-o", receipt)
    said("receipt", log, "--order", order, "-o", tmp_path / "order")
    before = verified(log, receipt)
    assert holders(log, NAME.encode()) == []
    assert not any(NAME in line for line in before)
    assert any("account K-77" in line for line in before)
    (row,) = said("subjects", log)["subjects"]
    assert (row["subject"], row["identity"], row["sealed"]) == (SUBJECT, NAME, 1)
    (entry,) = said("show", log, str(index))
    assert (entry["type"], entry["body"]["text"]) == ("SEALED", NAME)
    opened_by_others(entry, keys)
    (key,) = keys.rglob("subject/*.key")
    secret = key.read_bytes()
    os.link(key, tmp_path / "second-name")
    size, root = (_core.checkpoint(str(log))[name] for name in ("size", "root"))

    assert "two people" in refusal(log)
    assert "second person" in refusal(log, "--as", "anna", "--approve-as", "anna", *BOTH[4:])
    said("hold", log, "c7", "--account", "K-77", "--reason", "letter", *BOTH[:4])
    assert "kept for case c7" in refusal(log, *BOTH)
    said("release", log, "c7", "--reason", "closed", *BOTH[:4])
    half = said("shred", log, "--subject", SUBJECT, "--as", "anna", "--reason", "Art. 17")
    assert half["waits"]
    assert _identity(log) == NAME
    done = cli("log", "shred", log, "--subject", SUBJECT, "--approve-as", "bo")
    assert done.returncode == 0, done.stderr
    for line in ("1 sealed text", "unauthenticated", "stays: the code account:K-77", "backups"):
        assert line in done.stdout, done.stdout
    assert said("shred", log, "--subject", SUBJECT, *BOTH)["already"] > int(size)

    for place in (log, keys):
        assert holders(place, NAME.encode()) == []
        assert holders(place, secret) == []
    # Where the key lay there is nothing, also under a name that an unlink would have left.
    assert (tmp_path / "second-name").read_bytes() == bytes(32)
    assert verified(log, receipt) == before
    assert said("consistency", log, size)["old_root"] == root
    (entry,) = said("show", log, str(index))
    assert entry["body"]["text"] is None
    assert _identity(log) is None
    for args in (("explain", log, order), ("report", log, "--kind", "orders", "--json")):
        told = cli(*args)
        assert told.returncode == 0, told.stderr
        assert NAME not in told.stdout
        assert "K-77" in told.stdout
    told = audit.verify(log)
    assert (told.counts["SHRED"], told.counts["SEALED"]) == (1, 1)
    with Gateway(None, log, keys=keys, clock=None) as gateway:
        with pytest.raises(PermissionDeniedError, match="was destroyed by entry"):
            gateway.identify(SUBJECT, NAME)
        # A decision needs no name: the gateway goes on.
        assert gateway.submit(Order("ACME", "buy", 1, "10.00", "alpha"))


def _identity(log: Path) -> Any:
    (row,) = said("subjects", log)["subjects"]
    return row["identity"]


def opened_by_others(entry: dict[str, Any], keys: Path) -> None:
    """Open the text with OpenSSL's AES-256-GCM-SIV, by the layout in docs/keeping.md."""
    (key,) = keys.rglob("subject/*.key")
    body, log_id = entry["body"], bytes.fromhex(key.parent.parent.name)
    subject = body["subject"].to_bytes(4, "little")
    about = b"cwts/sealed/v1\0" + log_id + bytes([body["kind"], body["what"]]) + subject
    nonce = entry["index"].to_bytes(8, "little") + bytes(4)
    opened = AESGCMSIV(key.read_bytes()).decrypt(nonce, bytes.fromhex(body["sealed"]), about)
    assert opened.rstrip(b"\0").decode() == NAME


def test_too_early_is_refused_and_a_copy_without_keys_shows_codes(tmp_path: Path) -> None:
    limits, log = tmp_path / "limits.toml", tmp_path / "log"
    limits.write_text(WITH_CODE)
    Gateway(limits, log, keys=tmp_path / "keys", clock=None).close()
    name = tmp_path / "name"
    name.write_text(f"{NAME}\n")
    made = said("identify", log, "--subject", SUBJECT, "--text", name, "--as", "u:9")
    assert "limits in force list it" in refusal(log, *BOTH)
    assert said("identify", log, "--subject", "person:c-1", "--text", name)["index"] > made["index"]
    done = cli("log", "shred", log, "--subject", "person:c-1", *BOTH)
    assert (done.returncode, "7 years are promised" in done.stderr) == (2, True), done.stderr
    copy = tmp_path / "copy"
    shutil.copytree(log, copy)
    shutil.move(tmp_path / "keys", tmp_path / "elsewhere")
    rows = said("subjects", copy)["subjects"]
    assert {row["subject"]: row["identity"] for row in rows} == {SUBJECT: None, "person:c-1": None}
    assert audit.verify(copy, level="replay").ok
    unknown = cli("log", "shred", copy, "--subject", "account:none", *BOTH)
    assert "no such code" in unknown.stderr
    assert "KIND:CODE" in cli("log", "shred", copy, "--subject", "none", *BOTH).stderr


def test_a_note_about_a_person_is_sealed_and_one_that_names_them_in_plain_is_told(
    tmp_path: Path,
) -> None:
    with AuditLog.open(tmp_path / "log", retention_years=1) as log:
        _core.torture_clock(log._core, -YEARS_NS)
        log.identify("person:c-17", NAME)
        at = log.append(audit.Note("rang at nine", actor="u:9", about="person:c-17"))
        assert log.entry(at)["body"]["text"] == "rang at nine"
        _core.torture_clock(log._core, YEARS_NS)
        plain = log.append(audit.Note(f"{NAME} complained", actor="u:9"))
    assert holders(tmp_path / "log", b"rang at nine") == []
    done = said("shred", tmp_path / "log", "--subject", "person:c-17", *BOTH)
    assert (done["shredded"], done["sealed"], done["plain"]) == (True, 2, [plain])
    assert audit.verify(tmp_path / "log").ok

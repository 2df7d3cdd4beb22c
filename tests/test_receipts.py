"""Receipts: an auditor with a key and a file, and no log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_run import cli, invoke
from cwts import _core, audit, receipts
from desk import Desk, buy


@pytest.fixture
def kept(desk: Desk) -> Desk:
    """A closed log: an order that passes, one over its limit, limits that are stricter, another."""
    gateway = desk.open()
    gateway.submit(buy(10, order_id=41))
    gateway.submit(buy(2_000, order_id=42))
    gateway.close()
    gateway = desk.open(desk.text.replace("max_order_qty = 1_000", "max_order_qty = 900"))
    gateway.submit(buy(950, order_id=43))
    gateway.close()
    desk.verified()
    return desk


def test_one_entry_goes_out_and_is_verified_without_the_log(kept: Desk, tmp_path: Path) -> None:
    out = tmp_path / "r.tlog-proof"
    key = (kept.log / "log.vkey").read_text(encoding="utf-8").strip()
    assert invoke("log", "receipt", kept.log, 5, "-o", out).exit_code == 0
    gone = kept.log.rename(tmp_path / "elsewhere")
    done = invoke("log", "verify", out, "--vkey", gone / "log.vkey", "--json")
    verdict = json.loads(done.stdout)
    assert done.exit_code == 0
    assert verdict["ok"]
    assert [entry["index"] for entry in verdict["entries"]] == [5]
    assert audit.verify(out, [key]).text[0].startswith("1 of the ")
    # Without a key nothing is proved, and a key of somebody else's is refused.
    done = cli("log", "verify", out)
    assert done.returncode == 2
    assert "--vkey" in done.stderr
    other = _core.write_tlog(str(tmp_path / "other"), "other.example/log", bytes(32), [b"x"])
    done = invoke("log", "verify", out, "--vkey", other)
    assert done.exit_code == 1
    assert "BAD_SIGNATURE" in done.stdout
    # No file is replaced, and none is put into a log.
    assert cli("log", "receipt", gone, 5, "-o", out).returncode == 2
    assert invoke("log", "receipt", gone, 5, "-o", gone / "r.tlog-proof").exit_code == 2
    done = cli("log", "receipt", gone, 10_000, "-o", tmp_path / "x")
    assert done.returncode == 2
    assert "entry 10000 is not covered" in done.stderr


def test_an_orders_receipts_say_who_what_which_limit_which_version(
    kept: Desk, tmp_path: Path
) -> None:
    key = (kept.log / "log.vkey").read_text(encoding="utf-8").strip()
    for order, qty, limit, version in ((42, "2000", "1000", 1), (43, "950", "900", 2)):
        folder = tmp_path / str(order)
        assert invoke("log", "receipt", kept.log, "--order", order, "-o", folder).exit_code == 0
        verdict = audit.verify(folder, [key])
        assert verdict.ok, verdict.findings
        assert verdict.not_checked == []
        text = " ".join(verdict.text)
        assert f"Order {order}" in text
        assert "account alpha" in text
        assert "instrument ACME" in text
        assert f"buy {qty} of" in text
        assert f"It was rejected at entry {verdict.entries[-1]['index']}" in text
        assert "MAX_ORDER_QTY: " in text
        assert f"limit {limit}" in text
        assert f"under limits version {version}," in text
        assert f"Limits version {version} came into force" in text
        shown = invoke("log", "verify", folder, "--vkey", key)
        assert shown.exit_code == 0
        assert f"limit {limit}" in shown.stdout
    # The folder is used: nothing is mixed into it.
    assert invoke("log", "receipt", kept.log, "--order", 42, "-o", folder).exit_code == 2
    assert invoke("log", "receipt", kept.log, "--order", 99, "-o", tmp_path / "x").exit_code != 0


def test_what_a_folder_lacks_is_said_and_what_is_changed_is_found(
    kept: Desk, tmp_path: Path
) -> None:
    key = (kept.log / "log.vkey").read_text(encoding="utf-8").strip()
    files = receipts.order_receipts(kept.log, 42)
    folder = tmp_path / "part"
    folder.mkdir()
    for name, content in files.items():
        if "register" not in name and "-order" not in name:
            (folder / name).write_bytes(content)
    verdict = audit.verify(folder, [key])
    assert verdict.ok
    assert any("no receipt of entry" in what for what in verdict.not_checked)
    # Another log's receipt, or another head's, does not belong to them.
    for name, content in files.items():
        (folder / name).write_bytes(content)
    name = next(name for name in files if "-decision" in name)
    older = files[name].replace(b"index ", b"index 1", 1)
    (folder / name).write_bytes(older)
    verdict = audit.verify(folder, [key])
    assert not verdict.ok
    assert verdict.findings[0]["file"] == name


def test_a_kept_checkpoint_is_held_against_the_log(desk: Desk, tmp_path: Path) -> None:
    gateway = desk.open()
    gateway.submit(buy())
    gateway.close()
    kept = tmp_path / "kept"
    kept.write_text(invoke("log", "checkpoint", desk.log).stdout, encoding="utf-8")
    gateway = desk.open()
    gateway.submit(buy())
    gateway.close()
    done = invoke("log", "consistency", desk.log, kept, "--json")
    proof = json.loads(done.stdout)
    assert done.exit_code == 0
    assert proof["ok"]
    assert 0 < proof["old"] < proof["new"]
    # The same proof by sizes.
    again = invoke("log", "consistency", desk.log, proof["old"], proof["new"], "--json")
    assert json.loads(again.stdout)["proof"] == proof["proof"]
    # Somebody else's history of the same length under the same name.
    forged = tmp_path / "forged"
    entries = [b"%d" % n for n in range(proof["new"])]
    key = _core.write_tlog(str(forged), proof["origin"], bytes(32), entries)
    copy = tmp_path / "their"
    copy.write_bytes((forged / "checkpoint").read_bytes())
    done = invoke("log", "consistency", desk.log, copy, "--vkey", key)
    assert done.exit_code == 1
    assert "INCONSISTENT" in done.stdout
    # A checkpoint that the log's key did not sign is no checkpoint of it.
    assert invoke("log", "consistency", desk.log, copy).exit_code != 0
    assert invoke("log", "consistency", desk.log, proof["new"] + 1).exit_code != 0


def test_entries_are_shown_by_the_logs_own_schema(kept: Desk) -> None:
    rows = json.loads(invoke("log", "show", kept.log, 1, 4, "--json").stdout)
    assert [row["index"] for row in rows] == [1, 2, 3, 4]
    assert rows[0]["type"] == "GENESIS"
    assert rows[0]["body"]["software"].startswith("cwts ")
    (last,) = json.loads(invoke("log", "tail", kept.log, "-n", 1, "--json").stdout)
    assert last["type"] == "CLOSE"
    assert last["body"]["size"] == str(last["index"])
    assert "GENESIS" in invoke("log", "show", kept.log, 1).stdout
    assert invoke("log", "show", kept.log, 4, 1).exit_code == 2
    assert invoke("log", "show", kept.log, 10_000).exit_code != 0


def test_a_bundle_is_part_of_the_log(kept: Desk) -> None:
    """A changed or lost bundle is a finding, and opening the log makes it again."""
    (bundle,) = (kept.log / "tile/entries").rglob("[0-9]*.p/*")
    raw = bundle.read_bytes()
    bundle.write_bytes(raw[:100] + bytes([raw[100] ^ 1]) + raw[101:])
    (finding,) = audit.verify(kept.log).findings
    assert finding["kind"] == "BUNDLE_CHANGED"
    assert finding["file"] == str(bundle.relative_to(kept.log))
    bundle.unlink()
    (finding,) = audit.verify(kept.log).findings
    assert finding["kind"] == "BUNDLE_MISSING"
    kept.open().close()
    kept.verified()


def test_a_replays_log_is_unpacked_for_other_tools(tmp_path: Path) -> None:
    flow, log, out = tmp_path / "flow.csv", tmp_path / "log", tmp_path / "plain"
    assert invoke("gen", "-n", 3_000, "-o", flow).exit_code == 0
    assert invoke("replay", flow, "--log", log).exit_code in (0, 1)
    key = (log / "log.vkey").read_text(encoding="utf-8").strip()
    assert not (log / "tile/entries").exists()
    verdict = audit.verify(log, [key], level="replay")
    assert verdict.ok, verdict.findings
    assert any("unpack" in note for note in verdict.notes)
    # Its entries are read, and proved, out of the frames.
    proof = tmp_path / "r.tlog-proof"
    assert invoke("log", "receipt", log, 1_000, "-o", proof).exit_code == 0
    assert audit.verify(proof, [key]).ok
    assert invoke("log", "unpack", log, "-o", out).exit_code == 0
    plain = audit.verify(out, [key])
    assert plain.ok, plain.findings
    assert (plain.size, plain.root) == (verdict.size, verdict.root)
    assert (out / "checkpoint").read_bytes() == (log / "checkpoint").read_bytes()
    for tile in (log / "tile").rglob("*"):
        if tile.is_file():
            assert (out / tile.relative_to(log)).read_bytes() == tile.read_bytes()
    assert receipts.receipt(out, 1_000) == proof.read_bytes()
    assert cli("log", "unpack", log, "-o", out).returncode == 2
    assert invoke("log", "unpack", log, "-o", log / "x").exit_code == 2

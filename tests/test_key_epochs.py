"""`cwts log init` and `--k0`: frame keys evolve, and who keeps `K_0` sees what others cannot."""

from __future__ import annotations

import asyncio
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from cli_run import cli, invoke
from cwts import AuditLog, audit, errors

#: One key serves so many entries at most.
_KEY_ENTRIES = 65_536


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CWTS_KEYS", str(tmp_path / "keys"))
    return tmp_path


def _init(root: Path, *args: object) -> dict[str, Any]:
    done = invoke("log", "init", root / "log", *args, "--json")
    assert done.exit_code == 0, done.output
    made: dict[str, Any] = json.loads(done.stdout)
    return made


def _write(root: Path, entries: int) -> None:
    with AuditLog.open(root / "log") as log:
        for number in range(entries):
            log.append(audit.Note(f"{number}"))


def _verify(root: Path, *args: object) -> tuple[int, dict[str, Any]]:
    done = invoke("log", "verify", root / "log", *args, "--json")
    told: dict[str, Any] = json.loads(done.stdout) if done.stdout else {}
    return done.exit_code, told


def test_two_lines_are_printed_and_what_they_name_checks_every_epoch(root: Path) -> None:
    done = invoke(
        "log", "init", root / "log", "--escrow", root / "k0", "--origin", "cwts.example/1"
    )
    assert done.exit_code == 0, done.output
    auditor, keeper = done.stdout.splitlines()
    vkey = auditor.removeprefix("give to the auditor").strip()
    assert vkey.startswith("cwts.example/1+")
    assert keeper.removeprefix("keep off this host").strip() == str(root / "k0")
    assert (root / "k0").stat().st_mode & 0o777 == 0o600
    _write(root, _KEY_ENTRIES + 100)
    code, told = _verify(root, "--vkey", vkey, "--k0", root / "k0")
    assert (code, told["findings"]) == (0, [])
    # More where ten seconds passed while it was written.
    assert told["counts"]["KEY_EPOCH"] >= 1
    assert not [what for what in told["not_checked"] if "MAC" in what]
    # Without K_0 the verdict says what was not looked at.
    code, told = _verify(root, "--vkey", vkey)
    assert code == 0
    assert [
        what for what in told["not_checked"] if "seals of key epochs: K_0 was not given" in what
    ]
    # The host keeps the key of the last epoch alone, and works on with it.
    (folder,) = [path for path in (root / "keys").iterdir() if path.is_dir()]
    assert {path.name for path in folder.iterdir()} == {"ed25519.key", "epoch.key"}
    _write(root, 3)
    verdict = audit.verify(root / "log", [vkey], k0=root / "k0")
    assert verdict.ok
    assert asyncio.run(audit.averify(root / "log", [vkey], k0=root / "k0")).ok


def test_k_0_is_left_in_the_key_folder_or_printed_as_asked(root: Path) -> None:
    made = _init(root)
    kept = Path(made["escrow"])
    assert (kept.name, kept.parent.parent, made["k0"]) == ("k0.key", root / "keys", None)
    rows = json.loads(invoke("doctor", root / "log", "--json").stdout)["rows"]
    (row,) = [row for row in rows if row["name"] == "K_0 of the log"]
    assert (row["state"], row["value"]) == ("warn", str(kept))
    shutil.move(kept, root / "moved")
    rows = json.loads(invoke("doctor", root / "log", "--json").stdout)["rows"]
    (row,) = [row for row in rows if row["name"] == "K_0 of the log"]
    assert row["state"] == "ok"
    _write(root, 3)
    assert _verify(root, "--k0", root / "moved")[0] == 0
    shutil.rmtree(root / "log")
    made = _init(root, "--print-k0")
    assert made["escrow"] is None
    (root / "typed").write_text(made["k0"] + "\n", encoding="utf-8")
    assert _verify(root, "--k0", root / "typed")[0] == 0
    # The other log's K_0 is told from this one's by the digest in GENESIS.
    code, told = _verify(root, "--k0", root / "moved")
    assert (code, told["findings"][0]["kind"]) == (1, "GENESIS_DIFFERS")


def test_a_frame_that_the_key_did_not_make_is_named(root: Path) -> None:
    made = _init(root)
    _write(root, 50)
    (segment,) = (root / "log" / "wal").iterdir()
    image = bytearray(segment.read_bytes())
    code, told = _verify(root, "--k0", made["escrow"])
    assert (code, told["findings"]) == (0, [])
    # The first frame's MAC: behind 64 bytes of header, the payload, the link and the root.
    (payload_bytes,) = struct.unpack_from("<I", image, 32)
    image[64 + payload_bytes + 64] ^= 1
    segment.write_bytes(image)
    code, told = _verify(root, "--k0", made["escrow"])
    assert code == 1
    (named,) = [found for found in told["findings"] if found["kind"] == "WAL_HMAC"]
    assert (named["index"], named["file"]) == (0, f"wal/{segment.name}")


def test_what_cannot_be_meant_is_refused_and_changes_nothing(root: Path) -> None:
    made = _init(root)
    again = cli("log", "init", root / "log")
    assert again.returncode == 2
    assert "holds a log already" in again.stderr
    both = cli("log", "init", root / "other", "--escrow", root / "k0", "--print-k0")
    assert both.returncode == 2
    assert "choose one" in both.stderr
    under = cli("log", "init", root / "other", "--escrow", root / "nowhere" / "k0")
    assert under.returncode == 2
    assert not (root / "other").exists()
    (root / "no-key").write_text("cwts-k0-v2 00 00", encoding="utf-8")
    bad = cli("log", "verify", root / "log", "--k0", root / "no-key")
    assert bad.returncode == 2
    assert "is no K_0" in bad.stderr
    receipt = root / "r.tlog-proof"
    assert cli("log", "receipt", root / "log", "1", "-o", receipt).returncode == 0
    refused = cli("log", "verify", receipt, "--vkey", made["vkey"], "--k0", made["escrow"])
    assert refused.returncode == 2
    assert "K_0 checks the frames of one live log" in refused.stderr
    with pytest.raises(errors.CwtsError, match="is no K_0"):
        audit.verify(root / "log", k0=root / "no-key")

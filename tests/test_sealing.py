"""Archives, exports and receipts for their readers only."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

import cwts
from cli_run import cli
from cwts import _core, archives, audit, sealing
from cwts.errors import InputError


@pytest.fixture
def log(tmp_path: Path) -> Path:
    directory = tmp_path / "log"
    with cwts.AuditLog.open(directory, keys=tmp_path / "keys") as written:
        for number in range(300):
            written.append(audit.Note(f"desk {number} opened", actor="u:17"))
    return directory


@pytest.fixture
def cold(log: Path, tmp_path: Path) -> Path:
    archives.archive(log, tmp_path / "cold")
    return tmp_path / "cold"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "auditor.key"


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_an_archive_comes_back_bit_for_bit_and_verifies(
    log: Path, cold: Path, key: Path, tmp_path: Path
) -> None:
    """By the command line: a key, a sealed archive, the plain one, the log's own root."""
    made = cli("log", "identity", "-o", key)
    recipient = made.stdout.strip()
    assert recipient.startswith("age1")
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    sealed, opened = tmp_path / "sealed", tmp_path / "opened"
    done = cli("log", "seal", cold, "--to", recipient, "-o", sealed)
    assert done.returncode == 0, done.stderr
    names = set(tree(sealed))
    assert names == {f"{name}.age" for name in tree(cold)}
    assert not any(b"desk" in data or b"CWTSCOL1" in data for data in tree(sealed).values())
    assert not archives.is_archive(sealed)
    done = cli("log", "unseal", sealed, "--identity", key, "-o", opened, "--json")
    assert done.returncode == 0, done.stderr
    assert tree(opened) == tree(cold)
    vkey = (log / "log.vkey").read_text(encoding="utf-8").strip()
    verdict = audit.verify(opened, [vkey])
    assert verdict.ok
    assert verdict.root == audit.verify(log).root


def test_a_receipt_is_sealed_to_several_and_each_opens_it(log: Path, tmp_path: Path) -> None:
    receipt = tmp_path / "r.tlog-proof"
    receipt.write_bytes(_core.receipt(str(log), 5))
    keys = [tmp_path / "anna.key", tmp_path / "bo.key"]
    recipients = [sealing.new_identity(each) for each in keys]
    sealed = tmp_path / "r.tlog-proof.age"
    assert sealing.seal(receipt, sealed, recipients) == 1
    for number, each in enumerate(keys):
        opened = tmp_path / f"{number}.tlog-proof"
        assert sealing.unseal(sealed, opened, [each]) == 1
        assert opened.read_bytes() == receipt.read_bytes()


def test_another_key_and_a_changed_byte_open_nothing(cold: Path, key: Path, tmp_path: Path) -> None:
    recipient, other = sealing.new_identity(key), tmp_path / "other.key"
    sealing.new_identity(other)
    sealed, opened = tmp_path / "sealed", tmp_path / "opened"
    sealing.seal(cold, sealed, [recipient])
    with pytest.raises(sealing.SealError) as caught:
        sealing.unseal(sealed, opened, [other])
    assert caught.value.code == "SEAL"
    block = next(sealed.rglob("*.cwz.age"))
    whole = block.read_bytes()
    for at in (0, 40, len(whole) // 2, len(whole) - 1):
        block.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(sealing.SealError):
            sealing.unseal(sealed, opened, [key])
    block.write_bytes(whole[:-20])
    assert cli("log", "unseal", sealed, "--identity", key, "-o", opened).returncode == 2
    assert not opened.exists(), "half an archive is none"
    assert not list(tmp_path.glob(".cwts-seal-*"))


def test_what_cannot_be_sealed_is_refused_and_nothing_is_made(
    cold: Path, key: Path, tmp_path: Path
) -> None:
    recipient, output = sealing.new_identity(key), tmp_path / "sealed"
    mistyped = recipient[:-1] + ("x" if recipient[-1] != "x" else "q")
    for bad in ("", "age1", mistyped, key.read_text(encoding="ascii").split()[-1]):
        with pytest.raises(InputError, match="no age recipient"):
            sealing.seal(cold, output, [bad])
    with pytest.raises(InputError, match="at least one"):
        sealing.seal(cold, output, [])
    with pytest.raises(InputError, match="lies in"):
        sealing.seal(cold, cold / "sealed", [recipient])
    with pytest.raises(InputError, match="never overwritten"):
        sealing.new_identity(key)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file"):
        sealing.seal(tmp_path / "empty", output, [recipient])
    link = cold / "link"
    for target in ("checkpoint", "archive"):
        link.symlink_to(target)
        with pytest.raises(InputError, match="not followed"):
            sealing.seal(cold, output, [recipient])
        link.unlink()
    os.mkfifo(link)
    with pytest.raises(InputError, match="not followed"):
        sealing.seal(cold, output, [recipient])
    link.unlink()
    assert not output.exists()
    output.mkdir()
    with pytest.raises(InputError, match="is there"):
        sealing.seal(cold, output, [recipient])


def test_a_file_of_identities_is_read_strictly_and_never_told(
    cold: Path, key: Path, tmp_path: Path
) -> None:
    recipient, sealed = sealing.new_identity(key), tmp_path / "sealed"
    sealing.seal(cold, sealed, [recipient])
    secret = key.read_text(encoding="ascii").split()[-1]
    for text, said in (
        ("# nothing\n", "identities: none"),
        (f"\n{secret[:-1]}Q\n", "line 2 is no age identity"),
        ("x" * (sealing.IDENTITIES_BYTES_MAX + 1), "has more than"),
    ):
        bad = tmp_path / "bad.key"
        bad.write_text(text, encoding="ascii")
        with pytest.raises(InputError, match=said) as caught:
            sealing.unseal(sealed, tmp_path / "opened", [bad])
        assert secret[:30] not in str(caught.value)
    with pytest.raises(InputError, match="No such file"):
        sealing.unseal(sealed, tmp_path / "opened", [tmp_path / "absent"])
    with pytest.raises(InputError, match="is not sealed"):
        sealing.unseal(cold, tmp_path / "opened", [key])


def test_the_program_age_opens_it(log: Path, tmp_path: Path, key: Path) -> None:
    """Another implementation of the format, where it is installed."""
    age = shutil.which("age")
    if age is None:
        pytest.skip("NO age: the program is not installed here")
    recipient, sealed = sealing.new_identity(key), tmp_path / "sealed.age"
    sealing.seal(log / "log.vkey", sealed, [recipient])
    done = subprocess.run(
        [age, "--decrypt", "-i", key, sealed], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == (log / "log.vkey").read_bytes()

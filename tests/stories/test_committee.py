"""A committee on loopback: ten processes make a key that nobody holds, renew it and move it."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cwts import _core, errors
from cwts import threshold as th

MESSAGE = b"cwts/test/v1\0a batch"


def cwts(*words: str | Path, code: int = 0) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "cwts", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def output_of(desk: Path) -> tuple[bytes, dict[str, Any], th.Sharing]:
    output = (desk / "output.cwts").read_bytes()
    return output, *_core.ceremony_output(output)


def shares(desk: Path, output: bytes) -> list[th.Share]:
    """Those of the members whose shares lie in the directory."""
    found = []
    for folder in sorted(desk.glob("m[0-9]*")):
        share = _core.MemberSecrets(str(folder)).share(output)
        if share is not None:
            found.append(share)
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    desk = tmp_path_factory.mktemp("committee") / "desk"
    said = cwts("committee", "init", "--members", "10", "--out", desk)
    return desk, said.splitlines()[-1]


@pytest.fixture
def desk(made: tuple[Path, str], tmp_path: Path) -> Path:
    """A copy: members listen where their terms say, so one at a time."""
    return Path(shutil.copytree(made[0], tmp_path / "desk"))


def test_seven_of_ten_sign_with_a_key_that_nobody_held(made: tuple[Path, str]) -> None:
    desk, vkey = made
    output, facts, sharing = output_of(desk)
    assert (facts["n"], facts["t"], facts["epoch"], facts["revealed"]) == (10, 7, 1, [])
    assert vkey == (desk / "committee.vkey").read_text().strip()
    assert vkey == _core.committee_vkey("desk.example/log/committee", bytes(sharing.key))
    held = shares(desk, output)
    assert len(held) == 10
    for chosen in (held[:7], held[3:]):
        parts = [th.partial_sign(share, MESSAGE) for share in chosen]
        signature, blamed = th.recover(sharing, MESSAGE, parts)
        assert blamed == []
        assert th.verify(sharing.key, MESSAGE, signature)
    with pytest.raises(errors.NotEnoughSharesError):
        th.recover(sharing, MESSAGE, [th.partial_sign(share, MESSAGE) for share in held[:6]])
    # Every member says the same, and keeps nothing that made the share.
    for folder in sorted(desk.glob("m[0-9]*")):
        assert (folder / "output-1.cwts").read_bytes() == output
        assert vkey in (folder / "join.out").read_text()
        assert not list(folder.glob("seed-*"))
        assert {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {
            "share.key": 0o600,
            "vote.key": 0o600,
        }


def test_anyone_judges_a_ceremony_from_its_transcript(made: tuple[Path, str]) -> None:
    desk, _ = made
    transcript = desk / "ceremonies" / "0001" / "transcript.cwts"
    found = json.loads(cwts("committee", "ceremony", "verify", transcript, "--json"))
    assert found["phase"] == "done"
    assert found["output"]["key"] == bytes(output_of(desk)[2].key).hex()
    assert found["faults"] == []
    certificate = bytes.fromhex(found["certificate"])
    assert len(certificate) == 48
    damaged = desk.parent / "damaged.cwts"
    damaged.write_bytes(transcript.read_bytes()[:-100])
    cwts("committee", "ceremony", "verify", damaged, code=2)


def test_a_refresh_keeps_the_key_and_ends_the_old_shares(
    desk: Path, made: tuple[Path, str]
) -> None:
    before, _, old_sharing = output_of(desk)
    old = shares(desk, before)
    said = cwts("committee", "ceremony", "refresh", desk)
    assert said.splitlines()[-1] == made[1], "the same key"
    output, facts, sharing = output_of(desk)
    assert (facts["epoch"], facts["kind"]) == (2, "refresh")
    fresh = shares(desk, output)
    assert len(fresh) == 10
    assert not list(desk.glob("m*/share-1.cwts")), "old shares are wiped"
    mixed = [th.partial_sign(share, MESSAGE) for share in (*fresh[:6], old[6])]
    with pytest.raises(errors.ThresholdError, match="epoch 1, not 2"):
        th.recover(sharing, MESSAGE, mixed)
    lie = [*mixed[:6], th.Partial(bytes(mixed[6]), old[6].index, 2)]
    with pytest.raises(errors.NotEnoughSharesError) as refused:
        th.recover(sharing, MESSAGE, lie)
    assert refused.value.blamed == [old[6].index]
    assert bytes(sharing.key) == bytes(old_sharing.key)


def test_a_lost_member_is_replaced(desk: Path, made: tuple[Path, str]) -> None:
    before, _, _ = output_of(desk)
    gone = _core.MemberSecrets(str(desk / "m03")).share(before)
    said = cwts("committee", "ceremony", "reshare", desk, "--replace", "m03", "--add", "1")
    assert said.splitlines()[-1] == made[1], "the same key"
    output, facts, sharing = output_of(desk)
    assert (facts["n"], facts["t"], facts["kind"]) == (11, 8, "reshare")
    held = shares(desk, output)
    assert len(held) == 11
    signed = [th.partial_sign(share, MESSAGE) for share in held[-8:]]
    assert th.verify(sharing.key, MESSAGE, th.recover(sharing, MESSAGE, signed)[0])
    assert gone is not None, "who is gone has its old share still, and it is of no use here"
    with pytest.raises(errors.ThresholdError):
        sharing.check_share(gone)


def test_an_old_key_vouches_for_a_new_one(desk: Path, made: tuple[Path, str]) -> None:
    before, facts, old = output_of(desk)
    said = cwts("committee", "ceremony", "rotate", desk)
    assert said.splitlines()[-1] != made[1], "another key"
    output, new_facts, new = output_of(desk)
    assert (new_facts["epoch"], new_facts["kind"]) == (2, "new")
    assert len(shares(desk, output)) == 10
    assert not list(desk.glob("m*/share-1.cwts")), "old shares are wiped"
    file = desk / "ceremonies" / "0002" / "rotation.json"
    found = json.loads(cwts("committee", "ceremony", "vouched", file, "--json"))
    assert found == {"ok": True, "old_key": facts["key"], "new_key": new_facts["key"]}
    # Another output in its place: the old key has not said that.
    whole = json.loads(file.read_text())
    file.write_text(json.dumps(whole | {"new_output": before.hex()}))
    cwts("committee", "ceremony", "vouched", file, code=1)
    file.write_text(json.dumps(whole | {"signature": "00" * 48}))
    cwts("committee", "ceremony", "vouched", file, code=2)
    assert bytes(old.key) != bytes(new.key)


def test_memory_that_holds_secrets_is_hidden() -> None:
    asked = (
        "import ctypes; from cwts import _core; f = ctypes.CDLL(None).prctl; a = f(3, 0, 0, 0, 0)"
    )
    code = f"{asked}; _core.hide_memory(); print(a, f(3, 0, 0, 0, 0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0"]


def test_a_damaged_share_and_a_wrong_passphrase_look_alike(desk: Path) -> None:
    output, _, _ = output_of(desk)
    folder = desk / "m01"
    share = folder / "share-1.cwts"
    whole = share.read_bytes()
    said = set()
    for at in (0, 9, 20, 60, len(whole) - 40, len(whole) - 1):
        share.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(errors.CeremonyFailedError) as refused:
            _core.MemberSecrets(str(folder)).share(output)
        said.add((refused.value.code, str(refused.value)))
    share.write_bytes(whole)
    with pytest.raises(errors.CeremonyFailedError) as refused:
        _core.MemberSecrets(str(folder), b"another lock").share(output)
    said.add((refused.value.code, str(refused.value)))
    assert len(said) == 1
    share.chmod(0o644)
    with pytest.raises(errors.LogError, match="mode 644"):
        _core.MemberSecrets(str(folder)).share(output)


def test_a_member_that_is_killed_comes_again_and_gets_its_share(tmp_path: Path) -> None:
    """Each member at home: identities, terms, one sequencer; one dies by kill -9 in the middle."""
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(socket.socket()) for _ in range(5)]
        for each in ports:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in ports]
    names = ["sequencer", "anna", "bo", "cy", "dee"]
    tables = []
    for name, address in zip(names, addresses, strict=True):
        words = ("committee", "identity", tmp_path / name, "--name", name, "--address", address)
        tables.append(cwts(*words))
    tables[0] = tables[0].replace("[[player]]", "[sequencer]")
    (tmp_path / "members.toml").write_text("\n".join(tables))
    terms = tmp_path / "terms.toml"
    new = ("committee", "ceremony", "new", "--members", tmp_path / "members.toml", "--out", terms)
    assert len(cwts(*new, "--origin", "desk.example/log", "--threshold", "3").split()[0]) == 64
    cwts(*new, "--origin", "desk.example/log", "--threshold", "4", code=2)
    running: dict[str, subprocess.Popen[str]] = {}

    def start(word: str, name: str, *more: str) -> None:
        command = [sys.executable, "-m", "cwts", "committee", "ceremony", word, str(terms)]
        running[name] = subprocess.Popen(
            [*command, "--identity", str(tmp_path / name), "--deadline", "60", *more],
            stdout=subprocess.PIPE,
            text=True,
        )

    try:
        start("order", "sequencer", "--round", "20")
        for name in names[1:]:
            start("join", name)
        roster = tmp_path / "dee" / "ceremony-1.roster"
        until = time.monotonic() + 60
        while not roster.exists() and time.monotonic() < until:
            time.sleep(0.001)
        running["dee"].kill()
        running["dee"].communicate()
        start("join", "dee")
        said = {name: process.communicate(timeout=100)[0] for name, process in running.items()}
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    assert [process.returncode for process in running.values()] == [0] * 5, said
    assert len({text.splitlines()[-1] for text in said.values()}) == 1, "one key"
    output = (tmp_path / "anna" / "output-1.cwts").read_bytes()
    shares = [_core.MemberSecrets(str(tmp_path / name)).share(output) for name in names[1:]]
    assert all(shares)


def test_an_identity_that_is_in_no_terms_takes_no_part(desk: Path, tmp_path: Path) -> None:
    cwts("committee", "identity", tmp_path / "eve", "--name", "m01", "--address", "127.0.0.1:1")
    terms = desk / "ceremonies" / "0001" / "terms.toml"
    cwts("committee", "ceremony", "join", terms, "--identity", tmp_path / "eve", code=2)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(terms.read_text().replace('kind = "new"', 'kind = "old"'))
    cwts("committee", "ceremony", "join", wrong, "--identity", desk / "m01", code=2)

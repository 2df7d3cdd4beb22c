"""A committee on loopback: ten processes make a key that nobody holds, renew it and move it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cwts import _core, errors
from cwts import threshold as th
from cwts.committee import identity
from cwts.committee.ceremony import Joined
from cwts.committee.entries import EntryFile
from cwts.committee.members import Terms

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


NAMES = ("sequencer", "anna", "bo", "cy", "dee")


class Home:
    """Each member at home: identities, terms, and processes that can be killed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running: dict[str, subprocess.Popen[str]] = {}
        with contextlib.ExitStack() as stack:
            ports = [stack.enter_context(socket.socket()) for _ in NAMES]
            for each in ports:
                each.bind(("127.0.0.1", 0))
            addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in ports]
        tables = []
        for name, address in zip(NAMES, addresses, strict=True):
            words = ("committee", "identity", root / name, "--name", name, "--address", address)
            tables.append(cwts(*words))
        tables[0] = tables[0].replace("[[player]]", "[sequencer]")
        members, self.terms = root / "members.toml", root / "terms.toml"
        members.write_text("\n".join(tables))
        new = ("committee", "ceremony", "new", "--members", members, "--out", self.terms)
        named = (*new, "--origin", "desk.example/log")
        assert len(cwts(*named, "--threshold", "3").split()[0]) == 64
        cwts(*named, "--threshold", "4", code=2)

    def start(self, name: str) -> None:
        own = ["order", "--round", "20"] if name == "sequencer" else ["join"]
        command = [sys.executable, "-m", "cwts", "committee", "ceremony", own[0], str(self.terms)]
        self.running[name] = subprocess.Popen(
            [*command, "--identity", str(self.root / name), "--deadline", "60", *own[1:]],
            stdout=subprocess.PIPE,
            text=True,
        )

    def kill_once_there(self, name: str, file: str) -> None:
        """Kill by -9 when a file of the member is there."""
        until = time.monotonic() + 60
        while not (self.root / name / file).exists() and time.monotonic() < until:
            time.sleep(0.001)
        self.running[name].kill()
        self.running[name].communicate()

    def ended(self) -> set[str]:
        """The last lines, after all have ended well."""
        said = {name: one.communicate(timeout=100)[0] for name, one in self.running.items()}
        codes = {name: one.returncode for name, one in self.running.items()}
        assert set(codes.values()) == {0}, (codes, said)
        return {text.splitlines()[-1] for text in said.values()}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    for process in made.running.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("killed", ["dee", "sequencer"])
def test_who_is_killed_comes_again_and_all_get_one_key(home: Home, killed: str) -> None:
    """By kill -9, in the middle: a member, or whoever orders the messages."""
    for name in NAMES:
        home.start(name)
    home.kill_once_there(killed, "ceremony-1.roster")
    home.start(killed)
    assert len(home.ended()) == 1, "one key"
    output = (home.root / "anna" / "output-1.cwts").read_bytes()
    shares = [_core.MemberSecrets(str(home.root / name)).share(output) for name in NAMES[1:]]
    assert all(shares)
    # Once more: it is said again, and nothing is done.
    before = (home.root / "dee" / "share-1.cwts").read_bytes()
    home.start("dee")
    assert len(home.ended()) == 1
    assert (home.root / "dee" / "share-1.cwts").read_bytes() == before
    assert not list((home.root / "dee").glob("seed-*"))


class DiedError(Exception):
    """The process is gone."""


class WipesNothing:
    """A member's secrets, whose process dies when they are to be wiped."""

    def __init__(self, secrets: _core.MemberSecrets) -> None:
        self._secrets = secrets

    def __getattr__(self, name: str) -> Any:
        return getattr(self._secrets, name)

    def wipe(self, *_which: int) -> None:
        raise DiedError


def test_a_crash_before_the_wipe_loses_nothing(home: Home) -> None:
    for name in NAMES[:4]:
        home.start(name)
    folder, terms = home.root / "dee", Terms.load(home.terms)
    own, secrets = identity.load(folder)
    dying: Any = WipesNothing(secrets)
    with pytest.raises(DiedError):
        asyncio.run(Joined(terms, folder, own, dying).run(60.0))
    assert list(folder.glob("seed-*")), "it died before"
    home.start("dee")
    assert len(home.ended()) == 1
    assert not list(folder.glob("seed-*")), "what the crash left is gone"
    output = (folder / "output-1.cwts").read_bytes()
    assert _core.MemberSecrets(str(folder)).share(output) is not None


def test_one_part_is_taken_by_one_process(home: Home) -> None:
    with EntryFile(home.root / "anna" / "ceremony-1.list") as held:
        held.append(b"an entry")
        command = ("committee", "ceremony", "join", home.terms, "--identity", home.root / "anna")
        cwts(*command, "--deadline", "5", code=2)
        assert held.entries == [b"an entry"]


@pytest.mark.parametrize("cut", [0, 1, 7, 8, 9, 12])
def test_a_torn_end_of_the_list_is_cut_and_damage_before_it_is_told(
    tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "list"
    with EntryFile(path) as made:
        for entry in (b"first", b"second"):
            made.append(entry)
        made.sync()
    whole = path.read_bytes()
    path.write_bytes(whole + (5).to_bytes(4, "little") + b"\0\0\0\0third"[:cut])
    with EntryFile(path) as again:
        assert again.entries == [b"first", b"second"]
        again.append(b"third")
    with EntryFile(path) as again:
        assert again.entries == [b"first", b"second", b"third"]
    path.write_bytes(whole[:9] + b"X" + whole[10:])
    with pytest.raises(errors.InputError, match="byte 0: the entry is damaged"):
        EntryFile(path)


def test_an_identity_that_is_in_no_terms_takes_no_part(desk: Path, tmp_path: Path) -> None:
    cwts("committee", "identity", tmp_path / "eve", "--name", "m01", "--address", "127.0.0.1:1")
    terms = desk / "ceremonies" / "0001" / "terms.toml"
    cwts("committee", "ceremony", "join", terms, "--identity", tmp_path / "eve", code=2)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(terms.read_text().replace('kind = "new"', 'kind = "old"'))
    cwts("committee", "ceremony", "join", wrong, "--identity", desk / "m01", code=2)

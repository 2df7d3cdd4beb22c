"""Somebody else cosigns a log's checkpoints, and will not cosign a second history."""

from __future__ import annotations

import hashlib
import http.client
import http.server
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import cwts
from cli_run import cli, invoke
from cwts import _core, audit, witnesses
from desk import PATIENCE_S, Desk, buy

ORIGIN = "cwts.example/gw1"


@dataclass(frozen=True)
class Files:
    """A witness's files, and its public key."""

    key: Path
    state: Path
    vkey: str


@pytest.fixture
def files(tmp_path: Path) -> Files:
    key, state = tmp_path / "witness.key", tmp_path / "witness.state"
    done = invoke(
        "log", "witness", "init", "--name", "witness.example/w1", "--key", key, "--state", state
    )
    assert done.exit_code == 0, done.output
    assert key.stat().st_mode & 0o777 == 0o600
    return Files(key, state, done.stdout.strip())


def command(files: Files, log: Path) -> list[str]:
    words = ["log", "witness", "serve", "--log", str(log / "log.vkey")]
    return [*words, "--key", str(files.key), "--state", str(files.state)]


@contextmanager
def served(files: Files, log: Path) -> Iterator[str]:
    """Run a witness of this log in a process of its own; give its URL."""
    start = [sys.executable, "-c", "from cwts.cli import main; main()", *command(files, log)]
    process = subprocess.Popen(start, stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert process.stdout is not None
    url, _, vkey = process.stdout.readline().strip().partition(" ")
    assert vkey == files.vkey
    try:
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=PATIENCE_S)
        process.stdout.close()
    assert code in (0, 130, -signal.SIGINT)


def post(url: str, body: bytes) -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
    connection.request("POST", "/add-checkpoint", body=body)
    answer = connection.getresponse()
    told = answer.status, answer.headers.get("content-type", ""), answer.read()
    connection.close()
    return told


def notes(root: Path, *more: str, keys: Path) -> Path:
    """A closed log of records with these notes."""
    with cwts.AuditLog.open(root, origin=ORIGIN, keys=keys) as log:
        for text in more:
            log.append(audit.Note(text))
    return root


def request(log: Path, files: Files, old: int) -> bytes:
    note = str(_core.checkpoint(str(log))["note"]).encode()
    return _core.witness_request(str(log), files.vkey, note, old)


def until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round follows a round, so that no test waits for a second to pass."""
    monkeypatch.setattr(witnesses, "_PERIOD_S", 0.01)


def test_a_checkpoint_is_cosigned_kept_and_verified(tmp_path: Path, files: Files) -> None:
    log = notes(tmp_path / "log", "a", "b", keys=tmp_path / "keys")
    key = log / "log.vkey"
    with served(files, log) as url:
        words = ("log", "witness", "submit", log, "--witness", url, "--vkey", files.vkey)
        done = invoke(*words)
        assert done.exit_code == 0, done.output
        size = int(_core.checkpoint(str(log))["size"])
        assert f"COSIGNED: {size} entries by witness.example/w1" in done.stdout
        # Again: the answer may have been lost, and the witness has this size already.
        assert invoke(*words, "--json").exit_code == 0
        notes(log, "c", keys=tmp_path / "keys")
        assert invoke(*words).exit_code == 0
        name = hashlib.sha256(ORIGIN.encode()).hexdigest()
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE_S)
        connection.request("GET", f"/{name}/checkpoint")
        newest = connection.getresponse().read()
        connection.request("GET", f"/{name[:-1]}x/checkpoint")
        assert connection.getresponse().status == 404
        connection.close()
    cosigned = (log / "checkpoint.witnessed").read_bytes()
    assert newest.split(b"\n\n")[0] == cosigned.split(b"\n\n")[0]
    assert cosigned.startswith((log / "checkpoint").read_bytes()), "its lines come first"
    both = [key.read_text().strip(), files.vkey]
    verdict = audit.verify(log, both)
    assert verdict.ok, verdict.findings
    assert not [text for text in verdict.not_checked if "witness" in text]
    alone = audit.verify(log, both[:1])
    assert alone.ok
    assert [text for text in alone.not_checked if "the line by witness.example/w1" in text]
    path = log / "checkpoint.witnessed"
    for at in range(0, len(cosigned), 7):
        path.write_bytes(cosigned[:at] + bytes([cosigned[at] ^ 4]) + cosigned[at + 1 :])
        told = audit.verify(log, both).findings
        assert [row["file"] for row in told] == ["checkpoint.witnessed"], at
    path.write_bytes(cosigned)
    told = cli("log", "verify", log, "--vkey", key, "--vkey", files.vkey)
    assert told.returncode == 0, told.stderr


def test_a_gateway_has_its_checkpoints_cosigned_while_it_runs(
    desk: Desk, tmp_path: Path, files: Files
) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(desk.text)
    cwts.Gateway(limits, desk.log, keys=desk.keys, clock=None).close()
    with served(files, desk.log) as url:
        asked = cwts.Witness(url, files.vkey)
        options = {"keys": desk.keys, "clock": None, "witnesses": [asked]}
        with cwts.Gateway(None, desk.log, **options) as gateway:  # type: ignore[arg-type]
            gateway.set_reference("ACME", last="100")
            for _ in range(3):
                size = gateway.state()["entries"]
                assert gateway.submit(buy(1)).accepted
                until(lambda size=size: gateway.witnessed()[0]["size"] > size, "no cosignature")
            live = audit.verify(desk.log, [(desk.log / "log.vkey").read_text().strip(), files.vkey])
            assert live.ok, live.findings
        assert gateway.witnessed()[0]["trouble"] == ""
    head = (desk.log / "checkpoint").read_bytes()
    assert (desk.log / "checkpoint.witnessed").read_bytes().startswith(head), "the last one too"
    verdict = audit.verify(desk.log, [(desk.log / "log.vkey").read_text().strip(), files.vkey])
    assert (verdict.ok, verdict.clean) == (True, True), verdict.findings


def test_orders_are_answered_while_a_witness_hangs(
    desk: Desk, tmp_path: Path, files: Files
) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_text(desk.text)
    hanging = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []
    asked = threading.Event()

    def hold() -> None:
        while True:
            try:
                connection, _ = hanging.accept()
            except OSError:
                return
            held.append(connection)
            asked.set()

    thread = threading.Thread(target=hold)
    thread.start()
    url = f"http://127.0.0.1:{hanging.getsockname()[1]}"
    slow = cwts.Witness(url, files.vkey, timeout_s=60.0)
    gateway = cwts.Gateway(limits, desk.log, keys=desk.keys, clock=None, witnesses=[slow])
    gateway.set_reference("ACME", last="100")
    gateway.submit(buy(1))
    assert asked.wait(PATIENCE_S), "the witness was not asked"
    # It has the question and has not answered: every order below is answered before it.
    assert all(gateway.submit(buy(1)).accepted for _ in range(1_000))
    gateway.flush()
    assert gateway.witnessed()[0]["size"] == 0
    for connection in held:
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    hanging.shutdown(socket.SHUT_RDWR)
    hanging.close()
    thread.join(PATIENCE_S)
    gateway.close()
    row = gateway.witnessed()[0]
    assert row["trouble"].startswith("cannot be asked: ")
    assert not row["is_alert"], "a witness that is away is no quarrel"
    assert audit.verify(desk.log).ok
    assert not (desk.log / "checkpoint.witnessed").exists()


def test_a_second_history_is_refused_and_an_alert_raised(
    tmp_path: Path, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    keys = tmp_path / "keys"
    log = notes(tmp_path / "log", "a", keys=keys)
    fork = tmp_path / "fork"
    shutil.copytree(log, fork)
    notes(log, "b", "c", keys=keys)
    with served(files, log) as url:
        words = ("--witness", url, "--vkey", files.vkey)
        assert invoke("log", "witness", "submit", log, *words).exit_code == 0
        state = files.state.read_bytes()
        # The copy is shorter than what the witness has seen.
        done = invoke("log", "witness", "submit", fork, *words)
        assert done.exit_code == 1
        assert "was set back, or copied" in done.stdout
        # It goes on with entries of its own, and is longer.
        notes(fork, "x", "y", "z", keys=keys)
        done = invoke("log", "witness", "submit", fork, *words, "--json")
        assert done.exit_code == 1
        assert "fork" in done.stdout
        with (
            caplog.at_level(logging.WARNING, "cwts.witnesses"),
            cwts.AuditLog.open(
                fork, keys=keys, witnesses=[cwts.Witness(url, files.vkey)]
            ) as forked,
        ):
            size = len(forked)
            forked.append(audit.Note("on"))
            until(lambda: len(forked) > size + 1, "no alert in the log")
            forked.wait_durable(size + 1)
            text = forked.entry(size + 1)["body"]["text"]
            assert text.startswith("witness witness.example/w1 holds a checkpoint"), text
        assert "fork, or set back" in caplog.text
        assert files.state.read_bytes() == state, "nothing was cosigned"
    assert not (fork / "checkpoint.witnessed").exists()
    # With what the witness has cosigned, the fork is told without asking anybody.
    shutil.copy(log / "checkpoint.witnessed", fork / "checkpoint.witnessed")
    verdict = audit.verify(fork, [(log / "log.vkey").read_text().strip(), files.vkey])
    assert [row["kind"] for row in verdict.findings] == ["INCONSISTENT"]
    assert verdict.findings[0]["file"] == "checkpoint.witnessed"


def test_a_witness_remembers_over_a_restart_and_refuses_a_torn_state(
    tmp_path: Path, files: Files
) -> None:
    keys = tmp_path / "keys"
    log = notes(tmp_path / "log", "a", keys=keys)
    size = int(_core.checkpoint(str(log))["size"])
    with served(files, log) as url:
        assert post(url, request(log, files, 0))[0] == 200
        # One process at a time has the state.
        second = cli(*command(files, log))
        assert second.returncode == 2
        assert "another process serves this witness" in second.stderr
    notes(log, "b", keys=keys)
    with served(files, log) as url:
        told = post(url, request(log, files, 0))
        assert told == (409, "text/x.tlog.size", b"%d\n" % size)
        assert post(url, b"")[0] == 400
        assert post(url, b"old 0\n\n" + b"x" * (1 << 17))[0] == 413
        body = request(log, files, size)
        line = body.rindex(b" ") + 12
        broken = body[:line] + (b"B" if body[line : line + 1] == b"A" else b"A") + body[line + 1 :]
        assert post(url, broken)[0] == 403
        other = notes_of_another(tmp_path, keys)
        assert post(url, request(other, files, 0))[0] == 404
        assert post(url, request(log, files, size))[0] == 200
    whole = files.state.read_bytes()
    for torn in (whole[:-1], whole[: len(whole) // 2], b"", whole.replace(b"old", b"new") + b"\n"):
        files.state.write_bytes(torn)
        refused = cli(*command(files, log))
        assert refused.returncode == 2
        assert "witness.state: line 1" in refused.stderr, refused.stderr
        assert files.state.read_bytes() == torn
    files.state.unlink()
    assert cli(*command(files, log)).returncode == 2, "and it makes none"
    assert not files.state.exists()


def notes_of_another(tmp_path: Path, keys: Path) -> Path:
    root = tmp_path / "other"
    with cwts.AuditLog.open(root, origin="cwts.example/gw2", keys=keys) as log:
        log.append(audit.Note("a"))
    return root


def test_of_requests_at_once_one_moves_the_witness(tmp_path: Path, files: Files) -> None:
    keys = tmp_path / "keys"
    log = tmp_path / "log"
    bodies = []
    for text in "abcdefgh":
        notes(log, text, keys=keys)
        bodies.append(request(log, files, 0))
    with served(files, log) as url:
        told: list[tuple[int, str, bytes]] = []
        gate = threading.Barrier(len(bodies))

        def go(body: bytes) -> None:
            gate.wait(PATIENCE_S)
            told.append(post(url, body))

        threads = [threading.Thread(target=go, args=(body,)) for body in bodies]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert sorted(status for status, _, _ in told) == [200] + [409] * (len(bodies) - 1)
    (size,) = {content for status, _, content in told if status == 409}
    assert any(b"\n%d\n" % int(size) in body for body in bodies)


class Says(http.server.BaseHTTPRequestHandler):
    """A witness that says one thing, or what a real one says."""

    said: tuple[int, str, bytes] = (200, "text/plain", b"")
    witness: _core.Witness | None = None
    asked = 0

    def do_POST(self) -> None:
        type(self).asked += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        seconds = int(time.time())
        answer = self.said if self.witness is None else self.witness.add_checkpoint(body, seconds)
        status, kind, content = answer
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.send_header("location", "/elsewhere")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def saying(**what: object) -> Iterator[tuple[str, type[Says]]]:
    """Answer on a socket of this process."""
    handler = type("One", (Says,), {"asked": 0, **what})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", handler
        finally:
            server.shutdown()
            thread.join(PATIENCE_S)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, "text/plain", b""), ("answered what its key did not sign", True, 1)),
        ((200, "text/plain", "— w AAAAAAA=\n".encode()), ("answered what its key", True, 1)),
        ((200, "text/plain", b"x" * 70_000), ("cannot be asked: HTTPException", False, 1)),
        ((302, "text/plain", b""), ("answered with status 302", False, 1)),
        ((500, "text/plain", b"\x1b[31m"), ("answered with status 500", False, 1)),
        ((409, "text/plain", b"1\n"), ("answered with status 409", False, 1)),
        ((409, "text/x.tlog.size", b"1" * 400), ("answered with status 409", False, 1)),
        ((409, "text/x.tlog.size", b"1\n"), ("again and again (409)", False, 2)),
        ((409, "text/x.tlog.size", b"99\n"), ("has seen 99 entries already, and the log", True, 1)),
        ((409, "text/x.tlog.size", b"99999999999999999999\n"), ("was not asked", False, 1)),
        ((403, "text/plain", b""), ("refused the log's signature (403)", True, 1)),
        ((404, "text/plain", b""), ("does not know this log (404)", True, 1)),
    ],
)
def test_an_answer_of_another_kind_is_told_and_keeps_nothing(
    tmp_path: Path,
    files: Files,
    answer: tuple[int, str, bytes],
    told: tuple[str, bool, int],
) -> None:
    trouble, is_alert, asked = told
    log = notes(tmp_path / "log", "a", keys=tmp_path / "keys")
    with saying(said=answer) as (url, handler):
        found = witnesses.submit(log, cwts.Witness(url, files.vkey))
    assert (found.name, found.size) == ("witness.example/w1", None)
    assert trouble in found.trouble, found
    assert "\x1b" not in found.trouble, "a witness's words go nowhere"
    assert (found.is_alert, handler.asked) == (is_alert, asked)
    assert not (log / "checkpoint.witnessed").exists()


def test_a_witness_that_cannot_be_asked_is_no_finding(tmp_path: Path, files: Files) -> None:
    log = notes(tmp_path / "log", "a", keys=tmp_path / "keys")
    with saying(said=(500, "text/plain", b"")) as (url, _):
        done = cli("log", "witness", "submit", log, "--witness", url, "--vkey", files.vkey)
    assert done.returncode == 2
    assert "witness witness.example/w1 answered with status 500" in done.stderr


def test_the_lines_of_several_witnesses_meet_under_one_checkpoint(
    tmp_path: Path, files: Files
) -> None:
    log = notes(tmp_path / "log", "a", keys=tmp_path / "keys")
    second = (str(tmp_path / "2.key"), str(tmp_path / "2.state"))
    vkey = _core.new_witness("witness.example/w2", *second)
    own = (log / "log.vkey").read_text().strip()
    pair = (
        _core.Witness(str(files.key), str(files.state), [own]),
        _core.Witness(*second, [own]),
    )
    with (
        saying(witness=pair[0]) as (first_url, _),
        saying(witness=pair[1]) as (second_url, _),
        saying(said=(503, "text/plain", b"")) as (away, _),
    ):
        one, two = cwts.Witness(first_url, files.vkey), cwts.Witness(second_url, vkey)
        rounds = witnesses.WitnessRounds(log, [one, cwts.Witness(away, vkey)])
        assert rounds.run() == [], "one that is away is no alert"
        assert [row["size"] > 0 for row in rounds.state()] == [True, False]
        told = audit.verify(log, [own, files.vkey, vkey]).findings
        assert [(row["kind"], row["file"]) for row in told] == [
            ("BAD_SIGNATURE", "checkpoint.witnessed")
        ]
        # It is back, and its line joins the other's.
        assert witnesses.submit(log, two).size == rounds.state()[0]["size"]
        assert audit.verify(log, [own, files.vkey, vkey]).ok
        # Both at once, under one checkpoint, however the log went on.
        notes(log, "b", keys=tmp_path / "keys")
        both = witnesses.WitnessRounds(log, [one, two])
        assert both.run() == []
        assert len({row["size"] for row in both.state()}) == 1
        assert audit.verify(log, [own, files.vkey, vkey]).ok
        # What is covered is not submitted again.
        size = both.state()[0]["size"]
        both.run()
        assert both.state()[0]["size"] == size
    names = [
        line.split(" ")[1] for line in (log / "checkpoint.witnessed").read_text().splitlines()[4:]
    ]
    assert names == [ORIGIN, "witness.example/w1", "witness.example/w2"]


def test_a_bad_witness_is_refused_before_anything_is_opened(tmp_path: Path, files: Files) -> None:
    log = notes(tmp_path / "log", "a", keys=tmp_path / "keys")
    for url in ("ftp://w", "http://", "w.example", "http://u:p@w", "http://w?x", "http://w:99999"):
        with pytest.raises(ValueError, match=r"url|[Pp]ort"):
            cwts.Witness(url, files.vkey)
    with pytest.raises(ValueError, match="no witness's key"):
        cwts.Witness("https://w", (log / "log.vkey").read_text().strip())
    with pytest.raises(ValueError, match="timeout_s is 61"):
        cwts.Witness("https://w", files.vkey, 61)
    one = cwts.Witness("https://w", files.vkey)
    with pytest.raises(ValueError, match="each of another name"):
        cwts.AuditLog.open(log, keys=tmp_path / "keys", witnesses=[one, one])
    limits = tmp_path / "limits.toml"
    limits.write_text(Desk(tmp_path).text)
    with pytest.raises(ValueError, match="there is no log"):
        cwts.Gateway(limits, witnesses=[one])
    with pytest.raises(ValueError, match="is no log's key"):
        _core.Witness(str(files.key), str(files.state), [files.vkey])
    stolen = tmp_path / "other.key"
    text = files.key.read_text()
    for damaged in (text.replace("w1", "w2"), text[:-3] + "\n", "PRIVATE+KEY+", "", text * 40):
        stolen.write_text(damaged)
        refused = cli(*command(Files(stolen, files.state, ""), log))
        assert refused.returncode == 2, damaged
        assert text.rpartition("+")[2].strip() not in refused.stderr, "no secret in a message"
    again = cli(*command(files, log)[:2], "init", "--name", "w", "--key", files.key, "--state", log)
    assert again.returncode == 2

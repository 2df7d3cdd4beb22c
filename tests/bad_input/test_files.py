"""Files of order flow that are broken: file, record and byte are named, in little memory."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from cwts import _core
from cwts.datasets import default_limits
from desk import Desk

HEADER = "ts,kind,order_id,account,strategy,instrument,side,qty,price,ref_id,flags\n"
ROW = "1,add,1,A,S,ACME,buy,10,100.00,,0\n"
GOOD = HEADER + ROW


def run(path: Path, **more: Any) -> dict[str, Any]:
    replay = _core.Replay(
        default_limits(), "equity.toml", path=str(path), keys=str(path.parent / "keys"), **more
    )
    found: dict[str, Any] = json.loads(replay.run())
    return found


def changed(old: str, new: str) -> str:
    assert ROW.count(old) >= 1
    return GOOD + ROW.replace(old, new, 1)


#: The second row is the wrong one; where it starts is what must be named.
AT = f"at record 1, byte {len(GOOD)}: "


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("", "at record 0, byte 0: ", "no bytes"),
        (changed(",10,", ",-1,"), AT, "qty -1"),
        (changed(",10,", f",{2**63},"), AT, "qty '9223372036854775808' exceeds 64 bits"),
        (changed(",10,", ",1.5,"), AT, "qty '1.5'"),
        (changed(",10,", ",,"), AT, "qty"),
        (changed("100.00", "NaN"), AT, "price 'NaN'"),
        (changed("100.00", "inf"), AT, "price 'inf'"),
        (changed("100.00", "1e2"), AT, "price '1e2'"),
        (changed("100.00", "9999999999999"), AT, "exceeds 64 bits"),
        (changed("100.00", "0.0000000001"), AT, "price"),
        (changed("add", "ad"), AT, "kind 'ad'"),
        (changed("buy", "by"), AT, "side 'by'"),
        (changed("1,add", "x,add"), AT, "ts 'x'"),
        (changed("1,add", "-1,add"), AT, "ts"),
        (GOOD + "1,add,1\n", AT, "3 fields; the header has 11"),
        (changed("ACME", '"ACME'), AT, "quote"),
        (HEADER.replace("qty", "quantity") + ROW, "byte 0: ", "'qty'"),
        (HEADER.replace("instrument", "symbl") + ROW, "byte 0: ", "instrument"),
    ],
)
def test_file_record_byte_and_field_are_named(
    tmp_path: Path, text: str, where: str, words: str
) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(text)
    with pytest.raises(_core.InputError) as caught:
        run(path, format="csv" if text else None)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert where in message
    assert words in message
    assert caught.value.code == "INPUT"


def test_the_rows_around_the_wrong_ones_are_right(tmp_path: Path) -> None:
    """What all the files above share is accepted, so each is refused for its own fault."""
    path = tmp_path / "flow.csv"
    path.write_text(GOOD + ROW)
    assert run(path)["orders"] == 2


def test_text_that_is_not_utf8_names_the_field(tmp_path: Path) -> None:
    path = tmp_path / "flow.csv"
    path.write_bytes(GOOD.encode() + ROW.encode().replace(b"ACME", b"\xff\xfe"))
    with pytest.raises(_core.InputError, match=r"instrument .* is not UTF-8") as caught:
        run(path)
    assert AT in str(caught.value)


@pytest.mark.parametrize(
    "raw", [b"hello world\nfoo\n", bytes(1000), b"ts,kind\n1,add\n"], ids=["text", "zeros", "csv"]
)
def test_a_file_of_no_known_format_lists_the_known_ones(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "flow.bin"
    path.write_bytes(raw)
    with pytest.raises(_core.InputError, match=r"csv.*lobster.*parquet"):
        run(path)
    with pytest.raises(ValueError, match=r"format: .*csv.*parquet"):
        run(path, format="xlsx")


def packed(kind: str) -> bytes:
    text = (HEADER + ROW * 50_000).encode()
    if kind == "gz":
        return gzip.compress(text)
    if kind == "xz":
        return lzma.compress(text)
    import pyarrow as pa

    return pa.compress(text, codec="zstd", asbytes=True)


@pytest.mark.parametrize("kind", ["gz", "zst", "xz"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_truncated_archive_is_told_from_a_short_day(
    tmp_path: Path, kind: str, kept: float
) -> None:
    """Half a file must not pass for a quiet day."""
    raw = packed(kind)
    path = tmp_path / f"flow.csv.{kind}"
    path.write_bytes(raw)
    assert run(path)["orders"] == 50_000
    path.write_bytes(raw[: int(len(raw) * kept)])
    with pytest.raises(_core.InputError, match=r"compressed byte|byte") as caught:
        run(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("kind", ["gz", "zst", "xz"])
def test_bytes_behind_an_archive_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"flow.csv.{kind}"
    path.write_bytes(packed(kind) + b"more")
    with pytest.raises(_core.InputError):
        run(path)


@pytest.mark.parametrize("format_", ["parquet", "arrow"])
def test_a_truncated_table_is_refused(tmp_path: Path, format_: str) -> None:
    path = tmp_path / f"flow.{format_}"
    _core.generate(str(path), format_, profile="equity-liquid", events=2_000, seed=1)
    raw = path.read_bytes()
    assert run(path)["orders"] > 0
    for size in (8, len(raw) // 2, len(raw) - 4):
        path.write_bytes(raw[:size])
        with pytest.raises(_core.InputError, match=str(path)):
            run(path)


@pytest.mark.parametrize("quoted", [False, True], ids=["plain", "quoted"])
def test_a_line_of_a_gigabyte_is_refused_in_little_memory(desk: Desk, quoted: bool) -> None:
    """A sparse file: its line is a gigabyte of zeros, and nobody may wait for its end."""
    path = desk.root / "flow.csv"
    with path.open("wb") as file:
        file.write(GOOD.encode() + b"1,add,1,A,S," + b'"' * quoted)
        file.truncate(1 << 30)
    with desk.running("peak_of_replay", str(path)) as child:
        said = child.says()
    assert AT in said["why"]
    assert "more than 65536 bytes" in said["why"]
    assert said["grown_kib"] < 64 << 10, "a line that is refused must not be read whole"


def test_an_archive_that_unpacks_without_end_is_refused(desk: Desk) -> None:
    """A few kilobytes that claim to be gigabytes of one line."""
    path = desk.root / "flow.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write(GOOD.encode())
        for _ in range(64):
            file.write(b"x" * (1 << 20))
    with desk.running("peak_of_replay", str(path)) as child:
        said = child.says()
    assert AT in said["why"]
    assert said["grown_kib"] < 64 << 10


def test_a_directory_is_no_file_and_no_file_is_none(tmp_path: Path) -> None:
    with pytest.raises(_core.InputError, match="is a directory") as caught:
        run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    with pytest.raises(_core.InputError, match=r"none\.csv.*No such file"):
        run(tmp_path / "none.csv")


def test_a_log_directory_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    """A replay writes a new log or none: yesterday's decisions are not touched either."""
    path, log, out = tmp_path / "flow.csv", tmp_path / "log", tmp_path / "out.csv"
    path.write_text(GOOD)
    log.mkdir()
    (log / "precious").write_text("keep me")
    out.write_text("yesterday\n")
    with pytest.raises(_core.CwtsError, match=r"not empty|exists"):
        run(path, log=str(log), decisions=str(out))
    assert [p.name for p in log.iterdir()] == ["precious"]
    assert out.read_text() == "yesterday\n"


def test_a_log_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flow.csv"
    path.write_text(GOOD)
    with pytest.raises(_core.CwtsError):
        run(path, log=str(path))
    assert path.read_text() == GOOD


def test_a_replay_of_a_bad_file_leaves_a_log_that_says_it_was_not_finished(
    tmp_path: Path,
) -> None:
    path, log = tmp_path / "flow.csv", tmp_path / "log"
    path.write_text(HEADER + ROW * 1_000 + ROW.replace("buy", "by"))
    with pytest.raises(_core.InputError, match="at record 1000, "):
        run(path, log=str(log))
    # Its writer ends on its own thread.
    import time

    for _ in range(2_000):
        if not _core.status(str(log))["running"]:
            break
        time.sleep(0.005)
    verdict = _core.verify(str(log), [], "full")
    assert (verdict["ok"], verdict["clean"]) == (True, False)


def test_bad_options_of_a_replay_are_named(tmp_path: Path) -> None:
    limits = default_limits()
    with pytest.raises(TypeError, match="path and profile"):
        _core.Replay(limits, "x")
    with pytest.raises(TypeError, match="path and profile"):
        _core.Replay(limits, "x", path="a", profile="equity-liquid")
    with pytest.raises(ValueError, match="mapping"):
        _core.Replay(limits, "x", path="a", mapping="some")
    with pytest.raises(_core.CwtsError, match="nope"):
        _core.Replay(limits, "x", profile="nope", events=10).run()
    with pytest.raises(_core.CwtsError):
        _core.Replay(limits, "x", profile="equity-liquid", events=10, instruments=0).run()
    with pytest.raises(_core.CwtsError):
        _core.Replay(limits, "x", profile="equity-liquid", events=2**63, instruments=8).run()
    with pytest.raises(ValueError, match="format"):
        _core.generate(str(tmp_path / "x"), "xlsx", profile="equity-liquid", events=1, seed=1)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("flow.csv", changed("buy", "by").encode()),
        ("flow.csv.gz", gzip.compress(GOOD.encode())[:-4]),
        ("flow.csv", b""),
    ],
    ids=["cell", "truncated", "empty"],
)
def test_the_command_line_ends_with_2_and_a_sentence(desk: Desk, name: str, raw: bytes) -> None:
    path = desk.root / name
    path.write_bytes(raw)
    done = desk.cli("replay", str(path), code=2)
    assert f"{path}: " in done.stderr
    assert "byte" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    desk.cli("replay", str(desk.root), code=2)
    desk.cli("replay", str(desk.root / "none"), code=2)

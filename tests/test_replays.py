"""Several files in one run: one result whoever did the work, and a fault stays with its file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cwts
from cli_run import check_schema, cli
from cwts import _core, _replays, audit, datasets, errors
from cwts._replay import ReplayResult
from cwts.cli.app import run

EVENTS = 12_000
FILES = 3
COMMAND = [sys.executable, "-c", "from cwts.cli import main; main()"]


@pytest.fixture(scope="session")
def flows(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three days of generated flow, each with its mistakes, in three formats."""
    folder = tmp_path_factory.mktemp("flows")
    paths = [folder / name for name in ("one.csv", "two.parquet", "three.arrow")]
    for seed, path in enumerate(paths, 1):
        command = ["gen", "-n", str(EVENTS), "--seed", str(seed), "--anomalies", "-o", str(path)]
        assert run(command) == 0
    return paths


def stable(result: ReplayResult) -> dict[str, Any]:
    """Give all of a result that must not depend on who did the work and when."""
    found = json.loads(json.dumps(dict(result.json)))
    for key in ("seconds", "ns_per_order", "latency"):
        del found[key]
    for part in [found, *found["files"]]:
        part.pop("seconds", None)
        part["log"].pop("dir")
    return found


def test_the_result_is_the_same_for_any_number_of_workers(
    flows: list[Path], tmp_path: Path
) -> None:
    alone = [cwts.replay(path, log=tmp_path / f"alone{n}") for n, path in enumerate(flows)]
    seen = []
    for workers in (1, 2, 8):
        log = tmp_path / f"run{workers}"
        found = cwts.replay(flows, log=log, workers=workers, keep=True)
        check_schema(dict(found.json), "replay-v1.json")
        assert [p.name for p in sorted(log.iterdir())] == [
            *("0001", "0002", "0003", "checkpoint", "log.vkey")
        ]
        facts = json.loads((tmp_path / f"run{workers}.run" / "run.json").read_text("utf-8"))
        assert facts["result"] == found.json
        verdict = audit.verify(log)
        assert (verdict.ok, verdict.clean) == (True, True)
        assert [one.root for one in verdict.logs] == [one.json["log"]["root"] for one in alone]
        assert verdict.root == found.json["log"]["root"]
        assert verdict.size == found.json["log"]["entries"]
        seen.append(stable(found))
        assert found.order_records == b"".join(one.order_records for one in alone)
    assert seen[0] == seen[1] == seen[2]
    other = cwts.replay(flows[::-1], log=tmp_path / "other")
    assert other.json["log"]["root"] != seen[0]["log"]["root"], "the order is part of the run"


def test_the_sums_are_those_of_the_files(flows: list[Path], tmp_path: Path) -> None:
    alone = [cwts.replay(path).json for path in flows]
    out = tmp_path / "out.csv"
    found = cwts.replay(flows, decisions=out, workers=2).json
    for key in ("orders", "accepted", "events", "denials_total"):
        assert found[key] == sum(one[key] for one in alone)
    for key in ("by_first", "by_bit", "by_mask", "passed", "anomalies"):
        names = {name for one in alone for name in one[key]}
        assert found[key] == {name: sum(one[key].get(name, 0) for one in alone) for name in names}
    assert [file["path"] for file in found["inputs"]] == [str(path) for path in flows]
    assert [file["decisions_sha256"] for file in found["files"]] == [
        one["decisions_sha256"] for one in alone
    ]
    text = "".join(one["decisions_sha256"] + "\n" for one in alone)
    assert found["decisions_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    # Every order is in one bucket of the common axis, and in one bin of the common histogram.
    series = found["series"]
    assert len(series["t_ns"]) <= 2_000
    assert sum(series["orders"]) == found["orders"]
    assert sum(series["accepted"]) == found["accepted"]
    rejected = {name: sum(column) for name, column in series["rejected"].items()}
    assert rejected == found["by_first"]
    assert max(series["open_notional"]) == max(max(one["series"]["open_notional"]) for one in alone)
    assert sum(found["latency"]["counts"]) == found["orders"]
    edges = np.array(found["latency"]["edges_ns"])
    assert (np.diff(edges) > 0).all()
    assert len(edges) == len(found["latency"]["counts"]) + 1
    ns = found["ns_per_order"]
    assert ns["p50"] <= ns["p99"] <= ns["p999"]
    for number in (1, 2, 3):
        rows = (tmp_path / f"out.{number:04}.csv").read_text("utf-8").splitlines()
        assert len(rows) == alone[number - 1]["orders"] + 1
    assert {denial["file"] for denial in found["top_denials"]} <= {1, 2, 3}


def test_workers_are_spawned(flows: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A fork would copy this process without the threads that the core has started in it."""
    asked: list[object] = []
    whole = _replays.ProcessPoolExecutor

    def pool(workers: int, context: Any, **more: Any) -> Any:
        asked.append((workers, context.get_start_method()))
        return whole(workers, context, **more)

    monkeypatch.setattr(_replays, "ProcessPoolExecutor", pool)
    cwts.replay(flows[:2], workers=5)
    assert asked == [(1, "spawn"), (1, "spawn")]


def test_a_file_that_is_wrong_fails_alone(flows: list[Path], tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text("ts,kind,order_id,instrument,side,qty,price\n1,add,1,I,by,1,1.00\n", "utf-8")
    files = [flows[0], bad, flows[1], tmp_path / "none.csv"]
    alone = cwts.replay(flows[1]).json
    for workers in (1, 2):
        log = tmp_path / f"log{workers}"
        with pytest.raises(errors.FilesFailedError) as caught:
            cwts.replay(files, log=log, workers=workers)
        assert caught.value.code == "FILES_FAILED"
        said = [(file["number"], file["code"]) for file in caught.value.failed]
        assert said == [(2, "INPUT"), (4, "FILE")]
        assert "bad.csv: " in str(caught.value)
        assert "at record 0, byte 43" in str(caught.value)
        found = caught.value.result.json
        check_schema(dict(found), "replay-v1.json")
        assert [file["ok"] for file in found["files"]] == [True, False, True, False]
        assert found["files"][2]["decisions_sha256"] == alone["decisions_sha256"]
        assert found["log"] is None, "a run that is not whole has no root"
        verdict = audit.verify(log)
        assert (verdict.ok, verdict.clean, verdict.root) == (True, False, "")
        assert [one.clean for one in verdict.logs][:2] == [True, False]
    ran = cli("replay", *files, "--workers", 2)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.count("bad.csv: ") >= 1
    assert "failed: INPUT" in ran.stdout
    assert "0003 " in ran.stdout


def test_all_that_is_wrong_with_a_run_is_said_before_it_starts(
    flows: list[Path], tmp_path: Path
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "precious").touch()
    with pytest.raises(errors.InputError, match="is not empty"):
        cwts.replay(flows, log=full)
    with pytest.raises(errors.InputError, match="is a directory"):
        cwts.replay([flows[0], tmp_path])
    with pytest.raises(errors.InputError, match="no file"):
        cwts.replay([])
    with pytest.raises(ValueError, match="workers is 0"):
        cwts.replay(flows, workers=0)
    with pytest.raises(ValueError, match="session is 'day'"):
        cwts.replay(flows, session="day")  # type: ignore[arg-type]
    assert cli("replay", *flows, "--expect", full / "x.json").returncode == 2
    assert cli("replay").returncode == 2


def test_one_session_is_one_log_and_one_state(flows: list[Path], tmp_path: Path) -> None:
    log = tmp_path / "log"
    ran = cli("replay", *flows, "--session", "continuous", "--log", log, "--json")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    check_schema(found, "replay-v1.json")
    assert "files" not in found
    assert [file["records"] for file in found["inputs"]] == [EVENTS] * FILES
    assert (log / "wal").is_dir()
    assert audit.verify(log).root == found["log"]["root"]
    again = asyncio.run(cwts.areplay(flows, session="continuous", log=tmp_path / "again"))
    assert again.json["log"]["root"] == found["log"]["root"]


def test_a_run_that_was_changed_is_named(flows: list[Path], tmp_path: Path) -> None:
    log = tmp_path / "log"
    cwts.replay(flows, log=log)
    shown = cli("log", "verify", log)
    assert shown.returncode == 0
    assert "entries in 3 logs" in shown.stdout
    (wal,) = (log / "0002" / "wal").iterdir()
    raw = bytearray(wal.read_bytes())
    raw[len(raw) // 2] ^= 1
    wal.write_bytes(raw)
    ran = cli("log", "verify", log, "--json")
    assert ran.returncode == 1
    found = json.loads(ran.stdout)
    assert [one["ok"] for one in found["logs"]] == [True, False, True]
    assert all(f["file"].startswith("0002/") for f in found["findings"])
    assert "log 0002: " in found["findings"][0]["text"]


def test_the_keys_that_are_trusted_must_have_signed(flows: list[Path], tmp_path: Path) -> None:
    log, other = tmp_path / "log", tmp_path / "other"
    cwts.replay(flows[:2], log=log)
    cwts.replay(flows[:2], log=other, keys=tmp_path / "others-keys")
    own, strange = (
        {p.read_text().strip() for p in (run / "log.vkey", run / "0001" / "log.vkey")}
        for run in (log, other)
    )
    verdict = audit.verify(log, own)
    assert verdict.ok
    assert not any("no key was given" in text for text in verdict.not_checked)
    refused = audit.verify(log, strange)
    assert {finding["file"] for finding in refused.findings} >= {"checkpoint", "0001/checkpoint"}


# Workers that die, and a person who has seen enough.


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """A file that never ends: whoever reads it waits until it is killed."""
    path = tmp_path / "endless.csv"
    os.mkfifo(path)
    # Both ends, so that neither side waits to open it and the reader sees no end.
    kept = os.open(path, os.O_RDWR)
    os.write(kept, b"ts,kind,order_id,instrument,side,qty,price\n1,add,1,I,buy,1,1.00\n")
    yield path
    os.close(kept)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    try:
        return [int(child) for child in listed.read_text().split()]
    except OSError:
        return []


def reader_of(path: Path, parent: int) -> int:
    """Wait for the child of `parent` that has `path` open."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in children(parent):
            try:
                files = [str(fd.readlink()) for fd in Path(f"/proc/{child}/fd").iterdir()]
            except OSError:
                continue
            if str(path) in files:
                return child
        time.sleep(0.02)
    raise AssertionError(f"nobody opened {path}")


def ends(pid: int) -> bool:
    """Wait until a process is gone, or nothing of it but its exit code is left."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_a_worker_that_dies_fails_its_file_only(flows: list[Path], pipe: Path) -> None:
    files = [flows[0], pipe, flows[1], flows[2]]
    command = [*COMMAND, "replay", *map(str, files), "--workers", "2", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        os.kill(reader_of(pipe, ran.pid), signal.SIGKILL)
        out, said = ran.communicate(timeout=100)
    assert ran.returncode == 1, said
    assert f"{pipe}: its worker process died" in said
    found = json.loads(out)
    check_schema(found, "replay-v1.json")
    assert [file["ok"] for file in found["files"]] == [True, False, True, True]
    assert found["files"][1]["error"]["code"] == "WORKER_DIED"
    for at, path in ((0, flows[0]), (2, flows[1]), (3, flows[2])):
        alone = cwts.replay(path).json
        assert found["files"][at]["decisions_sha256"] == alone["decisions_sha256"]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
def test_workers_end_with_their_parent(pipe: Path, flows: list[Path]) -> None:
    command = [*COMMAND, "replay", str(pipe), str(flows[0]), "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as ran:
        worker = reader_of(pipe, ran.pid)
        ran.kill()
        ran.wait(timeout=30)
    assert ends(worker)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_stops_every_worker(tmp_path: Path, workers: int) -> None:
    path, log = tmp_path / "flow.csv", tmp_path / "log"
    datasets.synth(path, 1_500_000)
    command = [*COMMAND, "replay", *[str(path)] * 3, "--log", str(log)]
    command += ["--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as ran:
        until = time.monotonic() + 60
        started = [log / f"{number:04}" / "wal" for number in range(1, workers + 1)]
        while not all(wal.is_dir() for wal in started) and time.monotonic() < until:
            time.sleep(0.01)
        workers_of = children(ran.pid)
        ran.send_signal(signal.SIGINT)
        out, said = ran.communicate(timeout=100)
    assert (ran.returncode, said.strip(), out) == (130, b"cwts: cancelled", b"")
    assert all(map(ends, workers_of))
    verdict = audit.verify(log)
    assert (verdict.ok, verdict.clean, verdict.root) == (True, False, ""), verdict
    assert len(verdict.logs) == workers
    assert any("did not finish" in note for note in verdict.notes)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_grows_while_it_is_read_is_not_what_was_given(
    flows: list[Path], tmp_path: Path, workers: int
) -> None:
    path, log = tmp_path / "flow.csv", tmp_path / "log"
    datasets.synth(path, 400_000)
    with path.open("rb") as file:
        row = file.readlines(4_096)[1]
    files = [path, flows[0]] if workers > 1 else [path]
    command = [*COMMAND, "replay", *map(str, files), "--log", str(log), "--workers", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as ran:
        wal = log / "0001" / "wal" if workers > 1 else log / "wal"
        until = time.monotonic() + 60
        while not wal.is_dir() and time.monotonic() < until:
            time.sleep(0.01)
        with path.open("ab") as file:
            file.write(row)
        _, said = ran.communicate(timeout=100)
    assert ran.returncode == 1, said
    assert b"INPUT_CHANGED" in said
    assert str(path).encode() in said
    verdict = audit.verify(log)
    assert (verdict.ok, verdict.clean) == (True, False)


def test_an_async_run_can_be_cancelled(tmp_path: Path) -> None:
    path, log = tmp_path / "flow.csv", tmp_path / "log"
    datasets.synth(path, 600_000)
    seen: list[int] = []

    async def story() -> None:
        begun = asyncio.Event()

        def progress(events: int) -> None:
            seen.append(events)
            if events:
                begun.set()

        run = cwts.areplay([path] * 3, log=log, workers=2, progress=progress)
        task = asyncio.create_task(run)
        await asyncio.wait_for(begun.wait(), 60)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(story())
    assert 0 < seen[-1] < 3 * 600_000
    assert not audit.verify(log).clean


# Kept decisions and what is written of them.


@pytest.mark.parametrize("suffix", ["arrow", "parquet"])
def test_decisions_as_a_table_are_those_that_were_kept(
    flows: list[Path], tmp_path: Path, suffix: str
) -> None:
    pa = pytest.importorskip("pyarrow")
    out = tmp_path / f"out.{suffix}"
    kept = cwts.replay(flows[0], decisions=out)
    if suffix == "arrow":
        with pa.memory_map(str(out)) as source:
            table = pa.ipc.open_file(source).read_all()
    else:
        import pyarrow.parquet as pq

        table = pq.read_table(out)
    columns = kept.columns()
    assert table.column_names == list(columns)
    for name, column in columns.items():
        assert (table[name].to_numpy() == column).all(), name
    # And the stream that frames are made of.
    streamed = pa.table(kept)
    assert streamed.equals(table)
    assert streamed.num_rows == kept.json["orders"]


def test_decisions_that_were_not_kept_are_no_empty_table(flows: list[Path]) -> None:
    result = cwts.replay(flows)
    for wanted in ("orders", "decisions"):
        with pytest.raises(errors.InputError, match="keep=True"):
            getattr(result, wanted)
    with pytest.raises(errors.InputError, match="keep=True"):
        result.__arrow_c_stream__()
    assert len(cwts.replay(flows, keep=True).decisions) == result.json["orders"]
    with pytest.raises(ValueError, match="bytes of orders"):
        _core.decision_stream(bytes(64), bytes(128))


def test_bounds_are_the_callers_to_set(flows: list[Path]) -> None:
    with pytest.raises(errors.InputError, match="more than 10 orders are live") as caught:
        cwts.replay(flows[0], max_live=10)
    assert caught.value.code == "TOO_MANY_LIVE_ORDERS"
    with pytest.raises(errors.InputError, match="OUTPUT_TOO_LARGE"):
        cwts.replay(flows[0], max_bytes=1_000)
    ran = cli("replay", flows[0], "--max-live", 10)
    assert (ran.returncode, "TOO_MANY_LIVE_ORDERS" in ran.stderr) == (2, True)


def test_a_report_shows_every_file(flows: list[Path], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ran = cli("replay", *flows, tmp_path / "none.csv", "--report", page)
    assert ran.returncode == 2
    text = page.read_text("utf-8")
    assert len(text.encode()) <= 300_000
    for path in flows:
        assert path.name in text
    assert "none.csv" in text
    assert "No such file" in text

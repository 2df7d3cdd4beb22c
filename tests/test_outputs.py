"""What a command writes never takes the place of what it reads, and is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import cwts
from cli_run import cli
from cwts import _outputs, audit, datasets, errors
from cwts.cli.app import run

COMMAND = [sys.executable, "-c", "from cwts.cli import main; main()"]


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    path = tmp_path / "limits.toml"
    path.write_bytes(datasets.default_limits())
    return path


@pytest.mark.parametrize("link", ["itself", "symbolic", "hard"])
@pytest.mark.parametrize(
    "args",
    [
        "replay {in} --report {out}",
        "replay {in} --decisions {out}",
        "replay {in} --limits {in} --report {out}",
        "replay {other} --limits {in} --report {out}",
        "replay {other} --expect {in} --report {out}",
        "replay {other} {in} --report {out}",
        "whatif {in} --limits {limits} --flips {out}",
        "whatif {other} --limits {in} --flips {out}",
        "whatif {other} --limits {limits} --old {in} --flips {out}",
        "limits suggest {in} --force -o {out}",
    ],
)
def test_an_output_is_never_what_is_read(
    args: str, link: str, flow: Path, limits: Path, tmp_path: Path
) -> None:
    out = flow if link == "itself" else tmp_path / "out.csv"
    if link == "symbolic":
        out.symlink_to(flow)
    elif link == "hard":
        out.hardlink_to(flow)
    other = tmp_path / "other.csv"
    datasets.synth(other, 500, seed=8)
    before, places = flow.read_bytes(), {"in": flow, "out": out, "other": other, "limits": limits}
    found = cli(*args.format(**places).split())
    assert found.returncode == 2, found
    assert "would be overwritten" in found.stderr
    assert flow.read_bytes() == before


def test_numbered_decisions_and_the_runs_own_files_are_outputs_too(
    flow: Path, tmp_path: Path
) -> None:
    second = flow.rename(tmp_path / "rows.0001.csv")
    other = tmp_path / "other.csv"
    datasets.synth(other, 500, seed=8)
    with pytest.raises(errors.InputError, match=r"--decisions .*rows\.0001\.csv: is the input"):
        cwts.replay([other, second], decisions=tmp_path / "rows.csv")
    facts = tmp_path / "log.run" / "run.json"
    facts.parent.mkdir()
    other.rename(facts)
    with pytest.raises(errors.InputError, match=r"run\.json: is the input"):
        cwts.replay(facts, log=tmp_path / "log", format="csv")
    page = tmp_path / "page.csv"
    found = cli("replay", second, "--report", page, "--decisions", page)
    assert found.returncode == 2
    assert "is the file of --report, too" in found.stderr


def test_nothing_is_written_into_a_log(flow: Path, limits: Path, tmp_path: Path) -> None:
    log, page = tmp_path / "log", tmp_path / "log" / "page.html"
    found = cli("replay", flow, "--log", log, "--report", page)
    assert found.returncode == 2, found
    assert "a log's own files only" in found.stderr
    assert not log.exists()
    cwts.replay(flow, log=log)
    for args in (
        ("whatif", log, "--limits", limits, "--flips", log / "wal" / "f.csv"),
        ("whatif", tmp_path / "log.run", "--limits", limits, "--flips", log / "f.csv"),
        ("limits", "suggest", log, "-o", log / "l.toml"),
    ):
        found = cli(*args)
        assert found.returncode == 2, found
        assert "a log's own files only" in found.stderr
    assert audit.verify(log).ok


@pytest.mark.parametrize("suffix", [".txt", ".csv.gz", ""])
def test_decisions_have_a_known_suffix(suffix: str, flow: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out{suffix}"
    found = cli("replay", flow, "--decisions", out)
    assert found.returncode == 2
    assert ".csv, .arrow, .parquet" in found.stderr
    assert not out.exists()


def test_a_log_that_is_a_file_is_named(flow: Path) -> None:
    found = cli("replay", flow, "--log", flow)
    assert found.returncode == 2
    assert f"--log {flow}: is a file" in found.stderr


# What is not a regular file is written to, and stays what it is.


def test_a_report_goes_through_a_pipe(flow: Path, tmp_path: Path) -> None:
    pipe, page = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: page.append(pipe.read_bytes()))
    reader.start()
    size_bytes = cwts.replay(flow).report(pipe)
    reader.join(20)
    assert pipe.is_fifo()
    assert len(page[0]) == size_bytes
    found = cli("replay", flow, "--report", "/dev/stdout")
    assert found.returncode == 0, found.stderr
    assert "</html>" in found.stdout


def test_a_full_device_is_an_error_and_stays_a_device(tmp_path: Path) -> None:
    device = Path("/dev/full")
    if not device.is_char_device():
        pytest.skip("no /dev/full here")
    # Not written to under its own name: a fault of ours must not cost the machine its device.
    link = tmp_path / "full"
    link.symlink_to(device)
    with _outputs.whole_file(link) as place:
        assert place.is_char_device()
        with pytest.raises(OSError, match="No space"):
            place.write_bytes(b"x")
    assert link.is_char_device()
    assert link.is_symlink()


def test_a_report_follows_a_link_and_keeps_the_mode(flow: Path, tmp_path: Path) -> None:
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("old", encoding="utf-8")
    page.chmod(0o600)
    link.symlink_to(page)
    cwts.replay(flow).report(link)
    assert link.is_symlink()
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o600
    found = cli("replay", flow, "--report", tmp_path / "nowhere" / "page.html")
    assert found.returncode == 2
    assert "there is no folder" in found.stderr


# gen.


def test_a_plan_that_is_wrong_leaves_the_file_that_is_there(tmp_path: Path) -> None:
    precious = tmp_path / "precious.csv"
    precious.write_text("mine", encoding="utf-8")
    for args in (["--profile", "nope"], ["-n", "200000000000"]):
        assert run(["gen", *args, "-o", str(precious)]) == 2
        assert precious.read_text(encoding="utf-8") == "mine"
    assert list(tmp_path.iterdir()) == [precious]


@pytest.mark.parametrize("suffix", ["csv", "parquet", "arrow", "itch"])
def test_an_interrupt_ends_the_generator_and_leaves_no_half_file(
    suffix: str, tmp_path: Path
) -> None:
    out = tmp_path / f"flow.{suffix}"
    out.write_text("mine", encoding="utf-8")
    # Hours of work, were it not stopped.
    args = ["gen", "-n", "90000000000", "-o", str(out)]
    with subprocess.Popen([*COMMAND, *args], stderr=subprocess.PIPE) as running:
        for _ in range(2_000):
            if len(list(tmp_path.iterdir())) > 1:
                break
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        try:
            _, said = running.communicate(timeout=60)
        finally:
            running.kill()
    assert running.returncode == 130
    assert b"cancelled" in said
    assert b"Traceback" not in said
    assert out.read_text(encoding="utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_an_interrupt_while_modules_are_imported_is_no_traceback() -> None:
    code = (
        "import sys, cwts.cli\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'cwts.cli.app': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "cwts.cli.main()\n"
    )
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert found.returncode == 130
    assert found.stderr == "\ncwts: cancelled\n"

"""What is proven of a run of several files by one key, and what is said where nothing is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import cwts
from cli_run import cli
from cwts import audit, datasets


@pytest.fixture
def flows(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{seed}.csv" for seed in (1, 2, 3)]
    for seed, path in enumerate(paths, 1):
        datasets.synth(path, 1_000, seed=seed)
    return paths


@pytest.fixture
def log(flows: list[Path], tmp_path: Path) -> Path:
    """The log of a run of two files."""
    cwts.replay(flows[:2], log=tmp_path / "log")
    return tmp_path / "log"


def key_of(folder: Path) -> str:
    return (folder / "log.vkey").read_text(encoding="utf-8").strip()


def kinds(verdict: audit.Verdict) -> set[tuple[str, str]]:
    return {(finding["kind"], finding["file"]) for finding in verdict.findings}


def test_the_runs_one_key_checks_all_its_logs(log: Path) -> None:
    found = cli("log", "verify", log, "--vkey", log / "log.vkey", "--json")
    assert found.returncode == 0, found.stdout
    verdict = json.loads(found.stdout)
    assert (verdict["ok"], verdict["clean"]) == (True, True)
    assert not any("no key was given" in text for text in verdict["not_checked"])
    roots = audit.verify(log, [key_of(log)], level="roots")
    assert roots.ok


def test_the_key_of_another_run_or_log_does_not(
    log: Path, flows: list[Path], tmp_path: Path
) -> None:
    other, strange = tmp_path / "other", tmp_path / "strange"
    cwts.replay(flows, log=other)
    cwts.replay(flows[:2], log=strange, keys=tmp_path / "others-keys")
    # The same public key under another run's name; another key under this run's; one log's.
    for key in (key_of(other), key_of(strange), key_of(log / "0001")):
        assert ("BAD_SIGNATURE", "checkpoint") in kinds(audit.verify(log, [key]))
    # A run's key says nothing of a log alone: nobody signed that it is of the run.
    assert not audit.verify(log / "0001", [key_of(log)]).ok


def test_a_log_by_the_same_key_that_is_not_of_the_run_is_found(
    log: Path, flows: list[Path], tmp_path: Path
) -> None:
    other = tmp_path / "other"
    cwts.replay(flows[2], log=other)
    shutil.rmtree(log / "0002")
    shutil.copytree(other, log / "0002")
    # Its own signature holds under the run's key; the run's root does not hold it.
    assert kinds(audit.verify(log, [key_of(log)])) == {("INCONSISTENT", "checkpoint")}


def test_a_log_that_the_key_has_not_signed_is_found(
    log: Path, flows: list[Path], tmp_path: Path
) -> None:
    strange = tmp_path / "strange"
    cwts.replay(flows[:2], log=strange, keys=tmp_path / "others-keys")
    shutil.rmtree(log / "0002")
    shutil.copytree(strange / "0002", log / "0002")
    found = kinds(audit.verify(log, [key_of(log)]))
    assert ("BAD_SIGNATURE", "0002/checkpoint") in found


def test_without_the_runs_root_the_headline_says_so_and_the_runs_key_refuses(log: Path) -> None:
    key = key_of(log)
    (log / "checkpoint").unlink()
    # Its key is still there: the root was taken away.
    assert kinds(audit.verify(log)) == {("FILE_MISSING", "checkpoint")}
    (log / "log.vkey").unlink()
    shutil.rmtree(log / "0002")
    # As an unfinished run: each log holds, and nothing says that they are all.
    found = cli("log", "verify", log)
    assert found.returncode == 0, found.stdout
    assert found.stdout.startswith("OK, BUT NO SIGNED ROOT OVER THE LOGS: ")
    assert "whether these are all the logs of the run" in found.stdout
    # Whoever holds the run's key knows that there was a root.
    assert kinds(audit.verify(log, [key])) == {("FILE_MISSING", "checkpoint")}


def test_level_roots_does_not_say_whether_a_log_was_closed(log: Path) -> None:
    found = cli("log", "verify", log, "--level", "roots")
    assert found.returncode == 0, found.stdout
    assert "not closed" not in found.stdout
    assert "closed       not checked at level roots" in found.stdout
    assert audit.verify(log / "0001", level="roots").clean is None
    assert audit.verify(log / "0001").clean is True


def test_who_asks_a_run_for_one_log_is_told_its_name(log: Path, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_bytes(datasets.default_limits())
    for args in (
        ("explain", log, 1),
        ("explain", f"{log}.run", 1),
        ("status", log),
        ("whatif", log, "--limits", limits),
        ("whatif", f"{log}.run", "--limits", limits),
        ("limits", "suggest", log, "-o", tmp_path / "out.toml"),
    ):
        found = cli(*args)
        assert found.returncode == 2, found
        assert f"name one, as {log / '0001'}" in found.stderr
    assert cli("log", "verify", f"{log}.run").returncode == 0


def test_a_folder_that_is_not_there_is_named(log: Path, tmp_path: Path) -> None:
    for place, what in ((tmp_path / "nosuch", "does not exist"), (log / "log.vkey", "is a file")):
        found = cli("log", "verify", place)
        assert found.returncode == 2
        assert f"{place}: {what}" in found.stderr

"""`cwts torture fuzz`: a campaign is repeatable, a fault is named, kept, and can be run again."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cli_run import invoke
from cwts import _core, _torture
from cwts._torture import Campaign, check_file, targets
from cwts.cli import torture as command

FUZZ = ("torture", "fuzz")


def fuzzed(*args: object) -> dict[str, Any]:
    done = invoke(*FUZZ, "--engine", "mutator", "--json", *args)
    assert done.exit_code in (0, 1), done.output
    told: dict[str, Any] = json.loads(done.stdout)
    assert (done.exit_code == 1) == (told["found"] > 0)
    return told


def test_the_same_seed_and_cases_give_the_same_digest_in_any_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ("--cases", 30, "--seed", 5, "--target", "csv", "--out", tmp_path)
    one = fuzzed(*args)
    monkeypatch.setattr(_torture, "SLICE_CASES_FIRST", 7)
    two = fuzzed(*args)
    rows = [told["targets"][0] for told in (one, two)]
    assert rows[0]["cases"] == rows[1]["cases"] == 30
    assert rows[0]["digest"] == rows[1]["digest"]
    assert rows[0]["accepted"] + rows[0]["refused"] == 30
    other = fuzzed("--cases", 30, "--seed", 6, "--target", "csv", "--out", tmp_path)
    assert other["targets"][0]["digest"] != rows[0]["digest"]
    assert (one["engine"], one["seed"], list(tmp_path.iterdir())) == ("mutator", 5, [])


def test_a_planted_bug_is_found_kept_and_found_again(tmp_path: Path) -> None:
    """The canary: a decoder that trusts a length. It is in no list, or users would meet it."""
    assert "planted" not in targets()
    tally = Campaign("planted", 7, tmp_path).run(cases=2_000)
    assert tally.found, "the planted bug was not found"
    fault = tally.found[0]
    assert "planted.rs" in fault.what
    assert fault.path.name == f"cwts-torture-planted-{fault.case}.bin"
    kept = fault.path.read_bytes()
    assert kept == _core.torture_input("planted", seed=7, case=fault.case)
    assert kept.startswith(b"CWPL")
    assert check_file("planted", fault.path)["said"] == fault.what


def test_the_command_says_that_something_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_torture, "targets", lambda: {"planted": "a planted bug"})
    done = invoke(*FUZZ, "--engine", "mutator", "--cases", 2_000, "--out", tmp_path)
    assert done.exit_code == 1, done.output
    assert "FOUND case" in done.output
    kept = next(tmp_path.iterdir())
    again = invoke(*FUZZ, "--target", "planted", "--input", kept)
    assert again.exit_code == 1
    assert "BROKEN: panicked: planted.rs" in again.output


def test_a_case_that_takes_its_process_with_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that dies in the slice's middle: halving finds the one case."""
    dies_at = 53

    def dying(asked: dict[str, Any]) -> dict[str, Any] | str:
        first, cases = asked["first"], asked["cases"]
        if first <= dies_at < first + cases:
            return "ended by signal 6: memory allocation failed"
        report: dict[str, Any] = _core.torture_run(**asked)
        return report

    monkeypatch.setattr(_torture, "_in_child", dying)
    tally = Campaign("decimal", 7, tmp_path).run(cases=100)
    assert [fault.case for fault in tally.found] == [dies_at]
    assert "signal 6" in tally.found[0].what
    kept = tally.found[0].path.read_bytes()
    assert kept == _core.torture_input("decimal", seed=7, case=dies_at)


def test_a_child_that_allocates_or_aborts_is_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who watches the watcher: a real child that ends by a signal is told from one that works."""
    held = tmp_path / "held.bin"
    held.write_bytes(b"\x09185.25")
    assert check_file("decimal", held)["ok"]
    # Every child runs this first.
    (tmp_path / "sitecustomize.py").write_text("import os\nos.abort()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    answer = check_file("decimal", held)
    assert not answer["ok"]
    assert "ended by signal 6" in answer["said"]


def test_a_budget_in_seconds_ends_the_campaign(tmp_path: Path) -> None:
    told = fuzzed("--seconds", 0.2, "--target", "decimal", "--target", "note", "--out", tmp_path)
    assert [row["target"] for row in told["targets"]] == ["decimal", "note"]
    assert all(row["cases"] > 0 and row["found"] == [] for row in told["targets"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--target", "nothing"), "nothing: not one of lobster"),
        (("--input", os.devnull), "--input"),
        (("--input", __file__), "--input needs the one --target"),
        (("--seconds", "0"), "--seconds"),
        (("--out", "nowhere/at/all"), "--out"),
    ],
)
def test_bad_usage_is_exit_2(args: tuple[str, ...], words: str) -> None:
    done = invoke(*FUZZ, *args)
    assert done.exit_code == 2
    assert words in done.output


def test_a_wheel_has_no_libfuzzer_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_checkout", lambda: tmp_path)
    done = invoke(*FUZZ, "--seconds", "0.1", "--target", "decimal", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "built-in mutator (not in a checkout" in done.output
    refused = invoke(*FUZZ, "--engine", "libfuzzer")
    assert refused.exit_code == 2
    assert "not in a checkout" in refused.output


def test_a_checkout_runs_libfuzzer_and_reads_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script's lines become rows; a target that it never came to is not a clean run."""
    (tmp_path / "fuzz").mkdir()
    (tmp_path / "fuzz/Cargo.toml").touch()
    (tmp_path / "checks").mkdir()
    script = tmp_path / "checks/fuzz.sh"
    monkeypatch.setattr(command, "_checkout", lambda: tmp_path)
    monkeypatch.setattr(command, "_lacking", lambda: None)
    script.write_text(
        'test "$1" -eq 30 && test "$FUZZ_SEED" -eq 9 || exit 2\n'
        'echo "fuzz $2: 12 executions, ok"\n'
        'echo "a word of its own"\n'
        'echo "fuzz $3: 7 executions, FOUND some/file"\nexit 1\n'
    )
    args = (*FUZZ, "--seed", 9, "--seconds", 60, "--target", "csv", "--target", "note", "--json")
    done = invoke(*args)
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert (told["engine"], told["found"]) == ("libfuzzer", 1)
    assert [(row["target"], row["cases"]) for row in told["targets"]] == [("csv", 12), ("note", 7)]
    assert told["targets"][1]["found"][0]["input"] == "some/file"
    script.write_text('echo "fuzz $2: 12 executions, ok"\n')
    done = invoke(*args)
    assert done.exit_code == 2
    assert "before its last target" in done.output

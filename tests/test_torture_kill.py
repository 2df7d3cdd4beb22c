"""`cwts torture kill`: a short campaign holds, and every planted bug is found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_run import invoke
from cwts._torture_kill.campaign import PLANTED, Campaign
from cwts._torture_kill.plan import SCOPES, Life, Stop, covers, lives

#: Whatever the machine: kills, halts and damage come within this many trials.
SECONDS = 5.0


def test_a_campaign_of_some_seconds_finds_nothing(tmp_path: Path) -> None:
    done = invoke("torture", "kill", "--seconds", SECONDS, "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["found"] is None
    assert told["trials"] >= 1
    counts = told["counts"]
    for name in ("lives", "kills", "states compared", "verifications", "orders"):
        assert counts[name] > 0, counts
    assert list(tmp_path.iterdir()) == []


def quiet(
    seed: int, *, damage: bool = False, stop: Stop | None = None, trades_s: float = 0.1
) -> Life:
    return Life(
        seed=seed,
        mode="steady",
        dies_young_s=None,
        clock_ns=(),
        resumes=False,
        trades_s=trades_s,
        stop=stop,
        closes=False,
        damage=("kill.page", "torn") if damage else None,
    )


def planted(bug: str) -> list[Life]:
    """The shortest lives that meet a bug."""
    halt = Stop("firm", reduce_only=False, cancel_working=False, waits=True, lingers_s=0.2)
    return {
        "forget": [quiet(1, stop=halt), quiet(2)],
        "late": [quiet(1, stop=halt)],
        # Long enough on a busy machine for a state of either kind to be told.
        "state": [quiet(1, trades_s=1.0)],
        "mend": [quiet(1, damage=True), quiet(2)],
    }[bug]


@pytest.mark.parametrize(
    ("bug", "words"),
    [
        ("forget", "HALTED on firm did not outlive the restart"),
        ("late", "behind the halt of firm"),
        ("state", "is not the one that the log gives"),
        ("mend", "a damaged kill.page was not read as HALTED at firm"),
    ],
)
def test_a_planted_bug_is_found_and_its_directory_kept(
    tmp_path: Path, bug: str, words: str
) -> None:
    assert bug in PLANTED
    campaign = Campaign(3, tmp_path, bug)
    found = campaign.run(seconds=60.0, plan=lambda _seed, _trial: planted(bug))
    assert found is not None
    assert words in found.what
    assert found.kept.parent == tmp_path
    assert (found.kept / "log/wal").is_dir()
    assert words in (found.kept / "story.txt").read_text(encoding="utf-8")


def test_the_same_lives_without_the_bug_break_nothing(tmp_path: Path) -> None:
    """The canaries sing because of the bug, not because of what they do."""
    close = Life(9, "steady", None, (), resumes=False, trades_s=0.01, stop=None, closes=True)
    for bug in PLANTED:
        campaign = Campaign(3, tmp_path)
        found = campaign.run(only=0, plan=lambda _s, _t, bug=bug: [*planted(bug), close])
        assert found is None, found


def test_the_command_says_what_to_do_to_see_it_again(tmp_path: Path) -> None:
    done = invoke("torture", "kill", "--planted", "state", "--out", tmp_path, "--seconds", 30)
    assert done.exit_code == 1, done.output
    assert "BROKEN in trial" in done.output
    assert "to see it again: cwts torture kill --seed 7 --trial " in done.output
    (kept,) = tmp_path.iterdir()
    assert f"kept: {kept}" in done.output
    refused = invoke("torture", "kill", "--planted", "nothing")
    assert refused.exit_code == 2
    assert "--planted" not in invoke("torture", "kill", "--help").output


def test_a_trial_is_planned_by_seed_and_number_alone() -> None:
    assert lives(7, 3) == lives(7, 3)
    assert lives(7, 3) != lives(7, 4)
    assert lives(8, 3) != lives(7, 3)
    many = [life for trial in range(60) for life in lives(7, trial)]
    assert all(lives(7, trial)[-1].closes for trial in range(60))
    assert {life.stop.scope for life in many if life.stop} == set(SCOPES)
    assert {life.damage[0] for life in many if life.damage} == {
        "kill.state",
        "kill.page",
        "kill.scopes",
    }
    assert {life.mode for life in many} == {"steady", "flood"}
    assert any(life.dies_young_s for life in many)
    assert any(step < 0 for life in many for step in life.clock_ns)


@pytest.mark.parametrize(
    ("scope", "covered"),
    [
        ("firm", ["alpha", "beta"]),
        ("account:beta", ["beta"]),
        ("customer:fund", ["alpha"]),
        ("desk:floor", ["alpha"]),
        ("strategy:taker", []),
        ("instrument:ZINC", []),
    ],
)
def test_a_scope_covers_its_own_orders(scope: str, covered: list[str]) -> None:
    found = [name for name in ("alpha", "beta") if covers(scope, name, "maker", "ACME")]
    assert found == covered


@pytest.mark.parametrize(
    "args", [("--seconds", "0"), ("--trial", "-1"), ("--out", "nowhere/at/all")]
)
def test_bad_usage_is_exit_2(args: tuple[str, ...]) -> None:
    assert invoke("torture", "kill", *args).exit_code == 2

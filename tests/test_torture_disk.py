"""`cwts torture disk`: the campaign of crashes, from the command line."""

from __future__ import annotations

import json

from cli_run import invoke


def test_a_round_of_crashes_loses_nothing_and_repeats_from_its_seed() -> None:
    told = [invoke("torture", "disk", "--seconds", "0", "--seed", "7", "--json") for _ in range(2)]
    assert [done.exit_code for done in told] == [0, 0]
    assert told[0].stdout == told[1].stdout
    report = json.loads(told[0].stdout)
    assert report["found"] == []
    assert report["crash_points"] > 500
    assert report["in_recovery"] > 0
    assert len(report["losses"]) > 3
    done = invoke("torture", "disk", "--seconds", "0", "--seed", "8")
    assert "nothing lost, nothing called what it is not, no silent cut" in done.stdout

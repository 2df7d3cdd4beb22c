"""What a command says names the option that helps, once, and in words."""

from __future__ import annotations

from pathlib import Path

from cli_run import cli, invoke
from cwts import datasets


def test_a_file_that_is_not_there_is_named_by_its_option(flow: Path) -> None:
    for option, named in (("--limits", "limits nosuch: no such file"), ("--expect", "--expect no")):
        found = cli("replay", flow, option, "nosuch")
        assert found.returncode == 2
        assert named in found.stderr
        assert "Errno" not in found.stderr
    assert "equity, future" in cli("replay", flow, "--limits", "nosuch").stderr


def test_each_failing_file_is_named_once(tmp_path: Path) -> None:
    bad = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path in bad:
        path.write_text("neither flow nor anything else\n", encoding="utf-8")
    found = cli("replay", *bad)
    assert found.returncode == 2
    assert [found.stderr.count(str(path)) for path in bad] == [1, 1]
    assert found.stderr.endswith("cwts: 2 of 2 files failed [FILES_FAILED]\n")
    assert "(--format)" in found.stderr


def test_a_file_without_instruments_names_the_option(flow: Path, tmp_path: Path) -> None:
    rows = [line.split(",") for line in flow.read_text(encoding="utf-8").splitlines()]
    at = rows[0].index("instrument")
    bare = tmp_path / "bare.csv"
    text = "".join(",".join(row[:at] + row[at + 1 :]) + "\n" for row in rows)
    bare.write_text(text, encoding="utf-8")
    found = cli("replay", bare)
    assert found.returncode == 2
    assert "(--symbol)" in found.stderr
    named = cli("replay", bare, "--symbol", "SYN0001")
    assert (named.returncode, named.stderr) == (0, "")


def test_an_option_without_a_part_in_the_run_is_a_warning(flow: Path) -> None:
    given = ("--tz", "Europe/Berlin", "--date", "2024-01-02", "--strict", "--seed", "7")
    found = cli("replay", flow, *given)
    assert found.returncode == 0
    for option in ("tz", "date", "strict"):
        assert f"warning: --{option} has no part in csv" in found.stderr
    assert "--seed has no part without --inject-anomalies" in found.stderr
    assert cli("replay", flow, "--inject-anomalies", "--seed", "7").stderr.count("warning") == 0
    assert cli("replay", flow).stderr == ""


def test_a_time_zone_that_is_none_is_refused_though_nothing_needs_it(flow: Path) -> None:
    found = cli("replay", flow, "--tz", "Mars/X")
    assert found.returncode == 2
    assert "Mars/X" in found.stderr


def test_anomalies_that_found_no_place_left_the_file_as_it_was(tmp_path: Path) -> None:
    flow, empty = tmp_path / "in.csv", tmp_path / "empty.csv"
    datasets.synth(flow, 500)
    header, *rows = flow.read_text(encoding="utf-8").splitlines(keepends=True)
    trades = [row for row in rows if row.split(",")[1] == "trade"]
    assert trades
    empty.write_text(header + "".join(trades), encoding="utf-8")
    found = cli("replay", empty, "--inject-anomalies")
    assert found.returncode == 1, found
    assert "not the input as it was" not in found.stdout
    assert "8 of 8 anomalies found no place" in found.stderr


def test_a_missed_anomaly_is_told_in_words() -> None:
    from cwts.cli.replay import missed

    label = {"kind": "FAT", "seq": 3, "expect": ["A", "B"], "found": False}
    run = {"inputs": [{"injected": {"planned": 1}}], "labels": [label]}
    assert missed(run) == ["anomaly missed: FAT at event 3, which A or B should name"]


def test_the_help_of_verify_says_that_a_key_is_repeatable() -> None:
    assert "repeatable" in invoke("log", "verify", "--help").output

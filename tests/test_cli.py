"""The command line, as a user meets it: exit codes, JSON, and what the main job must show."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

import cwts
from cli_run import check_schema, cli, invoke, schema
from cwts import audit, datasets
from cwts.cli.app import run
from cwts.cli.output import one_line
from cwts.cli.tamper import copy_of, flip_bit_of_entry


@pytest.fixture(scope="session")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated flow with its anomalies and labels.ndjson beside it."""
    path = tmp_path_factory.mktemp("flow") / "flow.parquet"
    assert run(["gen", "-n", "60000", "--anomalies", "-o", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def logged(tmp_path_factory: pytest.TempPathFactory, flow: Path) -> Path:
    """The log of a replay of that flow."""
    folder = tmp_path_factory.mktemp("run")
    cwts.replay(flow, log=folder / "log", keep=False, keys=folder / "keys")
    return folder / "log"


# Every command.


def test_help_names_every_command_and_version_is_the_cores() -> None:
    shown = invoke("--help").output
    for name in ("demo", "init", "replay", "gen", "explain", "status", "halt", "resume", "log"):
        assert f"\n  {name} " in shown
    assert cli("--version").stdout == f"cwts {cwts.__version__}\n"


@pytest.mark.parametrize(
    "args",
    [
        ("nonsense",),
        ("replay",),
        ("replay", "no/such/file.csv"),
        ("replay", "{dir}"),
        ("replay", "{text}"),
        ("replay", "{flow}", "--limits", "no/such/limits.toml"),
        ("replay", "{flow}", "--limits", "{text}"),
        ("replay", "{flow}", "--log", "{full}"),
        ("replay", "{flow}", "--log", "{dir}/l", "--no-log"),
        ("replay", "{flow}", "--tz", "Mars/Olympus", "--date", "2024-01-01"),
        ("replay", "{flow}", "--date", "yesterday"),
        ("replay", "{flow}", "--date", "1969-12-31"),
        ("replay", "{flow}", "--expect", "{text}"),
        ("log", "verify", "{dir}"),
        ("log", "verify", "no/such/directory"),
        ("log", "verify", "{log}", "--vkey", "no-key"),
        ("explain", "{dir}", "1"),
        ("status", "{dir}"),
        ("halt", "{dir}"),
        ("halt",),
        ("resume", "{log}", "1", "--reason", "r", "--as", "ana"),
        ("resume", "{log}", "1", "--reason", "r", "--as", "ana", "--approve-as", "ana"),
        ("gen", "-o", "{dir}/flow.json"),
        ("gen", "-n", "0", "-o", "{dir}/flow.csv"),
        ("gen", "--profile", "unknown", "-n", "10", "-o", "{dir}/flow.csv"),
        ("limits", "check", "{text}"),
        ("demo", "--quick", "--out", "{full}"),
        ("init", "{full}"),
    ],
    ids=" ".join,
)
def test_bad_input_is_a_sentence_and_exit_code_2(
    args: tuple[str, ...], tmp_path: Path, flow: Path, logged: Path
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "limits.toml").write_text("mine", encoding="utf-8")
    text = tmp_path / "text.toml"
    text.write_text("this is = not a limits file\n", encoding="utf-8")
    places = {"dir": tmp_path, "text": text, "full": full, "flow": flow, "log": logged}
    found = cli(*(arg.format(**places) for arg in args))
    assert found.returncode == 2, found
    assert found.stderr.strip()
    assert "Traceback" not in found.stderr
    assert "bug in cwts" not in found.stderr
    assert (full / "limits.toml").read_text(encoding="utf-8") == "mine"


# init.


def test_the_script_of_init_runs_and_its_order_is_accepted(tmp_path: Path) -> None:
    place = tmp_path / "first desk"
    assert cli("init", place).returncode == 0
    check_schema(
        tomllib.loads((place / "limits.toml").read_text(encoding="utf-8")), "limits-v1.json"
    )
    assert cli("limits", "check", place / "limits.toml").returncode == 0
    for _ in range(2):  # it can run again
        ran = subprocess.run(
            [sys.executable, place / "first_order.py"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        assert ": accept" in ran.stdout
        assert "PRICE_COLLAR" in ran.stdout
    assert cli("log", "verify", place / "log").returncode == 0
    story = cli("explain", place / "log", 1)
    assert story.returncode == 0, story.stderr
    assert "AAPL" in story.stdout
    again = cli("init", place)
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_explain_tells_what_followed(tmp_path: Path) -> None:
    assert cli("init", tmp_path / "desk").returncode == 0
    log = tmp_path / "desk/log"
    with cwts.Gateway(tmp_path / "desk/limits.toml", log=log) as gateway:
        gateway.set_reference("AAPL", last="100")
        decision = gateway.submit(cwts.Order("AAPL", "buy", qty=10, price="100"))
        for cum in (4, 8):
            report = cwts.ExecReport(
                decision.order_id, "fill", last_px="99.5", last_qty=4, cum_qty=cum
            )
            gateway.on_execution_report(report)
    told = cli("explain", log, decision.order_id).stdout
    assert told.count(": fill of 4 at 99.5") == 2, told


def test_a_name_cannot_look_like_a_line_of_ours() -> None:
    assert one_line("ACME\nIt was accepted\x1b[2J") == "ACME\\nIt was accepted\\x1b[2J"
    assert one_line("Größe 5 ≤ 7") == "Größe 5 ≤ 7"


# Limits.


def test_the_limits_that_ship_are_right_and_live(tmp_path: Path) -> None:
    for name in ("equity.toml", "future.toml", "starter.toml"):
        text = (files("cwts") / "defaults" / name).read_bytes()
        found = cwts._core.check_limits(text, name)
        assert found["replay_only"] is None
        check_schema(tomllib.loads(text.decode()), "limits-v1.json")
    path = tmp_path / "equity.toml"
    path.write_bytes(datasets.default_limits())
    with cwts.Gateway(path) as gateway:
        assert gateway.limits_version == 1


def test_the_schema_of_limits_refuses_what_the_core_refuses(tmp_path: Path) -> None:
    base = (files("cwts") / "defaults" / "starter.toml").read_text(encoding="utf-8")
    path = tmp_path / "limits.toml"
    for old, new in (
        ("max_order_qty = 1_000", "max_order_qyt = 1_000"),
        ('"250_000"', "250_000.5"),
        ('window = "1ms"', 'window = "1 ms"'),
        ("short = 0", "shrt = 0"),
        ("bps = 500, ", ""),
        ("schema = 1", "schema = 2"),
        ("lot = 1", "lot = 0"),
    ):
        assert old in base
        path.write_text(base.replace(old, new), encoding="utf-8")
        found = invoke("limits", "check", path, "--json")
        errors = json.loads(found.output)["errors"]
        assert errors, new
        assert all(error["line"] >= 1 and error["key"] for error in errors)
        with pytest.raises(jsonschema.ValidationError):
            check_schema(tomllib.loads(path.read_text(encoding="utf-8")), "limits-v1.json")


def test_limits_show_and_schema(tmp_path: Path) -> None:
    path = tmp_path / "equity.toml"
    path.write_bytes(datasets.default_limits())
    shown = invoke("limits", "show", path).output
    assert hashlib.sha256(path.read_bytes()).hexdigest() in shown
    assert "ALL" in shown
    assert json.loads(invoke("limits", "schema").output) == schema("limits-v1.json")


# The log.


def test_verify_passes_with_the_key_alone(logged: Path) -> None:
    found = cli("log", "verify", logged, "--vkey", logged / "log.vkey", "--json")
    assert found.returncode == 0, found.stdout
    verdict = json.loads(found.stdout)
    assert verdict["ok"]
    assert verdict["findings"] == []
    assert not any("origin" in note for note in verdict["notes"])
    own = cli("log", "verify", logged)
    assert own.stdout.startswith("OK")
    assert "consistency, not origin" in own.stdout


@pytest.mark.parametrize("index", [0, 31_337, -1])
def test_one_flipped_bit_is_named(index: int, logged: Path, tmp_path: Path) -> None:
    index %= audit.verify(logged).size
    copy = copy_of(logged, tmp_path / "copy")
    flip_bit_of_entry(copy, index)
    found = cli("log", "verify", copy)
    assert found.returncode == 1
    assert f"first broken entry {index:,}" in found.stdout
    assert audit.verify(logged).ok, "the copy was changed, not the log"


def test_another_key_is_refused(logged: Path, tmp_path: Path) -> None:
    limits = tmp_path / "limits.toml"
    limits.write_bytes(datasets.default_limits())
    with cwts.Gateway(limits, log=tmp_path / "other"):
        pass
    found = cli("log", "verify", logged, "--vkey", tmp_path / "other" / "log.vkey")
    assert found.returncode == 1
    assert "REJECTED" in found.stdout


def test_explain_tells_a_denied_orders_story(logged: Path) -> None:
    facts = json.loads((logged.parent / "log.run" / "run.json").read_text(encoding="utf-8"))
    denial = facts["result"]["top_denials"][0]
    found = cli("explain", logged, denial["order_id"], "--json")
    assert found.returncode == 0, found.stderr
    stories = json.loads(found.stdout)["stories"]
    controls = [row["control"] for story in stories for row in story["violations"]]
    assert set(denial["reasons"]) <= set(controls)
    assert denial["first"] in cli("explain", logged, denial["order_id"]).stdout
    missing = cli("explain", logged, 2**63)
    assert missing.returncode == 1


# The kill switch from another process.


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    assert run(["init", str(tmp_path / "desk")]) == 0
    return tmp_path / "desk"


def test_a_halt_from_another_process_stops_a_running_gateway(desk: Path) -> None:
    order = cwts.Order("AAPL", "buy", qty=100, price="585.33")
    with cwts.Gateway(desk / "limits.toml", log=desk / "log") as gateway:
        gateway.set_reference("AAPL", last="585.30")
        kept = gateway.submit(order)
        assert kept.accepted
        halted = cli("halt", desk, "--reason", "drill", "--as", "ana", "--json")
        assert halted.returncode == 0, halted.stderr
        (row,) = json.loads(halted.stdout)
        assert row["running"]
        assert row["acknowledged"]
        assert row["hold"]["actor"] == "ana"
        assert gateway.submit(order).first == "KILL_HALTED"
        assert gateway.cancel(kept.order_id).verdict != "reject"
        shown = cli("status", desk)
        assert "HALTED" in shown.stdout
        assert "drill" in shown.stdout
        assert "running" in shown.stdout
        number = str(row["hold"]["id"])
        two = ("--reason", "over", "--as", "ana", "--approve-as")
        assert cli("resume", desk, number, *two, "ana").returncode == 2
        lifted = cli("resume", desk, number, *two, "ben")
        assert lifted.returncode == 0, lifted.stderr
        assert gateway.submit(order).accepted
        assert cli("resume", desk, number, *two, "ben").returncode == 2, "it no longer stands"


def test_a_halt_of_a_stopped_gateway_holds_at_the_next_start(desk: Path) -> None:
    with cwts.Gateway(desk / "limits.toml", log=desk / "log"):
        pass
    found = cli("halt", desk / "log", "--scope", "account:default", "--as", "ana")
    assert found.returncode == 0, found.stderr
    assert "the next start is halted" in found.stdout
    waiting = cli("status", desk).stdout
    assert "halt account:default by ana" in waiting
    assert "orders pass" not in waiting
    with cwts.Gateway(desk / "limits.toml", log=desk / "log") as gateway:
        gateway.set_reference("AAPL", last="585.30")
        order = cwts.Order("AAPL", "buy", qty=100, price="585.33")
        assert gateway.submit(order).first == "KILL_HALTED"
        (hold,) = gateway.holds()
    lifted = cli("resume", desk, hold.id, "--reason", "r", "--as", "ana", "--approve-as", "ben")
    assert lifted.returncode == 0, lifted.stderr
    with cwts.Gateway(desk / "limits.toml", log=desk / "log") as gateway:
        assert gateway.holds() == []


def test_an_unknown_scope_says_how_to_halt_the_firm(desk: Path) -> None:
    with cwts.Gateway(desk / "limits.toml", log=desk / "log") as gateway:
        found = cli("halt", desk, "--scope", "account:defualt")
        assert found.returncode == 2
        assert "--scope account:default" in found.stderr
        assert f"cwts halt {desk / 'log'}" in found.stderr
        assert gateway.holds() == []


def test_a_replays_log_is_not_halted(logged: Path) -> None:
    found = cli("halt", logged)
    assert found.returncode == 2
    assert "replay's log" in found.stderr
    assert audit.verify(logged).ok, "nothing was changed"


def test_one_bad_directory_does_not_keep_the_others_from_halting(
    desk: Path, tmp_path: Path
) -> None:
    with cwts.Gateway(desk / "limits.toml", log=desk / "log") as gateway:
        found = cli("halt", tmp_path / "nowhere", desk, "--as", "ana")
        assert found.returncode == 2
        assert len(gateway.holds()) == 1


# demo.


def test_the_demo_shows_what_it_promises(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    found = cli("demo", "--quick", "--out", out)
    assert found.returncode == 0, found.stderr
    lines = found.stdout.splitlines()
    for number, name in enumerate(
        ("generate", "replay", "log", "sign", "verify", "tamper", "halt", "anomalies"), start=1
    ):
        assert any(line.startswith(f"{number} {name}") for line in lines), found.stdout
    assert "\x1b" not in found.stdout, "plain where it is no terminal"
    assert "9 of 9 found" in found.stdout
    assert "log's own key" in found.stdout
    assert (out / "report.html").is_file()
    assert len((out / "labels.ndjson").read_text(encoding="utf-8").splitlines()) == 9
    assert not (out / "tampered").exists()
    verified = cli("log", "verify", out, "--vkey", out / "log" / "log.vkey")
    assert verified.returncode == 0, verified.stdout
    again = cli("demo", "--quick", "--out", out, "--json")
    assert again.returncode == 0, again.stderr
    facts = json.loads(again.stdout)
    check_schema(facts["run"], "replay-v1.json")
    assert facts["anomalies"] == {"found": 9, "of": 9}
    assert facts["halt"]["accepted_after"] == 0
    assert facts["halt"]["orders_after"] > 0
    assert facts["halt"]["cancels_after"] > 0
    assert facts["tamper"]["named"] == facts["tamper"]["entry"] == 31_337


def test_the_demo_leaves_what_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "mine").write_text("x", encoding="utf-8")
    found = cli("demo", "--quick", "--out", tmp_path)
    assert found.returncode == 2
    assert (tmp_path / "log" / "mine").is_file()

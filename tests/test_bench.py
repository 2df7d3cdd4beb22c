"""The benchmarks' own logic: nothing here asserts how fast anything is."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import click.testing
import pytest

import cwts
from cwts.bench import (
    cargo,
    decoders,
    feeds,
    flow,
    memory,
    openpit,
    ours,
    peers,
    rings,
    suite,
    timing,
)
from cwts.bench.cli import bench
from cwts.bench.goals import Goal, GoalsError, load_goals, parse_goals
from cwts.bench.suite import BENCHES, KEYS, Measured, Row, Scene

ROOT = Path(__file__).resolve().parent.parent

RATIO = Goal("r", "risk", "ns/order", "ratio >=", 10, "openpit")
VALUE = Goal("v", "audit", "ns/order", "value <=", 50)

GOAL_TEXT = """
schema = 1
[[goal]]
name = "r"
area = "risk"
peer = "openpit"
unit = "ns/order"
sense = "ratio >="
goal = 10
"""


@pytest.fixture(autouse=True)
def _release_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cwts.__dict__, "BUILD_PROFILE", "release")


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> dict[str, Measured]:
    """Every benchmark replaced by a figure that the test may change."""
    found = {name: Measured(ours=1.0) for name in BENCHES}
    for name in BENCHES:
        monkeypatch.setitem(BENCHES, name, lambda _scene, name=name: found[name])
    return found


def run(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(bench, arguments)


# Goals.


def test_the_goals_file_stands_once_and_the_package_reads_it() -> None:
    text = (ROOT / "benches" / "goals.toml").read_text(encoding="utf-8")
    assert load_goals() == parse_goals(text)
    assert (ROOT / "python/cwts/bench/goals.toml").is_symlink()


def test_every_goal_has_a_benchmark_and_every_benchmark_a_goal() -> None:
    assert [goal.name for goal in load_goals()] == list(BENCHES)


def test_every_goal_has_a_comment_with_its_reason() -> None:
    text = (ROOT / "benches" / "goals.toml").read_text(encoding="utf-8")
    before = [part.rstrip().rsplit("\n", 1)[-1] for part in text.split("[[goal]]")[:-1]]
    assert before
    assert all(line.startswith("# ") for line in before)


def test_the_bars_are_those_of_the_design() -> None:
    bars = {
        goal.name: (goal.sense, goal.goal)
        for goal in load_goals()
        if goal.area not in {"log", "threshold"}
    }
    assert bars == {
        "check_prebuilt": ("ratio >=", 10),
        "check_prebuilt_nautilus": ("ratio >=", 40),
        "build_and_check": ("ratio >=", 25),
        "native_check": ("ratio >=", 8),
        "batch_common": ("value <=", 8),
        "batch_every": ("value <=", 16),
        "batch_numpy": ("ratio >=", 1),
        "columns_ns": ("value <=", 1),
        "columns_scalar": ("ratio >=", 4),
        "accepted_after_kill": ("value <=", 0),
        "halt_thread_us": ("value <=", 1),
        "halt_page_ms": ("value <=", 1),
        "halt_process_ms": ("value <=", 1),
        "halt_command_ms": ("value <=", 300),
        "replay_no_log": ("ratio >=", 200),
        "replay_no_log_parsing": ("ratio >=", 200),
        "replay_durable": ("ratio >=", 25),
        "replay_durable_parsing": ("ratio >=", 25),
        "durable_over_log": ("ratio >=", 0.8),
        "dbn_decisions": ("ratio >=", 0.5),
        "itch_columns": ("ratio >=", 200),
        "lobster_columns": ("ratio >=", 2),
        "two_workers": ("ratio >=", 1.8),
        "memory_growth": ("value <=", 64),
        "spsc_rtrb": ("ratio >=", 1),
        "spsc_array_queue": ("ratio >=", 2),
        "mpsc_array_queue": ("ratio >=", 1.3),
    }


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema = 1", "schema = 2", "schema is 2"),
        ("goal = 10", "goal = true", "not a number"),
        ("goal = 10", 'goal = "10"', "not a number"),
        ("goal = 10", "", "'goal' is missing"),
        ("goal = 10", "goal = 10\nbar = 1", "unknown key 'bar'"),
        ('area = "risk"', "area = 3", "area is 3, not text"),
        ('sense = "ratio >="', 'sense = "ratio >"', "sense is 'ratio >'"),
        ('peer = "openpit"', "", "a ratio needs a peer"),
        ('sense = "ratio >="', 'sense = "value <="', "only a ratio has one"),
        ("[[goal]]", "[[goal", "goals.toml: "),
    ],
)
def test_a_wrong_goals_file_is_refused_by_key(old: str, new: str, said: str) -> None:
    assert parse_goals(GOAL_TEXT) == (RATIO,)
    with pytest.raises(GoalsError, match=r"goals\.toml") as refused:
        parse_goals(GOAL_TEXT.replace(old, new, 1))
    assert said in str(refused.value)


def test_a_goal_stands_once() -> None:
    twice = GOAL_TEXT + GOAL_TEXT.replace("schema = 1", "")
    with pytest.raises(GoalsError, match="r stands more than once"):
        parse_goals(twice)


@pytest.mark.parametrize(
    ("goal", "ours_ns", "ratio", "met"),
    [
        (RATIO, 1.0, 10.0, True),
        (RATIO, 1.0, 9.999, False),
        (RATIO, 1.0, None, None),
        (VALUE, 50.0, None, True),
        (VALUE, 50.001, None, False),
        (VALUE, -3.0, None, True),
    ],
)
def test_reaching_a_bar_exactly_is_enough(
    goal: Goal, ours_ns: float, ratio: float | None, met: bool | None
) -> None:
    assert Row(goal, goal.peer, Measured(ours_ns, ratio=ratio)).met is met


# Timing.


def times(*values: float) -> Callable[[], float]:
    """A job that takes these times, the first one in the unmeasured run."""
    left: Iterator[float] = iter(values)
    return lambda: next(left)


def test_the_ratio_is_the_median_of_pairs_not_of_sides() -> None:
    a = times(999, 1, 2, 4, 1, 2, 4, 1)
    b = times(999, 10, 10, 10, 10, 10, 10, 10)
    pairs = timing.alternate(a, b, 7)
    assert pairs.a == (1, 2, 4, 1, 2, 4, 1)
    assert pairs.ratio == 5  # of 10, 5, 2.5, 10, 5, 2.5, 10
    assert pairs.difference == 8


def test_one_slow_machine_moment_moves_no_ratio() -> None:
    calm = timing.alternate(times(0, *[2] * 9), times(0, *[20] * 9), 9)
    shaken = timing.alternate(times(0, 500, *[2] * 8), times(0, *[20] * 8, 9000), 9)
    assert calm.ratio == shaken.ratio == 10


def test_sides_alternate_after_a_run_of_each_that_does_not_count() -> None:
    order: list[str] = []

    def job(name: str, clock: Iterator[int]) -> Callable[[], float]:
        def one() -> float:
            order.append(name)
            return next(clock)

        return one

    pairs = timing.alternate(job("a", itertools.count(100)), job("b", itertools.count(1)), 7)
    assert order == ["a", "b"] * 8
    assert pairs.a == tuple(range(101, 108))


def test_fewer_pairs_than_a_median_needs_are_refused() -> None:
    with pytest.raises(ValueError, match="pairs is 6, below 7"):
        timing.alternate(times(1), times(1), 6)


def test_collection_is_off_while_quiet_and_on_again_after_an_error() -> None:
    import gc

    assert gc.isenabled()

    def body() -> None:
        with timing.quiet():
            assert not gc.isenabled()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        body()
    assert gc.isenabled()


# Rows and the command.


@pytest.mark.usefixtures("fakes")
def test_json_lines_have_exactly_the_named_keys() -> None:
    result = run("--json")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["name"] for line in lines] == list(BENCHES)
    named = ["name", "area", "ours", "peer", "peer_value", "unit", "ratio", "goal", "met"]
    named += ["ours_min", "peer_min", "detail"]
    assert all(list(line) == named for line in lines)
    assert list(KEYS) == named


def test_a_peer_that_is_not_installed_is_said(
    fakes: dict[str, Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(_name: str) -> openpit.OpenPit:
        raise peers.PeerMissing("openpit is not installed; install it")

    monkeypatch.setattr(peers, "find", absent)
    fakes["check_prebuilt"] = Measured(ours=70.0)
    result = run("risk", "--peers", "--json")
    assert result.exit_code == 0
    assert "check_prebuilt: no ratio: openpit is not installed" in result.stderr
    first = json.loads(result.stdout.splitlines()[0])
    assert first["peer"] == "openpit"
    assert (first["peer_value"], first["ratio"], first["met"]) == (None, None, None)
    assert first["ours"] == 70


@pytest.mark.usefixtures("fakes")
def test_without_peers_a_ratio_is_not_judged_and_says_so() -> None:
    result = run("risk", "--json")
    ratios = [goal.name for goal in load_goals() if goal.area == "risk" and goal.peer]
    assert result.stderr.count("only with --peers") == len(ratios) > 2
    met = {row["name"]: row["met"] for row in map(json.loads, result.stdout.splitlines())}
    assert [name for name, one in met.items() if one is None] == ratios


def test_another_version_of_the_peer_is_no_peer() -> None:
    with pytest.raises(peers.PeerMissing, match=r"openpit is 0\.11\.0"):
        openpit.find(lambda _name: "0.11.0")

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    with pytest.raises(peers.PeerMissing, match="not installed"):
        openpit.find(absent)


def test_the_peers_are_pinned_where_they_are_installed_from() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extra = project["project"]["optional-dependencies"]["bench"]
    asv = json.loads((ROOT / "asv.conf.json").read_text(encoding="utf-8"))
    assert peers.VERSIONS.keys() >= {"openpit", *decoders.DECODERS}
    for name, version in peers.VERSIONS.items():
        assert f"{name}=={version}" in extra
        assert asv["matrix"]["req"][name] == [version]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for name, version in peers.BROUGHT.items():
        assert makefile.count(f"--with {name}=={version} ") == 2
    crate = tomllib.loads((ROOT / "rust/gateway/Cargo.toml").read_text(encoding="utf-8"))
    assert crate["dev-dependencies"]["openpit"] == f"={peers.VERSIONS['openpit']}"


def test_every_peer_of_a_goal_can_be_found_or_says_why_not() -> None:
    for name in {goal.peer for goal in load_goals()} - {None, *rings.PEERS}:
        try:
            assert peers.find(name).name.startswith(name)
        except peers.PeerMissing as missing:
            assert f"{name}==" in str(missing)  # noqa: PT017 - either answer is right


@pytest.mark.usefixtures("fakes")
def test_a_debug_build_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cwts.__dict__, "BUILD_PROFILE", "debug")
    result = run("--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "debug build" in result.stderr


def test_a_missed_goal_ends_in_1_and_shows_in_the_table(fakes: dict[str, Measured]) -> None:
    assert run("kill").exit_code == 1  # one order out after a kill
    fakes["accepted_after_kill"] = Measured(ours=0)
    result = run("kill")
    assert result.exit_code == 0
    assert "accepted_after_kill" in result.stdout


@pytest.mark.usefixtures("fakes")
def test_an_unknown_area_names_the_known_ones() -> None:
    result = run("riks")
    assert result.exit_code == 2
    assert "feeds, kill, log, risk, threshold" in result.stderr


def test_a_row_says_that_its_flow_was_generated() -> None:
    row = Row(RATIO, "openpit 0.10.0", Measured(2.0, 1.0, 30.0, 20.0, 15.0, is_generated=True))
    assert row.to_json() == {
        "name": "r",
        "area": "risk",
        "ours": 2.0,
        "peer": "openpit 0.10.0",
        "peer_value": 30.0,
        "unit": "ns/order, generated flow",
        "ratio": 15.0,
        "goal": 10,
        "met": True,
        "ours_min": 1.0,
        "peer_min": 20.0,
        "detail": None,
    }


def test_a_quick_run_is_not_judged_and_says_what_it_is(
    fakes: dict[str, Measured], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    fakes["accepted_after_kill"] = Measured(ours=1.0)
    monkeypatch.setitem(
        BENCHES, "halt_thread_us", lambda s: seen.append(s.is_quick) or Measured(ours=9.0)
    )
    result = run("kill", "--quick", "--json")
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert {row["met"] for row in rows} == {None}
    assert all(row["unit"].endswith(", quick") for row in rows)
    assert seen == [True]


def test_facts_stand_below_the_table(fakes: dict[str, Measured]) -> None:
    fakes["accepted_after_kill"] = Measured(ours=0, detail={"trials": 7, "of": ["a", "b"]})
    assert "accepted_after_kill: trials 7; of a, b" in run("kill").stdout


# The flow.

MESSAGES = (
    "Time,Type,OrderID,Size,Price,Direction\r\n"
    "34200.01,1,11,500,3000000,1\r\n"  # 500 at 300.00: exactly the notional limit
    "34200.02,1,12,501,10000,-1\r\n"  # one share too many
    "34200.03,3,11,500,3000000,1\r\n"
    "34200.04,1,13,500,3000001,-1"  # a hundredth of a cent too dear
)


def test_rows_are_parsed_and_counted_in_integers(tmp_path: Path) -> None:
    import gzip

    packed = tmp_path / "AMZN_2012-06-21_x_message_1.csv.gz"
    packed.write_bytes(gzip.compress(MESSAGES.encode()))
    (tmp_path / "out").mkdir()
    day = flow.amzn_day(packed, tmp_path / "out")
    assert day.path.name == "AMZN_2012-06-21_x_message_1.csv"
    assert day.path.read_bytes() == MESSAGES.encode()
    assert day.orders == ((True, 500, 3_000_000), (False, 501, 10_000), (False, 500, 3_000_001))
    assert day.within == 1
    assert day.within_expected == 27_635


def test_data_is_looked_for_beside_a_checkout_only(tmp_path: Path) -> None:
    places = (tmp_path / "site-packages", tmp_path / "repo")
    assert flow.data_root({}, places) is None
    (tmp_path / "repo" / "benches").mkdir(parents=True)
    (tmp_path / "repo" / "benches" / "goals.toml").touch()
    assert flow.data_root({}, places) == tmp_path / "shared" / "data"
    assert flow.data_root({"CWTS_DATA": "/else"}, places) == Path("/else")


def test_without_the_day_generated_flow_of_its_size_is_replayed(tmp_path: Path) -> None:
    made = flow.flow_of_the_day(tmp_path, {"CWTS_DATA": str(tmp_path / "absent")})
    assert made.is_generated
    result = ours.replay(made.path, None, tmp_path / "keys").json
    assert result["events"] == flow.EVENTS
    assert result["orders"] == len(made.orders) > 10_000
    assert feeds.within_size_limits(result) == made.within
    assert result["log"] is None


# The jobs themselves, once each.


def test_the_desk_sets_every_limit_and_reaches_none(tmp_path: Path) -> None:
    from cwts import _core

    effective = _core.check_limits(ours.limits_text().encode(), "desk.toml")
    assert effective["replay_only"] is None
    desk = ours.Desk(tmp_path)
    with desk.gateway() as gateway:
        decisions = ours.submit_all(gateway, desk.orders())
        assert [d.explain() for d in decisions if not d.accepted] == []
        assert len(decisions) == ours.ORDERS_PER_RUN
        ours.cancel_all(gateway, decisions)
        too_many = cwts.Order("S00", "buy", 501, ours.PRICE, "A00", ours.STRATEGY)
        found = gateway.check(too_many).violations
        assert [v["control"] for v in found] == ["MAX_ORDER_QTY"]


def test_sides_that_did_different_work_are_not_compared(
    tmp_path: Path,
) -> None:
    made = flow.flow_of_the_day(tmp_path, {"CWTS_DATA": str(tmp_path / "absent")})

    class Lenient:
        """A peer that accepts one order too many."""

        def engine(self) -> None: ...

        def replay(self, _engine: None, _orders: object) -> int:
            return made.within + 1

    scene = Scene(tmp_path, Lenient())
    scene.flow = made
    with pytest.raises(suite.WorkDiffersError, match="orders that the peer accepts"):
        BENCHES["replay_no_log"](scene)


# Files.


def test_a_benchmark_that_cannot_run_here_says_why_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, fakes: dict[str, Measured]
) -> None:
    def without_data(scene: Scene) -> Measured:
        scene.sample(Path("absent.dbn"))
        raise AssertionError

    monkeypatch.setitem(BENCHES, "dbn_decisions", without_data)
    fakes["memory_growth"] = Measured(ours=1.0)
    result = run("feeds", "--json")
    assert result.exit_code == 0
    assert "dbn_decisions: not measured: absent.dbn is absent; set CWTS_DATA" in result.stderr
    rows = {row["name"]: row for row in map(json.loads, result.stdout.splitlines())}
    assert (rows["dbn_decisions"]["ours"], rows["dbn_decisions"]["met"]) == (None, None)
    assert rows["memory_growth"]["met"] is True


def test_the_log_alone_makes_the_same_log(tmp_path: Path) -> None:
    from cwts import _core

    made = flow.generated_day(tmp_path)
    head = ours.replay(made.path, tmp_path / "log", tmp_path / "keys").json["log"]
    paths = [str(tmp_path / name) for name in ("log", "copy", "keys")]
    again = _core.append_again(*paths)
    assert (again["entries"], again["root"]) == (head["entries"], head["root"])
    assert again["ns"] > 0
    assert _core.verify(paths[1], [])["root"] == head["root"]
    with pytest.raises(cwts.CwtsError, match="copy"):
        _core.append_again(*paths)


def test_memory_is_that_of_a_process_that_decided_so_many() -> None:
    assert memory.peak_mb(1_000) > 5


LINES = """
   Compiling cwts-ring
{"name": "ring_spsc", "ours": 50.0, "peer": "rtrb", "peer_value": 40.0, "median_ratio": 1.3}
"""


def test_a_rust_benchmarks_lines_are_times_and_a_ratio() -> None:
    queues = rings.Queues("rtrb", cargo.parsed(LINES))
    assert queues.against("ring_spsc", "rtrb") == (20, 25, 1.3)
    with pytest.raises(peers.PeerMissing, match="no line 'ring_mpsc_2' with 'rtrb'"):
        queues.against("ring_mpsc_2", "rtrb")

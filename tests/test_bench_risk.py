"""The benchmarks of the risk path and of kills: their own logic, and no figure."""

from __future__ import annotations

from pathlib import Path

import pytest

import cwts
from cwts.bench import kill, native, peers, risk, wide
from cwts.bench.suite import BENCHES, Scene


@pytest.fixture(autouse=True)
def _release_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cwts.__dict__, "BUILD_PROFILE", "release")


# Kills.


def test_no_order_is_accepted_after_a_kill(tmp_path: Path) -> None:
    """Whoever kills: a thread, a process, the command. The gateway is resumed in between."""
    scene = Scene(tmp_path, None, is_quick=True)
    found = BENCHES["accepted_after_kill"](scene)
    assert found.ours == 0
    assert found.detail == {"trials": kill.QUICK_KILLS, "by_processes": 1}
    process, command = BENCHES["halt_process_ms"](scene), BENCHES["halt_command_ms"](scene)
    assert process.ours is not None
    assert process.ours >= 0
    assert command.detail is not None
    assert command.detail["commands"] == kill.QUICK_KILLS


def test_a_killing_command_that_fails_is_no_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kill, "HALT_COMMAND", "raise SystemExit(2)")
    monkeypatch.setattr(kill, "PATIENCE_NS", 200_000_000)
    with pytest.raises(kill.KillTrialError, match="cwts halt ended with 2"):
        kill.kills(Scene(tmp_path, None), kill.Command([]), 1)


def test_a_tail_is_by_nearest_rank() -> None:
    found = kill._late([float(number) for number in range(1, 101)])
    assert (found.ours, found.ours_min) == (99, 1)
    assert kill._late([3.0]).ours == 3


class Decided:
    """A decision as far as a trial looks."""

    def __init__(self, seq: int, accepted: bool) -> None:
        self.seq, self.accepted = seq, accepted


def test_an_order_accepted_behind_the_kill_is_counted() -> None:
    decisions = [Decided(3, True), Decided(5, True), Decided(9, True), Decided(11, False)]
    assert kill.accepted_after(decisions, kill_seq=6) == 1
    assert kill.accepted_after(decisions, kill_seq=10) == 0


@pytest.mark.parametrize("kill_seq", [2, 12])
def test_a_trial_without_orders_on_both_sides_shows_nothing(kill_seq: int) -> None:
    with pytest.raises(kill.KillTrialError, match="needs both"):
        kill.accepted_after([Decided(3, True), Decided(11, True)], kill_seq)


# The wide desk.


def test_the_wide_desk_knows_every_control_and_sets_the_keys_of_each() -> None:
    from cwts import _core

    names = {row["name"] for row in _core.controls()}
    assert {*wide.EVERY, *wide.UNSET} == names
    assert not {*wide.EVERY} & {*wide.UNSET}
    assert {*wide.COMMON, *wide.ABOVE_ACCOUNTS} <= {*wide.EVERY}
    assert len(wide.COMMON) == 12
    keys = {"LOT_SIZE": "lot", "TICK_SIZE": "tick", "REFERENCE_STALE": "max_age"}
    keys |= {"RESTRICTED_INSTRUMENT": "deny", "CREDIT_LIMIT": "credit", "NOT_PERMITTED": "groups"}
    keys |= {"SESSION_CLOSED": "phases", "AUCTION_RULE": "auction", "SLOW_DOWN": "staged"}
    keys |= {"ORDER_TYPE_NOT_ALLOWED": "types", "BUYING_POWER": "cash"}
    common = wide.limits_text(wide.QUICK, wide.COMMON)
    every = wide.limits_text(wide.QUICK, wide.EVERY)
    for name in wide.EVERY:
        key = f"{keys.get(name, name.lower())}"
        assert f"{key} =" in every or f"{key}=" in every, name
        assert (f"{key} =" in common or f"{key}=" in common) is (name in wide.COMMON), name
    for text in (common, every):
        assert _core.check_limits(text.encode(), "wide.toml")["replay_only"] is None


def test_a_limits_file_can_hold_the_wide_desk() -> None:
    from cwts import _core

    text = wide.limits_text(wide.FULL, wide.EVERY)
    assert len(text) <= 4 * 1024 * 1024
    account = wide._account(wide.FULL.accounts - 1, is_every=True)
    assert text.count("[account.") == wide.FULL.accounts
    assert "\n".join(account) in text
    with pytest.raises(cwts.CwtsError, match="bytes; at most"):
        _core.check_limits((text + "#" * 4 * 1024 * 1024).encode(), "wide.toml")


@pytest.mark.parametrize("controls", [wide.COMMON, wide.EVERY])
def test_the_wide_desk_refuses_none_of_its_orders(
    tmp_path: Path, controls: tuple[str, ...]
) -> None:
    path = tmp_path / "limits.toml"
    path.write_text(wide.limits_text(wide.QUICK, controls), encoding="utf-8")
    orders = wide.orders(wide.QUICK)
    assert wide.orders(wide.QUICK).tobytes() == orders.tobytes(), "the seed is fixed"
    with cwts.Gateway(path) as gateway:
        assert gateway.handle("instrument", "I0") == orders["instrument"].min() == 1
        assert gateway.handle("instrument", "XYZ") == orders["instrument"].max() + 1
        assert gateway.handle("account", "A0") == orders["account"].min() == 1
        assert gateway.handle("strategy", "s0") == orders["strategy"].min() == 1
        for number in range(wide.QUICK.instruments):
            gateway.set_reference(f"I{number}", last="100")
        found = gateway.submit_batch(orders)
        assert found["reasons"].max() == 0
        restricted = orders[:1].copy()
        restricted["instrument"] = gateway.handle("instrument", "XYZ")
        assert gateway.check_batch(restricted)["reasons"][0] >> 20 & 1


def test_the_batch_in_numpy_refuses_what_it_should(tmp_path: Path) -> None:
    found = BENCHES["batch_numpy"](Scene(tmp_path, peers.find("numpy"), is_quick=True))
    assert found.ratio is not None
    orders = wide.orders(wide.QUICK)[:4].copy()
    orders["qty"][0] = 501
    orders["px"][1], orders["px"][2] = 94_990_000_000, 105_010_000_000
    columns = {name: orders[name] for name in ("instrument", "px", "qty")}
    reasons = risk._in_numpy(columns, risk._bounds(wide.QUICK))
    assert reasons.tolist() == [1 << 4, 1 << 10, 1 << 10, 0]


def test_a_line_of_the_rust_benchmark_is_found_by_its_names(tmp_path: Path) -> None:
    scene = Scene(tmp_path, None)
    scene.native = ({"name": "columns", "peer": "own scalar", "ours": 0.5, "rows": 4_096},)
    assert native.detail(native.line(scene, "columns", "own scalar")) == {"rows": 4_096}
    with pytest.raises(peers.PeerMissing, match="no line 'columns' with 'other'"):
        native.line(scene, "columns", "other")

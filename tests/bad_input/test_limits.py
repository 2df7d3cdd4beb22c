"""A limits file that is wrong: line and key are named, and nothing of it is applied."""

from __future__ import annotations

import pytest

import wal
from cwts import _core
from desk import LIMITS, Desk, buy

HEAD = "schema = 1\n"


def account(line: str) -> str:
    return f"{HEAD}[account.A]\n{line}\n"


WRONG = [
    # text, line, key, words of the message
    (account("max_order_qyt = 5"), 3, "account.A.max_order_qyt", "did you mean `max_order_qty`"),
    (f"{HEAD}[acount.A]\nmax_order_qty = 5\n", 2, "acount", "did you mean `account`"),
    (account("max_order_qty = 5\nmax_order_qty = 6"), 4, "syntax", "duplicate"),
    (f"{HEAD}[account.A]\n[account.A]\n", 3, "syntax", "duplicate"),
    (account("max_order_qty = -1"), 3, "account.A.max_order_qty", "from 0"),
    (account("max_order_qty = 9223372036854775808"), 3, "", ""),
    (account("max_order_qty = 1.5"), 3, "account.A.max_order_qty", "whole number"),
    (account("max_order_qty = nan"), 3, "account.A.max_order_qty", "whole number"),
    (account('max_order_notional = "-3"'), 3, "account.A.max_order_notional", "`-3`"),
    (account("max_order_notional = 0.1"), 3, "account.A.max_order_notional", "never a float"),
    (account('credit = "99999999999999"'), 3, "account.A.credit", "beyond"),
    (account('credit = "nan"'), 3, "account.A.credit", "`nan`"),
    (account('customer = "nobody"'), 3, "account.A.customer", "`nobody`"),
    (account('message_rate = { max = 0, window = "1s" }'), 3, "account.A.message_rate.max", "1 to"),
    (account('message_rate = { max = 5, window = "0s" }'), 3, "account.A.message_rate", "1ns"),
    (account('message_rate = { max = 5, window = "25h" }'), 3, "account.A.message_rate", "24h"),
    (account("max_position = { long = 5 }"), 3, "account.A.max_position", "long and short"),
    (account('daily_notional = "-5"'), 3, "account.A.daily_notional", "-5"),
    (account('concentration = "0%"'), 3, "account.A.concentration", "0.01%"),
    (account("loss_limit = { confirm_marks = 3 }"), 3, "account.A.loss_limit", "needs day"),
    (account('self_trade = "cancel_newest"'), 3, "account.A.self_trade", "reject_newest"),
    (f'{HEAD}[strategy.s]\nsession = "F"\n', 3, "strategy.s.session", "no [session]"),
    (f'{HEAD}[strategy.s]\ntypes = ["limt"]\n', 3, "strategy.s.types", "`limt`"),
    (f'{HEAD}[strategy.s]\nmodel_gate = "m"\n', 3, "strategy.s.model_gate", "not enforced"),
    (f'{HEAD}[firm]\nday_roll = "00:00 America/New_York"\n', 3, "firm.day_roll", "-05:00"),
    (f"{HEAD}[control]\nstaged = {{ slow = 90 }}\n", 3, "control.staged", "slow_delay"),
    (f'{HEAD}[instrument]\nX = {{ tick = "0" }}\n', 3, "instrument.X.tick", "above 0"),
    (f'{HEAD}[instrument]\nX = {{ tick = "1e-3" }}\n', 3, "instrument.X.tick", ""),
    (f"{HEAD}[instrument]\nX = {{ lot = 0 }}\n", 3, "instrument.X.lot", "from 1"),
    (f'{HEAD}[instrument]\nX = {{ group = "eu" }}\n', 3, "instrument.X.group", "`eu`"),
    (f'{HEAD}[instrument]\nX = {{ currency = "EUR" }}\n', 3, "instrument.X", "[fx]"),
    (f"{HEAD}[instrument]\nX = {{ price_collar = {{}} }}\n", 3, "instrument.X.price_collar", "bps"),
    (f"{HEAD}[firm\n", 2, "syntax", ""),
    ("schema = 2\n", 1, "schema", "from 1 to 1"),
    ("[firm]\n", 1, "schema", "is missing"),
    ("", 1, "schema", "is missing"),
]


@pytest.mark.parametrize(("text", "line", "key", "words"), WRONG)
def test_line_key_and_bound_are_named(text: str, line: int, key: str, words: str) -> None:
    with pytest.raises(_core.LimitsError) as caught:
        _core.check_limits(text.encode(), "my.toml")
    error = caught.value
    assert error.line == line
    assert error.key.startswith(key)
    assert words in str(error)
    assert str(error).startswith("my.toml: ")
    assert f"line {line}, column {error.column}" in str(error)
    assert error.code == "LIMITS"


def test_every_mistake_is_told_at_once() -> None:
    text = account('max_order_qyt = 5\ncredit = 1.5\nmax_order_notional = "-3"')
    with pytest.raises(_core.LimitsError) as caught:
        _core.check_limits(text.encode(), "my.toml")
    assert {(row["line"], row["key"]) for row in caught.value.errors} == {
        (3, "account.A.max_order_qyt"),
        (4, "account.A.credit"),
        (5, "account.A.max_order_notional"),
    }


def test_a_file_that_is_not_utf8_names_the_byte() -> None:
    with pytest.raises(_core.LimitsError, match="UTF-8") as caught:
        _core.check_limits(b"schema = 1\n# \xff\n", "my.toml")
    assert caught.value.line == 2


def test_a_file_without_bounds_is_refused_before_it_is_parsed() -> None:
    huge = b"schema = 1\n" + b"# x\n" * (4 << 20)
    with pytest.raises(_core.LimitsError, match="bytes; at most"):
        _core.check_limits(huge, "my.toml")


@pytest.mark.parametrize("depth", [200, 100_000])
def test_deep_nesting_is_an_error_and_no_crash(depth: int) -> None:
    text = HEAD + "x = " + "[" * depth + "]" * depth + "\n"
    with pytest.raises(_core.LimitsError):
        _core.check_limits(text.encode(), "my.toml")


def test_bad_limits_make_no_log(desk: Desk) -> None:
    with pytest.raises(_core.LimitsError):
        desk.open(LIMITS + "[account.gamma]\nmax_order_qyt = 1\n")
    assert list(desk.root.iterdir()) == [], "neither a log nor keys"


def test_keys_of_replays_are_refused_live(desk: Desk) -> None:
    with pytest.raises(_core.LimitsError, match="unlisted") as caught:
        desk.open(LIMITS.replace("schema = 1", 'schema = 1\nunlisted = "off"'))
    assert (caught.value.code, caught.value.key) == ("REPLAY_ONLY", "unlisted")
    assert not desk.log.exists()


def test_a_bad_reload_keeps_the_limits_in_force(desk: Desk) -> None:
    """The new file has a typing error in its last line: not even its first line counts."""
    gateway = desk.open()
    gateway.close()
    before = {p: p.read_bytes() for p in desk.log.rglob("*") if p.is_file()}
    worse = LIMITS.replace("max_order_qty = 1_000", "max_order_qty = 9_999") + "[bogus]\n"
    with pytest.raises(_core.LimitsError, match="bogus"):
        desk.open(worse)
    assert {p: p.read_bytes() for p in desk.log.rglob("*") if p.is_file()} == before
    gateway = desk.open(None)
    assert gateway.limits_version == 1
    assert gateway.submit(buy(1_001)).first == "MAX_ORDER_QTY"
    gateway.close()


def test_an_account_cannot_move_to_another_customer(desk: Desk) -> None:
    """It passes the parser, and not the log: the version in force stays the only one."""
    desk.open().close()
    moved = LIMITS.replace("[account.beta]", '[account.beta]\ncustomer = "c"', 1)
    moved += '[customer]\nc = { credit = "none" }\n'
    with pytest.raises(_core.LimitsError, match="cannot move") as caught:
        desk.open(moved)
    assert caught.value.code == "LIMIT_CHANGE"
    # At once, not after a while: the refused opening has let go of the log.
    gateway = desk.open()
    assert gateway.limits_version == 1
    gateway.close()
    found = wal.entries(desk.log)
    assert sum(entry.kind == wal.LIMIT_ACTIVATE for entry in found) == 1
    desk.verified()


def test_a_new_log_needs_limits(desk: Desk) -> None:
    with pytest.raises(_core.CwtsError, match="limits file is needed"):
        desk.open(None)
    assert not desk.log.exists()


def test_the_command_line_says_the_same_and_ends_with_2(desk: Desk) -> None:
    path = desk.root / "my.toml"
    path.write_text(account("max_order_qyt = 5"))
    done = desk.cli("limits", "check", str(path), code=2)
    assert f"{path}: line 3, column 1: account.A.max_order_qyt" in done.stderr
    assert "Traceback" not in done.stderr
    desk.cli("limits", "check", str(desk.root), code=2)
    desk.cli("limits", "check", str(desk.root / "none.toml"), code=2)

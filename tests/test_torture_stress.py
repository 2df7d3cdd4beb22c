"""`cwts torture stress`: twice the busiest part of a log through a gateway of its own."""

from __future__ import annotations

import json
from pathlib import Path

from cli_run import cli
from cwts import Gateway, Order
from desk import LIMITS

#: Seconds: however slow the machine, all that a test sends lies in one window.
WINDOW = "3600"


def test_twice_the_orders_of_a_log_pass_no_limit(tmp_path: Path) -> None:
    """beta may hold 100: of twice three orders of 30 the fourth is refused, and so on."""
    limits, log = tmp_path / "limits.toml", tmp_path / "log"
    limits.write_text(LIMITS)
    with Gateway(limits, log=log, keys=tmp_path / "keys") as gateway:
        gateway.set_reference("ACME", last="10.00")
        sent = [gateway.submit(Order("ACME", "buy", 30, "10.00", "beta")) for _ in range(3)]
        assert all(sent)
        gateway.cancel(sent[0].order_id)
    found = json.loads(cli("torture", "stress", log, "--window", WINDOW, "--json").stdout)
    assert (found["busiest"]["messages"], found["messages"]) == (4, 8)
    assert (found["orders"], found["accepted"], found["cancels"]) == (6, 3, 2)
    assert found["held"]
    (row,) = [r for r in found["limits"] if r["scope"] == "account:beta/ACME"]
    assert row["held"]
    said = cli("torture", "stress", log, "--window", WINDOW, "--factor", "1")
    assert said.returncode == 0
    assert "every limit held: yes" in said.stdout
    wider = tmp_path / "wider.toml"
    wider.write_text(
        LIMITS.replace("long = 100,", "long = 1_000,").replace("max = 5,", "max = 50,")
    )
    other = cli("torture", "stress", log, "--window", WINDOW, "--limits", wider, "--json")
    assert json.loads(other.stdout)["accepted"] == 6


def test_a_log_without_an_order_is_bad_input(tmp_path: Path) -> None:
    limits, log = tmp_path / "limits.toml", tmp_path / "log"
    limits.write_text(LIMITS)
    Gateway(limits, log=log, keys=tmp_path / "keys").close()
    said = cli("torture", "stress", log)
    assert said.returncode == 2
    assert "holds no order of the last six months" in said.stderr

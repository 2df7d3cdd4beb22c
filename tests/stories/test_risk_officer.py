"""A risk officer looks back: what did we refuse, what would other limits do, which ones fit?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cwts
from cwts import _core
from desk import LIMITS, PX_E9, Desk, buy, reasons, sell

EVENTS = 60_000


def generated(path: Path, *, anomalies: bool) -> Path:
    cwts.datasets.synth(path, EVENTS, seed=7, anomalies=anomalies)
    return path


def labels_under(limits: str) -> dict[str, dict[str, Any]]:
    """The demo's flow under these limits, and what became of each planted anomaly."""
    run = _core.Replay(
        limits.encode(),
        "limits.toml",
        profile="equity-liquid",
        events=EVENTS,
        seed=7,
        anomalies=True,
    )
    return {label["kind"]: label for label in json.loads(run.run())["labels"]}


def test_from_a_replay_to_limits_that_fit(desk: Desk) -> None:
    """Replay a day, ask what-if, learn limits from a clean day, check them, replay under them."""
    clean = generated(desk.root / "clean.csv", anomalies=False)
    day = generated(desk.root / "day.csv", anomalies=True)
    env = str(desk.root / "limits.toml")
    desk.cli("replay", str(day), "--log", str(desk.root / "run/log"), code=0)

    # Half the largest order: which of the accepted ones would not have gone out?
    shipped = cwts.datasets.default_limits().decode()
    tight = desk.root / "tight.toml"
    tight.write_text(shipped.replace("max_order_qty = 50_000", "max_order_qty = 500"))
    told = desk.cli("whatif", str(desk.root / "run"), "--limits", str(tight), code=0).stdout
    assert "own limits give every decision of this log: checked" in told
    assert "MAX_ORDER_QTY" in told
    found = cwts.whatif(desk.root / "run", tight)
    assert found.counts["newly_rejected"] > 0
    assert found.counts["newly_accepted"] == 0
    assert set(found.newly_rejected) == {"MAX_ORDER_QTY"}

    # Limits from the clean day, and the promise that they come with.
    desk.cli("limits", "suggest", str(clean), "--false-rejects", "0.01%", "-o", env, code=0)
    desk.cli("limits", "check", env, code=0)
    again = cwts.replay(clean, env)
    refused = again.json["orders"] - again.json["accepted"]
    assert refused * 10_000 <= again.json["orders"]

    # Under them the day with the mistakes still gives the mistakes away.
    labels = labels_under(Path(env).read_text(encoding="utf-8"))
    missed = sorted(kind for kind, label in labels.items() if not label["found"])
    assert len(labels) == 9
    assert missed == [], f"missed under the suggested limits: {missed}"


def test_a_live_gateways_log_is_asked_like_any_other(desk: Desk) -> None:
    """Two versions of limits, a restart, a halt, fills and replaces: all of it is in the log."""
    gateway = desk.open()
    first = gateway.submit(buy(400))
    assert first.accepted
    assert gateway.submit(buy(200)).accepted
    assert "MAX_ORDER_QTY" in reasons(gateway.submit(buy(2_000)))
    gateway.on_execution_report(first.order_id, "fill", PX_E9, 400, 400, "E1")
    hold = gateway.halt("account:beta", reason="fat finger", actor="ana")
    assert "KILL_HALTED" in reasons(gateway.submit(buy(1, account="beta")))
    gateway.resume(hold, actor="ana", approver="ben", reason="reviewed")
    gateway.close()

    # From here on less may be sent; the position stays.
    later = Desk(desk.root, LIMITS.replace("max_order_qty = 1_000", "max_order_qty = 300"))
    gateway = later.open()
    assert "MAX_ORDER_QTY" in reasons(gateway.submit(buy(400)))
    exit_ = gateway.submit(sell(300))
    assert exit_.accepted
    gateway.cancel(exit_.order_id)
    gateway.close()

    same = later.root / "same.toml"
    same.write_text(LIMITS)
    found = cwts.whatif(desk.log, same)
    assert found.json["old"]["versions"] == 2
    assert found.follows_own_limits is True
    # The first version lets through what the second refused, and changes nothing else.
    assert found.counts["newly_accepted"] == 1
    assert found.newly_accepted == {"MAX_ORDER_QTY": 1}
    assert found.counts["newly_rejected"] == 0
    assert "no known fate" in " ".join(found.notes)

    # An opening that is refused takes its fill with it: its exit would then open a short.
    tight = later.root / "tight.toml"
    tight.write_text(LIMITS.replace("max_order_qty = 1_000", "max_order_qty = 300"))
    found = cwts.whatif(desk.log, tight)
    flips = {int(row["order_id"]): row for row in found.flips}
    assert set(flips) == {first.order_id, exit_.order_id}
    assert found.json["denied_upstream"]["entries"] >= 2
    assert found.newly_rejected == {"MAX_ORDER_QTY": 1, "MAX_POSITION": 1}

    # The log is good enough to learn limits for its own names.
    text = cwts.suggest_limits(desk.log, false_rejects="0").text
    for name in ('[account."alpha"]', '[account."beta"]', '[strategy."default"]', '"ACME"'):
        assert name in text
    _core.check_limits(text.encode(), "suggested.toml")
    desk.verified()

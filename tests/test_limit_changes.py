"""Changing limits and lifting holds with keys: real processes, one log, and what verifies after."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cwts
from cwts import _core
from desk import LIMITS, Child, Desk, buy, reasons, set_references, until


def with_operators(desk: Desk, *names: str) -> str:
    """The desk's limits, and operators whose keys lie in its key store."""
    lines = [desk.cli("operator", "new", name, code=0).stdout for name in names]
    control = '[control]\nfour_eyes = ["raise", "resume", "override"]\n'
    return LIMITS + control + "".join(lines)


def changed(text: str, **values: str) -> str:
    """The text with other values for the first of these keys."""
    for key, value in values.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{key} = "))
        text = text.replace(old, f"{key} = {value}", 1)
    return text


def file(desk: Desk, name: str, text: str) -> str:
    path = desk.root / name
    path.write_text(text)
    return str(path)


def propose(desk: Desk, path: str, *more: str, code: int = 0) -> dict[str, Any]:
    args = ("limits", "propose", str(desk.log), path, "--reason", "index day", *more, "--json")
    out = desk.cli(*args, code=code).stdout
    found: dict[str, Any] = json.loads(out) if out else {}
    return found


def approve(desk: Desk, number: int, who: str, code: int = 0) -> dict[str, Any]:
    out = desk.cli(
        "limits", "approve", str(desk.log), str(number), "--as", who, "--json", code=code
    ).stdout
    found: dict[str, Any] = json.loads(out) if out else {}
    return found


def limits_of(desk: Desk) -> dict[str, Any]:
    found: dict[str, Any] = _core.status(str(desk.log))["limits"]
    return found


def notes(desk: Desk) -> str:
    return " ".join(desk.verified(clean=True)["notes"])


def test_limits_change_under_a_gateway_that_trades_and_each_decision_names_one_version(
    tmp_path: Path,
) -> None:
    plain = Desk(tmp_path)
    desk = Desk(tmp_path, with_operators(plain, "anna", "bo"))
    with desk.running("trade_and_tell_versions") as child:
        assert child.says()["version"] == 1
        raised = changed(desk.text, max_order_qty="2_000")
        asked = propose(desk, file(desk, "more.toml", raised), "--as", "anna")
        assert asked["proposal"]["direction"] == "raise"
        assert asked["proposal"]["authenticated"] is True
        assert asked["limits_version"] == 1
        assert not asked["proposal"]["active"]
        number = asked["proposal"]["id"]
        # The maker alone is not two people, and a stranger is nobody.
        assert "second person" in refusal(desk, number, "anna")
        assert "no [operator]" in refusal(desk, number, "eve")
        done = approve(desk, number, "bo")
        assert done["limits_version"] == 2
        assert done["proposal"]["checker"] == "bo"
        less = propose(
            desk, file(desk, "less.toml", changed(raised, max_order_qty="500")), "--as", "anna"
        )
        assert less["proposal"]["active"]
        assert less["limits_version"] == 3
        # A proposal for a version that is gone: its maker has to look again.
        assert approve(desk, number, "bo", code=2) == {}
        child.go()
        said = last(child)
        child.process.wait()
    assert said["versions"] == [1, 2, 3]
    assert said["orders"] > 100
    assert "2 changes, resumes, overrides and holds are signed by operators' keys" in notes(desk)


def last(child: Child) -> dict[str, Any]:
    return child.told()[-1]


def refusal(desk: Desk, number: int, who: str) -> str:
    done = desk.cli("limits", "approve", str(desk.log), str(number), "--as", who, code=2)
    return done.stderr


def test_a_request_that_was_made_up_or_comes_again_changes_nothing(tmp_path: Path) -> None:
    plain = Desk(tmp_path)
    desk = Desk(tmp_path, with_operators(plain, "anna", "bo"))
    gateway = desk.open()
    saved = desk.root / "saved"
    saved.mkdir()
    requests = desk.log / "requests"

    def leave(name: str, text: str, who: str) -> Path:
        """Ask while nobody answers, and keep what was asked."""
        path = file(desk, f"{name}.toml", text)
        with_log = {"maker": who, "reason": "index day"}
        asked = _core.request_propose(str(desk.log), text.encode(), path, **with_log)
        return Path(asked["request"])

    less = changed(desk.text, max_order_qty="900")
    first = leave("less", less, "anna")
    # The running gateway may take it at any time: what matters is a copy.
    until(lambda: not first.exists(), "the proposal was taken in")
    assert gateway.limits_version == 2
    raised = changed(less, max_order_qty="2_000")
    proposal = _core.propose_limits(
        gateway, raised.encode(), "raised.toml", maker="anna", reason="more"
    )
    # Forged: anna's operator key signs in bo's name.
    shutil.copytree(desk.keys / "operator/bo", saved / "bo")
    shutil.rmtree(desk.keys / "operator/bo")
    shutil.copytree(desk.keys / "operator/anna", desk.keys / "operator/bo")
    with pytest.raises(_core.PermissionDeniedError, match="does not verify"):
        _core.approve_limits(gateway, proposal["id"], checker="bo")
    with pytest.raises(_core.PermissionDeniedError, match="does not verify"):
        _core.request_approve(str(desk.log), proposal["id"], checker="bo")
    shutil.rmtree(desk.keys / "operator/bo")
    shutil.copytree(saved / "bo", desk.keys / "operator/bo")
    assert gateway.limits_version == 2
    # A good approval, kept: it counts once, for its own text.
    # It is written beside a copy of the log without its key, where nobody takes it in.
    elsewhere = desk.root / "elsewhere"
    shutil.copytree(desk.log, elsewhere)
    shutil.copytree(desk.keys / "operator", saved / "keys/operator")
    kept = _core.request_approve(
        str(elsewhere), proposal["id"], checker="bo", keys=str(saved / "keys")
    )
    copy = Path(kept["request"]).read_bytes()
    requests.mkdir(exist_ok=True)
    (requests / Path(kept["request"]).name).write_bytes(copy)
    until(lambda: gateway.limits_version == 3, "the approval was taken in")
    other = changed(less, max_order_qty="3_000")
    second = _core.propose_limits(
        gateway, other.encode(), "other.toml", maker="anna", reason="more"
    )
    again = requests / "00000000000000000001-1.change"
    again.write_bytes(copy)
    until(lambda: not again.exists(), "the replayed approval was taken in")
    spoiled = requests / "00000000000000000002-1.change"
    spoiled.write_bytes(b"cwts change request v1\n")
    until(lambda: not spoiled.exists(), "the spoiled request was taken in")
    assert gateway.limits_version == 3
    assert second["id"] in [row["id"] for row in limits_of(desk)["waiting"]]
    gateway.close()
    refused = _core.status(str(desk.log))["refused_requests"]
    assert "cannot be read" in refused[spoiled.name]
    desk.verified()


def test_a_bad_file_is_refused_whole_with_its_lines(desk: Desk) -> None:
    gateway = desk.open()
    bad = file(desk, "bad.toml", LIMITS + "[account.gamma]\nmax_order_qyt = 5\n")
    done = desk.cli("limits", "propose", str(desk.log), bad, "--as", "ana", "--reason", "r", code=2)
    assert "line 33" in done.stderr
    assert "did you mean `max_order_qty`" in done.stderr
    assert desk.requests == []
    with pytest.raises(_core.LimitsError) as caught:
        _core.propose_limits(gateway, Path(bad).read_bytes(), bad, maker="ana", reason="r")
    assert caught.value.key == "account.gamma.max_order_qyt"
    assert gateway.limits_version == 1
    gateway.close()


def test_a_temporary_raise_goes_back_by_itself(desk: Desk) -> None:
    path = desk.root / "limits.toml"
    path.write_text(LIMITS)
    with cwts.Gateway(path, log=desk.log, keys=desk.keys) as gateway:
        set_references(gateway._core)
        more = file(desk, "more.toml", changed(LIMITS, max_order_qty="2_000"))
        ends = datetime.now(UTC) + timedelta(seconds=1.5)
        proposal = gateway.propose_limits(more, maker="ana", reason="rebalance", expires=ends)
        assert (proposal.direction, proposal.active) == ("raise", False)
        assert proposal.authenticated is False
        with pytest.raises(_core.PermissionDeniedError, match="second person"):
            gateway.approve_limits(proposal, checker="ana")
        done = gateway.approve_limits(proposal, checker="ben")
        assert (done.active, gateway.limits_version) == (True, 2)
        big = cwts.Order("ACME", "buy", 1_500, "1.00", "alpha")
        assert "MAX_ORDER_QTY" not in reasons(gateway.check(big))
        # Another change in between, made from what is in force.
        other = changed(Path(more).read_text(), max_order_notional='"40_000"')
        tighter = gateway.propose_limits(
            file(desk, "tighter.toml", other), maker="ana", reason="less"
        )
        assert tighter.active
        until(lambda: gateway.limits_version == 4, "the raise went back")
        assert time.time() >= ends.timestamp()
        decision = gateway.submit(big)
        assert "MAX_ORDER_QTY" in reasons(decision)
        assert decision.limits_version == 4
        in_force = gateway.state()["limits"]
        assert in_force["temporary"] == []
    assert "unauthenticated: no operators were listed" in notes(desk)
    # The file that stands now has the tightening, and not the raise.
    with cwts.Gateway(None, log=desk.log, keys=desk.keys) as gateway:
        assert gateway.limits_version == 4
        set_references(gateway._core)
        assert "MAX_ORDER_NOTIONAL" in reasons(gateway.check(buy(450)))


def test_an_async_program_changes_limits_too(desk: Desk) -> None:
    path = desk.root / "limits.toml"
    path.write_text(LIMITS)

    async def run() -> int:
        async with cwts.Gateway(path, log=desk.log, keys=desk.keys) as gateway:
            more = file(desk, "more.toml", changed(LIMITS, max_order_qty="2_000"))
            proposal = await gateway.apropose_limits(more, maker="ana", reason="more")
            await gateway.aapprove_limits(proposal, checker="ben")
            return gateway.limits_version

    assert asyncio.run(run()) == 2


def test_where_no_gateway_runs_the_log_takes_a_change_in(tmp_path: Path) -> None:
    plain = Desk(tmp_path)
    desk = Desk(tmp_path, with_operators(plain, "anna", "bo"))
    desk.open().close()
    more = changed(desk.text, max_order_qty="2_000")
    asked = propose(desk, file(desk, "more.toml", more), "--as", "anna")
    done = approve(desk, asked["proposal"]["id"], "bo")
    assert done["limits_version"] == 2
    # The old file no longer fits, and nobody signed it; the new one does.
    with pytest.raises(_core.LimitsError, match="cwts limits propose"):
        desk.open()
    later = Desk(desk.root, more)
    later.open().close()
    # A request that waits is taken in before the file that the start is given.
    text = changed(more, max_order_qty="100")
    asked = _core.request_propose(str(desk.log), text.encode(), "x.toml", maker="bo", reason="less")
    assert asked["running"] is False
    gateway = Desk(desk.root, text).open()
    assert gateway.limits_version == 3
    gateway.close()
    assert limits_of(desk)["by"]["maker"] == "bo"
    desk.verified()


def test_a_hold_is_lifted_by_two_keys_and_by_nothing_less(tmp_path: Path) -> None:
    plain = Desk(tmp_path)
    desk = Desk(tmp_path, with_operators(plain, "anna", "bo"))
    log = str(desk.log)
    with desk.running("stand") as child:
        child.says()
        desk.cli("halt", log, "--scope", "account:beta", "--as", "eve", code=0)
        desk.cli("halt", log, "--as", "eve", code=0)
        names = ("--reason", "reviewed", "--as", "anna")
        alone = desk.cli("resume", log, "1", *names, "--approve-as", "anna", code=2)
        assert "second person" in alone.stderr
        stranger = desk.cli("resume", log, "1", *names, "--approve-as", "eve", code=2)
        assert "no [operator]" in stranger.stderr
        desk.cli("resume", log, "1", *names, "--approve-as", "bo", code=0)
        # In two halves, as two people do it.
        half = desk.cli("resume", log, "2", *names, code=0)
        assert "waits for a second key" in half.stdout
        assert [row["action"] for row in _core.status(log)["pending"]] == ["resume, half signed"]
        same = desk.cli("resume", log, "2", "--approve-as", "anna", code=2)
        assert "second person" in same.stderr
        told = json.loads(
            desk.cli("resume", log, "2", "--approve-as", "bo", "--json", code=0).stdout
        )
        assert (told["lifted"], told["authenticated"]) == (True, True)
        assert desk.requests == []
        # Names alone, as where nobody is listed: the gateway refuses them.
        desk.cli("halt", log, "--as", "eve", code=0)
        _core.request_resume(log, 3, actor="anna", approver="bo", reason="x")
        until(lambda: desk.requests == [], "the unsigned resume was taken in")
        assert [row["id"] for row in _core.status(log)["holds"]] == [3]
        child.go()
        child.says()
        child.process.wait()
    assert "2 changes, resumes, overrides and holds are signed by operators' keys" in notes(desk)


def test_the_secret_half_of_a_key_is_private_and_never_shown(desk: Desk) -> None:
    shown = desk.cli("operator", "new", "anna", code=0)
    path = desk.keys / "operator/anna/ed25519.key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    secret = path.read_bytes()
    assert secret.hex() not in shown.stdout
    assert shown.stdout.startswith('[operator.anna]\nkey = "anna+')
    kept = desk.cli("operator", "new", "anna")
    assert kept.returncode != 0
    assert path.read_bytes() == secret
    for name in ("../x", "", ".x", "a b"):
        assert desk.cli("operator", "new", name).returncode != 0
    _core.check_limits((LIMITS + shown.stdout).encode(), "limits.toml")
    broken = LIMITS + shown.stdout.replace("anna+", "anna+0", 1)
    with pytest.raises(_core.LimitsError) as caught:
        _core.check_limits(broken.encode(), "limits.toml")
    assert (caught.value.line, caught.value.key) == (33, "operator.anna.key")


def test_diff_and_effective_values_are_shown(desk: Desk) -> None:
    old = file(desk, "old.toml", LIMITS)
    new = file(desk, "new.toml", changed(LIMITS, max_order_qty="500", credit='"2_000_000_000"'))
    found = json.loads(desk.cli("limits", "diff", old, new, "--json", code=0).stdout)
    assert found["direction"] == "raise"
    assert [(row["key"], row["direction"]) for row in found["rows"]] == [
        ("account.alpha.max_order_qty", "tighten"),
        ("firm.credit", "raise"),
    ]
    text = desk.cli("limits", "diff", old, new, code=0).stdout
    assert "tighten  account.alpha.max_order_qty: 1000 -> 500" in text
    assert "two people" in text
    shown = desk.cli(
        "limits", "show", old, "--effective", "alpha", "ACME", "--strategy", "default", code=0
    ).stdout
    assert '"0.01"   <- group.us.tick' in shown
    assert "1000   <- account.alpha.max_order_qty" in shown
    rows = json.loads(
        desk.cli("limits", "show", old, "--effective", "alpha", "ACME", "--json", code=0).stdout
    )
    assert {row["origin"] for row in rows} >= {"firm.credit", "group.us.price_collar", "default"}


def test_a_change_that_races_batches_of_4096_splits_none_of_them(desk: Desk) -> None:
    less = file(desk, "less.toml", changed(LIMITS, max_order_qty="50"))
    path = Path(file(desk, "limits.toml", LIMITS))
    with cwts.Gateway(path, log=desk.log, keys=desk.keys) as gateway:
        gateway.set_reference("ACME", last="100")
        orders = np.zeros(4096, cwts.ORDER_DTYPE)
        orders["account"] = gateway.handle("account", "alpha")
        orders["instrument"] = gateway.handle("instrument", "ACME")
        orders["strategy"] = gateway.handle("strategy", "default")
        orders["qty"] = 10 + 50 * (np.arange(4096) % 2)
        orders["px"], orders["kind"], orders["side"] = 100 * 10**9, 1, 1
        orders["type_tif"] = 2
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(propose, desk, less, "--as", "ana")
            versions: list[int] = []
            while versions.count(2) < 2:
                decisions = gateway.submit_batch(orders)
                assert len(set(decisions["limits_version"])) == 1
                versions.append(int(decisions["limits_version"][0]))
                too_large = decisions["reasons"] & int(cwts.RejectReason.MAX_ORDER_QTY) != 0
                assert (too_large == ((orders["qty"] > 50) & (versions[-1] == 2))).all()
            assert asked.result()["limits_version"] == 2
        assert versions[0] == 1
        assert versions == sorted(versions)
    desk.verified()

"""What comes out of the core is what its stub promises, in each of its functions and properties.

stubtest compares signatures; it cannot see what a compiled function returns. Here every one is
called once, and its answer is held against the annotation in the stub.
"""

from __future__ import annotations

import ast
import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import pyarrow as pa
import pytest

from asked_of_committees import about_ceremonies, about_threshold
from cwts import _core
from cwts.datasets import default_limits
from desk import LIMITS, PX_E9, Desk, buy
from old_archive import old_archive
from oracle.entries import Order as Entry
from oracle.entries import to_bytes

STUB: Final = Path(__file__).resolve().parent.parent / "python/cwts/_core.pyi"


def promised() -> dict[str, str]:
    """Every function, method and property of the stub, with its return annotation."""
    out: dict[str, str] = {}

    def walk(nodes: list[ast.stmt], prefix: str) -> None:
        for node in nodes:
            if isinstance(node, ast.ClassDef):
                walk(node.body, f"{node.name}.")
            elif isinstance(node, ast.FunctionDef) and node.returns is not None:
                out[prefix + node.name] = ast.unparse(node.returns)
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                out[prefix + node.target.id] = ast.unparse(node.annotation)

    walk(ast.parse(STUB.read_text()).body, "")
    return out


def fits(value: object, annotation: object) -> bool:
    """Whether a value is what an annotation says, to the depth that annotations have here."""
    if annotation in {Any, object} or (annotation is None and value is None):
        return True
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is list:
        return isinstance(value, list) and all(fits(item, parts[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(key, parts[0]) and fits(item, parts[1]) for key, item in value.items()
        )
    if origin is tuple:
        return (
            isinstance(value, tuple) and len(value) == len(parts) and all(map(fits, value, parts))
        )
    if parts:  # a union, or Final
        return any(fits(value, part) for part in parts)
    # A bool is an int to Python, and a mistake here.
    return type(value) is annotation


def _ask_proofs(ask: Callable[[str, Callable[[], object]], Any], root: Path) -> None:
    core, zeros = _core, bytes(32)
    place = {"chain": zeros, "epoch": 1, "role": "firm", "subject": "f", "as_of_seq": 0}
    context = ask("ProofContext.__new__", lambda: core.ProofContext(**place, nonce=zeros))
    ask("ProofContext.digest", lambda: context.digest)
    secret = ask("Secret.generate", core.Secret.generate)
    ask("Secret.__new__", lambda: core.Secret(b"\1" + bytes(31)))
    public = ask("Secret.public", lambda: secret.public)
    shared = ask("Secret.shared", lambda: secret.shared(public))
    known = ask("Opening.commit", lambda: core.Opening.commit(7))
    other = core.Opening.commit(7)
    c = ask("Opening.commitment", lambda: known.commitment)
    ask("Opening.save", lambda: known.save(root / "one.opening"))
    ask("Opening.load", lambda: core.Opening.load(root / "one.opening"))
    proof = ask("prove_knowledge", lambda: core.prove_knowledge(secret, context))
    ask("verify_knowledge", lambda: core.verify_knowledge(proof, public, context))
    ask("proof_facts", lambda: core.proof_facts(proof))
    dleq = ask("prove_dleq", lambda: core.prove_dleq(secret, public, context))
    ask("verify_dleq", lambda: core.verify_dleq(dleq, public, public, shared, context))
    same = ask("prove_equal", lambda: core.prove_equal(known, other, context))
    ask("verify_equal", lambda: core.verify_equal(same, c, other.commitment, context))
    below = ask("prove_exposure_below", lambda: core.prove_exposure_below(known, 7, context))
    ask("verify_exposure_below", lambda: core.verify_exposure_below(below, c, 7, context))
    total = ask("prove_desks_sum_below", lambda: core.prove_desks_sum_below([known], 7, context))
    ask("verify_desks_sum_below", lambda: core.verify_desks_sum_below(total, [c], 7, context))


@pytest.fixture(scope="module")
def answers(  # noqa: C901, PLR0915 - one statement a name of the stub
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, object]:
    """One answer of every name that the stub promises."""
    root = tmp_path_factory.mktemp("types")
    desk = Desk(root)
    core = _core
    out: dict[str, object] = {"BUILD_PROFILE": core.BUILD_PROFILE, "VERSION": core.VERSION}

    def ask(name: str, call: Callable[[], object]) -> Any:
        out[name] = call()
        return out[name]

    def refused(name: str, error: type[Exception], call: Callable[[], object]) -> None:
        with pytest.raises(error) as caught:
            call()
        raised = caught.value
        for attribute in (
            "code",
            "line",
            "column",
            "key",
            "errors",
            "nearest",
            "known",
            "wanted",
            "bound",
        ):
            if f"{name}.{attribute}" in promised():
                out[f"{name}.{attribute}"] = getattr(raised, attribute)

    order = ask("Order.__new__", lambda: buy(2, order_id=5))
    for name in ("symbol", "side", "qty", "price", "price_e9", "account", "strategy", "order_id"):
        ask(f"Order.{name}", lambda name=name: getattr(order, name))
    ask("Order.with_", lambda: order.with_(qty=3))

    gateway = desk.open(references=False)
    out["Gateway.__new__"] = gateway
    ask("Gateway.set_reference", lambda: gateway.set_reference("ACME", PX_E9, ts_ns=None))
    ask("Gateway.check", lambda: gateway.check(order))
    ask("Gateway.submit", lambda: gateway.submit(order))
    refusal = gateway.submit(buy(5_000))
    for name in (
        *("accepted", "mask", "first", "violations", "seq", "order_seq", "order_id"),
        *("limits_version", "verdict"),
    ):
        ask(f"Decision.{name}", lambda name=name: getattr(refusal, name))
    ask("Decision.explain", refusal.explain)
    ask("Decision.to_bytes", refusal.to_bytes)
    ask("Decision.__bool__", refusal.__bool__)
    ask("Gateway.check_batch", lambda: gateway.check_batch(bytes(64)))
    ask("Gateway.submit_batch", lambda: gateway.submit_batch(bytes(64)))
    table = pa.table(
        {
            "ts": pa.array([1], pa.uint64()),
            "kind": ["add"],
            "order_id": pa.array([77], pa.uint64()),
            "instrument": ["ACME"],
            "account": ["alpha"],
            "strategy": ["default"],
            "side": ["buy"],
            "qty": pa.array([1], pa.int64()),
            "price": ["100"],
        }
    )
    ask("Gateway.check_table", lambda: gateway.check_table(table))
    ask("Gateway.submit_table", lambda: gateway.submit_table(table))
    ask("Gateway.cancel", lambda: gateway.cancel(5))
    ask("Gateway.on_execution_report", lambda: gateway.on_execution_report(5, "canceled"))
    for name in ("limits_version", "next_index", "durable", "is_closed"):
        ask(f"Gateway.{name}", lambda name=name: getattr(gateway, name))
    hold = ask("Gateway.halt", lambda: gateway.halt("firm", reason="r", actor="a"))
    ask("Gateway.holds", gateway.holds)
    ask("Gateway.resume", lambda: gateway.resume(hold, actor="a", approver="b", reason="r"))
    ask("Gateway.handle", lambda: gateway.handle("account", "alpha"))
    ask("Gateway.position", lambda: gateway.position("alpha", "ACME"))
    producer = ask("Gateway.producer", lambda: gateway.producer("feed-1"))
    for name in ("name", "id", "open", "is_closed"):
        ask(f"Producer.{name}", lambda name=name: getattr(producer, name))
    ask("Producer.submit", lambda: producer.submit(buy(1)))
    ask("Producer.post", lambda: producer.post(buy(1)))
    ask("Producer.post_cancel", lambda: producer.post_cancel(5))
    ask("Producer.post_batch", lambda: producer.post_batch(bytes(64)))
    ask("Producer.decisions", lambda: producer.decisions(1, 5.0))
    ask("Producer.decision_records", lambda: producer.decision_records(8, 5.0))
    refused("QueueFullError", core.QueueFullError, lambda: producer.post_batch(bytes(64 * 50_000)))
    ask("Producer.close", producer.close)
    ask("halt_and_cancel", lambda: core.halt_and_cancel(gateway, reason="r", actor="a"))
    ask("take_cancels", lambda: core.take_cancels(gateway))
    ask("torture_clock", lambda: core.torture_clock(gateway, -1))
    ask("torture_state", lambda: core.torture_state(gateway))
    ask("set_market", lambda: core.set_market(gateway, "ACME", bid_e9=1_000_000_000))
    ask("set_phase", lambda: core.set_phase(gateway, "instrument:ACME", "trading"))
    ask("locate", lambda: core.locate(gateway, "alpha", "ACME", 100, actor="a"))
    more = desk.text.replace("max_order_qty = 1_000", "max_order_qty = 2_000", 1).encode()
    proposed = ask(
        "propose_limits",
        lambda: core.propose_limits(gateway, more, "more.toml", maker="a", reason="r"),
    )
    ask("approve_limits", lambda: core.approve_limits(gateway, proposed["id"], checker="b"))
    ask("Gateway.state", gateway.state)
    ask("Gateway.snapshot", gateway.snapshot)
    ask("Gateway.sync", gateway.sync)
    ask("Gateway.close", gateway.close)

    log, keys = str(desk.log), str(desk.keys)
    ask("check_limits", lambda: core.check_limits(desk.text.encode(), "limits.toml"))
    ask("controls", core.controls)
    ask("schema", core.schema)
    entry = to_bytes(Entry(1, order_id=1), 0)
    ask("fold", lambda: core.fold(b"schema = 1", [entry]))
    ask("status", lambda: core.status(log))
    follower = ask("Follower.__new__", lambda: core.Follower(log))
    ask("Follower.status", follower.status)
    watch = ask("LogWatch.__new__", lambda: core.LogWatch(log))
    ask("LogWatch.look", lambda: watch.look(0.0))
    ask("standing_holds", lambda: core.standing_holds(log))
    ask("cancels_after", lambda: core.cancels_after(log, 0))
    ask("torture_judge", lambda: core.torture_judge(log, [1], ["r"]))
    ask("explain", lambda: core.explain(log, 5))
    ask("registers", lambda: core.registers(log, ["limits", "kills", "triggers"]))
    ask("verify", lambda: core.verify(log, [], "roots"))
    head = ask("checkpoint", lambda: core.checkpoint(log))
    rows = ask("read_entries", lambda: core.read_entries(log, 0, head["size"]))
    ask("consistency", lambda: core.consistency(log, 2))
    ask("entry_schema", core.entry_schema)
    cold = str(desk.root / "cold")
    ask("archive", lambda: core.archive(log, cold))
    ask("is_archive_dir", lambda: core.is_archive_dir(cold))
    ask("torture_disk", lambda: core.torture_disk(7, 0, 1))
    ask("inclusion", lambda: core.inclusion(log, 1, 2))
    where = (str(desk.root / "records"), str(desk.root / "record-keys"))
    records = ask("open_records", lambda: core.open_records(where[0], keys=where[1]))
    made = (str(desk.root / "made"), str(desk.root / "made-keys"))
    ask("init_log", lambda: core.init_log(made[0], keys=made[1]))
    ask("k0_on_host", lambda: core.k0_on_host(made[0], made[1]))
    note = ask("append_note", lambda: core.append_note(records, "a note", "anna"))
    ask("record_check", lambda: core.record_check(records, 2, bytes(32), 0, 1, "anna"))
    ask("append_amend", lambda: core.append_amend(records, note, "text", "b", "typo", "anna"))
    about_cases(records, where[0], ask)
    about_subjects(desk.root / "subjects", ask)
    about_columns(log, ask)
    about_witnesses(desk.root, log, ask)
    about_threshold(ask)
    about_ceremonies(desk.root, ask)
    proof = ask("receipt", lambda: core.receipt(log, 1))
    (vkey,) = [row["body"]["log_vkey"] for row in rows if row["type"] == "GENESIS"]
    ask("verify_receipts", lambda: core.verify_receipts([("r", proof)], [vkey]))
    logged = next(row["body"]["order_id"] for row in rows if row["type"] == "ORDER")
    ask("order_receipts", lambda: core.order_receipts(log, int(logged)))
    plain = str(desk.root / "plain")
    ask("unpack", lambda: core.unpack(log, str(desk.root / "unpacked")))
    ask("write_tlog", lambda: core.write_tlog(plain, "o.example", bytes(32), [b"x"]))
    ask("request_halt", lambda: core.request_halt(log, "firm", reason="r", actor="a"))
    ask("apply_requests", lambda: core.apply_requests(log, keys))
    ask(
        "request_resume",
        lambda: core.request_resume(log, hold + 1, actor="a", approver="b", reason="r"),
    )
    ask("lists_operators", lambda: core.lists_operators(log))
    ask("limits_diff", lambda: core.limits_diff(desk.text.encode(), "old", more, "new"))
    ask("limits_effective", lambda: core.limits_effective(more, "new", "alpha", "ACME"))
    ask("limits_schema", core.limits_schema)
    ask("new_operator", lambda: core.new_operator("anna", keys))
    back = desk.text.encode()
    ask(
        "request_propose",
        lambda: core.request_propose(log, back, "old.toml", maker="a", reason="r"),
    )
    core.apply_requests(log, keys)
    core.request_halt(log, "firm", reason="r", actor="a")
    core.apply_requests(log, keys)
    held = core.status(log)["holds"][-1]["id"]
    ask(
        "request_resume_signed",
        lambda: core.request_resume_signed(log, held, actor="a", reason="r"),
    )
    ask(
        "request_resume_approval",
        lambda: core.request_resume_approval(log, held, approver="b"),
    )
    core.apply_requests(log, keys)
    wide = back.replace(b"1_000_000_000", b"2_000_000_000")
    core.request_propose(log, wide, "wide.toml", maker="a", reason="r")
    core.apply_requests(log, keys)
    waiting = core.status(log)["limits"]["waiting"]
    ask("request_approve", lambda: core.request_approve(log, waiting[0]["id"], checker="b"))
    flow = root / "flow.csv"
    ask(
        "generate",
        lambda: core.generate(str(flow), "csv", profile="equity-liquid", events=500, seed=1),
    )
    replay = core.Replay(default_limits(), "equity.toml", path=str(flow), keep=True)
    out["Replay.__new__"] = replay
    ask("Replay.run", replay.run)
    for name in ("events_done", "bytes_done", "kept_all", "orders", "decisions", "labels"):
        ask(f"Replay.{name}", lambda name=name: getattr(replay, name))
    ask("Replay.cancel", replay.cancel)
    ask("torture_targets", core.torture_targets)
    ask("torture_check", lambda: core.torture_check("entry", b""))
    ask("torture_input", lambda: core.torture_input("entry", seed=1, case=1))
    ask("torture_run", lambda: core.torture_run("entry", seed=1, first=0, cases=1))

    ask("asset_class", lambda: core.asset_class(str(flow)))
    ask("profiles", core.profiles)
    stream = core.SynthFlow(profile="future", events=5, seed=1)
    out["SynthFlow.__new__"] = stream
    ask("SynthFlow.labels", stream.labels)
    ask("SynthFlow.__arrow_c_stream__", stream.__arrow_c_stream__)
    events = ask("read_events", lambda: core.read_events(str(flow)))
    ask("Events.facts", lambda: events.facts)
    ask("Events.__len__", events.__len__)
    ask("Events.__arrow_c_schema__", events.__arrow_c_schema__)
    ask("Events.__arrow_c_stream__", events.__arrow_c_stream__)
    limits = default_limits()
    what_if = core.WhatIf(
        limits, "new.toml", path=str(flow), old=limits, old_path="old.toml", keep=1
    )
    suggest = core.Suggest(100_000, path=str(flow))
    for name, asked, answer in (("WhatIf", what_if, "flips"), ("Suggest", suggest, "toml")):
        out[f"{name}.__new__"] = asked
        ask(f"{name}.run", asked.run)
        ask(f"{name}.events_done", lambda asked=asked: asked.events_done)
        ask(f"{name}.{answer}", lambda asked=asked, answer=answer: getattr(asked, answer))
        ask(f"{name}.cancel", asked.cancel)
    ask("decision_stream", lambda: core.decision_stream(replay.orders, replay.decisions))
    of_run = str(root / "run" / "0001")
    core.Replay(default_limits(), "equity.toml", path=str(flow), log=of_run, keys=keys).run()
    copy = str(root / "copy")
    ask("append_again", lambda: core.append_again(of_run, copy, keys))
    ask("seal_run", lambda: core.seal_run(str(root / "run"), 1, keys))
    ask("check_run", lambda: core.check_run(str(root / "run"), []))

    about_soft_blocks(root / "soft", ask)
    refused("CwtsError", core.CwtsError, lambda: gateway.submit(order))
    refused("LimitsError", core.LimitsError, lambda: core.check_limits(b"x = 1", "x"))
    refused(
        "ScopeError",
        core.ScopeError,
        lambda: core.request_halt(log, "firmm", reason="", actor="a"),
    )
    return out


def about_cases(records: Any, log: str, ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """A case of a log of this process, and what another process asks of it."""
    core = _core
    named: Any = {"account": "", "instrument": "", "person": "", "from_ns": 1, "to_ns": 9}
    said = {"actor": "anna", "reason": "r"}
    ask("hold_case", lambda: core.hold_case(records, "c1", approver="bo", **named, **said))
    ask("cases", lambda: core.cases(records))
    ask("release_case", lambda: core.release_case(records, "c1", approver="bo", **said))
    core.hold_case(records, "c2", approver="bo", **named, **said)
    ask("append_access", lambda: core.append_access(records, "query", 2, "carl", "select"))
    ask("archive_open", lambda: core.archive_open(records, 1))
    records.close()
    keys = log.replace("records", "record-keys")
    ask("archive_before", lambda: core.archive_before(log, 2**63, keys=keys))
    ask("log_file", lambda: core.log_file(log, "checkpoint", 1 << 16))
    ask("unarchive", lambda: core.unarchive(log))
    cold = str(old_archive(log, Path(log).parent))
    ask("expire", lambda: core.expire(cold, log, time.time_ns(), actor="carl", keys=keys))
    ask("open_cases", lambda: core.open_cases(log))
    ask("request_hold", lambda: core.request_hold(log, "c3", **named, **said))
    ask(
        "request_case_approval",
        lambda: core.request_case_approval(log, "c3", release=False, approver="bo"),
    )
    ask("request_release", lambda: core.request_release(log, "c2", **said))


def about_subjects(root: Path, ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """A sealed text, and the end of its key, once the years are over."""
    core = _core
    log, keys = str(root / "log"), str(root / "keys")
    records = core.open_records(log, keys=keys, retention_years=1)
    years_ns = 2 * 366 * 86_400 * 10**9
    core.torture_clock(records, -years_ns)
    ask(
        "append_sealed",
        lambda: core.append_sealed(records, "identity", "person:c-17", "Jane", "carl"),
    )
    records.close()
    ask("seal_in", lambda: core.seal_in(log, "note", "person:c-18", "rang", "", keys=keys))
    ask("subjects", lambda: core.subjects(log, keys=keys))
    said: Any = {"actor": "anna", "reason": "r", "keys": keys}
    ask("request_shred", lambda: core.request_shred(log, "person:c-17", **said))
    ask(
        "request_shred_approval",
        lambda: core.request_shred_approval(log, "person:c-17", approver="bo", keys=keys),
    )


def about_columns(log: str, ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """A run of entries, and the proof that it is whole."""
    core = _core
    raw = ask("entries_raw", lambda: core.entries_raw(log, 1, 5, 1 << 20))
    ask("decode_columns", lambda: core.decode_columns(core.schema(), *raw[:2], b"\x2d"))
    proof = ask("range_proof", lambda: core.range_proof(log, 1, 5))
    ask("check_note", lambda: core.check_note(proof["checkpoint"].encode(), []))
    parts = (proof[part] for part in ("left", "subtrees", "right"))
    check = ask("RangeCheck.__new__", lambda: core.RangeCheck(1, 5, proof["size"], *parts))
    ask("RangeCheck.rows", lambda: check.rows(*raw))
    for name in ("root", "next_index", "complete"):
        ask(f"RangeCheck.{name}", lambda name=name: getattr(check, name))


def about_witnesses(root: Path, log: str, ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """A witness that cosigns the newest checkpoint of a log."""
    core = _core
    files = (str(root / "witness.key"), str(root / "witness.state"))
    vkey = ask("new_witness", lambda: core.new_witness("w.example", *files))
    logs = [(Path(log) / "log.vkey").read_text().strip()]
    witness = ask("Witness.__new__", lambda: core.Witness(*files, logs))
    ask("Witness.vkey", lambda: witness.vkey)
    ask("witness_name", lambda: core.witness_name(vkey))
    note = core.checkpoint(log)["note"].encode()
    body = ask("witness_request", lambda: core.witness_request(log, vkey, note, 0))
    answer = ask("Witness.add_checkpoint", lambda: witness.add_checkpoint(body, 1_795_000_000))
    ask("keep_witnessed", lambda: core.keep_witnessed(log, note, [(vkey, answer[2])]))
    origin = hashlib.sha256(note.partition(b"\n")[0]).hexdigest()
    ask("Witness.newest", lambda: witness.newest(origin))
    _ask_proofs(ask, root)


def about_soft_blocks(root: Path, ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """Two orders that a gateway of its own blocks softly, each let pass in another way."""
    core, log, keys = _core, str(root / "log"), str(root / "keys")
    text = LIMITS + '[control]\nseverity = { MAX_ORDER_QTY = "soft" }\n'
    gateway = core.Gateway(text.encode(), "limits.toml", log, keys=keys)
    gateway.set_reference("ACME", 10 * 10**9)
    one, two = (gateway.submit(buy(1_001, price="10.00")).order_id for _ in range(2))
    said = {"controls": [], "actor": "a", "reason": "r"}
    ask("override_order", lambda: core.override_order(gateway, one, approver="b", **said))
    ask("resubmit", lambda: core.resubmit(gateway, one))
    ask("alerts", lambda: core.alerts(gateway))
    ask("in_out", lambda: core.in_out(gateway, 0))
    ask(
        "record_clock",
        lambda: core.record_clock(
            gateway, None, (0, 0, 0, 0), bound_us=100, raw_ns=1, policy="warn"
        ),
    )
    gateway.close()
    ask("request_override", lambda: core.request_override(log, two, **said))
    ask(
        "request_override_approval",
        lambda: core.request_override_approval(log, two, approver="b"),
    )
    ask("trigger_counts", lambda: core.trigger_counts(log))
    work = str(root / "stress")
    ask("torture_stress", lambda: core.torture_stress(log, work, window_ns=10**12))


NAMES: Final = promised()


def test_the_stub_was_read() -> None:
    assert len(NAMES) > 60
    assert NAMES["Gateway.position"] == "int"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_what_comes_out_is_what_is_promised(name: str, answers: dict[str, object]) -> None:
    words = {**vars(_core), "Any": Any, "Final": Final}
    annotation = eval(NAMES[name], words)  # noqa: S307 - our own stub
    value = answers[name]
    assert fits(value, annotation), f"{name} gave {type(value).__name__}: {NAMES[name]}"


@pytest.mark.parametrize(
    ("value", "annotation"),
    [
        *((True, int), (1, bool), (None, int), ([1], list[str]), ({"a": 1}, dict[str, str])),
        *(("", None), ((1, "a"), tuple[int, int]), ((1,), tuple[int, int])),
    ],
)
def test_a_wrong_answer_would_be_seen(value: object, annotation: object) -> None:
    assert not fits(value, annotation)

"""What the stub promises of threshold signatures and ceremonies, asked once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from py_ecc.bls import G2Basic

from cwts import _core


def about_threshold(ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """Keys, shares, partials, and what is made of them."""
    core = _core
    key = ask("SecretKey.generate", core.SecretKey.generate)
    ask("SecretKey.__new__", lambda: core.SecretKey(bytes(31) + b"\1"))
    public = ask("SecretKey.public_key", key.public_key)
    raw = ask("PublicKey.__bytes__", lambda: bytes(public))
    ask("PublicKey.__new__", lambda: core.PublicKey(raw))
    ask("PublicKey.__hash__", lambda: hash(public))
    ask("PublicKey.__eq__", lambda: public == core.PublicKey(raw))
    ask("PublicKey.__ne__", lambda: public != core.PublicKey(raw))
    signature = ask("bls_sign", lambda: core.bls_sign(key, b"m"))
    ask("bls_verify", lambda: core.bls_verify(public, b"m", signature))
    ask("bls_verify_batch", lambda: core.bls_verify_batch(public, [b"m"], [bytes(48)]))
    ask("bls_aggregate", lambda: core.bls_aggregate([signature]))
    proof = ask("pop_prove", lambda: core.pop_prove(key))
    ask("pop_verify", lambda: core.pop_verify(public, proof))
    registry = ask("KeyRegistry.__new__", core.KeyRegistry)
    place = ask("KeyRegistry.register", lambda: registry.register(public, proof))
    ask("KeyRegistry.__len__", lambda: len(registry))
    of_all = (registry, [place], b"m", signature)
    ask("bls_fast_aggregate_verify", lambda: core.bls_fast_aggregate_verify(*of_all))
    sharing, shares = ask("deal_shares", lambda: core.deal_shares(n=4, t=1, epoch=3))
    for name in ("index", "epoch"):
        ask(f"Share.{name}", lambda name=name: getattr(shares[0], name))
    partial = ask("partial_sign", lambda: core.partial_sign(shares[0], b"m"))
    raw = ask("Partial.__bytes__", lambda: bytes(partial))
    ask("Partial.__new__", lambda: core.Partial(raw, 1, 3))
    ask("Partial.__hash__", lambda: hash(partial))
    ask("Partial.__eq__", lambda: partial == core.Partial(raw, 1, 3))
    ask("Partial.__ne__", lambda: partial != core.Partial(raw, 1, 3))
    for name in ("index", "epoch"):
        ask(f"Partial.{name}", lambda name=name: getattr(partial, name))
    proven = ask("prove_partial", lambda: core.prove_partial(shares[0], b"m"))
    ask("verify_partial_proof", lambda: core.verify_partial_proof(sharing, b"m", *proven))
    held = ask("prove_share", lambda: core.prove_share(shares[0], bytes(32)))
    ask("verify_share", lambda: core.verify_share(sharing, 1, bytes(32), held))
    ask("verify_partial", lambda: core.verify_partial(sharing, b"m", partial))
    ask("recover_signature", lambda: core.recover_signature(sharing, b"m", [partial]))
    for name in ("n", "t", "epoch", "key"):
        ask(f"Sharing.{name}", lambda name=name: getattr(sharing, name))
    raw = ask("Sharing.__bytes__", lambda: bytes(sharing))
    ask("Sharing.__new__", lambda: core.Sharing(raw, n=4, t=1, epoch=3))
    ask("Sharing.member_key", lambda: sharing.member_key(1))
    ask("Sharing.check_share", lambda: sharing.check_share(shares[0]))
    foreign = (G2Basic.SkToPk(5), b"m", G2Basic.Sign(5, b"m"), G2Basic.DST.decode())
    assert ask("min_pk_verify", lambda: core.min_pk_verify(*foreign))
    try:
        core.recover_signature(sharing, b"m", [])
    except core.NotEnoughSharesError as error:
        for name in ("have", "need", "blamed"):
            ask(f"NotEnoughSharesError.{name}", lambda name=name, error=error: getattr(error, name))


def about_ceremonies(root: Path, ask: Callable[[str, Callable[[], object]], Any]) -> None:
    """A committee of one, whose only member is in no hurry."""
    core = _core
    for name in ("one", "sequencer"):
        (root / name).mkdir()
    one = ask("MemberSecrets.create", lambda: core.MemberSecrets.create(str(root / "one")))
    ask("MemberSecrets.__new__", lambda: core.MemberSecrets(str(root / "one")))
    other = core.MemberSecrets.create(str(root / "sequencer"), b"a phrase")
    vote = ask("MemberSecrets.vote", lambda: one.vote)
    chain = bytes(31) + b"\1"
    keys, signature = ask("MemberSecrets.enrol", lambda: one.enrol(chain, 1, bytes(32)))
    ask("verify_enrolment", lambda: core.verify_enrolment(vote, bytes(32), keys, signature))
    ask("hide_memory", core.hide_memory)
    ask("absent_keys", lambda: core.absent_keys(vote, chain, 1))
    terms: Any = {"kind": "new", "chain": chain, "number": 1, "old_epoch": 0}
    terms |= {"previous": bytes(32), "sequencer": other.vote, "dealers": [keys], "players": [keys]}
    info, _ = ask("ceremony_info", lambda: core.ceremony_info(**terms))
    part = ask("MemberSecrets.ceremony", lambda: one.ceremony(info))
    orders = ask("MemberSecrets.sequencer", lambda: other.sequencer(info))
    effects = ask("Ceremony.step", lambda: part.step(0, "start"))
    orders.step(0, "start")
    waiting = [value for name, value in effects if name == "submit"]
    ask("Ceremony.admit", lambda: orders.admit(waiting[0]))
    made: Any = None
    for pos in itertools.count():
        if not waiting:
            break
        message = waiting.pop(0)
        for who in (orders, part):
            for name, value in who.step(0, "delivered", message, pos):
                if name in {"submit", "append"}:
                    waiting.append(value if name == "submit" else value[1])
                elif name == "activated" and value[2] is not None:
                    made = value
    ask("Ceremony.next_pos", lambda: part.next_pos)
    ask("Ceremony.progress", part.progress)
    transcript = ask("Ceremony.transcript", part.transcript)
    ask("judge_ceremony", lambda: core.judge_ceremony(transcript))
    output, _, share = made
    facts, _ = ask("ceremony_output", lambda: core.ceremony_output(output))
    ask("committee_vkey", lambda: core.committee_vkey("l/committee", bytes.fromhex(facts["key"])))
    ask("MemberSecrets.keep_share", lambda: one.keep_share(output, share))
    ask("MemberSecrets.share", lambda: one.share(output))
    ask("MemberSecrets.wipe", lambda: one.wipe(1, 1))

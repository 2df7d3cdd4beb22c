"""Zero-knowledge proofs from Python: what holds, what does not, and what is never shown."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cwts import zk

CONTEXT = zk.Context(
    chain=bytes([7]) * 32,
    epoch=3,
    role="account",
    subject="alpha",
    as_of_seq=4_711,
    nonce=bytes(32),
)


Case = tuple[bytes, Callable[[bytes, zk.Context], bool]]


def all_cases() -> dict[str, Case]:
    """Give a proof of each kind, and how it is verified."""
    first, second = zk.commit_exposure("5.00"), zk.commit_exposure(5)
    limit = zk.commit_limit("10.00")
    desks = [first.commitment, second.commitment]
    secret = zk.Secret.generate()
    base = zk.Secret.generate().public
    public, shared, bound = secret.public, secret.shared(base), limit.commitment
    return {
        "schnorr": (
            zk.schnorr(secret, CONTEXT),
            lambda p, c: zk.verify_schnorr(p, public, c),
        ),
        "dleq": (
            zk.dleq(secret, base, CONTEXT),
            lambda p, c: zk.verify_dleq(p, public, base, shared, c),
        ),
        "equal": (
            zk.equal(first, second, CONTEXT),
            lambda p, c: zk.verify_equal(p, desks[0], desks[1], c),
        ),
        "exposure": (
            zk.exposure_below(first, limit, CONTEXT),
            lambda p, c: zk.verify_exposure_below(p, desks[0], bound, c),
        ),
        "exposure, public limit": (
            zk.exposure_below(first, 500, CONTEXT),
            lambda p, c: zk.verify_exposure_below(p, desks[0], 500, c),
        ),
        "desks": (
            zk.desks_sum_below([first, second], limit, CONTEXT),
            lambda p, c: zk.verify_desks_sum_below(p, desks, bound, c),
        ),
        "desks, public limit": (
            zk.desks_sum_below([first, second], 1_000, CONTEXT),
            lambda p, c: zk.verify_desks_sum_below(p, desks, 1_000, c),
        ),
    }


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    """Proofs of all kinds."""
    return all_cases()


KINDS = (
    *("schnorr", "dleq", "equal", "exposure", "exposure, public limit"),
    *("desks", "desks, public limit"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_proof_holds_in_its_own_context_and_in_no_other(
    kind: str, cases: dict[str, Case]
) -> None:
    proof, verify = cases[kind]
    assert verify(proof, CONTEXT) is True
    for other in (
        replace(CONTEXT, chain=bytes(32)),
        replace(CONTEXT, epoch=4),
        replace(CONTEXT, role="desk"),
        replace(CONTEXT, subject="beta"),
        replace(CONTEXT, as_of_seq=4_712),
        replace(CONTEXT, nonce=bytes([1]) * 32),
    ):
        assert verify(proof, other) is False
    for wrong in (b"", proof[:-1], proof + b"\0", b"X" + proof[1:], proof[:8] + bytes(72)):
        with pytest.raises(zk.ProofError) as refused:
            verify(wrong, CONTEXT)
        assert refused.value.code.startswith(("PROOF_", "POINT_"))
    changed = bytearray(proof)
    changed[-1] ^= 1
    assert verify(bytes(changed), CONTEXT) is False
    assert zk.facts(proof)["bytes"] == len(proof)


def test_sizes_are_those_of_the_documents(cases: dict[str, Case]) -> None:
    sizes = {kind: len(proof) for kind, (proof, _) in cases.items()}
    assert sizes["schnorr"] == sizes["dleq"] == sizes["equal"] == 16 + 64
    assert sizes["exposure"] == 16 + 736
    assert sizes["desks"] == 16 + 736 + 736
    eight = zk.desks_sum_below([zk.commit_exposure(1)] * 8, 800, CONTEXT)
    assert len(eight) == 16 + 864 + 736
    assert zk.facts(eight) == {"kind": "desks_sum_below_public", "desks": 8, "bytes": len(eight)}


def test_what_is_false_has_no_proof() -> None:
    limit = zk.commit_limit("10.00")
    at, above = zk.commit_exposure("10.00"), zk.commit_exposure("10.01")
    assert zk.exposure_below(at, limit, CONTEXT)
    for prove in (
        lambda: zk.exposure_below(above, limit, CONTEXT),
        lambda: zk.exposure_below(above, 1_000, CONTEXT),
        lambda: zk.desks_sum_below([at, zk.commit_exposure("0.01")], limit, CONTEXT),
    ):
        with pytest.raises(zk.ProofError) as refused:
            prove()
        assert refused.value.code == "ABOVE_LIMIT"
    most = zk.commit_exposure("184467440737095516.15")
    for error, prove in (
        ("SUM_OVERFLOW", lambda: zk.desks_sum_below([most, at], limit, CONTEXT)),
        ("VALUES_DIFFER", lambda: zk.equal(at, above, CONTEXT)),
        ("SAME_COMMITMENT", lambda: zk.equal(at, at, CONTEXT)),
        ("DESKS", lambda: zk.desks_sum_below([], limit, CONTEXT)),
        ("DESKS", lambda: zk.desks_sum_below([at] * 9, limit, CONTEXT)),
    ):
        with pytest.raises(zk.ProofError) as refused:
            prove()
        assert refused.value.code == error


def test_amounts_round_against_the_one_who_proves() -> None:
    for amount, exposure, limit in (
        ("1.001", 101, 100),
        ("1.00", 100, 100),
        (Decimal("1.009"), 101, 100),
        ("0." + "0" * 63 + "1", 1, 0),
        ("12345678901234567.000000000000000000000001", 1_234_567_890_123_456_701, None),
        (7, 700, 700),
        ("0", 0, 0),
    ):
        known = zk.commit_exposure(amount)
        assert zk.exposure_below(known, exposure, CONTEXT)
        if exposure:
            with pytest.raises(zk.ProofError):
                zk.exposure_below(known, exposure - 1, CONTEXT)
        if limit is not None:
            assert zk.limit_amount(amount) == limit
    outside = ("nan", "inf", "-0.01", "184467440737095516.16", "1e400", "1e-400")
    for wrong in ("", "nonsense", *outside):
        with pytest.raises(ValueError, match="amount") as refused:
            zk.commit_exposure(wrong)
        assert not wrong or wrong not in str(refused.value)
    for kind in (1.5, True, None, b"1"):
        with pytest.raises(TypeError, match="amount"):
            zk.commit_exposure(kind)  # type: ignore[arg-type]


def test_a_secret_shows_nothing_and_cannot_be_taken_along(tmp_path: Path) -> None:
    opening = zk.commit_exposure("123456.78")
    opening.save(tmp_path / "one.opening")
    blinding = (tmp_path / "one.opening").read_bytes()[24:56]
    for secret in (opening, zk.Secret(blinding)):
        shown = f"{secret!r} {secret} {dir(secret)}"
        for told in ("12345678", blinding.hex(), repr(blinding)[2:-1]):
            assert told not in shown
        assert not hasattr(secret, "__dict__")
        for take in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                take(secret)
    again = zk.Opening.load(tmp_path / "one.opening")
    assert again.commitment == opening.commitment
    assert (again == opening) is False, "openings are not compared"
    assert "_core" not in repr(CONTEXT)


def test_encodings_that_are_none_are_refused(cases: dict[str, Case]) -> None:
    proof, _ = cases["exposure, public limit"]
    order = bytes.fromhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
    for wrong, code in (
        (bytes(32), "POINT_IDENTITY"),
        (b"\xff" * 32, "POINT_ENCODING"),
        (bytes(31), "PROOF_LENGTH"),
    ):
        with pytest.raises(zk.ProofError) as refused:
            zk.verify_exposure_below(proof, wrong, 500, CONTEXT)
        assert refused.value.code == code
    for wrong, code in (
        (bytes(32), "SECRET_ZERO"),
        (order, "SCALAR_ENCODING"),
        (bytes(33), "PROOF_LENGTH"),
    ):
        with pytest.raises(zk.ProofError) as refused:
            zk.Secret(wrong)
        assert refused.value.code == code
    for change in ({"subject": ""}, {"subject": "a\n"}, {"role": "king"}, {"chain": b"x"}):
        with pytest.raises(zk.ProofError, match=next(iter(change))) as refused:
            replace(CONTEXT, **change)  # type: ignore[arg-type]
        assert refused.value.code == "PROOF_FIELD"
    hidden, _ = cases["exposure"]
    with pytest.raises(zk.ProofError) as refused:
        zk.verify_exposure_below(hidden, zk.commit_exposure(5).commitment, 500, CONTEXT)
    assert refused.value.code == "PROOF_WRONG_KIND"


def test_each_question_has_a_nonce_of_its_own() -> None:
    asked = [
        zk.Context(chain=bytes(32), epoch=0, role="firm", subject="f", as_of_seq=0)
        for _ in range(3)
    ]
    assert len({one.nonce for one in asked}) == len({one.digest for one in asked}) == 3


def test_a_proof_lets_other_threads_run() -> None:
    known = zk.commit_exposure(1)
    ticks, done = 0, threading.Event()

    def work() -> None:
        for _ in range(8):
            zk.desks_sum_below([known] * 8, 800, CONTEXT)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        ticks += 1
        time.sleep(0.001)
    thread.join()
    assert ticks > 8, "a proof that held the lock would leave a tick or two a proof"

"""Threshold BLS from Python: what it gives, what it refuses, what another library says of it."""

from __future__ import annotations

import copy
import itertools
import pickle
import random
from collections.abc import Callable
from hashlib import sha256

import pytest
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.optimized_bls12_381 import G2, add, curve_order, multiply, neg, pairing

from cwts import errors
from cwts import threshold as th

MESSAGE = b"cwts/test/v1\0one batch"
DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
INFINITY = bytes([0xC0]) + bytes(47)


def compressed(point: int) -> bytes:
    return point.to_bytes(48, "big")


def test_seven_of_ten_sign_and_one_key_checks() -> None:
    dealt = th.deal(n=10)
    assert (dealt.sharing.n, dealt.sharing.t) == (10, 7)
    parts = [th.partial_sign(share, MESSAGE) for share in dealt.shares]
    made = {th.recover(dealt.sharing, MESSAGE, random.sample(parts, 7))[0] for _ in range(20)}
    assert len(made) == 1, "any seven make the same signature"
    assert th.verify(dealt.sharing.key, MESSAGE, made.pop())
    again = th.Sharing(bytes(dealt.sharing), n=10, t=7, epoch=0)
    assert bytes(again.key) == bytes(dealt.sharing.key)
    for share in dealt.shares:
        again.check_share(share)


def test_the_member_of_a_bad_partial_is_named() -> None:
    dealt = th.deal(n=4, t=3, epoch=7)
    parts = [th.partial_sign(share, MESSAGE) for share in dealt.shares]
    parts[1] = th.partial_sign(dealt.shares[1], b"another")
    assert not th.verify_partial(dealt.sharing, MESSAGE, parts[1])
    signature, blamed = th.recover(dealt.sharing, MESSAGE, parts)
    assert blamed in ([], [2])
    assert th.verify(dealt.sharing.key, MESSAGE, signature)
    with pytest.raises(errors.NotEnoughSharesError, match=r"2 good partials.*\[2\]") as few:
        th.recover(dealt.sharing, MESSAGE, parts[:3])
    assert (few.value.have, few.value.need, few.value.blamed) == (2, 3, [2])


def test_every_refusal_has_its_code() -> None:
    dealt = th.deal(n=4, t=3, epoch=7)
    sharing, shares = dealt
    parts = [th.partial_sign(share, MESSAGE) for share in shares]

    def old() -> object:
        return th.recover(sharing, MESSAGE, [*parts[:2], th.Partial(bytes(parts[2]), 3, 6)])

    def outside() -> object:
        return th.recover(sharing, MESSAGE, [*parts[:2], th.Partial(bytes(parts[2]), 5, 7)])

    cases: list[tuple[str, Callable[[], object]]] = [
        ("THRESHOLD", lambda: th.deal(n=4, t=5)),
        ("THRESHOLD", lambda: th.deal(n=4, t=0)),
        ("THRESHOLD", lambda: th.deal(n=129, t=86)),
        ("NOT_ENOUGH_SHARES", lambda: th.recover(sharing, MESSAGE, parts[:2])),
        ("DUPLICATE_INDEX", lambda: th.recover(sharing, MESSAGE, [parts[0], *parts[:2]])),
        ("INDEX_ZERO", lambda: th.Partial(bytes(parts[0]), 0, 7)),
        ("INDEX_OUT_OF_RANGE", outside),
        ("WRONG_EPOCH", old),
        ("ENCODING", lambda: th.Partial(INFINITY, 1, 7)),
        ("ENCODING", lambda: th.verify(sharing.key, MESSAGE, INFINITY)),
        ("ENCODING", lambda: th.verify(sharing.key, MESSAGE, b"short")),
        ("ENCODING", lambda: th.PublicKey(bytes([0xC0]) + bytes(95))),
        ("ENCODING", lambda: th.SecretKey(bytes(32))),
        ("ENCODING", lambda: th.SecretKey(curve_order.to_bytes(32, "big"))),
        ("COUNT", lambda: th.Sharing(bytes(sharing)[:-1], n=4, t=3, epoch=7)),
        ("COUNT", lambda: th.verify_batch(sharing.key, [b"one"], [])),
        ("EMPTY", lambda: th.aggregate([])),
        ("SHARE_MISMATCH", lambda: th.deal(n=4, t=3, epoch=7).sharing.check_share(shares[0])),
        ("WRONG_EPOCH", lambda: th.deal(n=4, t=3, epoch=8).sharing.check_share(shares[0])),
    ]
    for code, ask in cases:
        with pytest.raises(errors.ThresholdError) as refused:
            ask()
        assert refused.value.code == code, str(refused.value)


def test_a_secret_shows_itself_to_nobody() -> None:
    value = int.from_bytes(sha256(b"a secret").digest(), "big") % curve_order
    key, share = th.SecretKey(value.to_bytes(32, "big")), th.deal(n=1).shares[0]
    for secret in (key, share):
        shown = f"{secret!r} {secret!s} {dir(secret)} {getattr(secret, '__dict__', '')}"
        assert f"{value:x}" not in shown
        assert str(value) not in shown
        for leak in (pickle.dumps, copy.copy, copy.deepcopy, bytes, int):
            with pytest.raises(TypeError):
                leak(secret)  # type: ignore[operator]
    other = th.SecretKey(value.to_bytes(32, "big"))
    assert key != other, "secrets are not compared"


def test_a_member_proves_what_it_has_and_what_it_signed() -> None:
    dealt = th.deal(n=4, t=3, epoch=7)
    share, session = dealt.shares[0], bytes(range(32))
    held = th.prove_share(share, session)
    assert th.verify_share(dealt.sharing, 1, session, held)
    assert not th.verify_share(dealt.sharing, 2, session, held)
    assert not th.verify_share(dealt.sharing, 1, bytes(32), held)
    partial, proof = th.prove_partial(share, MESSAGE)
    assert partial == th.partial_sign(share, MESSAGE)
    assert th.verify_partial_proof(dealt.sharing, MESSAGE, partial, proof)
    assert not th.verify_partial_proof(dealt.sharing, b"another", partial, proof)
    assert not th.verify_partial_proof(dealt.sharing, MESSAGE, partial, held)
    for wrong in (b"", bytes(63), bytes(65), b"\xff" * 64):
        with pytest.raises(errors.EncodingError):
            th.verify_share(dealt.sharing, 1, session, wrong)
    with pytest.raises(ValueError, match="32"):
        th.prove_share(share, b"short")


def test_a_batch_names_the_places_of_bad_ones() -> None:
    key = th.SecretKey.generate()
    messages = [bytes([at]) for at in range(40)]
    signatures = [th.sign(key, message) for message in messages]
    public = key.public_key()
    assert th.verify_batch(public, messages, signatures) == (True, [])
    signatures[3], signatures[9] = signatures[9], signatures[3]
    signatures[20] = INFINITY
    assert th.verify_batch(public, messages, signatures) == (False, [3, 9, 20])


def test_a_rogue_key_enters_no_registry() -> None:
    """Without proofs X = x g2 - (the other's key) would sign alone for both."""
    other, rogue = th.SecretKey.generate(), th.SecretKey.generate()
    registry = th.KeyRegistry()
    registry.register(other.public_key(), th.pop_prove(other))
    theirs = decompress_G2(split(bytes(other.public_key())))
    own = decompress_G2(split(bytes(rogue.public_key())))
    made = th.PublicKey(b"".join(map(compressed, compress_G2(add(own, neg(theirs))))))
    for proof in (th.pop_prove(rogue), th.pop_prove(other), th.sign(rogue, bytes(made))):
        with pytest.raises(errors.ThresholdError, match="possession"):
            registry.register(made, proof)
    assert len(registry) == 1
    registry.register(rogue.public_key(), th.pop_prove(rogue))
    both = th.aggregate([th.sign(other, MESSAGE), th.sign(rogue, MESSAGE)])
    assert th.fast_aggregate_verify(registry, [0, 1], MESSAGE, both)
    for places in ([], [0], [0, 1, 1], [0, 2]):
        assert not th.fast_aggregate_verify(registry, places, MESSAGE, both)
    signature = th.sign(rogue, bytes(rogue.public_key()))
    assert not th.pop_verify(rogue.public_key(), signature), "a signature is no proof"


def split(key: bytes) -> tuple[int, int]:
    return int.from_bytes(key[:48], "big"), int.from_bytes(key[48:], "big")


@pytest.mark.parametrize("seed", range(4))
def test_another_library_makes_and_checks_the_same(seed: int) -> None:
    """py_ecc, in plain Python: keys, signatures, recovery and the pairing."""
    draw = random.Random(seed)
    value, message = draw.randrange(1, curve_order), draw.randbytes(draw.randrange(80))
    key = th.SecretKey(value.to_bytes(32, "big"))
    public = b"".join(map(compressed, compress_G2(multiply(G2, value))))
    assert bytes(key.public_key()) == public
    hashed = hash_to_G1(message, DST, sha256)
    signature = th.sign(key, message)
    assert signature == compressed(compress_G1(multiply(hashed, value)))

    coefficients = [draw.randrange(1, curve_order) for _ in range(3)]
    shares = [sum(c * x**k for k, c in enumerate(coefficients)) % curve_order for x in range(1, 6)]
    commitments = b"".join(
        compressed(half) for c in coefficients for half in compress_G2(multiply(G2, c))
    )
    sharing = th.Sharing(commitments, n=5, t=3, epoch=1)
    partials = [
        th.Partial(compressed(compress_G1(multiply(hashed, share))), x, 1)
        for x, share in enumerate(shares, 1)
    ]
    whole = compressed(compress_G1(multiply(hashed, coefficients[0])))
    for chosen in itertools.combinations(partials, 3):
        assert th.recover(sharing, message, chosen) == (whole, [])
    if seed == 0:
        # What is recovered here is right in their pairing, which takes a second.
        left = pairing(G2, decompress_G1(int.from_bytes(whole, "big")))
        assert left == pairing(decompress_G2(split(bytes(sharing.key))), hashed)

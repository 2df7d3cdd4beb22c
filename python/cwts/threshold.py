"""Threshold BLS signatures: t of n members sign together, and one key checks it.

Signatures are points of G1 (48 bytes), keys points of G2 (96 bytes), in the suite
``BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_``, which the drand network uses too: any BLS12-381
library verifies them.

Source: draft-irtf-cfrg-bls-signature-05; RFC 9380; Boldyreva 2003 (threshold BLS); Bellare, Garay,
Rabin 1998 (batch verification).

Examples
--------
>>> from cwts import threshold as th
>>> dealt = th.deal(n=10, t=7)
>>> parts = [th.partial_sign(share, b"a batch") for share in dealt.shares[:7]]
>>> signature, blamed = th.recover(dealt.sharing, b"a batch", parts)
>>> th.verify(dealt.sharing.key, b"a batch", signature), blamed
(True, [])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cwts._core import (
    KeyRegistry,
    Partial,
    PublicKey,
    SecretKey,
    Share,
    Sharing,
    bls_aggregate,
    bls_fast_aggregate_verify,
    bls_sign,
    bls_verify,
    bls_verify_batch,
    deal_shares,
    min_pk_verify,
    partial_sign,
    pop_prove,
    pop_verify,
    prove_partial,
    prove_share,
    recover_signature,
    verify_partial,
    verify_partial_proof,
    verify_share,
)

__all__ = [
    "MIN_PK_NUL",
    "MIN_PK_POP",
    "BatchResult",
    "Dealt",
    "KeyRegistry",
    "Partial",
    "PublicKey",
    "SecretKey",
    "Share",
    "Sharing",
    "aggregate",
    "deal",
    "fast_aggregate_verify",
    "partial_sign",
    "pop_prove",
    "pop_verify",
    "prove_partial",
    "prove_share",
    "quorum",
    "recover",
    "sign",
    "verify",
    "verify_batch",
    "verify_min_pk",
    "verify_partial",
    "verify_partial_proof",
    "verify_share",
]

#: The suites in which other networks sign with keys in G1: drand's first, and Ethereum's.
MIN_PK_NUL: Final = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
MIN_PK_POP: Final = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"


class BatchResult(NamedTuple):
    """What a batch verification found.

    Attributes
    ----------
    ok : bool
        Whether every signature is valid.
    bad : list of int
        The places of those that are not, malformed ones among them.
    """

    ok: bool
    bad: list[int]


class Dealt(NamedTuple):
    """What a trusted dealer made.

    Attributes
    ----------
    sharing : Sharing
        The public polynomial: the committee's key, and each member's.
    shares : list of Share
        Those of members 1 to n.
    """

    sharing: Sharing
    shares: list[Share]


def quorum(n: int) -> int:
    """The threshold under which a certificate implies a quorum: n - f with f = (n - 1) // 3."""
    return n - (n - 1) // 3


def deal(*, n: int, t: int | None = None, epoch: int = 0) -> Dealt:
    """Deal a new key as a trusted dealer: for tests and demonstrations only.

    Whoever runs this knows the key. ``cwts committee ceremony`` makes one that nobody knows.

    Parameters
    ----------
    n : int
        The members, at most 128.
    t : int, optional
        How many sign. Default: `quorum` of `n`, 7 of 10.
    epoch : int
        The epoch in which the shares sign.

    Raises
    ------
    ThresholdError
        Not 1 <= t <= n <= 128 (``THRESHOLD``).
    """
    return Dealt(*deal_shares(n=n, t=quorum(n) if t is None else t, epoch=epoch))


def sign(key: SecretKey, message: bytes) -> bytes:
    """Sign a message: 48 bytes.

    Source: draft-irtf-cfrg-bls-signature-05, 2.6.
    """
    return bls_sign(key, message)


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether a signature is the key's, over this message.

    Source: draft-irtf-cfrg-bls-signature-05, 2.7.

    Raises
    ------
    EncodingError
        The signature is not of 48 bytes, no point, outside the subgroup, or the identity.
    """
    return bls_verify(key, message, signature)


def verify_batch(
    key: PublicKey, messages: Sequence[bytes], signatures: Sequence[bytes]
) -> BatchResult:
    """Check many signatures of one key, one for each message, with secret random weights.

    A thousand take a seventh of the time that they take one by one.

    Source: Bellare, Garay, Rabin 1998; weights of 128 bits from the system's randomness.

    Raises
    ------
    ThresholdError
        Lists of different lengths, or more than 1,048,576 (``COUNT``).
    """
    bad = bls_verify_batch(key, list(messages), list(signatures))
    return BatchResult(not bad, bad)


def recover(
    sharing: Sharing, message: bytes, partials: Sequence[Partial]
) -> tuple[bytes, list[int]]:
    """Recover the committee's signature from at least t partials of a message.

    The parts are combined first and the result is verified. Only if that fails is each part
    checked, and the members whose part was bad are named. So an empty list does not say that every
    part was good; and a bad part is no proof against its member, for any t members can make it.

    Returns
    -------
    signature : bytes
        48 bytes; it verifies under ``sharing.key``.
    blamed : list of int
        Members whose partial was bad, from 1.

    Raises
    ------
    NotEnoughSharesError
        Fewer than t good partials; ``have``, ``need`` and ``blamed`` say more.
    ThresholdError
        ``DUPLICATE_INDEX``, ``INDEX_OUT_OF_RANGE``, ``WRONG_EPOCH``.
    """
    return recover_signature(sharing, message, list(partials))


def aggregate(signatures: Sequence[bytes]) -> bytes:
    """Add signatures up. Who signed is verified by `fast_aggregate_verify`.

    Source: draft-irtf-cfrg-bls-signature-05, 2.8.

    Raises
    ------
    ThresholdError
        No signature (``EMPTY``), or a malformed one.
    """
    return bls_aggregate(list(signatures))


def fast_aggregate_verify(
    registry: KeyRegistry, places: Sequence[int], message: bytes, signature: bytes
) -> bool:
    """Whether an aggregate is by all keys at these places of a registry, over one message.

    Only keys that proved possession can be in a registry: without the proof, a rogue key would
    sign alone for all. ``False`` without any place, and with one that is there twice.

    Source: draft-irtf-cfrg-bls-signature-05, 3.3.4.

    Raises
    ------
    EncodingError
        The signature is malformed.
    """
    return bls_fast_aggregate_verify(registry, list(places), message, signature)


def verify_min_pk(key: bytes, message: bytes, signature: bytes, *, suite: str = MIN_PK_NUL) -> bool:
    """Whether another network's signature holds: its key in G1 (48 bytes), itself in G2 (96).

    Raises
    ------
    EncodingError
        The key or the signature is malformed, outside the subgroup, or the identity.
    """
    return min_pk_verify(key, message, signature, suite)

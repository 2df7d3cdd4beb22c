"""Zero-knowledge proofs: what others may know about a secret number without knowing it.

Commit to an exposure and to a limit, give the commitments away, and prove that the one is at most
the other, for the one who asked and as of one entry of the log.

Examples
--------
>>> from cwts import zk
>>> asked = zk.Context(chain=bytes(32), epoch=1, role="account", subject="alpha", as_of_seq=4711)
>>> exposure, limit = zk.commit_exposure("1250000.00"), zk.commit_limit("2000000.00")
>>> proof = zk.exposure_below(exposure, limit, asked)
>>> zk.verify_exposure_below(proof, exposure.commitment, limit.commitment, asked)
True

What each proof says and does not say, and its bytes: docs/proofs.md. Every function of a proof
releases the GIL.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final

from cwts import _core
from cwts._core import Opening, ProofError, Secret
from cwts.orders import Price

__all__ = [
    "DESKS_MAX",
    "ROLES",
    "Context",
    "Opening",
    "ProofError",
    "Secret",
    "commit_exposure",
    "commit_limit",
    "desks_sum_below",
    "dleq",
    "equal",
    "exposure_below",
    "facts",
    "limit_amount",
    "schnorr",
    "verify_desks_sum_below",
    "verify_dleq",
    "verify_equal",
    "verify_exposure_below",
    "verify_schnorr",
]

#: Desks that one proof takes.
DESKS_MAX: Final = 8
#: As what a subject stands in a statement.
ROLES: Final = ("account", "customer", "desk", "firm", "member")

_U64_MAX: Final = 2**64 - 1
_DIGITS_MAX: Final = 18
_PLACES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Context:
    """What a proof is bound to: in any other context it is false.

    Attributes
    ----------
    chain : bytes
        The log's chain id, 32 bytes.
    epoch : int
        The committee's epoch.
    role : str
        As what the subject stands: one of `ROLES`.
    subject : str
        Its name, 1 to 64 bytes of UTF-8 without control characters.
    as_of_seq : int
        The entry of the log as of which the statement holds.
    nonce : bytes
        32 bytes that the verifier drew for this one question, so that no old proof answers it.
        Drawn when none is given; whoever proves takes the verifier's.

    Raises
    ------
    ProofError
        A field is not as it must be; the error names it.
    """

    chain: bytes
    epoch: int
    role: str
    subject: str
    as_of_seq: int
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _core: _core.ProofContext = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check every field, once."""
        made = _core.ProofContext(
            chain=self.chain,
            epoch=self.epoch,
            role=self.role,
            subject=self.subject,
            as_of_seq=self.as_of_seq,
            nonce=self.nonce,
        )
        object.__setattr__(self, "_core", made)

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it, 32 bytes: what two people read aloud to compare."""
        return self._core.digest


def commit_exposure(amount: Price) -> Opening:
    """Commit to an exposure; a part of 0.01 rounds up, against the one who proves.

    Parameters
    ----------
    amount : str, Decimal or int
        In the reporting currency, from 0 to 184,467,440,737,095,516.15; an int means whole units.

    Returns
    -------
    Opening
        Secret: whoever has it knows the number. Its `commitment` is for everybody; `save` writes
        it to a file of mode 0600. It shows nothing of itself, and cannot be copied or pickled.

    Raises
    ------
    TypeError
        A float, or anything else that does not say exactly what it means.
    ValueError
        Not a number in that range. The message does not show it.

    Notes
    -----
    A Pedersen commitment (Pedersen, CRYPTO '91) over ristretto255 (RFC 9496): the number is hidden
    whatever anybody can compute; that it cannot be changed rests on discrete logarithms.
    """
    return Opening.commit(_hundredths(amount, rounds_up=True))


def commit_limit(amount: Price) -> Opening:
    """Commit to a limit; a part of 0.01 rounds down, against the one who proves.

    As `commit_exposure` otherwise.
    """
    return Opening.commit(limit_amount(amount))


def limit_amount(amount: Price) -> int:
    """Give a limit that everybody may know as units of 0.01, rounded down.

    Raises
    ------
    TypeError, ValueError
        As `commit_exposure`.
    """
    return _hundredths(amount, rounds_up=False)


def exposure_below(exposure: Opening, limit: Opening | int, context: Context) -> bytes:
    """Prove that a hidden exposure is at most a limit.

    Parameters
    ----------
    exposure : Opening
        Of the exposure's commitment.
    limit : Opening or int
        Of a hidden limit's commitment; or a number in units of 0.01 that everybody knows
        (`limit_amount`).
    context : Context
        The verifier's.

    Returns
    -------
    bytes
        The proof, 752 bytes.

    Raises
    ------
    ProofError
        ``ABOVE_LIMIT``: it is not true, so there is no proof.

    Notes
    -----
    Bulletproofs (Bünz et al., IEEE S&P 2018) of two numbers of 64 bits: the exposure, and what is
    left below the limit.
    """
    return _core.prove_exposure_below(exposure, limit, context._core)  # noqa: SLF001


def verify_exposure_below(
    proof: bytes, exposure: bytes, limit: bytes | int, context: Context
) -> bool:
    """Tell whether a proof holds that a committed exposure is at most a limit.

    Parameters
    ----------
    proof : bytes
        What `exposure_below` gave.
    exposure : bytes
        The commitment that is believed to be the exposure's, 32 bytes: from the log, not from the
        prover.
    limit : bytes or int
        The limit's commitment, or the limit in units of 0.01.
    context : Context
        One's own.

    Raises
    ------
    ProofError
        These bytes are no such proof, or no commitment. A sound proof that does not hold is
        ``False``.
    """
    return _core.verify_exposure_below(proof, exposure, limit, context._core)  # noqa: SLF001


def desks_sum_below(desks: Sequence[Opening], limit: Opening | int, context: Context) -> bytes:
    """Prove that 1 to 8 hidden exposures are numbers, and that their sum is at most a limit.

    Parameters
    ----------
    desks : sequence of Opening
        In the order in which the verifier has the commitments.
    limit : Opening or int
        As in `exposure_below`.
    context : Context
        The verifier's.

    Returns
    -------
    bytes
        The proof, 1,424 to 1,616 bytes.

    Raises
    ------
    ProofError
        ``ABOVE_LIMIT`` or ``SUM_OVERFLOW``: it is not true; ``DESKS``: none, or too many.

    Notes
    -----
    That the firm's commitment is the sum of the desks' needs no proof: the verifier adds them.
    """
    return _core.prove_desks_sum_below(list(desks), limit, context._core)  # noqa: SLF001


def verify_desks_sum_below(
    proof: bytes, desks: Sequence[bytes], limit: bytes | int, context: Context
) -> bool:
    """Tell whether a proof holds that the sum of committed exposures is at most a limit.

    As `verify_exposure_below`, with one commitment a desk.
    """
    return _core.verify_desks_sum_below(proof, list(desks), limit, context._core)  # noqa: SLF001


def equal(first: Opening, second: Opening, context: Context) -> bytes:
    """Prove that two commitments are to one number, and nothing of that number.

    Returns
    -------
    bytes
        The proof, 80 bytes.

    Raises
    ------
    ProofError
        ``VALUES_DIFFER``: it is not true; ``SAME_COMMITMENT``: their bytes are equal already.

    Notes
    -----
    Knowledge of the logarithm of C1 - C2 to the base of blindings (Schnorr, CRYPTO '89).
    """
    return _core.prove_equal(first, second, context._core)  # noqa: SLF001


def verify_equal(proof: bytes, first: bytes, second: bytes, context: Context) -> bool:
    """Tell whether a proof holds that two commitments are to one number.

    Raises
    ------
    ProofError
        As `verify_exposure_below`.
    """
    return _core.verify_equal(proof, first, second, context._core)  # noqa: SLF001


def schnorr(secret: Secret, context: Context) -> bytes:
    """Prove knowledge of the secret x of a public point X = x G.

    Parameters
    ----------
    secret : Secret
        ``Secret.generate()``, or 32 bytes, little-endian, below the group's order; X is its
        `public`.
    context : Context
        The verifier's.

    Returns
    -------
    bytes
        The proof, 80 bytes.

    Notes
    -----
    Schnorr (CRYPTO '89), made non-interactive as draft-irtf-cfrg-sigma-protocols and
    draft-irtf-cfrg-fiat-shamir say, over ristretto255.
    """
    return _core.prove_knowledge(secret, context._core)  # noqa: SLF001


def verify_schnorr(proof: bytes, public: bytes, context: Context) -> bool:
    """Tell whether a proof of knowledge of the secret of `public` holds.

    Raises
    ------
    ProofError
        As `verify_exposure_below`.
    """
    return _core.verify_knowledge(proof, public, context._core)  # noqa: SLF001


def dleq(secret: Secret, base: bytes, context: Context) -> bytes:
    """Prove that X = x G and K = x R have one secret: `secret.public` and `secret.shared(base)`.

    Parameters
    ----------
    secret : Secret
        x.
    base : bytes
        R, 32 bytes.
    context : Context
        The verifier's.

    Returns
    -------
    bytes
        The proof, 80 bytes.

    Notes
    -----
    Chaum and Pedersen (CRYPTO '92).
    """
    return _core.prove_dleq(secret, base, context._core)  # noqa: SLF001


def verify_dleq(proof: bytes, public: bytes, base: bytes, shared: bytes, context: Context) -> bool:
    """Tell whether a proof holds that `public` to G and `shared` to `base` have one secret.

    Raises
    ------
    ProofError
        As `verify_exposure_below`.
    """
    return _core.verify_dleq(proof, public, base, shared, context._core)  # noqa: SLF001


def facts(proof: bytes) -> dict[str, str | int]:
    """Tell a proof's kind, its desks and its size, without verifying it.

    Raises
    ------
    ProofError
        These bytes are no proof.
    """
    return _core.proof_facts(proof)


def _hundredths(amount: Price, *, rounds_up: bool) -> int:
    """Units of 0.01; what is wrong is told without the number, which is secret."""
    if isinstance(amount, float):
        raise TypeError("the amount is a float, and floats are not exact; write it as text")
    if isinstance(amount, bool) or not isinstance(amount, (str, Decimal, int)):
        raise TypeError("the amount must be text, a Decimal, or whole units as an int")
    try:
        exact = Decimal(amount.strip() if isinstance(amount, str) else amount)
    except InvalidOperation:
        raise ValueError("the amount is not a decimal number") from None
    if not exact.is_finite():
        raise ValueError("the amount is not a finite number")
    # Bounded before anything is computed: `1e999999999` must not become an integer.
    if exact.adjusted() >= _DIGITS_MAX or int(exact.as_tuple().exponent) < -_PLACES_MAX:
        raise ValueError(f"the amount is too large, or has more than {_PLACES_MAX} decimal places")
    numerator, denominator = exact.as_integer_ratio()
    whole = 100 * numerator // denominator
    if rounds_up:
        whole = -(-100 * numerator // denominator)
    if numerator < 0 or whole > _U64_MAX:
        raise ValueError("the amount is outside 64 bits in units of 0.01")
    return whole

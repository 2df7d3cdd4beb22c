"""Taking part in a ceremony, from files to files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from cwts import _bounded
from cwts._core import MemberSecrets, ceremony_output, committee_vkey, hide_memory
from cwts.committee import identity
from cwts.committee.ceremony import Joined
from cwts.committee.members import Terms, keep_output, output_file, write_public
from cwts.committee.sequencer import Outcome, Sequencer
from cwts.errors import CeremonyFailedError, ThresholdError, input_error

__all__ = ["Ended", "join", "order", "read_output"]

Watch = Callable[[dict[str, Any]], None]
#: The longest output: t commitments of 96 bytes, and who took part.
_OUTPUT_BYTES_MAX: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Ended:
    """How a ceremony ended.

    Attributes
    ----------
    info : str
        The digest of its information, hex; the same for all who took part.
    failed : dict or None
        Cause, faults and who is missing, if it made no key.
    vkey : str or None
        The committee's public key, as its lines on checkpoints have it.
    epoch, t, n : int or None
        Of the result.
    """

    info: str
    failed: dict[str, Any] | None = None
    vkey: str | None = None
    epoch: int | None = None
    t: int | None = None
    n: int | None = None

    def to_json(self) -> dict[str, Any]:
        """As an object."""
        return {"ok": self.failed is None, **asdict(self)}


def ended(terms: Terms, outcome: Outcome) -> Ended:
    """What is said of an outcome."""
    info = outcome.info.hex()
    if outcome.output is None:
        return Ended(info, outcome.failed)
    facts, _ = ceremony_output(outcome.output)
    vkey = committee_vkey(f"{terms.origin}/committee", bytes.fromhex(facts["key"]))
    return Ended(info, None, vkey, int(facts["epoch"]), int(facts["t"]), int(facts["n"]))


def read_output(path: Path) -> tuple[bytes, dict[str, Any]]:
    """A ceremony's result out of a file, and what it says.

    Raises
    ------
    InputError
        The file is absent or too long.
    ThresholdError
        It is no result of a ceremony; the field is named.
    """
    output = _bounded.read(path, _OUTPUT_BYTES_MAX)
    try:
        return output, ceremony_output(output)[0]
    except ThresholdError as error:
        named = CeremonyFailedError(f"{path}: {error}")
        named.code = error.code
        raise named from None


def join(
    terms_file: Path,
    folder: Path,
    previous: Path | None,
    *,
    passphrase: bytes | None,
    deadline_s: float,
    watch: Watch,
) -> Ended:
    """Take part as the member in a folder; leaves ``output-EPOCH.cwts`` beside the share.

    Raises
    ------
    InputError
        A file is malformed, or the member is not in the terms.
    CeremonyFailedError
        See `cwts.committee.ceremony.Joined.run`.
    """
    hide_memory()
    terms = Terms.load(terms_file)
    own, secrets = identity.load(folder, passphrase)
    if terms.member(own.vote) != own:
        raise input_error(f"{terms_file}: has no member with the keys in {folder}")
    done = _done(terms, folder, secrets)
    if done is not None:
        return done
    before = _previous(terms, previous)
    joined = Joined(terms, folder, own, secrets, previous=before, watch=watch)
    outcome = asyncio.run(joined.run(deadline_s))
    return _keep(terms, folder, outcome)


def _done(terms: Terms, folder: Path, secrets: MemberSecrets) -> Ended | None:
    """What came of this ceremony, if this member went through it before."""
    path = output_file(folder, terms.old_epoch + 1)
    if not path.exists():
        return None
    output, facts = read_output(path)
    if int(facts["number"]) != terms.number or facts["chain"] != terms.chain.hex():
        return None
    # What a crash left.
    secrets.wipe(terms.old_epoch, terms.number)
    return ended(terms, Outcome(bytes.fromhex(facts["info"]), output))


def order(
    terms_file: Path,
    folder: Path,
    previous: Path | None,
    *,
    round_s: float,
    deadline_s: float,
    watch: Watch,
) -> Ended:
    """Order a ceremony's messages as the sequencer in a folder; leaves the transcript there.

    Raises
    ------
    InputError
        A file is malformed, or the sequencer of the terms is another one.
    CeremonyFailedError
        See `cwts.committee.sequencer.Sequencer.run`.
    """
    terms = Terms.load(terms_file)
    own, secrets = identity.load(folder)
    if terms.sequencer != own:
        raise input_error(f"{terms_file}: has another sequencer than the one in {folder}")
    before = _previous(terms, previous)
    part = Sequencer(terms, folder, secrets, previous=before, round_s=round_s, watch=watch)
    return _keep(terms, folder, asyncio.run(part.run(deadline_s)))


def _previous(terms: Terms, path: Path | None) -> bytes | None:
    if path is None:
        if terms.kind == "new":
            return None
        raise input_error(f"a {terms.kind} goes on from an output: --previous FILE")
    output, facts = read_output(path)
    if terms.kind == "new":
        # The old key, which vouches for the new one: of the epoch before, and not kept.
        if int(facts["epoch"]) != terms.old_epoch:
            raise input_error(f"{path}: is of epoch {facts['epoch']}, not {terms.old_epoch}")
    elif facts["digest"] != terms.previous.hex():
        raise input_error(f"{path}: is not the output that the terms go on from")
    return output


def _keep(terms: Terms, folder: Path, outcome: Outcome) -> Ended:
    write_public(folder / f"transcript-{terms.number}.cwts", outcome.transcript)
    if outcome.output is not None:
        keep_output(folder, outcome.output)
    return ended(terms, outcome)

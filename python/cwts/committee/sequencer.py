"""Who orders a ceremony's messages: one list, the same for all.

The sequencer is trusted with time only. It holds no share and reads none; if it shows two lists,
its own signed closes convict it, and members end up with no key rather than with two.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cwts._core import Ceremony, MemberSecrets
from cwts.committee import transport
from cwts.committee.entries import EntryFile
from cwts.committee.identity import TLS_FILE
from cwts.committee.members import Terms
from cwts.committee.roster import Enrolment, absent, info_of, read_roster, write_roster
from cwts.errors import CeremonyFailedError, CwtsError

__all__ = ["ENROL", "ENTRY", "FROM", "HEARD", "PLACE", "ROSTER", "SUBMIT", "Outcome", "Sequencer"]

#: Kinds of frames. A member enrols, asks for the list from a place on, and submits; it gets the
#: roster and entries. Members send each other what they want heard beside the list.
ENROL, ROSTER, FROM, ENTRY, SUBMIT, HEARD = range(1, 7)
PLACE: Final = struct.Struct("<Q")
_TICK_S: Final = 0.1
#: Messages of one connection that count for nothing, before it is cut. Who comes again after a
#: crash says everything again: a few.
_REFUSED_MAX: Final = 64
#: When all is said, members that are still connected get this long to leave.
_LINGER_S: Final = 5.0

Watch = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Outcome:
    """How a ceremony ended.

    Attributes
    ----------
    info : bytes
        The digest of its information; all who took part have the same.
    output : bytes or None
        The result, if the new members certified it.
    certificate : bytes or None
        Their signature over it.
    failed : dict or None
        Else: cause, faults and who is missing.
    transcript : bytes
        What anyone needs to judge it again.
    """

    info: bytes = b""
    output: bytes | None = None
    certificate: bytes | None = None
    failed: dict[str, Any] | None = None
    transcript: bytes = b""


class Sequencer:
    """Orders the messages of one ceremony.

    Parameters
    ----------
    terms : Terms
        What it is about.
    folder : Path
        The sequencer's identity; the list and the roster are kept here.
    secrets : MemberSecrets
        Of that folder.
    previous : bytes, optional
        The output that a refresh or reshare goes on from.
    round_s : float
        A round that n - f members have answered is closed after so long.
    watch : callable, optional
        Takes each status as an object.
    """

    def __init__(
        self,
        terms: Terms,
        folder: Path,
        secrets: MemberSecrets,
        *,
        previous: bytes | None = None,
        round_s: float = 5.0,
        watch: Watch | None = None,
    ) -> None:
        self._terms = terms
        self._folder = folder
        self._secrets = secrets
        self._previous = previous
        self._round_s = round_s
        self._watch: Watch = watch or (lambda _status: None)
        self._enrolled: dict[bytes, Enrolment] = {}
        self._links: set[transport.Link] = set()
        self._followers: set[transport.Link] = set()
        self._ceremony: Ceremony | None = None
        self._entered = time.monotonic()
        self._ended = asyncio.Event()
        self._alone = asyncio.Event()
        self.outcome = Outcome()
        self._list = EntryFile(folder / f"ceremony-{terms.number}.list")
        self._roster = folder / f"ceremony-{terms.number}.roster"

    async def run(self, deadline_s: float) -> Outcome:
        """Order messages until the ceremony has ended; give it up after `deadline_s`.

        Raises
        ------
        OSError
            The address cannot be listened at.
        CeremonyFailedError
            Somebody never enrolled (``NOT_ENROLLED``); who, is said.
        """
        if self._roster.exists():
            self._start(self._roster.read_bytes())
        tls = self._folder / TLS_FILE
        server = await transport.serve(
            self._terms.sequencer, tls, self._terms.everybody, self._serve
        )
        until = time.monotonic() + deadline_s
        try:
            while not self._ended.is_set():
                await asyncio.sleep(_TICK_S)
                self._tick(until)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._alone.wait(), _LINGER_S)
        finally:
            server.close()
            self._list.close()
        if self._ceremony is not None:
            self.outcome.transcript = self._ceremony.transcript()
        return self.outcome

    def _tick(self, until: float) -> None:
        now = time.monotonic()
        if self._ceremony is None:
            if now > until:
                missing = [m.name for m in self._terms.everybody if m.vote not in self._enrolled]
                error = CeremonyFailedError(f"never enrolled: {', '.join(missing)}")
                error.code = "NOT_ENROLLED"
                raise error
            self._open_without()
        elif now > until:
            self._step("give_up")
        elif now - self._entered > self._round_s:
            self._step("timeout")

    async def _serve(self, link: transport.Link) -> None:
        self._links.add(link)
        self._alone.clear()
        try:
            while True:
                self._take(link, *await link.receive())
        except CwtsError as error:
            self._watch({"what": "refused", "peer": link.peer.name, "why": str(error)})
        finally:
            self._links.discard(link)
            self._followers.discard(link)
            if not self._links:
                self._alone.set()

    def _take(self, link: transport.Link, kind: int, payload: bytes) -> None:
        if kind == ENROL:
            self._enrol(link, payload)
        elif kind == FROM and self._ceremony is not None and len(payload) == PLACE.size:
            first = PLACE.unpack(payload)[0]
            for pos, entry in enumerate(self._list.entries[first:], first):
                link.send(ENTRY, PLACE.pack(pos) + entry)
            self._followers.add(link)
        elif kind == SUBMIT and self._ceremony is not None:
            try:
                self._ceremony.admit(payload)
            except CeremonyFailedError as error:
                self._refuse(link, str(error))
            else:
                self._order(payload)
        else:
            raise transport.LinkClosedError(f"{link.peer.name}: a frame of kind {kind}")

    def _refuse(self, link: transport.Link, why: str) -> None:
        self._watch({"what": "refused", "peer": link.peer.name, "why": why})
        link.refused += 1
        if link.refused > _REFUSED_MAX:
            raise transport.LinkClosedError(f"{link.peer.name}: {link.refused} messages refused")

    def _enrol(self, link: transport.Link, payload: bytes) -> None:
        found = Enrolment.read(payload, self._terms)
        if found.vote != link.peer.vote:
            raise transport.LinkClosedError(f"{link.peer.name}: enrols somebody else")
        if self._ceremony is not None:
            link.send(ROSTER, self._roster.read_bytes())
            return
        self._enrolled.setdefault(found.vote, found)
        self._entered = time.monotonic()
        have, need = len(self._enrolled), len(self._terms.everybody)
        self._watch({"what": "enrolled", "peer": link.peer.name, "have": have, "need": need})
        if have == need:
            self._open()

    def _open(self) -> None:
        roster = write_roster(self._enrolled)
        # On disk before anyone sees it: after a restart it is the same one.
        part = self._roster.with_suffix(".part")
        part.write_bytes(roster)
        part.replace(self._roster)
        self._start(roster)
        for link in tuple(self._links):
            # One that cannot take it comes again, and gets it then.
            with contextlib.suppress(transport.LinkClosedError):
                link.send(ROSTER, roster)

    def _open_without(self) -> None:
        """Begin without dealers who did not come, once nobody else does."""
        gone = [m for m in self._terms.everybody if m.vote not in self._enrolled]
        stands = {m.vote: absent(self._terms, m.vote) for m in gone}
        if all(stands.values()) and time.monotonic() - self._entered > self._round_s:
            self._watch({"what": "absent", "peers": [member.name for member in gone]})
            self._enrolled |= {vote: found for vote, found in stands.items() if found}
            self._open()

    def _start(self, roster: bytes) -> None:
        self._enrolled = read_roster(roster, self._terms)
        info, self.outcome.info = info_of(self._terms, self._enrolled)
        goes_on = None if self._terms.kind == "new" else self._previous
        self._ceremony = self._secrets.sequencer(info, goes_on)
        self._step("start")
        for pos, entry in enumerate(self._list.entries):
            self._step("delivered", entry, pos)

    def _order(self, message: bytes) -> None:
        pos = len(self._list.entries)
        self._list.append(message)
        self._list.sync()
        for link in tuple(self._followers):
            with contextlib.suppress(transport.LinkClosedError):
                link.send(ENTRY, PLACE.pack(pos) + message)
        self._step("delivered", message, pos)

    def _step(self, word: str, data: bytes | None = None, pos: int = 0) -> None:
        if self._ceremony is None:
            return
        for name, value in self._ceremony.step(time.monotonic_ns(), word, data, pos):
            if name == "append" and value[0] == len(self._list.entries):
                self._order(value[1])
            elif name == "status":
                if value["what"] == "entered":
                    self._entered = time.monotonic()
                self._watch(value)
            elif name == "activated":
                self.outcome.output, self.outcome.certificate = value[0], value[1]
                self._ended.set()
            elif name == "failed":
                self.outcome.failed = value
                self._ended.set()

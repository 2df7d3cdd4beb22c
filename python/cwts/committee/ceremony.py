"""One member's way through a ceremony: from joining to a share on disk."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cwts._core import Ceremony, MemberSecrets
from cwts.committee import transport
from cwts.committee.entries import EntryFile
from cwts.committee.identity import TLS_FILE
from cwts.committee.members import Member, Terms, keep_output, write_public
from cwts.committee.roster import info_of, read_roster
from cwts.committee.rotation import part_of
from cwts.committee.sequencer import (
    ENROL,
    ENTRY,
    FROM,
    HEARD,
    PLACE,
    ROSTER,
    SUBMIT,
    Outcome,
)
from cwts.errors import CeremonyFailedError

__all__ = ["Joined"]

#: Between two tries to reach the sequencer, or another member.
_RETRY_S: Final = 0.2
_HEARD_TRIES: Final = 25
#: Messages of one member beside the list; an honest one sends one, and again after a crash.
_HEARD_MAX: Final = 8

Watch = Callable[[dict[str, Any]], None]


class Joined:
    """A member in a ceremony.

    Parameters
    ----------
    terms : Terms
        What it is about.
    folder : Path
        The member's identity; share, seed, list and roster are kept here.
    own : Member
        Who it is.
    secrets : MemberSecrets
        Of that folder.
    previous : bytes, optional
        The output that a refresh or reshare goes on from; for a new key, the one of the old key,
        which then vouches for the new one.
    watch : callable, optional
        Takes each status as an object.
    """

    def __init__(
        self,
        terms: Terms,
        folder: Path,
        own: Member,
        secrets: MemberSecrets,
        *,
        previous: bytes | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._terms = terms
        self._folder = folder
        self._own = own
        self._secrets = secrets
        self._previous = previous
        self._watch: Watch = watch or (lambda _status: None)
        self._ceremony: Ceremony | None = None
        self._submitted: list[bytes] = []
        self._early: list[bytes] = []
        self._heard: dict[bytes, int] = {}
        self._telling: set[asyncio.Task[None]] = set()
        self._link: transport.Link | None = None
        self._has_ended = False
        self.outcome = Outcome()
        self._list = EntryFile(folder / f"ceremony-{terms.number}.list")
        self._roster = folder / f"ceremony-{terms.number}.roster"
        #: What each effect of the core asks for. The seed is on disk since this member enrolled.
        self._do: dict[str, Callable[[Any], None]] = {
            "persist_seed": lambda _nothing: None,
            "persist_list": lambda _entries: self._list.sync(),
            "submit": self._submit,
            "broadcast": self._broadcast,
            "status": self._watch,
            "activated": self._activated,
            "wipe_old": lambda _nothing: secrets.wipe(terms.old_epoch, terms.number),
            "failed": self._failed,
        }
        self._enrolment = b"".join(secrets.enrol(terms.chain, terms.number, terms.digest))

    async def run(self, deadline_s: float) -> Outcome:
        """Take part until the ceremony has ended.

        A member that comes again goes on from its own copy of the list.

        Raises
        ------
        OSError
            The member's address cannot be listened at.
        CeremonyFailedError
            The roster or the list is not what it must be; or nothing came within `deadline_s`
            (``TIMEOUT``), and nothing was changed.
        """
        if self._roster.exists():
            self._start(self._roster.read_bytes())
        tls = self._folder / TLS_FILE
        others = tuple(m for m in self._terms.everybody if m.vote != self._own.vote)
        server = await transport.serve(self._own, tls, others, self._hear)
        try:
            await asyncio.wait_for(self._follow(tls), deadline_s)
            if self._telling:
                await asyncio.wait(self._telling, timeout=2.0)
        except TimeoutError:
            error = CeremonyFailedError(f"nothing was decided within {deadline_s:g} s")
            error.code = "TIMEOUT"
            raise error from None
        finally:
            server.close()
            told = tuple(self._telling)
            for task in told:
                task.cancel()
            await asyncio.gather(*told, return_exceptions=True)
            self._list.close()
        if self._ceremony is not None:
            self.outcome.transcript = self._ceremony.transcript()
        return self.outcome

    async def _follow(self, tls: Path) -> None:
        while not self._has_ended:
            try:
                link = await transport.connect(self._own, tls, self._terms.sequencer)
            except transport.LinkClosedError as error:
                self._watch({"what": "waiting", "detail": str(error)})
                await asyncio.sleep(_RETRY_S)
                continue
            self._link = link
            try:
                link.send(ENROL, self._enrolment)
                while not self._has_ended:
                    self._take(link, *await link.receive())
            except transport.LinkClosedError as error:
                self._watch({"what": "waiting", "detail": str(error)})
                await asyncio.sleep(_RETRY_S)
            finally:
                self._link = None
                await link.close()

    def _take(self, link: transport.Link, kind: int, payload: bytes) -> None:
        if kind == ROSTER:
            if self._ceremony is None:
                self._begin(payload)
            elif payload != self._roster.read_bytes():
                raise _wrong("ROSTER_CHANGED", "the sequencer shows another roster than before")
            for message in self._submitted:
                link.send(SUBMIT, message)
            link.send(FROM, PLACE.pack(len(self._list.entries)))
        elif kind == ENTRY and self._ceremony is not None and len(payload) > PLACE.size:
            pos = PLACE.unpack_from(payload)[0]
            if pos != len(self._list.entries):
                raise transport.LinkClosedError(f"sequencer: entry {pos} is not the next one")
            self._list.append(payload[PLACE.size :])
            self._step("delivered", payload[PLACE.size :], pos)
        else:
            raise transport.LinkClosedError(f"sequencer: a frame of kind {kind}")

    def _begin(self, roster: bytes) -> None:
        read_roster(roster, self._terms)
        part = self._roster.with_suffix(".part")
        part.write_bytes(roster)
        part.replace(self._roster)
        self._start(roster)

    def _start(self, roster: bytes) -> None:
        enrolments = read_roster(roster, self._terms)
        if enrolments[self._own.vote].keys != self._enrolment[: len(self._enrolment) - 64]:
            raise _wrong("ROSTER_CHANGED", "the roster has other keys of this member")
        info, self.outcome.info = info_of(self._terms, enrolments)
        self._watch({"what": "info", "digest": self.outcome.info.hex()})
        goes_on = None if self._terms.kind == "new" else self._previous
        self._ceremony = self._secrets.ceremony(info, goes_on)
        self._step("start")
        for pos, entry in enumerate(self._list.entries):
            self._step("delivered", entry, pos)
        for message in self._early:
            self._step("heard", message)
        self._early.clear()

    async def _hear(self, link: transport.Link) -> None:
        while True:
            kind, payload = await link.receive()
            self._heard[link.peer.vote] = heard = self._heard.get(link.peer.vote, 0) + 1
            if kind != HEARD or heard > _HEARD_MAX:
                raise transport.LinkClosedError(f"{link.peer.name}: frame {heard}, of kind {kind}")
            if self._ceremony is not None:
                self._step("heard", payload)
            else:
                self._early.append(payload)

    def _step(self, word: str, data: bytes | None = None, pos: int = 0) -> None:
        if self._ceremony is None:
            return
        for name, value in self._ceremony.step(time.monotonic_ns(), word, data, pos):
            self._do[name](value)

    def _submit(self, message: bytes) -> None:
        self._submitted.append(message)
        if self._link is not None:
            self._link.send(SUBMIT, message)

    def _broadcast(self, message: bytes) -> None:
        for member in self._terms.everybody:
            if member.vote != self._own.vote:
                task = asyncio.get_running_loop().create_task(self._tell(member, message))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    def _failed(self, how: dict[str, Any]) -> None:
        self.outcome.failed = how
        self._has_ended = True

    def _activated(self, made: tuple[bytes, bytes, Any]) -> None:
        output, certificate, share = made
        if share is not None:
            self._secrets.keep_share(output, share)
        self._vouch(output)
        # Before the seed is wiped: without this file the share is of no use after a crash.
        keep_output(self._folder, output)
        self.outcome.output, self.outcome.certificate = output, certificate
        self._has_ended = True

    def _vouch(self, output: bytes) -> None:
        """Sign the new key with the old share, which is wiped next."""
        if self._terms.kind != "new" or self._previous is None:
            return
        share = self._secrets.share(self._previous)
        if share is not None:
            line = part_of(share, self._previous, output)
            write_public(self._folder / f"rotation-{self._terms.number}.part", line)

    async def _tell(self, member: Member, message: bytes) -> None:
        for _ in range(_HEARD_TRIES):
            try:
                link = await transport.connect(self._own, self._folder / TLS_FILE, member)
                link.send(HEARD, message)
                await link.close()
            except transport.LinkClosedError:
                await asyncio.sleep(_RETRY_S)
            else:
                return
        self._watch({"what": "unreachable", "peer": member.name})


def _wrong(code: str, why: str) -> CeremonyFailedError:
    error = CeremonyFailedError(why)
    error.code = code
    return error

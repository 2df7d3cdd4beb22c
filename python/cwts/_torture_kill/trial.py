"""One trial: a directory, a few lives of a gateway in it, and the laws between them."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cwts import _core
from cwts._torture_kill.damage import damage, must_halt
from cwts._torture_kill.plan import Life, Stop, covers
from cwts._torture_kill.process import GatewayProcess

__all__ = ["Broken", "Trial"]

#: States from lax to strict.
_STRICTNESS: Final = {"ACTIVE": 0, "REDUCE_ONLY": 1, "HALTED": 2}
#: What the kill files may differ from the log by while nobody has started again.
_EXPECTED_KINDS: Final = ("KILL_DIFFERS", "NOT_CANONICAL", "FILE_MISSING")
_ACTORS: Final = ("ana", "ben", "cyd")


class Broken(Exception):  # noqa: N818 - it is what a law is, not an error of ours
    """A law that does not hold."""


@dataclass(frozen=True, slots=True)
class _Promise:
    """A hold that must stand until somebody lifts it."""

    scope: str
    state: str


@dataclass
class Trial:
    """What happened so far, and what must hold of what follows.

    Parameters
    ----------
    place : Path
        An empty directory; log and keys go there.
    draw : random.Random
        For places of damage.
    planted : str
        A bug for the gateway's process, or nothing.
    """

    place: Path
    draw: random.Random
    planted: str = ""
    story: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _promises: list[_Promise] = field(default_factory=list)
    #: Reasons of acknowledged halts whose cancels must be in the log.
    _emptied: list[str] = field(default_factory=list)
    #: Number of entries, and digest of the state after them, as a gateway said when they were
    #: on disk. They must be the log's for ever.
    _states: dict[int, str] = field(default_factory=dict)
    _process: GatewayProcess | None = None
    _stops: int = 0

    @property
    def log(self) -> Path:
        """The log's directory."""
        return self.place / "log"

    def run(self, lives: Sequence[Life]) -> None:
        """Live all lives, and judge after each.

        Raises
        ------
        Broken
            A law does not hold.
        SilentError
            A gateway did not do in time what it must do.
        """
        damaged = ""
        for number, life in enumerate(lives):
            self._tell(f"life {number}: {life.mode}, clock steps {list(life.clock_ns)} ns")
            has_started = self._live(life, damaged)
            self.counts["lives"] += 1
            self._judge(is_whole=life.closes and has_started)
            if has_started:
                # Until a start has said that it halted the firm for it, the next one must.
                damaged = ""
            if life.damage is not None:
                name, how = life.damage
                self._tell(damage(self.log, name, how, self.draw))
                self.counts["damages"] += 1
                damaged = name if must_halt(name) else damaged
        self._verified(clean=True)

    def end(self) -> None:
        """Leave no process behind."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _live(self, life: Life, damaged: str) -> bool:
        """Live one life, and say whether it was told that the gateway had started."""
        errors = self.place / "stderr.txt"
        running = GatewayProcess(life, self.log, self.place / "keys", errors, self.planted)
        self._process = running
        if life.dies_young_s is not None:
            running.rest(max(0.0, life.dies_young_s - (time.monotonic() - running.began)))
            self._kill(running, "young")
            return False
        started = running.must_say("started")
        self._check_start(started, damaged)
        if life.resumes:
            self._resume_all(running, started)
        if life.mode == "flood":
            running.must_say("full")
            self.counts["full queues"] += 1
        else:
            running.rest(life.trades_s)
        told_after = self._stop(running, life.stop) if life.stop is not None else []
        if life.closes:
            running.close()
            self._note_states(running)
            self._process = None
            self._tell("closed")
            self.counts["closes"] += 1
        else:
            self._kill(running, "at work")
        for scope, seq in told_after:
            self._nothing_after(running, scope, seq)
        return True

    def _kill(self, running: GatewayProcess, when: str) -> None:
        running.kill()
        self._process = None
        self._note_states(running)
        self._tell(f"SIGKILL, {when}")
        self.counts["kills"] += 1

    def _note_states(self, running: GatewayProcess) -> None:
        for line in running.said:
            if line["what"] in ("started", "state"):
                size, digest = line["size"], line["digest"]
                if self._states.setdefault(size, digest) != digest:
                    raise Broken(f"two states were told after {size:,} entries")

    # The kill switch, from this process.

    def _stop(self, running: GatewayProcess, stop: Stop) -> list[tuple[str, int]]:
        """Pull the switch; give scope and entry of an acknowledged halt."""
        self._stops += 1
        reason = f"stop {self._stops}"
        actor = self.draw.choice(_ACTORS)
        state = "REDUCE_ONLY" if stop.reduce_only else "HALTED"
        asked = _core.request_halt(
            str(self.log),
            stop.scope,
            reason=reason,
            actor=actor,
            reduce_only=stop.reduce_only,
            cancel_working=stop.cancel_working,
        )
        self.counts["halts"] += 1
        extra = ", cancelling" if stop.cancel_working else ""
        self._tell(f"{state} on {stop.scope} by another process ({reason}{extra})")
        # From here on it must hold, acknowledged or not: page and request are on disk.
        self._promises.append(_Promise(stop.scope, state))
        if stop.cancel_working:
            self._emptied.append(reason)
        if not stop.waits:
            return []
        running.until_gone(Path(asked["request"]), f"the halt `{reason}` is acknowledged")
        rows = _core.standing_holds(str(self.log))
        mine = [row for row in rows if row["reason"] == reason]
        if len(mine) != 1:
            raise Broken(f"the acknowledged halt `{reason}` is {len(mine)} holds in kill.state")
        self._tell(f"acknowledged: hold {mine[0]['id']}, entry {mine[0]['seq']:,}")
        running.rest(stop.lingers_s)
        return [] if stop.reduce_only else [(stop.scope, int(mine[0]["seq"]))]

    def _resume_all(self, running: GatewayProcess, started: dict[str, Any]) -> None:
        for hold in started["holds"]:
            asked = _core.request_resume(
                str(self.log), hold["id"], actor="dan", approver="eve", reason="torture goes on"
            )
            running.until_gone(Path(asked["request"]), f"the resume of {hold['id']} is taken in")
            self.counts["resumes"] += 1
        standing = _core.standing_holds(str(self.log))
        if standing:
            raise Broken(f"{len(standing)} holds stand although all were lifted by two people")
        self._promises.clear()
        if started["holds"]:
            self._tell(f"{len(started['holds'])} holds lifted")

    # The laws.

    def _check_start(self, started: dict[str, Any], damaged: str) -> None:
        holds = started["holds"]
        for promise in self._promises:
            if not any(_is_kept(promise, hold) for hold in holds):
                raise Broken(f"{promise.state} on {promise.scope} did not outlive the restart")
        is_halted = any(row["scope"] == "firm" and row["state"] == "HALTED" for row in holds)
        if damaged:
            if not is_halted:
                raise Broken(f"a damaged {damaged} was not read as HALTED at firm")
            self.counts["damages read as halted"] += 1
        self._tell(f"started at entry {started['size']:,} with {len(holds)} holds")

    def _nothing_after(self, running: GatewayProcess, scope: str, seq: int) -> None:
        """No sender was told of an acceptance behind the hold's entry."""
        for line in running.said:
            if line["what"] != "state":
                continue
            for key, accepted in line["accepted"].items():
                if covers(scope, *key.split("/")) and accepted > seq:
                    raise Broken(
                        f"a sender of {key} was told that decision {accepted:,} accepts, behind "
                        f"the halt of {scope} in entry {seq:,}"
                    )

    def _judge(self, *, is_whole: bool) -> None:
        """Fold the log anew, and hold against it what the gateways said."""
        # A life that died before it had a log leaves none, and the next one makes it.
        if not any(self.log.glob("wal/*")):
            return
        if self._process is not None:
            raise Broken("a process still runs")
        sizes = sorted(self._states)
        emptied = self._emptied if is_whole else []
        judged = _core.torture_judge(str(self.log), sizes, emptied)
        for size, digest in zip(sizes, judged["digests"], strict=True):
            if digest is None:
                raise Broken(f"{size:,} entries were on disk, and {judged['size']:,} are left")
            if digest != self._states[size]:
                raise Broken(f"the state after {size:,} entries is not the one that the log gives")
        if judged["broken"]:
            raise Broken(judged["broken"][0])
        self.counts["states compared"] += len(sizes)
        for name in ("orders", "cancels_by_gateway", "denied", "time_back", "unlogged"):
            self.counts[name] = max(self.counts[name], int(judged["counts"][name]))
        self._verified(clean=is_whole)

    def _verified(self, *, clean: bool) -> None:
        verdict = _core.verify(str(self.log), [], "full")
        wrong = [
            finding["text"]
            for finding in verdict["findings"]
            if clean or finding["kind"] not in _EXPECTED_KINDS
        ]
        if wrong:
            raise Broken(f"the log does not verify: {wrong[0]}")
        if clean and not verdict["clean"]:
            raise Broken("the log was closed and does not say so")
        self.counts["verifications"] += 1

    def _tell(self, what: str) -> None:
        self.story.append(what)


def _is_kept(promise: _Promise, hold: dict[str, Any]) -> bool:
    is_over = hold["scope"] in (promise.scope, "firm")
    return is_over and _STRICTNESS[hold["state"]] >= _STRICTNESS[promise.state]

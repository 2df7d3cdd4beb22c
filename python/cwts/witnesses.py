"""Witnesses: others who cosign a log's checkpoints, asked aside of the order path.

Source: C2SP tlog-witness and tlog-cosignature. A round takes the newest checkpoint, and none that
came before it; what is missed is missed. Each witness is asked on a thread of its own with a
deadline, so one that hangs delays nobody but the next round.
"""

from __future__ import annotations

import http.client
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, urlsplit

from cwts import _core

__all__ = ["WITNESSES_MAX", "Answer", "Witness", "WitnessRounds", "submit"]

#: Witnesses of one log.
WITNESSES_MAX: Final = 16
#: A log is submitted so often at most, seconds; in between its checkpoints pass unseen.
_PERIOD_S: Final = 1.0
#: A witness that failed is left alone for a second, then twice as long, up to this.
_PAUSE_S_MAX: Final = 60.0
_TIMEOUT_S_MAX: Final = 60.0
#: An answer holds a few signature lines.
_ANSWER_BYTES_MAX: Final = 65_536
_SIZE_DIGITS_MAX: Final = 20
#: What a refusal means. The body of the answer is the witness's, and goes into no log.
_ALERTS: Final = {
    403: "refused the log's signature (403): it knows another key under this origin",
    404: "does not know this log (404)",
    422: "holds a checkpoint that the log does not go on from (422): fork, or set back",
}
_OK: Final = 200
_CONFLICT: Final = 409
_LOGGER: Final = logging.getLogger("cwts.witnesses")


class _Writer(Protocol):
    """Who writes a log: a gateway, or a log of records."""

    _core: _core.Gateway


@dataclass(frozen=True, slots=True)
class Witness:
    """Somebody who cosigns checkpoints of a log.

    Parameters
    ----------
    url : str
        The submission prefix: ``add-checkpoint`` is asked below it.
    vkey : str
        The witness's verification key, as ``name+id+base64``.
    timeout_s : float
        How long one question may take, seconds, at most 60.

    Raises
    ------
    ValueError
        The URL is not of http or https, or the key is no witness's.
    """

    url: str
    vkey: str
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        _parts(self.url)
        _core.witness_name(self.vkey)
        if not 0 < self.timeout_s <= _TIMEOUT_S_MAX:
            why = f"timeout_s is {self.timeout_s}, must be above 0 and at most {_TIMEOUT_S_MAX:g}"
            raise ValueError(why)

    @property
    def name(self) -> str:
        """The name of its key."""
        return _core.witness_name(self.vkey)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking one witness."""

    name: str
    #: The size that it cosigned; ``None`` if it did not.
    size: int | None
    #: Why not, in words; empty if it did.
    trouble: str = ""
    #: Whether somebody should look: the witness and the log do not agree.
    is_alert: bool = False


@dataclass(slots=True)
class _Asked:
    """One question, under way or answered."""

    lines: bytes | None = None
    trouble: str = "did not answer in time"
    is_alert: bool = False


@dataclass(slots=True)
class _Lane:
    """A witness, and how it did so far."""

    witness: Witness
    size: int = 0
    trouble: str = ""
    is_alert: bool = False
    pause_s: float = 0.0
    due_s: float = 0.0
    thread: threading.Thread | None = field(default=None, repr=False)

    def is_due(self, size: int, now_s: float) -> bool:
        is_busy = self.thread is not None and self.thread.is_alive()
        return self.size < size and self.due_s <= now_s and not is_busy

    def learn(self, answer: Answer) -> bool:
        """Take an answer in; give whether it is an alert that was not raised yet."""
        is_new = answer.is_alert and answer.trouble != self.trouble
        self.trouble, self.is_alert = answer.trouble, answer.is_alert
        if answer.size is not None:
            self.size, self.pause_s, self.due_s = answer.size, 0.0, 0.0
        else:
            self.pause_s = min(max(1.0, 2 * self.pause_s), _PAUSE_S_MAX)
            self.due_s = time.monotonic() + self.pause_s
        return is_new


class WitnessRounds:
    """Submits a log's newest checkpoint to its witnesses, round by round."""

    def __init__(self, directory: str | os.PathLike[str], witnesses: Iterable[Witness]) -> None:
        self._directory = Path(directory)
        self._lanes = [_Lane(witness) for witness in witnesses]
        names = {lane.witness.name for lane in self._lanes}
        if len(names) != len(self._lanes) or len(self._lanes) > WITNESSES_MAX:
            why = f"witnesses: at most {WITNESSES_MAX}, each of another name"
            raise ValueError(why)
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(self, *, all_now: bool = False) -> list[Answer]:
        """Ask each witness that is due, and keep what they cosigned; give the new alerts.

        With `all_now` those that are paused after a failure are asked too.
        """
        with self._lock:
            found = _core.checkpoint(os.fspath(self._directory))
            size, note = int(found["size"]), str(found["note"]).encode()
            now_s = float("inf") if all_now else time.monotonic()
            lanes = [lane for lane in self._lanes if lane.is_due(size, now_s)]
            answers = _ask_all(self._directory, note, size, lanes)
            news = [
                answer for lane, answer in zip(lanes, answers, strict=True) if lane.learn(answer)
            ]
        for answer in news:
            _LOGGER.warning("witness %s %s", answer.name, answer.trouble)
        return news

    def finish(self) -> None:
        """Submit the last checkpoint, and no more."""
        self._stop.set()
        try:
            self.run(all_now=True)
        except _core.CwtsError as error:
            # The log is closed and sound; it is its copy elsewhere that was not asked for.
            _LOGGER.warning("witnesses were not asked a last time: %s", error)

    def watch(self, owner: _Writer) -> None:
        """Run a round each second until the log is closed or its owner is gone.

        A new alert becomes a NOTE in the log and a warning of the logger ``cwts.witnesses``.
        """
        weakref.finalize(owner, self._stop.set)
        # Only the log's owner keeps it alive: its log is free for others when it is dropped.
        known = weakref.ref(owner)

        def go_on() -> None:
            while not self._stop.wait(_PERIOD_S):
                try:
                    alerts = self.run()
                    alive = known()
                    if alive is None:
                        return
                    for alert in alerts:
                        text = f"witness {alert.name} {alert.trouble}"
                        _core.append_note(alive._core, text, "")  # noqa: SLF001 - its own thread
                    del alive
                except _core.CwtsError:
                    # Closed, or its log has failed: its next caller is told. A log without a
                    # checkpoint, or one that is being replaced, is looked at again.
                    continue
                except RuntimeError:
                    # The interpreter ends, and starts no thread any more.
                    return

        threading.Thread(target=go_on, name="cwts-witnesses", daemon=True).start()

    def state(self) -> list[dict[str, Any]]:
        """Tell of each witness: name, url, newest size that it cosigned, and what is wrong."""
        return [
            {
                "name": lane.witness.name,
                "url": lane.witness.url,
                "size": lane.size,
                "trouble": lane.trouble,
                "is_alert": lane.is_alert,
            }
            for lane in self._lanes
        ]


def submit(log: str | os.PathLike[str], witness: Witness) -> Answer:
    """Submit a log's newest checkpoint to one witness, and keep its line beside it.

    Raises
    ------
    LogError
        There is no checkpoint.
    """
    directory = Path(log)
    found = _core.checkpoint(os.fspath(directory))
    note = str(found["note"]).encode()
    return _ask_all(directory, note, int(found["size"]), [_Lane(witness)])[0]


def _ask_all(directory: Path, note: bytes, size: int, lanes: list[_Lane]) -> list[Answer]:
    """Ask these witnesses at once, each until its deadline, and keep what they cosigned."""
    asked = [_Asked() for _ in lanes]
    deadlines = []
    for lane, one in zip(lanes, asked, strict=True):
        arguments = (directory, lane.witness, note, size, one)
        lane.thread = threading.Thread(
            target=_ask, args=arguments, name=f"cwts-witness-{lane.witness.name}", daemon=True
        )
        lane.thread.start()
        deadlines.append(time.monotonic() + lane.witness.timeout_s)
    for lane, deadline in zip(lanes, deadlines, strict=True):
        if lane.thread is not None:
            lane.thread.join(max(0.0, deadline - time.monotonic()))
    lines = {lane.witness.vkey: one.lines for lane, one in zip(lanes, asked, strict=True)}
    given = [(vkey, answer) for vkey, answer in lines.items() if answer is not None]
    kept: dict[str, str | None] = {}
    trouble = ""
    try:
        refused = _core.keep_witnessed(os.fspath(directory), note, given) if given else []
        kept = {vkey: why for (vkey, _), why in zip(given, refused, strict=True)}
    except _core.CwtsError as error:
        trouble = f"cosigned, and the line was not kept: {error}"
    answers = []
    for lane, one in zip(lanes, asked, strict=True):
        name, vkey = lane.witness.name, lane.witness.vkey
        if lines[vkey] is None:
            answers.append(Answer(name, None, one.trouble, one.is_alert))
        elif vkey not in kept:
            answers.append(Answer(name, None, trouble))
        elif kept[vkey] is None:
            answers.append(Answer(name, size))
        else:
            why = f"answered what its key did not sign: {kept[vkey]}"
            answers.append(Answer(name, None, why, is_alert=True))
    return answers


def _ask(directory: Path, witness: Witness, note: bytes, size: int, asked: _Asked) -> None:
    """Submit a checkpoint; after a conflict once more, from the size that the witness has."""
    deadline = time.monotonic() + witness.timeout_s
    try:
        old: int | None = None
        for _ in range(2):
            body = _core.witness_request(os.fspath(directory), witness.vkey, note, old)
            if not body:
                newest = int(_core.checkpoint(os.fspath(directory))["size"])
                asked.trouble = f"has seen {old} entries already"
                asked.is_alert = old is None or old > newest
                if asked.is_alert:
                    asked.trouble += f", and the log has {newest}: it was set back, or copied"
                return
            status, kind, content = _post(witness, body, deadline)
            if status == _OK:
                asked.lines = content
                return
            seen = content.decode("ascii", "replace").removesuffix("\n")
            is_size = seen.isdecimal() and len(seen) <= _SIZE_DIGITS_MAX
            if status != _CONFLICT or kind != "text/x.tlog.size" or not is_size:
                asked.trouble = _ALERTS.get(status, f"answered with status {status}")
                asked.is_alert = status in _ALERTS
                return
            old = int(seen)
        asked.trouble = f"has another size than {size} again and again (409)"
    except (OSError, http.client.HTTPException) as error:
        # What follows is the system's; a witness's own text goes nowhere.
        asked.trouble = f"cannot be asked: {type(error).__name__}"
    except (_core.CwtsError, OverflowError) as error:
        asked.trouble = f"was not asked: {error}"


def _post(witness: Witness, body: bytes, deadline: float) -> tuple[int, str, bytes]:
    """Send one request, without following where it may lead; give status, type and body."""
    parts = _parts(witness.url)
    is_secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_left(deadline))
    try:
        path = f"{parts.path.rstrip('/')}/add-checkpoint"
        headers = {"content-type": "text/plain; charset=utf-8", "connection": "close"}
        connection.request("POST", path, body=body, headers=headers)
        response = connection.getresponse()
        content = b""
        while len(content) <= _ANSWER_BYTES_MAX:
            if connection.sock is not None:
                connection.sock.settimeout(_left(deadline))
            chunk = response.read1(_ANSWER_BYTES_MAX + 1 - len(content))
            if not chunk:
                break
            content += chunk
        else:
            raise http.client.HTTPException
        return response.status, response.getheader("content-type", ""), content
    finally:
        connection.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    plain = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc
    if not plain or parts.query or parts.fragment:
        why = f"url is {url[:100]!r}, must be http:// or https://, a host, and at most a path"
        raise ValueError(why)
    # A port that is none raises here, and not on a thread.
    _ = parts.port
    return parts

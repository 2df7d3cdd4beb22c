"""A committee on one machine: ten processes, ten identities, one ceremony after the other.

For demonstrations and tests: all secrets lie in one directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from cwts import _bounded
from cwts.committee import identity, parts, plans, rotation
from cwts.committee.members import MEMBERS_MAX, Member, Terms, chain_of, write_public
from cwts.errors import CwtsError, input_error

__all__ = ["create", "refresh", "reshare", "rotate"]

_STATE: Final = "committee.json"
_STATE_BYTES_MAX: Final = 4_096
_ROUND_S: Final = 2.0
_LOOPBACK: Final = "127.0.0.1"
_STOP_S: Final = 10.0

Watch = Callable[[dict[str, Any]], None]


def create(out: Path, n: int, origin: str, deadline_s: float, watch: Watch) -> parts.Ended:
    """Make `n` members and a sequencer in `out`, and hold the ceremony of their key.

    Raises
    ------
    InputError
        The directory has something in it.
    CeremonyFailedError
        Not all joined within `deadline_s`.
    """
    if out.exists() and any(out.iterdir()):
        raise input_error(f"{out}: is not empty")
    out.mkdir(parents=True, exist_ok=True)
    ports = _free_ports(n + 1)
    sequencer = identity.create(out / "sequencer", "sequencer", _LOOPBACK, ports[0])
    players = [_member(out, at, port) for at, port in enumerate(ports[1:], 1)]
    terms = plans.make_new(origin, chain_of(origin), 1, sequencer, players)
    return _hold(out, terms, frozenset(), deadline_s, watch)


def refresh(directory: Path, deadline_s: float, watch: Watch) -> parts.Ended:
    """Renew all shares: the same key, and the old shares are worth nothing.

    Raises
    ------
    InputError
        There is no committee.
    """
    terms, output = _current(directory)
    after = plans.following(terms, output, _next(directory), list(terms.players))
    return _hold(directory, after, frozenset(), deadline_s, watch)


def reshare(
    directory: Path, lost: tuple[str, ...], add: int, deadline_s: float, watch: Watch
) -> parts.Ended:
    """Move the shares to other members: the same key.

    Parameters
    ----------
    directory : Path
        The committee.
    lost : tuple of str
        Members that are gone: they take no part, and new ones come for them.
    add : int
        How many more come in beside.
    deadline_s : float
        Seconds after which it is given up.
    watch : callable
        Takes each status as an object.

    Raises
    ------
    InputError
        There is no committee, or no such member.
    """
    terms, output = _current(directory)
    names = {member.name for member in terms.players}
    if unknown := set(lost) - names:
        known = ", ".join(sorted(names))
        raise input_error(f"no member {min(unknown)!r}; there are {known}")
    kept = [member for member in terms.players if member.name not in lost]
    used = [int(path.name[1:]) for path in directory.glob("m[0-9]*")]
    ports = _free_ports(len(lost) + add)
    fresh = [_member(directory, max(used) + at, port) for at, port in enumerate(ports, 1)]
    if not 0 < len(kept) + len(fresh) <= MEMBERS_MAX:
        raise input_error(f"{len(kept) + len(fresh)} members: 1 to {MEMBERS_MAX} are needed")
    after = plans.following(terms, output, _next(directory), kept + fresh)
    return _hold(directory, after, frozenset(lost), deadline_s, watch)


def rotate(directory: Path, deadline_s: float, watch: Watch) -> parts.Ended:
    """Give the committee a new key, for which the old one vouches in ``rotation.json``.

    Raises
    ------
    InputError
        There is no committee.
    NotEnoughSharesError
        Fewer than t members signed with their old shares.
    """
    terms, output = _current(directory)
    after = plans.another_key(terms, output, _next(directory))
    found = _hold(directory, after, frozenset(), deadline_s, watch)
    if found.failed is None:
        name = f"rotation-{after.number}.part"
        signed = []
        for path in sorted(directory.glob(f"m[0-9]*/{name}")):
            # One that is malformed is one less, as one that is absent.
            with contextlib.suppress(CwtsError):
                signed.append(rotation.read_part(path, output))
        folder = directory / "ceremonies" / f"{after.number:04}"
        new_output = (directory / "output.cwts").read_bytes()
        rotation.certify(folder / "rotation.json", output, new_output, signed)
    return found


def _member(out: Path, at: int, port: int) -> Member:
    return identity.create(out / f"m{at:02}", f"m{at:02}", _LOOPBACK, port)


def _hold(
    out: Path, terms: Terms, lost: frozenset[str], deadline_s: float, watch: Watch
) -> parts.Ended:
    """Run everybody's part in a process of its own, and the sequencer's here."""
    folder = out / "ceremonies" / f"{terms.number:04}"
    folder.mkdir(parents=True)
    file = folder / "terms.toml"
    write_public(file, terms.to_toml())
    previous = out / "output.cwts" if terms.old_epoch > 0 else None
    coming = [member.name for member in terms.everybody if member.name not in lost]
    with _processes(out, file, previous, coming, deadline_s) as running:
        found = parts.order(
            *(file, out / "sequencer", previous),
            round_s=_ROUND_S,
            deadline_s=deadline_s,
            watch=watch,
        )
        until = time.monotonic() + _STOP_S
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))
    transcript = out / "sequencer" / f"transcript-{terms.number}.cwts"
    (folder / "transcript.cwts").write_bytes(transcript.read_bytes())
    if found.failed is None:
        made = out / "sequencer" / f"output-{found.epoch}.cwts"
        (out / "output.cwts").write_bytes(made.read_bytes())
        write_public(out / "committee.vkey", f"{found.vkey}\n")
        write_public(out / _STATE, json.dumps({"schema": 1, "number": terms.number}) + "\n")
    return found


@contextlib.contextmanager
def _processes(
    out: Path, terms: Path, previous: Path | None, names: list[str], deadline_s: float
) -> Iterator[list[subprocess.Popen[bytes]]]:
    goes_on = [] if previous is None else ["--previous", os.fspath(previous)]
    running = []
    try:
        for name in names:
            words = ["committee", "ceremony", "join", os.fspath(terms), "--identity"]
            command = [sys.executable, "-m", "cwts", *words, os.fspath(out / name), *goes_on]
            with (out / name / "join.out").open("wb") as log:
                running.append(
                    subprocess.Popen(  # noqa: S603 - our own command
                        [*command, "--deadline", f"{deadline_s:g}"],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        yield running
    finally:
        for process in running:
            if process.poll() is None:
                process.kill()
            process.wait()


def _current(directory: Path) -> tuple[Terms, bytes]:
    """The terms and the output that count now."""
    try:
        number = _number(_bounded.read(directory / _STATE, _STATE_BYTES_MAX))
        output, _ = parts.read_output(directory / "output.cwts")
    except (CwtsError, ValueError, TypeError, AttributeError) as error:
        raise input_error(
            f"{directory}: is no demo committee ({error}); make one with `cwts committee init`"
        ) from None
    return Terms.load(directory / "ceremonies" / f"{number:04}" / "terms.toml"), output


def _number(state: bytes) -> int:
    """The number of the ceremony whose key counts."""
    found = json.loads(state)
    if found.keys() != {"schema", "number"} or found["schema"] != 1:
        raise ValueError(f"{_STATE}: is of another schema")
    return int(found["number"])


def _next(directory: Path) -> int:
    """A number that no ceremony had, not even one that failed."""
    used = (directory / "ceremonies").iterdir()
    return max(int(path.name) for path in used if re.fullmatch(r"\d+", path.name)) + 1


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((_LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]

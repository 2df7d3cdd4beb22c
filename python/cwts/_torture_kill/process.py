"""The parent's end of one gateway process: what it said so far, and its end."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from cwts._torture_kill.plan import Life

__all__ = ["PATIENCE_S", "GatewayProcess", "SilentError"]

#: However slow the machine: a wait that takes longer than this is a violation of its own.
PATIENCE_S: Final = 30.0

_CODE: Final = "from cwts._torture_kill.child import main; main()"


class SilentError(RuntimeError):
    """The gateway's process did not do in time what it must do."""


class GatewayProcess:
    """A gateway under load, in a process that may be killed at any time."""

    def __init__(self, life: Life, log: Path, keys: Path, errors: Path, planted: str) -> None:
        asked = {
            "log": str(log),
            "keys": str(keys),
            "seed": life.seed,
            "mode": life.mode,
            "clock_ns": life.clock_ns,
            "planted": planted,
        }
        self.began = time.monotonic()
        self.said: list[dict[str, Any]] = []
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._errors = errors
        with errors.open("ab") as stderr:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
                [sys.executable, "-c", _CODE, json.dumps(asked)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            # A line that SIGKILL cut in half was never said.
            if line.endswith(b"\n"):
                self._lines.put(json.loads(line))
        self._lines.put(None)

    def wait_for(self, what: str, seconds: float = PATIENCE_S) -> dict[str, Any] | None:
        """Wait until it says this; ``None`` when the time is over.

        Raises
        ------
        SilentError
            It ended instead.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                line = self._lines.get(timeout=left)
            except queue.Empty:
                break
            if line is None:
                self._lines.put(None)
                raise SilentError(f"ended with status {self._process.wait()}: {self._last_words()}")
            self.said.append(line)
            if line["what"] == what:
                return line
        return None

    def must_say(self, what: str) -> dict[str, Any]:
        """Give what it said of this, or wait until it does.

        Raises
        ------
        SilentError
            It did not, or ended instead.
        """
        earlier = [line for line in self.said if line["what"] == what]
        line = earlier[0] if earlier else self.wait_for(what)
        if line is None:
            raise SilentError(f"did not say `{what}` within {PATIENCE_S:.0f} s")
        return line

    def rest(self, seconds: float) -> None:
        """Let it go on for a while, and listen."""
        self.wait_for("nothing that it ever says", seconds)

    def until_gone(self, request: Path, what: str) -> None:
        """Wait until it has taken a request in; it removes the file when that is durable.

        Raises
        ------
        SilentError
            It did not.
        """
        until = time.monotonic() + PATIENCE_S
        while request.exists():
            if time.monotonic() > until:
                raise SilentError(f"{what}: not within {PATIENCE_S:.0f} s")
            self.rest(0.005)

    def kill(self) -> None:
        """End it the hard way: no handler, no flush, no close."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._finish()

    def close(self) -> None:
        """Let it close its gateway.

        Raises
        ------
        SilentError
            It did not, or it ended with an error.
        """
        if self._process.stdin is not None:
            self._process.stdin.close()
        self.must_say("closed")
        status = self._process.wait(PATIENCE_S)
        self._finish()
        if status:
            raise SilentError(f"ended with status {status}: {self._last_words()}")

    def _finish(self) -> None:
        self._process.wait()
        self._reader.join()
        while (line := self._lines.get()) is not None:
            self.said.append(line)
        self._lines.put(None)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    # It died with something of ours unread.
                    continue

    def _last_words(self) -> str:
        words = self._errors.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return words[-1] if words else "without a word"

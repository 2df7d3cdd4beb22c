"""A small firm to try things on: two accounts, two shares, a log, its keys, other processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cwts import _core

#: A price of 100.00, the reference of every instrument here.
PX_E9 = 100 * 10**9
#: However slow the machine: a wait that takes longer than this has failed.
PATIENCE_S = 60.0
CHILD = Path(__file__).with_name("child.py")

LIMITS = """\
schema = 1

[firm]
base_currency = "USD"
credit = "1_000_000_000"

[account.alpha]
max_order_qty = 1_000
max_order_notional = "50_000"
credit = "900_000_000"
message_rate = { max = 60_000, window = "1ms" }
max_position = { long = 100_000_000, short = 0 }

[account.beta]
max_order_qty = 1_000
max_order_notional = "50_000"
credit = "20_000"
message_rate = { max = 5, window = "1h" }
max_position = { long = 100, short = 0 }

[strategy.default]
message_rate = { max = 60_000, window = "1ms" }

[group.us]
tick = "0.01"
lot = 1
price_collar = { bps = 500, reference = "external", max_age = "24h", on_missing = "deny" }

[instrument]
ACME = { group = "us" }
ZINC = { group = "us" }
"""


@dataclass(frozen=True)
class Desk:
    """Where one gateway lives: `log`, `keys`, and a limits file for other processes."""

    root: Path
    text: str = LIMITS

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def keys(self) -> Path:
        return self.root / "keys"

    @property
    def requests(self) -> list[Path]:
        """Requests that no gateway has taken in."""
        return sorted((self.log / "requests").glob("*"))

    def open(
        self,
        limits: str | None = "",
        *,
        release: Literal["async", "durable"] = "async",
        references: bool = True,
    ) -> _core.Gateway:
        """Open the gateway on the log; `limits` None keeps those in the log."""
        text = None if limits is None else (limits or self.text).encode()
        gateway = _core.Gateway(
            text, "limits.toml", str(self.log), keys=str(self.keys), release=release
        )
        if references:
            set_references(gateway)
        return gateway

    def cli(self, *args: str, code: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-c", "from cwts.cli import main; main()", *args],
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
            env={**os.environ, "CWTS_KEYS": str(self.keys), "COLUMNS": "200"},
        )
        if code is not None:
            assert done.returncode == code, f"{args}: {done.returncode}\n{done.stderr}"
        return done

    def child(self, what: str, *args: str) -> Child:
        """Start a process that runs a function of child.py on this desk."""
        limits = self.root / "limits.toml"
        limits.write_text(self.text)
        process = subprocess.Popen(
            [sys.executable, str(CHILD), what, str(self.log), str(self.keys), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "CWTS_TEST_LIMITS": str(limits)},
        )
        return Child(process)

    @contextmanager
    def running(self, what: str, *args: str) -> Iterator[Child]:
        """Start it, and end it whatever the test does."""
        child = self.child(what, *args)
        try:
            yield child
        finally:
            child.kill()

    def verified(self, *, clean: bool = True) -> dict[str, Any]:
        """Verify the log, deciding it again; the test fails if anything is found."""
        verdict = _core.verify(str(self.log), [], "replay")
        assert verdict["ok"], verdict["findings"]
        assert verdict["clean"] is clean
        return verdict


@dataclass(frozen=True)
class Child:
    """A process that says one JSON object a line."""

    process: subprocess.Popen[str]

    def says(self) -> dict[str, Any]:
        """Wait for its next line."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the child ended with {self.process.wait()} and said nothing"
        said: dict[str, Any] = json.loads(line)
        return said

    def told(self) -> list[dict[str, Any]]:
        """Everything else that it said, to its end."""
        assert self.process.stdout is not None
        lines = self.process.stdout.read().splitlines()
        # A line that SIGKILL cut in half was never said.
        return [json.loads(line) for line in lines if line.endswith("}")]

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it the hard way: no handler, no flush, no close."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()

    def power_cut(self) -> list[dict[str, Any]]:
        """SIGKILL, and give what it had said until then."""
        self.process.send_signal(signal.SIGKILL)
        said = self.told()
        self.process.wait()
        return said


def set_references(gateway: _core.Gateway) -> None:
    for symbol in ("ACME", "ZINC"):
        gateway.set_reference(symbol, PX_E9)


def buy(
    qty: int = 1, symbol: str = "ACME", account: str = "alpha", price: str = "100.00", **more: Any
) -> _core.Order:
    return _core.Order(symbol, "buy", qty, price, account, **more)


def sell(
    qty: int = 1, symbol: str = "ACME", account: str = "alpha", price: str = "100.00", **more: Any
) -> _core.Order:
    return _core.Order(symbol, "sell", qty, price, account, **more)


def reasons(decision: _core.Decision) -> list[str]:
    """Names of all violated controls."""
    return [row["control"] for row in decision.violations]


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something that another thread or process does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.002)


def bit(control: str) -> int:
    """The mask of a control."""
    return 1 << next(row["bit"] for row in _core.controls() if row["name"] == control)

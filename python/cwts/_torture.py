"""The seeded mutator: slices of cases, each in a child process with a memory limit.

A parser that runs out of memory, hangs or aborts takes its process with it. The child is that
process; the parent then halves the slice until one case is left, and names it. Cases depend on
target, seed and number alone, so a case alone is the case in its slice.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

__all__ = ["Campaign", "Fault", "check_file", "child", "targets"]

#: What a child may map beyond what Python and the core do.
MEMORY_BYTES_MAX: Final = 512 << 20
#: Longest time of a slice; one that takes longer hangs.
SLICE_SECONDS_MAX: Final = 60.0
#: How long a slice should take: often enough for a progress bar, seldom enough for the start.
SLICE_SECONDS: Final = 1.0
#: Cases of a target's first slice.
SLICE_CASES_FIRST: Final = 32
#: Faults of a target after which it ends.
FOUND_MAX: Final = 16

#: Called after every slice with the target's name and how many cases ran.
Progress = Callable[[str, int], object]


@dataclass(frozen=True)
class Fault:
    """A case whose law broke, or that took its process with it."""

    case: int
    what: str
    path: Path


@dataclass
class Tally:
    """What a target's cases gave so far."""

    target: str
    cases: int = 0
    accepted: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    digest: str = ""
    found: list[Fault] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Give the tally as JSON's types."""
        return {
            "target": self.target,
            "cases": self.cases,
            "accepted": self.accepted,
            "refused": self.cases - self.accepted - len(self.found),
            "bytes": self.size_bytes,
            "seconds": self.seconds,
            "digest": self.digest,
            "found": [
                {"case": fault.case, "what": fault.what, "input": str(fault.path)}
                for fault in self.found
            ],
        }


@dataclass
class Campaign:
    """One run of the mutator over one target.

    Parameters
    ----------
    target : str
        Name of the target.
    seed : int
        The same seed and the same number of cases give the same digest, on every machine.
    folder : Path
        Where the inputs of faults go.
    """

    target: str
    seed: int
    folder: Path

    def run(
        self,
        *,
        seconds: float | None = None,
        cases: int | None = None,
        progress: Progress | None = None,
    ) -> Tally:
        """Run slices until the time is over, the cases have run, or a fault ended the target."""
        tally = Tally(self.target)
        began = time.perf_counter()
        size = SLICE_CASES_FIRST
        while True:
            left = None if cases is None else cases - tally.cases
            spent = time.perf_counter() - began
            if left == 0 or (seconds is not None and spent >= seconds and tally.cases):
                break
            size = size if left is None else min(size, left)
            started = time.perf_counter()
            if not self._slice(tally, size) or len(tally.found) >= FOUND_MAX:
                break
            if progress is not None:
                progress(self.target, tally.cases)
            took = max(time.perf_counter() - started, 0.001)
            room = SLICE_SECONDS if seconds is None else min(SLICE_SECONDS, seconds - spent)
            size = max(1, min(4 * size, int(size * max(room, 0.05) / took)))
        tally.seconds = time.perf_counter() - began
        return tally

    def _slice(self, tally: Tally, cases: int) -> bool:
        first = tally.cases
        report = self._ask(first, cases, tally.digest)
        if isinstance(report, str):
            case, how = self._first_death(first, cases, report)
            from cwts import _core

            found = _core.torture_input(self.target, seed=self.seed, case=case)
            tally.cases = case + 1
            tally.found.append(self._kept(case, how, found))
            return False
        tally.cases += report["cases"]
        tally.accepted += report["accepted"]
        tally.size_bytes += report["bytes"]
        tally.digest = report["digest"]
        for row in report["found"]:
            tally.found.append(self._kept(row["case"], row["what"], bytes.fromhex(row["input"])))
        return True

    def _first_death(self, first: int, cases: int, how: str) -> tuple[int, str]:
        """Halve a slice that died until one case is left."""
        while cases > 1:
            half = cases // 2
            answer = self._ask(first, half, "")
            if isinstance(answer, str):
                cases, how = half, answer
            else:
                first, cases = first + half, cases - half
        return first, how

    def _ask(self, first: int, cases: int, digest: str) -> dict[str, Any] | str:
        return _in_child(
            {
                "target": self.target,
                "seed": self.seed,
                "first": first,
                "cases": cases,
                "digest": digest,
            }
        )

    def _kept(self, case: int, what: str, found: bytes) -> Fault:
        path = self.folder / f"cwts-torture-{self.target}-{case}.bin"
        path.write_bytes(found)
        return Fault(case, what, path)


def targets() -> dict[str, str]:
    """Give name and subject of every target."""
    from cwts import _core

    return {row["name"]: row["about"] for row in _core.torture_targets()}


def check_file(target: str, path: Path) -> dict[str, Any]:
    """Run one input, in a child: ``ok``, ``accepted`` and what was ``said``."""
    answer = _in_child({"target": target, "input": str(path)})
    if isinstance(answer, str):
        return {"ok": False, "accepted": False, "said": answer}
    return answer


def child() -> None:
    """Do what one JSON object on stdin asks, and say the answer on stdout."""
    from cwts import _core

    asked = json.load(sys.stdin)
    mapped = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    bound = mapped * resource.getpagesize() + MEMORY_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    # A core file of every fault would fill the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if "input" in asked:
        answer = _core.torture_check(asked["target"], Path(asked["input"]).read_bytes())
    else:
        answer = _core.torture_run(**asked)
    sys.stdout.write(json.dumps(answer))


def _in_child(asked: dict[str, Any]) -> dict[str, Any] | str:
    """Ask a child; the answer, or how it ended without one."""
    code = "from cwts._torture import child; child()"
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-c", code],
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SLICE_SECONDS_MAX,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SLICE_SECONDS_MAX:.0f} s"
    if done.returncode == 0:
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    words = done.stderr.strip().splitlines()
    last = words[-1] if words else "without a word"
    if done.returncode > 0:
        # The child itself failed, not what it tried: nothing was found.
        raise ValueError(last)
    return f"ended by signal {-done.returncode}: {last}"

"""Trials one after the other, until the time is over or a law is broken."""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cwts._torture_kill.plan import Life, lives
from cwts._torture_kill.process import SilentError
from cwts._torture_kill.trial import Broken, Trial

__all__ = ["PLANTED", "Campaign", "Progress", "Violation"]

#: Bugs that a test may plant, each of which a campaign must find: a gateway that forgets its holds,
#: accepts after a halt, comes back with another state, or makes damaged kill files anew.
PLANTED: Final = ("forget", "late", "state", "mend")

#: Called after every trial with how many ran.
Progress = Callable[[int], object]


@dataclass(frozen=True, slots=True)
class Violation:
    """A law that a trial broke, and what is left of it."""

    trial: int
    what: str
    #: The trial's directory: log, keys, what the processes said.
    kept: Path
    #: What was done, oldest first.
    story: list[str]

    def to_json(self) -> dict[str, Any]:
        """Give it as an object for JSON."""
        return {
            "trial": self.trial,
            "what": self.what,
            "kept": str(self.kept),
            "story": self.story,
        }


@dataclass
class Campaign:
    """One run of `cwts torture kill`.

    Parameters
    ----------
    seed : int
        What a trial does follows from this and its number.
    folder : Path
        Where the directory of a violation is kept.
    planted : str
        A bug of `PLANTED`, or nothing.
    """

    seed: int
    folder: Path
    planted: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    trials: int = 0

    def run(
        self,
        *,
        seconds: float | None = None,
        only: int | None = None,
        progress: Progress | None = None,
        plan: Callable[[int, int], Sequence[Life]] = lives,
    ) -> Violation | None:
        """Run trials until the time is over; one at least. Give the first violation.

        Parameters
        ----------
        seconds : float, optional
            When no further trial starts. Default: never.
        only : int, optional
            Run this one trial.
        progress : callable, optional
            Called after every trial.
        plan : callable, optional
            Gives the lives of a trial from seed and number.
        """
        began = time.monotonic()
        number = 0 if only is None else only
        while True:
            found = self._trial(number, plan(self.seed, number))
            self.trials += 1
            if progress is not None:
                progress(self.trials)
            number += 1
            spent = time.monotonic() - began
            if found or only is not None or (seconds is not None and spent >= seconds):
                return found

    def _trial(self, number: int, planned: Sequence[Life]) -> Violation | None:
        place = Path(tempfile.mkdtemp(prefix="cwts-torture-kill-"))
        draw = random.Random(f"damage {self.seed} {number}")  # noqa: S311 - repeatable, no key
        trial = Trial(place, draw, self.planted)
        try:
            trial.run(planned)
        except (Broken, SilentError) as error:
            trial.end()
            return self._kept(number, str(error), place, trial.story)
        finally:
            trial.end()
            self.counts.update(trial.counts)
        shutil.rmtree(place, ignore_errors=True)
        return None

    def _kept(self, number: int, what: str, place: Path, story: list[str]) -> Violation:
        name = f"cwts-torture-kill-{self.seed}-{number}"
        kept = self.folder / name
        again = 1
        while kept.exists():
            again += 1
            kept = self.folder / f"{name}-{again}"
        shutil.move(place, kept)
        (kept / "story.txt").write_text("\n".join([*story, what, ""]), encoding="utf-8")
        return Violation(number, what, kept, story)

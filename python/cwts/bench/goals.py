"""The goals: what each benchmark must reach, read from ``goals.toml``.

The text stands once, in ``benches/goals.toml`` of a checkout; the file of that name in this package
is a link to it, which a wheel's build resolves.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, get_args

__all__ = ["Goal", "GoalsError", "load_goals", "parse_goals"]

Sense = Literal["ratio >=", "value <="]


class GoalsError(ValueError):
    """The goals file is absent or says something that it must not say."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure to reach.

    Attributes
    ----------
    name : str
        The benchmark's name, unique.
    area : str
        What ``cwts bench AREA`` selects.
    unit : str
        Unit of our figure and of the peer's; less is better.
    sense : {"ratio >=", "value <="}
        Whether `goal` bounds the peer's figure over ours, or our figure.
    goal : float
        The bound; reaching it exactly is enough.
    peer : str or None
        The peer's distribution name; None when `sense` is about our figure alone.
    """

    name: str
    area: str
    unit: str
    sense: Sense
    goal: float
    peer: str | None = None

    def is_met(self, ours: float | None, ratio: float | None) -> bool | None:
        """Whether the figure reaches the goal; None when there is no figure to judge."""
        if self.sense == "ratio >=":
            return None if ratio is None else ratio >= self.goal
        return None if ours is None else ours <= self.goal


def load_goals() -> tuple[Goal, ...]:
    """The goals that this installation was built with.

    Raises
    ------
    GoalsError
        The file is absent (a checkout without links, say), or is not a goals file.
    """
    file = resources.files("cwts.bench") / GOALS_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise GoalsError(
            f"{GOALS_FILE} is not in this installation ({error.strerror}); "
            "it stands in benches/ of a checkout"
        ) from error
    return parse_goals(text)


def parse_goals(text: str) -> tuple[Goal, ...]:
    """The goals of a file's text, in its order.

    Raises
    ------
    GoalsError
        Names the goal and the key that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise GoalsError(f"{GOALS_FILE}: {error}") from error
    if document.get("schema") != SCHEMA:
        raise GoalsError(f"{GOALS_FILE}: schema is {document.get('schema')!r}, not {SCHEMA}")
    goals = tuple(_goal(number, table) for number, table in enumerate(document.get("goal", [])))
    names = [goal.name for goal in goals]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise GoalsError(f"{GOALS_FILE}: {', '.join(twice)} stands more than once")
    return goals


def _goal(number: int, table: dict[str, Any]) -> Goal:
    where = f"{GOALS_FILE}: goal {table.get('name', number)!r}"
    known = set(Goal.__dataclass_fields__)
    if unknown := sorted(set(table) - known):
        raise GoalsError(f"{where}: unknown key {unknown[0]!r}")
    if missing := sorted(known - {"peer"} - set(table)):
        raise GoalsError(f"{where}: {missing[0]!r} is missing")
    for key in sorted(set(table) - {"goal"}):
        if not isinstance(table[key], str) or not table[key]:
            raise GoalsError(f"{where}: {key} is {table[key]!r}, not text")
    if isinstance(table["goal"], bool) or not isinstance(table["goal"], int | float):
        raise GoalsError(f"{where}: goal is {table['goal']!r}, not a number")
    if table["sense"] not in get_args(Sense):
        raise GoalsError(f"{where}: sense is {table['sense']!r}, not one of {get_args(Sense)}")
    if (table["sense"] == "ratio >=") != ("peer" in table):
        raise GoalsError(f"{where}: a ratio needs a peer, and only a ratio has one")
    return Goal(**table)


GOALS_FILE = "goals.toml"
SCHEMA = 1

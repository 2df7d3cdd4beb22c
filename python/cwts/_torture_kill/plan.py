"""What a trial will do: drawn from seed and number before anything runs."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["ACCOUNTS", "SCOPES", "STRATEGIES", "SYMBOLS", "Life", "Stop", "covers", "lives"]

ACCOUNTS: Final = ("alpha", "beta")
STRATEGIES: Final = ("maker", "taker")
SYMBOLS: Final = ("ACME", "ZINC")
#: Every kind of scope whose orders this load sends.
SCOPES: Final = (
    "firm",
    "desk:floor",
    "customer:fund",
    "account:alpha",
    "account:beta",
    "strategy:maker",
    "instrument:ZINC",
)

Mode = Literal["steady", "flood"]
Damage = Literal["torn", "empty", "garbled", "gone"]

_KILL_FILES: Final = ("kill.state", "kill.page", "kill.scopes")
_DAMAGES: Final[tuple[Damage, ...]] = ("torn", "empty", "garbled", "gone")


@dataclass(frozen=True, slots=True)
class Stop:
    """A halt, or a restriction to reducing orders, from another process."""

    scope: str
    reduce_only: bool
    cancel_working: bool
    #: Whether the gateway lives until it has acknowledged it.
    waits: bool
    #: How long the orders go on behind the acknowledgement.
    lingers_s: float


@dataclass(frozen=True, slots=True)
class Life:
    """One process of the gateway, from its start to its end."""

    seed: int
    mode: Mode
    #: SIGKILL this long after the start of the process, whatever it is doing then.
    dies_young_s: float | None
    #: Steps of its clock, nanoseconds, one right after the start and others later.
    clock_ns: tuple[int, ...]
    #: Whether the holds of earlier lives are lifted first.
    resumes: bool
    trades_s: float
    stop: Stop | None
    #: Whether it ends by `close` and not by SIGKILL.
    closes: bool
    #: The file that is damaged behind it, and how.
    damage: tuple[str, Damage] | None = field(default=None)


def lives(seed: int, trial: int) -> list[Life]:
    """Draw the lives of a trial; the last of them closes, so that the log can be verified whole."""
    draw = random.Random(f"cwts-torture-kill {seed} {trial}")  # noqa: S311 - repeatable, no key
    count = draw.randint(2, 4)
    return [_life(draw, is_first=at == 0, is_last=at == count) for at in range(count + 1)]


def _life(draw: random.Random, *, is_first: bool, is_last: bool) -> Life:
    closes = is_last or _chance(draw, 15)
    young = draw.uniform(0.02, 0.3) if _chance(draw, 10) else None
    steps = [_step_ns(draw) for _ in range(draw.randint(0, 2))]
    stop = None
    if _chance(draw, 70):
        stop = Stop(
            scope=draw.choice(SCOPES),
            reduce_only=_chance(draw, 30),
            cancel_working=_chance(draw, 40),
            waits=_chance(draw, 75),
            lingers_s=draw.uniform(0.0, 0.1),
        )
    damage = None
    if _chance(draw, 40):
        damage = (draw.choice(_KILL_FILES), draw.choice(_DAMAGES))
    return Life(
        seed=draw.getrandbits(32),
        mode="flood" if _chance(draw, 40) else "steady",
        dies_young_s=None if is_first or is_last else young,
        clock_ns=tuple(steps),
        resumes=_chance(draw, 75),
        trades_s=draw.uniform(0.01, 0.2),
        stop=None if is_last else stop,
        closes=closes,
        damage=None if is_last else damage,
    )


def _chance(draw: random.Random, percent: int) -> bool:
    return draw.randrange(100) < percent


def _step_ns(draw: random.Random) -> int:
    """A step of the clock, back more often than forward: 100 us to a quarter of an hour."""
    return int(draw.choice((-1, -1, 1)) * 10 ** draw.randint(5, 12))


def covers(scope: str, account: str, strategy: str, symbol: str) -> bool:
    """Tell whether an order of this load belongs to a scope."""
    kind, _, name = scope.partition(":")
    if kind in ("account", "strategy", "instrument"):
        return name == {"account": account, "strategy": strategy, "instrument": symbol}[kind]
    # Alpha alone is the fund's, and the fund is the floor's.
    return kind == "firm" or account == "alpha"


#: Limits under which this load mostly passes.
LIMITS: Final = """\
schema = 1

[firm]
base_currency = "USD"
credit = "none"

[desk.floor]
credit = "none"

[customer.fund]
desk = "floor"
credit = "none"

[account.alpha]
customer = "fund"
max_order_qty = 1_000
max_order_notional = "none"
credit = "none"
message_rate = { max = 20_000, window = "100ms" }
duplicate_order = { window = "1ms", max = 50 }
max_position = { long = 10_000_000, short = 10_000_000 }

[account.beta]
max_order_qty = 1_000
max_order_notional = "none"
credit = "none"
message_rate = { max = 20_000, window = "100ms" }
max_position = { long = 10_000_000, short = 10_000_000 }

[strategy.maker]
[strategy.taker]

[group.us]
tick = "0.01"
lot = 1
price_collar = { bps = 500, reference = "external", max_age = "24h", on_missing = "deny" }

[instrument]
ACME = { group = "us" }
ZINC = { group = "us" }
"""

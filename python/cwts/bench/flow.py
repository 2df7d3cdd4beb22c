"""The flow that the replay benchmarks run on: one public day, or generated rows where it is absent.

The day is LOBSTER's AMZN sample of 2012-06-21 (57,515 rows, 27,845 orders). It is not ours to ship:
it is looked for under ``$CWTS_DATA``, by default ``../shared/data`` from a checkout.
"""

from __future__ import annotations

import csv
import gzip
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

__all__ = [
    "Flow",
    "PeerOrder",
    "amzn_day",
    "data_root",
    "flow_of_the_day",
    "generated_day",
    "many_days",
    "sample_of",
    "unpacked",
]

#: An order as the peer's loop gets it: whether it buys, quantity, price in 1e-4 currency units.
PeerOrder = tuple[bool, int, int]


@dataclass(frozen=True, slots=True)
class Flow:
    """A file of order flow, and its orders parsed for the peer.

    Attributes
    ----------
    path : Path
        The uncompressed file; our replay reads this.
    orders : tuple of PeerOrder
        Its new orders, in file order.
    is_generated : bool
        Whether the public day was absent.
    within_expected : int or None
        How many of the orders are known to be within `QTY_MAX` and `NOTIONAL_MAX`.
    """

    path: Path
    orders: tuple[PeerOrder, ...]
    is_generated: bool
    within_expected: int | None = None

    @property
    def within(self) -> int:
        """How many orders are within `QTY_MAX` and `NOTIONAL_MAX`, in integers."""
        return sum(
            qty <= QTY_MAX and qty * price_e4 <= NOTIONAL_MAX * 10_000
            for _, qty, price_e4 in self.orders
        )


def flow_of_the_day(scratch: Path, environment: Mapping[str, str] = os.environ) -> Flow:
    """The public day if it can be found, else as many generated events.

    Parameters
    ----------
    scratch : Path
        Where the uncompressed or generated file goes.
    environment : mapping, optional
        Where ``CWTS_DATA`` is looked up.
    """
    packed = sample_of(AMZN_PATH, environment)
    return generated_day(scratch) if packed is None else amzn_day(packed, scratch)


def sample_of(path: Path, environment: Mapping[str, str]) -> Path | None:
    """A public file by its place in the data folder, if it is there."""
    package = Path(__file__).resolve().parent
    root = data_root(environment, (package.parents[2], Path.cwd()))
    found = None if root is None else root / path
    return found if found is not None and found.is_file() else None


def data_root(environment: Mapping[str, str], places: Iterable[Path]) -> Path | None:
    """``$CWTS_DATA``, else the default beside the first of `places` that is a checkout."""
    if given := environment.get("CWTS_DATA"):
        return Path(given)
    for place in places:
        if (place / "benches" / "goals.toml").is_file():
            return place.parent / "shared" / "data"
    return None


def amzn_day(packed: Path, scratch: Path) -> Flow:
    """The public day, unpacked under its own name: the name tells the ticker and the date."""
    path = unpacked(packed, scratch)
    with path.open(newline="", encoding="ascii") as file:
        rows = csv.reader(file)
        next(rows)  # the header: this sample has one
        orders = tuple(
            (direction == "1", int(qty), int(price))
            for _, kind, _, qty, price, direction in rows
            if kind == LOBSTER_SUBMIT
        )
    return Flow(path, orders, is_generated=False, within_expected=AMZN_WITHIN)


def unpacked(packed: Path, scratch: Path) -> Path:
    """The file without its gzip, under its name without that suffix."""
    path = scratch / packed.name.removesuffix(".gz")
    with gzip.open(packed, "rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    return path


def many_days(scratch: Path, days: int, events: int) -> list[Path]:
    """One generated day under several names."""
    from cwts import _core

    first = scratch / "day-1.csv"
    _core.generate(str(first), "csv", profile=PROFILE, events=events, seed=SEED)
    others = [scratch / f"day-{number}.csv" for number in range(2, days + 1)]
    for other in others:
        other.hardlink_to(first)
    return [first, *others]


def generated_day(scratch: Path) -> Flow:
    """As many generated events as the public day has, from a fixed seed."""
    from cwts import _core

    path = scratch / "generated.csv"
    _core.generate(str(path), "csv", profile=PROFILE, events=EVENTS, seed=SEED)
    with path.open(newline="", encoding="utf-8") as file:
        return Flow(path, tuple(_new_orders(csv.DictReader(file))), is_generated=True)


def _new_orders(rows: Iterable[dict[str, str]]) -> Iterable[PeerOrder]:
    for row in rows:
        if row["kind"] == "add":
            price_e4 = Fraction(row["price"]) * 10_000
            if price_e4.denominator != 1:
                raise ValueError(f"price {row['price']} is no multiple of 0.0001")
            yield row["side"] == "buy", int(row["qty"]), price_e4.numerator


#: What both engines refuse beyond, as in the replay's limits file.
QTY_MAX = 500
NOTIONAL_MAX = 150_000

AMZN_PATH = Path("orderflow/lobster/AMZN_2012-06-21_34200000_57600000_message_1.csv.gz")
DBN_PATH = Path("orderflow/cme_mbo/esh4-glbx-mdp3-20231225.mbo.dbn.zst")
ITCH_PATH = Path("orderflow/itch50/AMZN_2012-06-21_from_lobster.itch50.gz")
#: Of its 27,845 orders 210 are larger than `QTY_MAX`, 107 of them larger than `NOTIONAL_MAX` too.
AMZN_WITHIN = 27_635
LOBSTER_SUBMIT = "1"

PROFILE = "equity-liquid"
EVENTS = 57_515
SEED = 7

"""Build the committed tables of the order-flow generator (``rust/feeds/src/synth/tables``).

The generator draws in integers only, so its random laws are shipped as integer tables. This
script evaluates those laws once, in floating point, and writes them down; nothing runs it at
build time, and the committed files, not this script, define a profile version. A change of a
parameter below is a new version (``equity-liquid@2``), never an edit of an old file.

Every file is a run of little-endian u64:

``common.bin``
    4,097 points of ``-ln(1 - i/4096)`` in units of 2**-32 (the last one is ``ln 4096``, where a
    draw starts again: the law has no memory); then 4,096 running sums of ``k**-1.1`` scaled so
    that the total is 2**62.
``<profile>_<version>.bin``
    4,097 points of the inverse distribution of an order's lifetime in ns; then, for each of the
    three kernels, 513 cumulative probabilities of its number of children, scaled to 2**32.

Run ``python tools/synth_tables.py`` to write them, ``--check`` to compare with what is committed.
"""

from __future__ import annotations

import argparse
import math
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

TABLES_DIR = Path(__file__).parent.parent / "rust" / "feeds" / "src" / "synth" / "tables"

#: Intervals of an inverse-distribution table; it has one point more.
INTERVALS = 4096
#: Largest number of children of one event for one kernel.
CHILDREN_MAX = 512
ZIPF_EXPONENT = 1.1
ZIPF_RANKS = 4096
#: No order lives longer than this.
LIFETIME_S_MAX = 3600.0


@dataclass(frozen=True)
class Lifetime:
    """A mixture of two lognormal laws, each given by its median (s) and its log deviation.

    Attributes
    ----------
    fast_share : float
        Weight of the fast part, orders withdrawn by the machine that sent them.
    fast_s, fast_sigma : float
        Median and log deviation of the fast part.
    slow_s, slow_sigma : float
        Median and log deviation of the rest.
    """

    fast_share: float
    fast_s: float
    fast_sigma: float
    slow_s: float
    slow_sigma: float

    def cdf(self, log_s: float) -> float:
        """Return the share of lifetimes of at most ``exp(log_s)`` seconds."""
        fast = NormalDist(math.log(self.fast_s), self.fast_sigma).cdf(log_s)
        slow = NormalDist(math.log(self.slow_s), self.slow_sigma).cdf(log_s)
        return self.fast_share * fast + (1.0 - self.fast_share) * slow

    def quantile_s(self, share: float) -> float:
        """Return the lifetime (s) that a share of orders does not outlive."""
        low, high = math.log(1e-7), math.log(LIFETIME_S_MAX)
        for _ in range(80):
            middle = (low + high) / 2.0
            if self.cdf(middle) < share:
                low = middle
            else:
                high = middle
        return math.exp(high)


@dataclass(frozen=True)
class Profile:
    """What a profile's table file is made from.

    Attributes
    ----------
    branching : tuple of float
        Mean number of children of an event, one a kernel.
    size : float
        Size parameter r of the negative binomial law of the children.
    lifetime : Lifetime
        Law of the drawn expiry of an order.
    """

    branching: tuple[float, float, float]
    size: float
    lifetime: Lifetime


PROFILES: dict[str, Profile] = {
    "equity_liquid_1": Profile(
        branching=(0.528, 0.229, 0.147),
        size=0.130,
        lifetime=Lifetime(
            fast_share=0.33, fast_s=0.0010, fast_sigma=1.3, slow_s=1.25, slow_sigma=2.65
        ),
    ),
    "equity_thin_1": Profile(
        branching=(0.548, 0.024, 0.195),
        size=0.124,
        lifetime=Lifetime(
            fast_share=0.60, fast_s=0.00012, fast_sigma=1.5, slow_s=1.7, slow_sigma=2.6
        ),
    ),
    "future_1": Profile(
        branching=(0.742, 0.05, 0.133),
        size=0.098,
        lifetime=Lifetime(
            fast_share=0.18, fast_s=0.0011, fast_sigma=1.3, slow_s=50.0, slow_sigma=3.6
        ),
    ),
}


def exponential_points() -> list[int]:
    """Return the inverse distribution of the unit exponential, in units of 2**-32."""
    inner = [round(-math.log1p(-i / INTERVALS) * 2**32) for i in range(INTERVALS)]
    return [*inner, round(math.log(INTERVALS) * 2**32)]


def zipf_sums() -> list[int]:
    """Return running sums of ``k**-1.1``, scaled to a total of 2**62."""
    weights = [k**-ZIPF_EXPONENT for k in range(1, ZIPF_RANKS + 1)]
    scale = 2.0**62 / math.fsum(weights)
    sums, total = [], 0
    for weight in weights:
        total += round(weight * scale)
        sums.append(total)
    return sums


def lifetime_points(lifetime: Lifetime) -> list[int]:
    """Return the inverse distribution of the lifetime in ns."""
    points = [round(1e9 * lifetime.quantile_s(i / INTERVALS)) for i in range(INTERVALS)]
    # The last interval ends where half of what is left has gone: one straight line to the end of
    # the law would make its tail far too heavy.
    return [*points, round(1e9 * lifetime.quantile_s(1.0 - 0.5 / INTERVALS))]


def children_sums(mean: float, size: float) -> list[int]:
    """Return the cumulative negative binomial probabilities of 0..512 children, over 2**32."""
    failure = size / (size + mean)
    probability = failure**size
    sums, total = [], 0.0
    for k in range(CHILDREN_MAX + 1):
        total += probability
        sums.append(min(round(total * 2**32), 2**32))
        probability *= (k + size) / (k + 1) * (1.0 - failure)
    sums[-1] = 2**32
    return sums


def files() -> dict[str, bytes]:
    """Return every table file, by name."""
    tables = {"common": exponential_points() + zipf_sums()}
    for name, profile in PROFILES.items():
        tables[name] = lifetime_points(profile.lifetime)
        for mean in profile.branching:
            tables[name] += children_sums(mean, profile.size)
    return {f"{name}.bin": struct.pack(f"<{len(t)}Q", *t) for name, t in tables.items()}


def main() -> int:
    """Write the tables, or compare them with those on disk; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--dir", type=Path, default=TABLES_DIR, help="folder of the tables")
    arguments = parser.parse_args()
    different = 0
    for name, content in files().items():
        path = arguments.dir / name
        if not arguments.check:
            path.write_bytes(content)
        elif not path.is_file() or path.read_bytes() != content:
            sys.stderr.write(f"{path}: differs from what this script makes\n")
            different = 1
    return different


if __name__ == "__main__":
    sys.exit(main())

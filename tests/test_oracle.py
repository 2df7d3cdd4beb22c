"""The engine against an oracle in exact Python integers: every mask, on streams by chance.

The oracle was written from docs/controls.md without a look at the engine. It shares no code with
it: not the parser of the limits file, nor the encoder of the entries. ``CWTS_ORACLE_SECONDS=600``
goes on with fresh seeds for so long.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from cwts import _core
from oracle import policies, streams
from oracle.compare import BITS, apart, engine, explain, shrink
from oracle.controls import CHECKS, EXEMPT
from oracle.names import CONTROLS
from oracle.severity import SOFT

STREAMS = 400
LENGTH = 250
PART = 20
REACHED = 30
"""Every control is violated more often than this over the run."""


def case_of(seed: int) -> streams.Case:
    """The same case for a seed, always; seeds take turns in what they look at."""
    rng = random.Random(seed)
    return streams.make(rng, policies.make(rng, seed % len(BITS)), LENGTH)


def compare(seed: int) -> list[int]:
    """The masks of one seed, of which the engine gives the same."""
    case = case_of(seed)
    if any(apart(*both) for both in zip(case.masks, engine(case), strict=True)):
        pytest.fail(f"seed {seed}\n{explain(shrink(case, BITS), BITS)}", pytrace=False)
    return case.masks


@pytest.fixture(scope="module")
def counts() -> Counter[int | str]:
    """How often each bit was set, over the whole run."""
    return Counter()


@pytest.mark.parametrize("part", range(STREAMS // PART))
def test_every_mask_is_the_oracles(part: int, counts: Counter[int | str]) -> None:
    for seed in range(part * PART, (part + 1) * PART):
        for mask in compare(seed):
            counts["accepted" if not mask else "refused"] += 1
            counts.update(bit for bit in range(51) if mask >> bit & 1)
            counts["softly"] += bool(mask & SOFT)


def test_every_control_was_reached(counts: Counter[int | str]) -> None:
    """A control that no stream violates would be compared with nothing."""
    if counts["accepted"] + counts["refused"] == 0:
        pytest.skip("the streams did not run in this process")
    rare = {CONTROLS[bit]: counts[bit] for bit in BITS if counts[bit] <= REACHED}
    assert rare == {}
    assert counts["accepted"] > counts["refused"] // 2
    assert counts["softly"] > REACHED


def test_fresh_seeds_for_as_long_as_wanted() -> None:
    seconds = float(os.environ.get("CWTS_ORACLE_SECONDS", "0"))
    end = time.monotonic() + seconds
    seed = 1_000_000
    while True:
        assert compare(seed)
        seed += 1
        if time.monotonic() >= end:
            break


def test_the_rows_are_the_tables() -> None:
    """Names and exemptions stand in the oracle anew; they are those of the closed table."""
    rows = _core.controls()
    assert [row["name"] for row in rows] == list(CONTROLS)
    assert {row["bit"] for row in rows if row["reducing_exempt"]} == EXEMPT
    assert set(CHECKS) | {1, 2, 25, 50} == set(range(51))


def test_a_planted_difference_is_found_and_made_small() -> None:
    """The canary: an oracle that does not look at one control."""
    blind = BITS - {7}
    for seed in range(300):
        case = case_of(seed)
        if any(mask == 1 << 7 for mask in case.masks):
            small = shrink(case, blind)
            break
    else:
        pytest.fail("no seed violates the tick alone")
    assert "only the engine: TICK_SIZE" in explain(small, blind)
    orders = [entry for entry in small.entries if isinstance(entry, streams.Order)]
    assert len(orders) == 1

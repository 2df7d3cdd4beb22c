"""The benchmarks of the decision itself: one order at a time, and many in one call."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

import cwts
from cwts.bench import native, ours, wide
from cwts.bench.nautilus import Nautilus
from cwts.bench.openpit import OpenPit
from cwts.bench.scene import Measured, Scene, against, alone, same
from cwts.bench.timing import PAIRS_MIN, Clock, Job, cpu, quiet

__all__ = ["RISK"]


def check_prebuilt(scene: Scene) -> Measured:
    """One built order through every control, against execute and roll back."""
    with scene.desk.gateway() as gateway:
        us = _prebuilt(scene, gateway)
        peer = scene.peer_as(OpenPit)
        if peer is None:
            return alone(us, scene.pairs)
        engine, theirs = peer.engine(), peer.order(True, ours.QTY, ours.PRICE)
        same("check_prebuilt", peer.accepts(engine, theirs), expected=True)
        count = _checks(scene)
        them = _timed(cpu, count, lambda: peer.check_many(engine, theirs, _times(count)))
        return against(us, them, scene.pairs)


def check_prebuilt_nautilus(scene: Scene) -> Measured:
    """The same against a risk engine's own command for a built order."""
    with scene.desk.gateway() as gateway:
        us = _prebuilt(scene, gateway)
        peer = scene.peer_as(Nautilus)
        if peer is None:
            return alone(us, scene.pairs)
        order = peer.order(ours.QTY, ours.PRICE)
        same("check_prebuilt_nautilus", peer.accepts(order), expected=True)
        count = _checks(scene)
        them = _timed(cpu, count, lambda: peer.check_many(order, _times(count)))
        bare = _timed(cpu, count, lambda: peer.execute_many(order, _times(count)))
        detail = {"peer_with_one_command_for_all": alone(bare, PAIRS_MIN).ours}
        return replace(against(us, them, scene.pairs), detail=detail)


def _prebuilt(scene: Scene, gateway: cwts.Gateway) -> Job:
    orders = scene.desk.orders()
    ours.submit_all(gateway, orders)  # a desk at work: a working order in every holding
    order, count = orders[0], _checks(scene)
    same("check_prebuilt", gateway.check(order).accepted, expected=True)
    return _timed(cpu, count, lambda: ours.check_many(gateway, order, _times(count)))


def build_and_check(scene: Scene) -> Measured:
    """The same from plain values: the price is text on both sides."""
    count = _checks(scene) // 4
    with scene.desk.gateway() as gateway:
        ours.submit_all(gateway, scene.desk.orders())
        us = _timed(cpu, count, lambda: ours.build_and_check_many(gateway, _times(count)))
        peer = scene.peer_as(OpenPit)
        if peer is None:
            return alone(us, scene.pairs)
        engine = peer.engine()
        fields = (True, ours.QTY, 0)
        them = _timed(
            cpu,
            count,
            lambda: peer.build_and_check_many(engine, fields, ours.PRICE, _times(count)),
        )
        return against(us, them, scene.pairs)


def native_check(scene: Scene) -> Measured:
    """One built order through twelve controls at four levels, in Rust on both sides."""
    return _beside(native.line(scene, "native_check", "openpit crate"))


def batch_common(scene: Scene) -> Measured:
    """A million orders over 10,000 instruments and accounts: the twelve commonest controls."""
    return _batch(scene, "batch_common", wide.COMMON)


def batch_every(scene: Scene) -> Measured:
    """The same with every control that a limits file can set."""
    return _batch(scene, "batch_every", wide.EVERY)


def _batch(scene: Scene, name: str, active: tuple[str, ...]) -> Measured:
    submitted = native.line(scene, name, "submit_batch")
    checked = native.line(scene, name, "check_batch")
    detail = native.detail(submitted)
    detail |= {"seed": wide.SEED, "check_batch": checked["ours"], "active": list(active)}
    if active is wide.EVERY:
        detail["above_accounts_only"] = list(wide.ABOVE_ACCOUNTS)
    return Measured(submitted["ours"], submitted["ours_min"], detail=detail)


def batch_numpy(scene: Scene) -> Measured:
    """The same orders and the twelve controls from Python, against four comparisons in numpy."""
    width = wide.QUICK if scene.is_quick else wide.FULL
    limits = scene.scratch / "common.toml"
    limits.write_text(wide.limits_text(width, wide.COMMON), encoding="utf-8")
    orders = wide.orders(width)
    with cwts.Gateway(limits) as gateway:
        for number in range(width.instruments):
            gateway.set_reference(f"I{number}", last=str(wide.PRICE_E9 // 10**9))
        # A microsecond apart: an array of one time would be one burst.
        orders["ts"] = time.time_ns() + np.arange(width.orders) * 1_000
        accepted = gateway.check_batch(orders)["verdict"] == 1
        same("orders accepted of the batch", int(accepted.sum()), expected=width.orders)
        us = _timed(cpu, width.orders, lambda: gateway.check_batch(orders))
        if scene.peer is None:
            return alone(us, PAIRS_MIN)
        # In the peer's favour: columns side by side, taken out of the records beforehand.
        columns = {name: np.ascontiguousarray(orders[name]) for name in ("instrument", "px", "qty")}
        bounds = _bounds(width)
        same("orders that numpy refuses", int(_in_numpy(columns, bounds).sum()), expected=0)
        them = _timed(cpu, width.orders, lambda: _in_numpy(columns, bounds))
        return against(us, them, PAIRS_MIN)


def _bounds(width: wide.Width) -> dict[str, npt.NDArray[np.int64]]:
    """Of each instrument: what `wide.limits_text` says, multiplied out."""
    rows = width.instruments + 2
    collar = wide.PRICE_E9 // 20
    values = {
        "max_qty": 500,
        "lo": wide.PRICE_E9 - collar,
        "hi": wide.PRICE_E9 + collar,
        "max_notional": 90_000 * 10**9,
    }
    return {name: np.full(rows, value, np.int64) for name, value in values.items()}


def _in_numpy(columns: dict[str, Any], bounds: dict[str, Any]) -> npt.NDArray[np.uint64]:
    """The reasons of each order: quantity, collar, notional. In 64 bits, where ours is exact."""
    instrument, px, qty = columns["instrument"], columns["px"], columns["qty"]
    reasons: npt.NDArray[np.uint64]
    reasons = (qty > bounds["max_qty"][instrument]).astype(np.uint64) << np.uint64(4)
    outside = (px < bounds["lo"][instrument]) | (px > bounds["hi"][instrument])
    reasons |= outside.astype(np.uint64) << np.uint64(10)
    reasons |= (px * qty > bounds["max_notional"][instrument]).astype(np.uint64) << np.uint64(8)
    return reasons


def columns_ns(scene: Scene) -> Measured:
    """Seven exact checks of one instrument's 4,096 orders in columns."""
    line = native.line(scene, "columns", "own scalar")
    return Measured(line["ours"], line["ours_min"], detail=native.detail(line))


def columns_scalar(scene: Scene) -> Measured:
    """The same against our own scalar code."""
    return _beside(native.line(scene, "columns", "own scalar"))


def _beside(line: dict[str, Any]) -> Measured:
    return Measured(
        line["ours"],
        line["ours_min"],
        line["peer_value"],
        line["peer_min"],
        line["ratio"],
        detail=native.detail(line),
    )


def _checks(scene: Scene) -> int:
    return QUICK_CHECKS if scene.is_quick else CHECKS


def _timed(clock: Clock, count: int, work: Callable[[], object]) -> Job:
    def run() -> float:
        with quiet():
            start = clock()
            work()
            return (clock() - start) / count

    return run


def _times(count: int) -> Iterable[None]:
    """As the standard library's `timeit`: the cheapest loop that Python has."""
    return itertools.repeat(None, count)


#: The benchmark of each goal, by its name.
RISK: dict[str, Callable[[Scene], Measured]] = {
    "check_prebuilt": check_prebuilt,
    "check_prebuilt_nautilus": check_prebuilt_nautilus,
    "build_and_check": build_and_check,
    "native_check": native_check,
    "batch_common": batch_common,
    "batch_every": batch_every,
    "batch_numpy": batch_numpy,
    "columns_ns": columns_ns,
    "columns_scalar": columns_scalar,
}

CHECKS = 20_000
QUICK_CHECKS = 400

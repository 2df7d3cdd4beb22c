"""Batches that are not what they should be: the field is named and no order of them counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import cwts
from cwts import _core
from desk import PX_E9, Desk, set_references


@pytest.fixture
def gateway(desk: Desk) -> Any:
    """The facade, over a log, with references set."""
    limits = desk.root / "limits.toml"
    limits.write_text(desk.text)
    with cwts.Gateway(limits, desk.log, keys=desk.keys) as opened:
        set_references(opened._core)
        yield opened


def orders(gateway: Any, count: int) -> Any:
    out = np.zeros(count, cwts.ORDER_DTYPE)
    out["px"], out["qty"], out["kind"], out["side"], out["type_tif"] = PX_E9, 1, 1, 1, 2
    for field, kind, name in (
        ("instrument", "instrument", "ACME"),
        ("account", "account", "alpha"),
        ("strategy", "strategy", "default"),
    ):
        out[field] = gateway.handle(kind, name)
    return out


def wrong_dtype(good: Any) -> Any:
    return good.astype([(n, "f8" if n == "px" else good.dtype[n]) for n in good.dtype.names])


WRONG = {
    "floats": (lambda good: np.zeros(len(good)), "ORDER_DTYPE"),
    "nan": (lambda good: np.full(len(good), np.nan), "float64"),
    "a float price": (wrong_dtype, "px"),
    "big endian": (lambda good: good.astype(good.dtype.newbyteorder(">")), "seq"),
    "strided": (lambda good: good[::2], "ascontiguousarray"),
    "reversed": (lambda good: good[::-1], "ascontiguousarray"),
    "two-dimensional": (lambda good: good.reshape(2, -1), "ndim"),
    "a scalar": (lambda good: good.reshape(()) if len(good) == 1 else good[0], "numpy"),
    "a list": (list, "list"),
    "None": (lambda _: None, "NoneType"),
    "a field too few": (lambda good: good[[n for n in good.dtype.names if n != "qty"]], "qty"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("call", ["check_batch", "submit_batch"])
def test_it_is_refused_whole_and_by_name(gateway: Any, name: str, call: str) -> None:
    change, word = WRONG[name]
    bad = change(orders(gateway, 10))
    at = gateway._core.next_index
    with pytest.raises((TypeError, ValueError), match=word):
        getattr(gateway, call)(bad)
    assert gateway._core.next_index == at
    assert gateway.state()["orders"] == 0


@pytest.mark.parametrize("size", [1, 63, 65, 64 * 3 + 1])
def test_bytes_that_are_no_whole_records_are_refused(gateway: Any, size: int) -> None:
    for call in (gateway._core.check_batch, gateway._core.submit_batch):
        with pytest.raises(ValueError, match="multiple of 64"):
            call(bytes(size))
    assert gateway.state()["orders"] == 0


def test_a_buffer_with_gaps_is_refused_by_the_core_too(gateway: Any) -> None:
    with pytest.raises((TypeError, BufferError), match="contiguous"):
        gateway._core.check_batch(memoryview(bytes(256))[::2])


def test_empty_arrays_and_tables_are_no_orders(gateway: Any) -> None:
    at = gateway._core.next_index
    for call in (gateway.check_batch, gateway.submit_batch):
        assert len(call(orders(gateway, 0))) == 0
        assert call(orders(gateway, 0)).dtype == cwts.DECISION_DTYPE
    assert gateway._core.next_index == at


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": 0},
        {"kind": 200},
        {"side": 0},
        {"side": 255},
        {"type_tif": 0},
        {"type_tif": 0xF2},
        {"flags": 128},
        {"qty": 0},
        {"qty": -(2**63)},
        {"instrument": 2**32 - 1},
        {"account": 0},
        {"strategy": 99},
        {"px": -(2**63)},
    ],
    ids=str,
)
def test_a_record_with_values_that_nobody_defined_is_refused_and_its_neighbours_are_not(
    gateway: Any, desk: Desk, bad: dict[str, int]
) -> None:
    batch = orders(gateway, 3)
    for field, value in bad.items():
        batch[field][1] = value
    for decisions in (gateway.check_batch(batch), gateway.submit_batch(batch)):
        assert decisions["verdict"].tolist() == [1, 2, 1]
        assert decisions["reasons"][1] != 0
    gateway.close()
    desk.verified()
    # What is in the log as it came can be read again.
    assert _core.status(str(desk.log))["orders"] == 3


def test_random_bytes_as_records_never_panic_and_the_log_verifies(gateway: Any, desk: Desk) -> None:
    raw = np.random.default_rng(7).integers(0, 256, 64 * 2_000, np.uint8)
    gateway._core.check_batch(raw)
    out = np.frombuffer(gateway._core.submit_batch(raw), cwts.DECISION_DTYPE)
    assert len(out) == 2_000
    assert not (out["verdict"] == 1).any()
    snapshot = gateway._core.snapshot()
    gateway.close()
    desk.verified()
    again = desk.open(None, references=False)
    assert again.snapshot() == snapshot
    again.close()


def columns(**more: Any) -> dict[str, Any]:
    good = {
        "ts": pa.array([1, 2], pa.uint64()),
        "kind": ["add", "add"],
        "order_id": pa.array([1, 2], pa.uint64()),
        "account": ["alpha", "alpha"],
        "strategy": ["default", "default"],
        "instrument": ["ACME", "ACME"],
        "side": ["buy", "buy"],
        "qty": pa.array([1, 2], pa.int64()),
        "price": ["100", "100.5"],
    }
    return {name: value for name, value in (good | more).items() if value is not None}


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"qty": None}, "qty"),
        ({"qty": ["one", "two"]}, "qty"),
        ({"qty": pa.array([1, -2], pa.int64())}, "qty"),
        ({"qty": pa.array([1, None], pa.int64())}, "qty"),
        ({"price": ["100", "NaN"]}, "price"),
        ({"price": pa.array([100.0, float("nan")])}, "price"),
        ({"side": ["buy", "by"]}, "side"),
        ({"kind": ["add", "clear"]}, "clear|Clear"),
        ({"kind": ["add", "ad"]}, "kind"),
    ],
    ids=str,
)
def test_a_table_with_a_bad_cell_submits_none_of_its_rows(
    gateway: Any, more: dict[str, Any], word: str
) -> None:
    assert gateway.check_batch(pa.table(columns()))["verdict"].tolist() == [1, 1]
    for call in (gateway.check_batch, gateway.submit_batch):
        with pytest.raises(_core.CwtsError, match=word):
            call(pa.table(columns(**more)))
    assert gateway.state()["orders"] == 0

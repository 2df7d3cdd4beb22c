"""The 64-byte records of orders and decisions, as numpy sees them.

The layouts are those of `rust/types/src/record.rs`: the bytes go in and out unchanged. Reserved
values must be zero, and an order with an unknown enum value is refused as MALFORMED.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "DECISION_DTYPE",
    "FLIP_DTYPE",
    "ORDER_DTYPE",
    "RECORD_BYTES",
    "decisions_array",
    "flips_array",
    "orders_array",
]

#: One cache line.
RECORD_BYTES: Final = 64

#: An order: ``px`` in 1e-9 of the currency (0 = market), ``qty`` in the instrument's smallest
#: unit, ``kind`` 1 new 2 replace 3 cancel, ``side`` FIX 54, ``type_tif`` 2 = limit for the day.
ORDER_DTYPE: Final = np.dtype(
    [
        ("seq", "<u8"),
        ("ts", "<u8"),
        ("px", "<i8"),
        ("qty", "<i8"),
        ("order_id", "<u8"),
        ("ref_id", "<u8"),
        ("instrument", "<u4"),
        ("account", "<u4"),
        ("strategy", "<u4"),
        ("kind", "u1"),
        ("side", "u1"),
        ("type_tif", "u1"),
        ("flags", "u1"),
    ]
)

#: A decision: ``reasons`` is the mask of all violated controls, ``observed`` and ``limit`` are
#: those of ``first``, ``verdict`` is 1 accepted, 2 rejected, 4 a cancel that passed.
DECISION_DTYPE: Final = np.dtype(
    [
        ("seq", "<u8"),
        ("order_seq", "<u8"),
        ("reasons", "<u8"),
        ("observed", "<i8"),
        ("limit", "<i8"),
        ("order_id", "<u8"),
        ("limits_version", "<u4"),
        ("kill_epoch", "<u4"),
        ("scope", "<u4"),
        ("first", "u1"),
        ("level", "u1"),
        ("verdict", "u1"),
        ("flags", "u1"),
    ]
)

#: A decision that flips: ``old`` and ``new`` are the masks of violated controls (0 = accepted),
#: ``notional`` is in micros of the base currency, handles are those of the what-if's names.
FLIP_DTYPE: Final = np.dtype(
    [
        ("seq", "<u8"),
        ("ts", "<u8"),
        ("order_id", "<u8"),
        ("px", "<i8"),
        ("qty", "<i8"),
        ("old", "<u8"),
        ("new", "<u8"),
        ("notional", "<i8"),
        ("instrument", "<u4"),
        ("account", "<u4"),
        ("strategy", "<u4"),
        ("side", "u1"),
        ("kind", "u1"),
        ("reserved", "<u2"),
    ]
)


def order_bytes(orders: Any) -> npt.NDArray[np.uint8]:
    """Check a batch of orders and give its bytes, without a copy.

    Parameters
    ----------
    orders : numpy.ndarray
        One-dimensional, contiguous, of `ORDER_DTYPE`.

    Raises
    ------
    TypeError
        It is no array, or a field is missing, of another type or at another place.
    ValueError
        It has another number of dimensions, or gaps between its records.
    """
    if not isinstance(orders, np.ndarray):
        raise TypeError(
            f"orders is a {type(orders).__name__}; pass a numpy array of cwts.ORDER_DTYPE, or a "
            "table with __arrow_c_stream__ (pyarrow, polars, pandas)"
        )
    if orders.dtype != ORDER_DTYPE:
        raise TypeError(_dtype_fault(orders.dtype))
    if orders.ndim != 1:
        raise ValueError(f"orders.ndim is {orders.ndim}, must be 1; pass orders.reshape(-1)")
    if not orders.flags.c_contiguous:
        raise ValueError(
            f"orders.strides is {orders.strides}, must be ({RECORD_BYTES},); pass "
            "numpy.ascontiguousarray(orders)"
        )
    return orders.view(np.uint8)


def orders_array(raw: bytes | bytearray) -> npt.NDArray[Any]:
    """View order records as an array of `ORDER_DTYPE`."""
    return np.frombuffer(raw, ORDER_DTYPE)


def decisions_array(raw: bytes | bytearray) -> npt.NDArray[Any]:
    """View decision records as an array of `DECISION_DTYPE`."""
    return np.frombuffer(raw, DECISION_DTYPE)


def flips_array(raw: bytes | bytearray) -> npt.NDArray[Any]:
    """View the records of flips as an array of `FLIP_DTYPE`."""
    return np.frombuffer(raw, FLIP_DTYPE)


def _dtype_fault(dtype: np.dtype[Any]) -> str:
    """Name the first field that keeps `dtype` from being `ORDER_DTYPE`."""
    given, wanted = dtype.fields, ORDER_DTYPE.fields
    if given is None or wanted is None:
        return f"orders.dtype is {dtype}, must be cwts.ORDER_DTYPE"
    for name, (kind, offset, *_) in wanted.items():
        if name not in given:
            return f"orders has no field {name!r}; cwts.ORDER_DTYPE has it as {kind}"
        found, place = given[name][0], given[name][1]
        if found != kind:
            return f"orders[{name!r}] is {found}, must be {kind} (cwts.ORDER_DTYPE)"
        if place != offset:
            return f"orders[{name!r}] is at byte {place}, must be at {offset} (cwts.ORDER_DTYPE)"
    more = sorted(set(given) - set(wanted))
    if more:
        return f"orders has a field {more[0]!r}; cwts.ORDER_DTYPE has none"
    return f"a record of orders has {dtype.itemsize} bytes, must have {RECORD_BYTES}"

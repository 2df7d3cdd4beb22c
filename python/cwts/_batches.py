"""Many orders at once, as records or as a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["decided"]


def decided(
    orders: Any, records: Callable[[Any], bytearray], table: Callable[[Any], bytearray]
) -> npt.NDArray[Any]:
    """Hand orders to the call for their kind, and give the decisions as `DECISION_DTYPE`."""
    from cwts.records import decisions_array, order_bytes

    if hasattr(orders, "__arrow_c_stream__"):
        return decisions_array(table(orders))
    return decisions_array(records(order_bytes(orders)))

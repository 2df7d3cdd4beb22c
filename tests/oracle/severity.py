"""What a violation comes to: a refusal, a soft block, or a pass that alerts.

Written from ``docs/controls.md``, "Severity". A mask with `SOFT` is one that an override may lift.
"""

from __future__ import annotations

from dataclasses import replace

from oracle.entries import REPLACE, Order
from oracle.model import PENDING_MAX, Model, is_priced
from oracle.names import CONTROLS

__all__ = ["SOFT", "weigh"]

SOFT = 1 << 60
"""Beside the bits of the controls: the refusal is by soft ones alone."""

REFERENCE_MISSING, MESSAGE_RATE, DUPLICATE_ID, DUPLICATE_ORDER = 11, 26, 28, 29


def severities(model: Model, order: Order) -> dict[int, str]:
    """The controls that are not hard for an order."""
    said = model.rules.file.get("control", {}).get("severity", {})
    out = {CONTROLS.index(name): word for name, word in said.items()}
    rule = model.limit(("account", order.account), "duplicate_order")
    if rule is not None and "severity" in rule:
        out[DUPLICATE_ORDER] = rule["severity"]
    return {
        bit: word for bit, word in out.items() if word != "hard" and not stays(model, order, bit)
    }


def stays(model: Model, order: Order, bit: int) -> bool:
    """Whether a control is hard for this order whatever the file says."""
    if bit == REFERENCE_MISSING:
        return not is_priced(order)
    if bit == MESSAGE_RATE and order.kind == REPLACE:
        target = model.target(order.ref_id)
        return target is not None and len(target.pending) >= PENDING_MAX
    if bit == DUPLICATE_ID:
        most = model.rules.duplicate_id
        return order.order_id in model.orders or (most is not None and len(model.known) >= most)
    return False


def weigh(model: Model, order: Order, mask: int, *, replayed: bool) -> int:
    """What is left of a mask; 0 lets the order pass."""
    soften = severities(model, order)
    found = {bit for bit in range(len(CONTROLS)) if mask >> bit & 1}
    if not found <= soften.keys():
        return mask
    soft = sum(1 << bit for bit in found if soften[bit] == "soft")
    if soft and not is_granted(model, order, soft):
        if not replayed:
            model.blocked[order.order_id] = order
        return mask | SOFT
    if soft:
        del model.granted[order.order_id], model.blocked[order.order_id]
    return 0


def is_granted(model: Model, order: Order, soft: int) -> bool:
    """Whether two people let exactly this order pass all of these."""
    if order.order_id not in model.granted:
        return False
    said, terms = model.granted[order.order_id]
    return model.t < said.expires_ns and not soft & ~said.controls and terms == timeless(order)


def timeless(order: Order) -> Order:
    """An order without its time."""
    return replace(order, ts=0)

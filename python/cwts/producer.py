"""A named sender of orders: many threads, one gateway, no lock between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from cwts._closing import Closing

if TYPE_CHECKING:
    import numpy.typing as npt

    from cwts import _core
    from cwts._core import Decision, Order

__all__ = ["Producer"]

#: Answers that one call gives; a producer can have fewer than these open.
_ANSWERS_MAX: Final = 8_192


class Producer(Closing):
    """One sender; `Gateway.producer` opens it.

    Its orders wait in a bounded queue and are decided one after the other with those of all other
    producers: each producer's in the order in which it sent them, and in the log under its own id.
    Cancels have a queue of their own, which goes first. A halt waits in no queue.

    Notes
    -----
    Every method may be called from any thread; one producer a thread is what it is made for. What
    is full refuses with `QueueFullError`, and nothing of the call was sent. A cancel never
    overtakes the order that it names. `submit` and `post` are the core's own methods.
    """

    #: Send `order` and wait for its decision.
    submit: Callable[[Order], Decision]
    #: Send `order`, do not wait, and give its ticket: this producer's count of what it sent.
    post: Callable[[Order], int]
    #: Send the cancel of a working order, do not wait, and give its ticket.
    post_cancel: Callable[[int], int]

    def __init__(self, core: _core.Producer, gateway: _core.Gateway) -> None:
        self._core = core
        # Whoever has a producer has its gateway: without one its orders would go nowhere.
        self._gateway = gateway
        self.submit = core.submit
        self.post = core.post
        self.post_cancel = core.post_cancel

    async def asubmit(self, order: Order) -> Decision:
        """As `submit`, on a thread; cancelling it does not take the order back."""
        return await asyncio.to_thread(self._core.submit, order)

    def post_batch(self, orders: Any) -> range:
        """Send orders next to each other, all or none, and give their tickets.

        Parameters
        ----------
        orders : numpy.ndarray
            An array of `ORDER_DTYPE`.

        Raises
        ------
        QueueFullError
            There is no room for all of them; ``bound`` is what can ever be sent at once.
        """
        from cwts.records import order_bytes

        records: Any = order_bytes(orders)
        return range(*self._core.post_batch(records))

    def decisions(self, *, wait_s: float = 0.0) -> list[tuple[int, Decision]]:
        """Give the answers to what was posted, oldest first, each with its ticket.

        Parameters
        ----------
        wait_s : float
            How long to wait for the first of them, while any is due.

        Raises
        ------
        LogFailedError, CwtsError
            The log has failed, or the gateway closed, before what is due was decided.
        """
        return self._core.decisions(_ANSWERS_MAX, wait_s)

    async def adecisions(self, *, wait_s: float = 0.0) -> list[tuple[int, Decision]]:
        """As `decisions`, on a thread."""
        return await asyncio.to_thread(self._core.decisions, _ANSWERS_MAX, wait_s)

    def decision_batch(self, *, wait_s: float = 0.0) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """As `decisions`, as two arrays: the tickets, and records of `DECISION_DTYPE`."""
        import numpy as np

        from cwts.records import decisions_array

        tickets, records = self._core.decision_records(_ANSWERS_MAX, wait_s)
        return np.frombuffer(tickets, "<u8"), decisions_array(records)

    @property
    def name(self) -> str:
        """Its name in the log."""
        return self._core.name

    @property
    def id(self) -> int:
        """The number of the sender in its entries of the log."""
        return self._core.id

    @property
    def open(self) -> int:
        """Orders and cancels that were sent and whose answers nobody took."""
        return self._core.open

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._core.is_closed

    def close(self) -> None:
        """Send no more. What was sent is decided, and its answers can still be taken."""
        self._core.close()

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{self.open:,} open"
        return f"<cwts.Producer {self.name!r}, id {self.id}, {state}>"

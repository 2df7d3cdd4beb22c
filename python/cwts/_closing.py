"""What is closed at the end of a ``with``."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cwts import _core

if TYPE_CHECKING:
    from cwts.witnesses import Witness, WitnessRounds

__all__ = ["Closing", "close", "rounds"]


class Closing(ABC):
    """A ``with`` block ends with `close`, whatever ended it."""

    @abstractmethod
    def close(self) -> Any:
        """End it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def rounds(
    log: str | os.PathLike[str] | None, witnesses: Iterable[Witness]
) -> WitnessRounds | None:
    """Give what asks these witnesses to cosign a log; ``None`` if there are none."""
    listed = list(witnesses)
    if not listed:
        return None
    if log is None:
        raise ValueError("witnesses: there is no log for them to cosign; give log too")
    # Here, or every start would pay for it.
    from cwts.witnesses import WitnessRounds

    return WitnessRounds(log, listed)


def close(core: _core.Gateway, asked: WitnessRounds | None) -> dict[str, Any] | None:
    """End a log, and submit its last checkpoint to its witnesses."""
    closed = None if core.is_closed else core.close()
    if closed is not None and asked is not None:
        asked.finish()
    return closed

"""What a gateway is told of the market, and by the back office."""

from __future__ import annotations

from typing import Literal

from cwts import _core
from cwts.orders import Price, price_e9

__all__ = ["MarketCalls", "Phase"]

Phase = Literal[
    "quoting",
    "trading",
    "halted",
    "pre_open",
    "opening",
    "closing",
    "post",
    "closed",
    "reconciling",
]


def _known(price: Price, name: str) -> int:
    """A price in 1e-9 that is not 0: in an entry 0 means that it is not known."""
    value = price_e9(price, name)
    if value == 0:
        msg = f"{name}: 0 is no price; leave it out where it is not known"
        raise ValueError(msg)
    return value


class MarketCalls:
    """The calls of `cwts.Gateway` that say what the world is like."""

    _core: _core.Gateway

    def set_reference(
        self,
        symbol: str,
        *,
        last: Price | None = None,
        bid: Price | None = None,
        ask: Price | None = None,
        ts_ns: int | None = None,
    ) -> None:
        """Set the price that a symbol's collar is around.

        A collar with ``reference = "mid"`` is around the middle of ``bid`` and ``ask``, rounded
        down to 1e-9; an offer below the bid leaves the middle as it was. Other collars are
        around ``last``. Give ``last``, or ``bid`` and ``ask``, or all three.

        Parameters
        ----------
        symbol : str
            An instrument of the limits file.
        last, bid, ask : str, Decimal or int
            Prices; an int means whole currency units.
        ts_ns : int, optional
            When it was seen, UTC epoch nanoseconds. Default: now. Never later than now.
        """
        if last is None and (bid is None or ask is None):
            msg = f"set_reference({symbol!r}): give last, or bid and ask"
            raise ValueError(msg)
        self._core.set_reference(
            symbol,
            None if last is None else price_e9(last, "last"),
            0 if bid is None else price_e9(bid, "bid"),
            0 if ask is None else price_e9(ask, "ask"),
            ts_ns,
        )

    async def aset_reference(
        self,
        symbol: str,
        *,
        last: Price | None = None,
        bid: Price | None = None,
        ask: Price | None = None,
        ts_ns: int | None = None,
    ) -> None:
        """As `set_reference`."""
        self.set_reference(symbol, last=last, bid=bid, ask=ask, ts_ns=ts_ns)

    def set_market(
        self,
        symbol: str,
        *,
        bid: Price | None = None,
        prior_close: Price | None = None,
        band: tuple[Price, Price] | Literal["none"] | None = None,
        short_restricted: bool | None = None,
        ts_ns: int | None = None,
    ) -> None:
        """Say what is known of a symbol's market beside its reference price.

        What is not given stays as it was.

        Parameters
        ----------
        symbol : str
            An instrument of the limits file.
        bid : str, Decimal or int
            National best bid: under the short-sale restriction a short sale has to be above it
            (Reg SHO 201).
        prior_close : str, Decimal or int
            What a collar of auctions is around.
        band : (lower, upper) or "none"
            Limit-up limit-down band; ``"none"`` takes it away.
        short_restricted : bool
            Whether the short-sale restriction is on.
        ts_ns : int, optional
            When it was seen, UTC epoch nanoseconds. Default: now. Never later than now.

        Raises
        ------
        ValueError
            The symbol is unknown, nothing is given, a price is 0 (an entry says "not known" so),
            or the band's edges are the wrong way round.
        """
        if bid is None and prior_close is None and band is None and short_restricted is None:
            msg = f"set_market({symbol!r}): give bid, prior_close, band or short_restricted"
            raise ValueError(msg)
        edges = None
        if band is not None and band != "none":
            edges = (_known(band[0], "band"), _known(band[1], "band"))
            if edges[0] > edges[1]:
                msg = f"band: the lower edge {band[0]} is above the upper edge {band[1]}"
                raise ValueError(msg)
        _core.set_market(
            self._core,
            symbol,
            bid_e9=0 if bid is None else _known(bid, "bid"),
            prior_close_e9=0 if prior_close is None else _known(prior_close, "prior_close"),
            band_e9=edges,
            no_band=band == "none",
            short_restricted=short_restricted,
            ts_ns=ts_ns or 0,
        )

    async def aset_market(
        self,
        symbol: str,
        *,
        bid: Price | None = None,
        prior_close: Price | None = None,
        band: tuple[Price, Price] | Literal["none"] | None = None,
        short_restricted: bool | None = None,
        ts_ns: int | None = None,
    ) -> None:
        """As `set_market`."""
        self.set_market(
            symbol,
            bid=bid,
            prior_close=prior_close,
            band=band,
            short_restricted=short_restricted,
            ts_ns=ts_ns,
        )

    def set_phase(self, scope: str, phase: Phase) -> None:
        """Say what phase of trading an instrument or a venue is in, or whether a session is up.

        Parameters
        ----------
        scope : str
            ``"instrument:AAPL"``, ``"venue:XNAS"`` or ``"session:FIX1"``.
        phase : str
            One of `Phase`. Only a venue can be ``"reconciling"``; a session is up while it is
            ``"trading"`` and down while it is ``"closed"``.

        Raises
        ------
        ValueError
            There is no such phase.
        ScopeError
            There is no such scope.
        PermissionDeniedError
            The scope is never in that phase.
        """
        _core.set_phase(self._core, scope, phase)

    async def aset_phase(self, scope: str, phase: Phase) -> None:
        """As `set_phase`."""
        self.set_phase(scope, phase)

    def locate(self, account: str, symbol: str, qty: int, *, actor: str) -> None:
        """Say how much of a symbol is located for an account today, in all (Reg SHO 203(b)(1)).

        Parameters
        ----------
        account, symbol : str
            Of the limits file.
        qty : int
            The instrument's smallest unit; 0 takes a locate back.
        actor : str
            Who says so.

        Raises
        ------
        ValueError
            A name is unknown, or `qty` is below 0.
        """
        _core.locate(self._core, account, symbol, qty, actor=actor)

    async def alocate(self, account: str, symbol: str, qty: int, *, actor: str) -> None:
        """As `locate`."""
        self.locate(account, symbol, qty, actor=actor)

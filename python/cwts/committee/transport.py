"""Frames between members, over TLS 1.3 on which both sides show the certificate that is expected.

A context trusts exactly the certificates of the terms, and no authority. Whoever connects is one of
them, and the one whose certificate it shows: not whom a payload names.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final

from cwts.committee.members import Member
from cwts.errors import input_error

__all__ = ["FRAME_BYTES_MAX", "Link", "LinkClosedError", "connect", "serve"]

#: The longest payload: a message of a ceremony and its place, or a roster of 128 members.
FRAME_BYTES_MAX: Final = 96 * 1024
#: A peer that reads nothing for so long, or so much waiting for it, is let go.
_QUEUE_BYTES_MAX: Final = 8 << 20
_HANDSHAKE_S: Final = 10.0
_HEAD: Final = struct.Struct("<IB")

Handler = Callable[["Link"], Awaitable[None]]


class LinkClosedError(ConnectionError):
    """The peer is gone, or has sent what no peer may send."""


class Link:
    """A connection to one authenticated peer.

    Attributes
    ----------
    peer : Member
        Whose certificate was shown.
    refused : int
        What it sent and did not count; whoever reads keeps it.
    """

    def __init__(
        self, peer: Member, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.peer = peer
        self.refused = 0
        self._reader = reader
        self._writer = writer

    async def receive(self) -> tuple[int, bytes]:
        """The next frame: its kind and its payload.

        Raises
        ------
        LinkClosedError
            The peer is gone, or the frame is longer than `FRAME_BYTES_MAX`.
        """
        try:
            size, kind = _HEAD.unpack(await self._reader.readexactly(_HEAD.size))
            if size > FRAME_BYTES_MAX:
                raise LinkClosedError(f"{self.peer.name}: a frame of {size} bytes")
            return kind, await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise LinkClosedError(f"{self.peer.name}: {error or type(error).__name__}") from None

    def send(self, kind: int, payload: bytes) -> None:
        """Queue a frame.

        Raises
        ------
        LinkClosedError
            More than 8 MiB wait for this peer already: it is let go.
        """
        waiting = self._writer.transport.get_write_buffer_size()
        if self._writer.is_closing() or waiting > _QUEUE_BYTES_MAX:
            self._writer.transport.abort()
            raise LinkClosedError(f"{self.peer.name}: {waiting} bytes wait for it")
        self._writer.write(_HEAD.pack(len(payload), kind) + payload)

    async def close(self) -> None:
        """Send what waits, and close; a peer that takes nothing is not waited for."""
        self._writer.close()
        try:
            with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
                await asyncio.wait_for(self._writer.wait_closed(), 1.0)
        finally:
            self._writer.transport.abort()


def _context(server: bool, key: Path, own: bytes, peers: Iterable[Member]) -> ssl.SSLContext:
    side = ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    trusted = b"".join(peer.certificate for peer in peers if peer.certificate != own)
    try:
        context.load_cert_chain(key)
        context.load_verify_locations(cadata=trusted)
    except (OSError, ssl.SSLError) as error:
        raise input_error(f"TLS key {key}, or a certificate of the terms: {error}") from None
    return context


def _peer_of(writer: asyncio.StreamWriter, peers: Iterable[Member]) -> Member | None:
    channel: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
    shown = None if channel is None else channel.getpeercert(binary_form=True)
    return next((peer for peer in peers if peer.certificate == shown), None)


async def serve(
    own: Member, key: Path, peers: tuple[Member, ...], handler: Handler
) -> asyncio.Server:
    """Listen at the member's address; each peer that connects is given to `handler`.

    Parameters
    ----------
    own : Member
        Who listens.
    key : Path
        Its TLS key and certificate, PEM.
    peers : tuple of Member
        Who may connect; nobody else gets through the handshake.
    handler : callable
        Takes the link, which is closed when it returns.

    Raises
    ------
    OSError
        The address cannot be listened at.
    """

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = _peer_of(writer, peers)
        if peer is None:
            writer.transport.abort()
            return
        link = Link(peer, reader, writer)
        try:
            await handler(link)
        except LinkClosedError:
            pass
        finally:
            await link.close()

    return await asyncio.start_server(
        accepted,
        own.host,
        own.port,
        ssl=_context(True, key, own.certificate, peers),
        ssl_handshake_timeout=_HANDSHAKE_S,
        limit=FRAME_BYTES_MAX + _HEAD.size,
    )


async def connect(own: Member, key: Path, peer: Member) -> Link:
    """Connect to one peer, which shows the certificate that is expected of it.

    Raises
    ------
    LinkClosedError
        Nobody listens there, or somebody else.
    """
    try:
        reader, writer = await asyncio.open_connection(
            peer.host,
            peer.port,
            ssl=_context(False, key, own.certificate, (peer,)),
            ssl_handshake_timeout=_HANDSHAKE_S,
            limit=FRAME_BYTES_MAX + _HEAD.size,
        )
    except (OSError, ssl.SSLError, TimeoutError) as error:
        raise LinkClosedError(f"{peer.name} at {peer.host}:{peer.port}: {error}") from None
    if _peer_of(writer, (peer,)) is None:
        writer.transport.abort()
        raise LinkClosedError(f"{peer.name}: shows another certificate")
    return Link(peer, reader, writer)

"""Connections between members: who is let in, what a frame may be, and who enrols."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cwts import errors
from cwts.committee import identity, plans, roster, transport
from cwts.committee.members import Member, chain_of
from cwts.committee.transport import FRAME_BYTES_MAX, Link, LinkClosedError

NAMES = ("sequencer", "anna", "bo", "eve")


@pytest.fixture
def people(tmp_path: Path) -> dict[str, Member]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {name: identity.create(tmp_path / name, name, "127.0.0.1", port) for name in NAMES}


def tls(tmp_path: Path, name: str) -> Path:
    return tmp_path / name / identity.TLS_FILE


def held(
    people: dict[str, Member], tmp_path: Path, ask: Callable[[list[str]], Awaitable[None]]
) -> list[str]:
    """What the sequencer, who lets anna and bo in, hears while somebody asks."""
    heard: list[str] = []

    async def serve(link: Link) -> None:
        while True:
            kind, payload = await link.receive()
            heard.append(f"{link.peer.name} {kind} {len(payload)}")
            link.send(kind, payload[::-1])

    async def run() -> None:
        own, peers = people["sequencer"], (people["anna"], people["bo"])
        server = await transport.serve(own, tls(tmp_path, "sequencer"), peers, serve)
        try:
            await asyncio.wait_for(ask(heard), 30)
        finally:
            server.close()

    asyncio.run(run())
    return heard


def test_members_are_who_their_certificates_say(people: dict[str, Member], tmp_path: Path) -> None:
    async def ask(_heard: list[str]) -> None:
        for name in ("anna", "bo"):
            link = await transport.connect(people[name], tls(tmp_path, name), people["sequencer"])
            assert link.peer == people["sequencer"]
            link.send(7, b"abc")
            assert await link.receive() == (7, b"cba")
            link.send(5, b"x" * FRAME_BYTES_MAX)
            assert (await link.receive())[0] == 5
            await link.close()

    heard = held(people, tmp_path, ask)
    assert heard == [
        f"{name} {row}" for name in ("anna", "bo") for row in ("7 3", f"5 {FRAME_BYTES_MAX}")
    ]


def test_a_stranger_is_not_let_in_and_nobody_speaks_to_another(
    people: dict[str, Member], tmp_path: Path
) -> None:
    async def speak() -> None:
        # TLS 1.3 tells a client late that its certificate is refused: at its first reading.
        link = await transport.connect(people["eve"], tls(tmp_path, "eve"), people["sequencer"])
        try:
            link.send(7, b"abc")
            await link.receive()
        finally:
            await link.close()

    async def ask(_heard: list[str]) -> None:
        with pytest.raises(LinkClosedError):
            await speak()
        # Who listens there is not who was expected.
        other = dataclasses.replace(people["bo"], port=people["sequencer"].port)
        with pytest.raises(LinkClosedError):
            await transport.connect(people["anna"], tls(tmp_path, "anna"), other)

    assert held(people, tmp_path, ask) == []


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"maximum_version": ssl.TLSVersion.TLSv1_2}, id="tls 1.2"),
        pytest.param({}, id="no certificate"),
    ],
)
def test_weaker_connections_are_refused(
    people: dict[str, Member], tmp_path: Path, asked: dict[str, ssl.TLSVersion]
) -> None:
    async def ask(_heard: list[str]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        for name, value in asked.items():
            setattr(context, name, value)
        if asked:
            context.load_cert_chain(tls(tmp_path, "anna"))
        at = (people["sequencer"].host, people["sequencer"].port)
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await speak(at, context)

    assert held(people, tmp_path, ask) == []


async def speak(at: tuple[str, int], context: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection(*at, ssl=context)
    try:
        writer.write(struct.pack("<IB", 3, 7) + b"abc")
        await reader.readexactly(1)
    finally:
        writer.transport.abort()


def test_a_frame_above_the_bound_ends_the_connection(
    people: dict[str, Member], tmp_path: Path
) -> None:
    async def ask(_heard: list[str]) -> None:
        link = await transport.connect(people["anna"], tls(tmp_path, "anna"), people["sequencer"])
        link.send(7, b"x" * (FRAME_BYTES_MAX + 1))
        with pytest.raises(LinkClosedError):
            await link.receive()
        await link.close()

    assert held(people, tmp_path, ask) == []


def test_keys_are_enrolled_by_their_member_for_these_terms(
    people: dict[str, Member], tmp_path: Path
) -> None:
    """Whoever hands the keys round cannot put its own in the place of another's."""
    players = [people["anna"], people["bo"]]
    origin = "x.example/log"
    terms = plans.make_new(origin, chain_of(origin), 1, people["sequencer"], players)
    other = plans.make_new(origin, chain_of(origin), 2, people["sequencer"], players)

    def enrol(name: str, of: plans.Terms) -> bytes:
        _, secrets = identity.load(tmp_path / name)
        return b"".join(secrets.enrol(of.chain, of.number, of.digest))

    rows = {name: enrol(name, terms) for name in ("anna", "bo", "eve")}
    good = {people[n].vote: roster.Enrolment.read(rows[n], terms) for n in ("anna", "bo")}
    assert roster.read_roster(roster.write_roster(good), terms) == good
    eves_key_under_annas_name = rows["anna"][:32] + rows["eve"][32:]
    for wrong in (
        rows["eve"],
        eves_key_under_annas_name,
        rows["anna"][:-64] + rows["bo"][-64:],
        enrol("anna", other),
        rows["anna"][:-64] + bytes(64),
        rows["anna"][:-1],
        b"",
    ):
        with pytest.raises(errors.CwtsError):
            roster.Enrolment.read(wrong, terms)
    twice = roster.write_roster(good)
    with pytest.raises(errors.CeremonyFailedError, match="each member once"):
        roster.read_roster(twice[:2] + 2 * twice[2 : 2 + len(rows["anna"])], terms)

"""A log over HTTP, as C2SP tlog-tiles asks for it: checkpoint, key, tiles, entry bundles.

Source: C2SP tlog-tiles. Only files whose names are canonical, and that the signed size has, are
given; nothing is written, listed, or computed.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cwts import _core, audit
from cwts.errors import input_error

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["CONNECTIONS_MAX", "application", "listening", "serve", "witness_application"]

#: Requests that are answered at once; more wait in the socket's queue, or are told to come again.
CONNECTIONS_MAX: Final = 64
#: A request's line and headers.
_REQUEST_BYTES_MAX: Final = 8_192
#: The longest file: 256 entries of 65,535 bytes behind their lengths.
_FILE_BYTES_MAX: Final = 256 * 65_537
_TILE: Final = re.compile(
    r"tile/(entries|[0-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)
_WIDTH_MAX: Final = 255
#: A tile never changes: what its name says is what it holds, for ever.
_FOREVER: Final = "public, max-age=31536000, immutable"
_NOTE: Final = "text/plain; charset=utf-8"
_TEXTS: Final = ("checkpoint", "checkpoint.witnessed", "log.vkey")
#: `old`, 63 hashes and a note of 64 KiB: what the core takes, and a byte that tells of more.
_SUBMISSION_BYTES_MAX: Final = 32 + 63 * 45 + 65_536 + 1
#: How long a body may take to come, seconds.
_BODY_S_MAX: Final = 10.0


def _is_canonical(name: str, *, entries: bool) -> bool:
    """Tell whether this is the one name of a tile or, if `entries`, of a bundle."""
    found = _TILE.fullmatch(name)
    if found is None or (found[1] == "entries" and not entries):
        return False
    if int(found[3] or 1) > _WIDTH_MAX:
        return False
    # No leading group of zeros: `x000/` is a second name.
    return not found[2].startswith("x000/")


def _content(directory: Path, name: str) -> bytes | None:
    """Give a file of the log, if it is a plain one that lies in it."""
    path = directory / name
    try:
        if path.resolve(strict=True) != directory / name:
            return None
    except FileNotFoundError:
        return _archived(directory, name)
    except (OSError, ValueError):
        return None
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    with os.fdopen(handle, "rb") as file:
        content = file.read(_FILE_BYTES_MAX + 1)
    return content if len(content) <= _FILE_BYTES_MAX else None


def _archived(directory: Path, name: str) -> bytes | None:
    """Give a tile or a bundle out of the log's cold blocks."""
    if not (directory / "archive").is_dir():
        return None
    return _core.log_file(os.fspath(directory), name, _FILE_BYTES_MAX)


def application(log: str | os.PathLike[str], *, entries: bool = False) -> Any:
    """Give the ASGI application that serves a log.

    Parameters
    ----------
    log : path-like
        The log's directory; it may be live.
    entries : bool
        Serve the entry bundles too. They hold what not everyone may see; tiles hold hashes.

    Raises
    ------
    InputError
        starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import PlainTextResponse, Response
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise _lacking() from None
    directory = audit.one_log(log).resolve()

    def answer(request: Request) -> Response:
        name = str(request.path_params["name"])
        is_text = name in _TEXTS
        # The path as it came: an escaped one is another name, and there is none of it.
        plain = request.scope.get("raw_path", b"").partition(b"?")[0] == b"/" + name.encode()
        if not plain or not (is_text or _is_canonical(name, entries=entries)):
            return PlainTextResponse("no such file in a tlog-tiles log\n", status_code=404)
        content = _content(directory, name)
        if content is None:
            return PlainTextResponse("the log has no such file now\n", status_code=404)
        kind = _NOTE if is_text else "application/octet-stream"
        caching = "no-cache" if is_text else _FOREVER
        headers = {"cache-control": caching, "x-content-type-options": "nosniff"}
        return Response(content, media_type=kind, headers=headers)

    return Starlette(routes=[Route("/{name:path}", answer, methods=["GET", "HEAD"])])


def witness_application(witness: _core.Witness) -> Any:
    """Give the ASGI application of a witness: ``POST /add-checkpoint``, and what it has cosigned.

    Source: C2SP tlog-witness. ``GET /<SHA-256 of the origin>/checkpoint`` gives the newest.

    Raises
    ------
    InputError
        starlette is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import PlainTextResponse, Response
        from starlette.routing import Route
    except ModuleNotFoundError:
        raise _lacking() from None

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        try:
            async with asyncio.timeout(_BODY_S_MAX):
                async for chunk in request.stream():
                    body += chunk[: _SUBMISSION_BYTES_MAX - len(body)]
                    if len(body) >= _SUBMISSION_BYTES_MAX:
                        break
        except TimeoutError:
            return PlainTextResponse("the body did not come in time\n", status_code=408)
        now = int(time.time())
        status, kind, content = await run_in_threadpool(witness.add_checkpoint, body, now)
        # As a header: starlette adds a charset to every type of text, and the protocol has none.
        return Response(content, status_code=status, headers={"content-type": kind})

    def newest(request: Request) -> Response:
        note = witness.newest(str(request.path_params["origin"]))
        if note is None:
            return PlainTextResponse("no checkpoint of this origin\n", status_code=404)
        headers = {"content-type": _NOTE, "cache-control": "no-cache"}
        return Response(note, headers=headers)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{origin}/checkpoint", newest, methods=["GET"]),
        ]
    )


def listening(host: str, port: int) -> socket.socket:
    """Give a socket that listens on an address; port 0 takes one that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((host, port))
        found.listen(CONNECTIONS_MAX)
    except OSError as error:
        found.close()
        raise input_error(f"{host}:{port}: {error.strerror}") from None
    return found


def serve(app: Any, bound: socket.socket) -> None:
    """Answer on a socket until SIGINT or SIGTERM; what is being answered then is finished."""
    try:
        import uvicorn
    except ModuleNotFoundError:
        raise _lacking() from None
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        http="h11",
        lifespan="off",
        limit_concurrency=CONNECTIONS_MAX,
        h11_max_incomplete_event_size=_REQUEST_BYTES_MAX,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[bound])


def _lacking() -> Exception:
    return input_error(
        "this needs starlette and uvicorn, which are not installed; run: pip install 'cwts[serve]'"
    )

"""The server that the service runs: its address, its end, TLS, and how long it waits for slow clients."""

from __future__ import annotations

import asyncio
import resource
import signal
import ssl
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from websockets.asyncio.client import connect

from stream import server, web
from stream.config import Settings
from stream.errors import ConfigError
from stream.health import Health
from stream.server import SPARE_CLIENTS, SPARE_CONNECTIONS, PatientProtocol, allow_files, listen
from tests.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.websockets import WebSocket


class Hasty(PatientProtocol):
    """Waits for nobody longer than a moment."""

    request_seconds = 0.2
    stall_seconds = 0.2


@asynccontextmanager
async def served(
    protocol: type[PatientProtocol] = PatientProtocol, parts: Iterable[list[BaseRoute]] = (), **settings: object
) -> AsyncIterator[str]:
    given = Settings.load(None, {}, **settings)
    with listen("127.0.0.1:0") as listener:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(web.app(given, Health(), parts), listener, given, protocol))
            yield f"127.0.0.1:{listener.getsockname()[1]}"
            serving.cancel()


async def test_the_server_answers_until_its_task_is_cancelled() -> None:
    async with served() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        assert (await client.get("/livez")).status_code == 200
    async with httpx.AsyncClient(base_url=f"http://{address}") as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/livez")


async def test_a_server_that_stops_leaves_its_address_to_the_next() -> None:
    async with served() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        await client.get("/livez")
    listen(address).close()


async def test_the_server_leaves_signals_to_the_service() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with served() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        await client.get("/livez")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_an_address_that_is_taken_is_told_in_one_line() -> None:
    with listen("127.0.0.1:0") as listener:
        taken = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ConfigError) as raised:
            listen(taken)
    assert str(raised.value) == (
        f"http: cannot listen on {taken} (Address already in use): stop what listens there, or set another"
    )


def test_a_host_that_is_not_this_machine_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"http: cannot listen on host\.invalid:80 "):
        listen("host.invalid:80")


async def test_a_certificate_that_is_set_is_what_the_server_shows(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certfile, keyfile = authority.issue("pages")
    trusting = ssl.create_default_context(cafile=str(authority.cafile))
    async with (
        served(http_certfile=certfile, http_keyfile=keyfile) as address,
        httpx.AsyncClient(base_url=f"https://{address}", verify=trusting) as client,
    ):
        assert (await client.get("/livez")).status_code == 200


async def test_a_certificate_that_is_none_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "pem").write_text("no certificate")
    settings = Settings(http_certfile=tmp_path / "pem", http_keyfile=tmp_path / "pem")
    with (
        listen("127.0.0.1:0") as listener,
        pytest.raises(ConfigError, match="http_certfile, http_keyfile: expected PEM"),
    ):
        await server.serve(web.app(settings, Health()), listener, settings)


async def test_a_request_that_trickles_in_is_cut_off() -> None:
    async with served(Hasty) as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n")
        await trickled(reader, writer, b"x: y\r\n")


async def test_a_second_request_of_a_connection_that_trickles_in_is_cut_off() -> None:
    async with served(Hasty) as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        length = 0
        writer.write(b"G")
        async with asyncio.timeout(30):
            while piece := await reader.read(4096):
                length += len(piece)
        writer.close()
        assert length < 4096  # the body of the first answer, and the end


async def test_a_body_that_trickles_in_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    async with served(Hasty, http_token_file=tmp_path / "token") as address:
        reader, writer = await asyncio.open_connection(*address.split(":"))
        writer.write(b"POST /login HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4000\r\n\r\n")
        await trickled(reader, writer, b"x")


async def test_a_request_that_is_whole_may_take_long_to_answer() -> None:
    async with served(Hasty, [[Route("/slow", slow)]]) as address, httpx.AsyncClient() as client:
        assert (await client.get(f"http://{address}/slow")).text == "done"


async def test_a_websocket_may_go_on_for_longer_than_a_request() -> None:
    async with (
        served(Hasty, [[WebSocketRoute("/echo", echo)]]) as address,
        connect(f"ws://{address}/echo") as socket,
        asyncio.timeout(30),
    ):
        until = asyncio.get_running_loop().time() + 3 * Hasty.request_seconds
        while asyncio.get_running_loop().time() < until:
            await socket.send("still there?")
            assert await socket.recv() == "still there?"


async def test_connections_above_all_limits_are_ended_at_once() -> None:
    allow_files(0)
    async with served(events_clients=1) as address:
        most = 1 + SPARE_CLIENTS + SPARE_CONNECTIONS
        opened = [await asyncio.open_connection(*address.split(":")) for _ in range(most)]
        reader, writer = await asyncio.open_connection(*address.split(":"))
        async with asyncio.timeout(30):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        for _, one in [*opened, (reader, writer)]:
            one.close()


async def test_who_does_not_read_the_answer_is_cut_off() -> None:
    async with served(Hasty, [[Route("/endless", endless)]]) as address:
        reader, writer = await asyncio.open_connection(*address.split(":"), limit=1024)
        writer.write(b"GET /endless HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
        async with asyncio.timeout(30):
            await ENDED.wait()
        writer.close()


ENDED = asyncio.Event()


async def trickled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Write a piece again and again until the other side has had enough; fail if it never has."""
    ended = asyncio.create_task(reader.read())
    async with asyncio.timeout(30):
        while not ended.done():
            writer.write(piece)
            await asyncio.wait([ended], timeout=0.02)
    writer.close()
    with suppress(ConnectionError):
        assert await ended == b""


async def slow(_: Request) -> Response:
    await asyncio.sleep(3 * Hasty.request_seconds)
    return PlainTextResponse("done")


async def echo(websocket: WebSocket) -> None:
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def endless(_: Request) -> Response:
    async def body() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(8192)
                await asyncio.sleep(0)
        finally:
            ENDED.set()

    return StreamingResponse(body())


def test_the_limit_of_open_files_is_raised_as_far_as_it_may_go() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[1], 256), before[1]))
        allow_files(1)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (before[1], before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_limit_of_open_files_that_is_too_low_is_said(caplog: pytest.LogCaptureFixture) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        allow_files(before[1])
        assert f"{before[1]} allowed, {before[1] + 1024} needed" in caplog.text
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

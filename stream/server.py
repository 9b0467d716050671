"""The HTTP server: its address, TLS, and patience with slow clients; uvicorn does the rest.

    ASGI application -> [uvicorn] -> the address of `http`

A request must be there whole within 10 s, and whoever takes nothing of an answer for 20 s is cut off, so that neither slow
writers nor slow readers hold what others need. What a connection may leave unread is bounded, here and in the kernel.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from stream import metrics
from stream.errors import ConfigError
from stream.structured import max_message_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp

    from stream.config import Settings

log = logging.getLogger(__name__)

DRAIN_SECONDS = 1  # for answers under way when the service stops
REQUEST_SECONDS = 10.0
STALL_SECONDS = 20.0
UNSENT_BYTES = 16 << 10  # of one connection, in this process, before its sender has to wait
KERNEL_BYTES = 64 << 10  # of one connection, in the kernel; it doubles it
SPARE_CLIENTS = 256  # pages, probes and sources beside the readers of events
SPARE_CONNECTIONS = 256  # beside those, answered 503 if they ask for anything; whoever comes on top is not listened to
SPARE_FILES = 512  # Kafka's connections, models, decoding processes


def listen(http: str) -> socket.socket:
    """Take the address `HOST:PORT` at once, before anything else is started.

    Raises
    ------
    ConfigError
        If it is taken, or is no address of this machine.
    """
    host, _, port = http.rpartition(":")
    family = socket.AF_INET6 if host.startswith("[") else socket.AF_INET
    try:
        listener = socket.create_server((host.strip("[]"), int(port)), family=family)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]
        raise ConfigError(f"http: cannot listen on {http} ({why}): stop what listens there, or set another") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)  # connections inherit it
    return listener


def allow_files(clients: int) -> None:
    """Raise this process's limit of open files as far as it may go, and say so where that is too few for `clients`."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    needed = clients + SPARE_CLIENTS + SPARE_CONNECTIONS + SPARE_FILES
    if hard not in {resource.RLIM_INFINITY, -1} and hard < needed:
        log.warning("open files: %d allowed, %d needed for events_clients: raise the limit (ulimit -Hn)", hard, needed)


class _Impatient(asyncio.Protocol):
    """Cuts off a client that takes nothing of an answer for so long."""

    stall_seconds: ClassVar[float] = STALL_SECONDS
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _stall: asyncio.TimerHandle | None = None

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._watch_stall()

    def resume_writing(self) -> None:
        """Write on: the client has read."""
        super().resume_writing()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        if self._stall is not None:
            self._stall.cancel()
        super().connection_lost(exc)

    def _watch_stall(self) -> None:
        self._stall = self.loop.call_later(self.stall_seconds, self._cut, "reading")

    def _cut(self, doing: str) -> None:
        metrics.HTTP_REFUSED.labels("slow").inc()
        log.info("cut off a client that was too slow at %s", doing)
        self.transport.abort()


class PatientSocket(_Impatient, WebSocketsSansIOProtocol):
    """One WebSocket whose client has only so much time to read; how it writes is `conversation.py`'s."""

    def pause_writing(self) -> None:
        """Hear nothing of who does not read either: each of their pings would be answered into memory."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Hear them again, unless enough that they said is waiting."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()


class PatientProtocol(_Impatient, H11Protocol):
    """One connection whose client has only so much time to write a request, and to read its answer."""

    request_seconds: ClassVar[float] = REQUEST_SECONDS
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request from now on, unless there are too many who might ask."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNSENT_BYTES)
        if len(self.connections) > (self.limit_concurrency or 0) + SPARE_CONNECTIONS:
            metrics.HTTP_REFUSED.labels("clients").inc()
            transport.abort()
        else:
            self._watch_request()

    def data_received(self, data: bytes) -> None:
        """Take a piece of a request; the time runs until the last."""
        super().data_received(data)
        if self.transport.get_protocol() is self:  # else it is a WebSocket by now
            self._watch_request()

    def on_response_complete(self) -> None:
        """Leave the time until the next request begins to uvicorn."""
        self._forget_request()
        super().on_response_complete()
        self._watch_rest()

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that asks for nothing more."""
        super().timeout_keep_alive_handler()
        self._watch_rest()

    def handle_websocket_upgrade(self, event: object) -> None:
        """Hand the connection over, with its time to the WebSocket's pings."""
        self._forget_request()
        super().handle_websocket_upgrade(event)  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for no request any more."""
        self._forget_request()
        super().connection_lost(exc)

    def _watch_rest(self) -> None:
        """Give who has yet to read the rest of a closed connection no more time than others: a close waits for ever."""
        if self._stall is None and self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._watch_stall()

    def _watch_request(self) -> None:
        cycle: RequestResponseCycle | None = self.cycle
        is_answering = cycle is not None and not cycle.more_body and not cycle.response_complete
        is_resting = self.timeout_keep_alive_task is not None  # between requests the time is uvicorn's
        if is_answering:
            self._forget_request()
        elif self._timer is None and not is_resting:
            self._timer = self.loop.call_later(self.request_seconds, self._cut, "writing")

    def _forget_request(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the service itself decides what they stop, and when."""
        yield


async def serve(
    pages: ASGIApp,
    listener: socket.socket,
    settings: Settings,
    protocol: type[PatientProtocol] = PatientProtocol,
    socket_protocol: type[PatientSocket] = PatientSocket,
) -> None:
    """Answer until cancelled, then close the listener once the answers under way are out.

    Raises
    ------
    ConfigError
        If the certificate or its key cannot be used.
    """
    config = uvicorn.Config(
        pages,
        http=protocol,
        ws=socket_protocol,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        limit_concurrency=settings.events_clients + SPARE_CLIENTS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ws_max_size=max_message_bytes(settings.max_record_bytes),
        ws_per_message_deflate=False,
        ssl_certfile=settings.http_certfile,
        ssl_keyfile=settings.http_keyfile,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as error:
        listener.close()
        raise ConfigError(f"http_certfile, http_keyfile: expected PEM files that belong together: {error}") from None
    server = _Server(config)
    try:
        await server.serve(sockets=[listener])
    finally:
        if server.started:
            await server.shutdown(sockets=[listener])
        listener.close()

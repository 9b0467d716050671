"""One page's conversation: frames, heartbeats and ends in, each answered when it is wrong; the clock; what waits for Kafka.

    message -> [record to its topic | answer]

A wrong message stops neither its socket nor others. A socket that says nothing, does not listen or sends what Kafka will
not take is closed with a reason.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from aiokafka.errors import KafkaError
from starlette.websockets import WebSocketDisconnect

from stream import metrics
from stream.allowance import Allowance
from stream.errors import Reason, RecordError
from stream.frame import Frame, Modality
from stream.headers import bad_header
from stream.structured import Bounds, Event, answer, read, record
from stream.times import NS_PER_MS, to_ms
from stream.unacknowledged import LIMIT_BYTES, Unacknowledged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import AIOKafkaProducer
    from starlette.websockets import WebSocket

CLOCK = "trivium.clock.v1"
ERROR = "trivium.error.v1"
PRESSURE = "trivium.pressure.v1"
WANTED = "trivium.wanted.v1"

CLOSE_SECONDS = 10.0  # for the last word to leave
TELL_SECONDS = 0.2  # between two looks at what waits for Kafka
OVERFLOW_SECONDS = 1.0  # at most one answer in this time about what was too much
NORMAL, POLICY, FAILED, RESTART = 1000, 1008, 1011, 1012  # WebSocket close codes


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the bundle wants of a source."""

    tick_ms: float
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What one socket may send."""

    frames_per_second: int
    bytes_per_second: int
    silent_seconds: float = 30.0  # a page asks for the time more often


class _Ends(Exception):  # noqa: N818 - not an error: how a conversation is over
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Conversation:
    """What is said over one socket, which has been accepted."""

    def __init__(
        self,
        websocket: WebSocket,
        session: str,
        producer: AIOKafkaProducer,
        topics: Mapping[Modality, str],
        bounds: Bounds,
        limits: Limits,
        wanted: Wanted,
    ) -> None:
        self._websocket = websocket
        self._session = session
        self._producer = producer
        self._topics = topics
        self._bounds = bounds
        self._limits = limits
        self._wanted = wanted
        now_seconds = time.monotonic()
        self._frames = Allowance(limits.frames_per_second, now_seconds)
        self._bytes = Allowance(limits.bytes_per_second, now_seconds)
        self._overflowed_seconds = -OVERFLOW_SECONDS
        self._dropped = 0
        self._sent = Unacknowledged()
        self._sending = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """Talk until the page leaves, or is sent away."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._listen())
                tasks.create_task(self._tell())
                tasks.create_task(_until(stop))
        except* WebSocketDisconnect:
            pass
        except* _Ends as group:
            await self._close(group.exceptions[0])

    async def _listen(self) -> NoReturn:
        await self._say_what_is_wanted()
        while True:
            message = await self._next()
            received_ns = time.time_ns()
            try:
                await self._hear(message, received_ns)
            except KafkaError as error:
                raise _Ends(FAILED, f"Kafka does not take the frames ({type(error).__name__})") from error

    async def _next(self) -> str | bytes:
        """The next message, once it is whole."""
        silent_seconds = self._limits.silent_seconds
        try:
            async with asyncio.timeout(silent_seconds):
                message = await self._websocket.receive()
        except TimeoutError:
            raise _Ends(POLICY, f"no whole message in {silent_seconds:g} s") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"])
        text: str | None = message.get("text")
        data: bytes = message.get("bytes") or b""
        return data if text is None else text

    async def _hear(self, message: str | bytes, received_ns: int) -> None:
        event: Event | None = None
        try:
            self._allow(len(message))
            if isinstance(message, bytes):
                raise bad_header("The message is binary; send structured JSON as text.")
            event = read(message)
            if event.type == CLOCK:
                await self._tell_time(event, received_ns)
            else:
                await self._take(event, received_ns)
        except RecordError as error:
            await self._refuse(error, event)

    def _allow(self, size_bytes: int) -> None:
        now_seconds = time.monotonic()
        if not self._frames.take(1, now_seconds) or not self._bytes.take(size_bytes, now_seconds):
            most = f"{self._limits.frames_per_second} messages and {self._limits.bytes_per_second} bytes"
            raise RecordError(Reason.OVERFLOW, f"More than {most} came in a second; send less.")

    async def _take(self, event: Event, now_ns: int) -> None:
        made, item = record(event, self._session, self._topics, now_ns // NS_PER_MS, self._bounds)
        await self._sent.room()
        sent = await self._producer.send(
            made.topic, made.value, made.key, timestamp_ms=made.timestamp_ms, headers=list(made.headers)
        )
        sequence = item.sequence if isinstance(item, Frame) else None
        self._sent.add(sent, item.modality, sequence, len(made.value or b""))
        metrics.SOURCE_FRAMES.labels(item.modality).inc()

    async def _tell_time(self, event: Event, received_ns: int) -> None:
        """Add the server's two of RFC 5905's four time stamps to the page's own."""
        origin_ms = event.data.get("origin_ms") if isinstance(event.data, dict) else None
        if not isinstance(origin_ms, int | float) or isinstance(origin_ms, bool):
            raise bad_header("A clock's data must be an object with origin_ms, a number; send when you sent it.")
        now_ns = time.time_ns()
        data = {"origin_ms": origin_ms, "receive_ms": to_ms(received_ns), "transmit_ms": to_ms(now_ns)}
        await self._send(answer(CLOCK, data, now_ns))

    async def _refuse(self, error: RecordError, event: Event | None) -> None:
        metrics.SOURCE_ERRORS.labels(error.reason).inc()
        data: dict[str, object] = {"reason": error.reason, "message": str(error)}
        if error.reason is Reason.OVERFLOW:
            self._dropped += 1
            now_seconds = time.monotonic()
            if now_seconds - self._overflowed_seconds < OVERFLOW_SECONDS:
                return
            self._overflowed_seconds = now_seconds
            data["dropped"], self._dropped = self._dropped, 0
        await self._send(answer(ERROR, {**data, "id": event.attributes.get("id") if event else None}))

    async def _tell(self) -> NoReturn:
        """Say what waits for Kafka whenever that has changed."""
        told: tuple[object, ...] = ()
        while True:
            await asyncio.sleep(TELL_SECONDS)
            if self._sent.failed is not None:
                raise _Ends(FAILED, f"Kafka has not taken a frame ({type(self._sent.failed).__name__})")
            now = (self._sent.frames, self._sent.bytes, dict(self._sent.acknowledged))
            if now != told:
                told = now
                await self._send(answer(PRESSURE, self._pressure()))

    def _pressure(self) -> dict[str, object]:
        return {
            "frames": self._sent.frames,
            "bytes": self._sent.bytes,
            "limit_bytes": LIMIT_BYTES,
            "acknowledged": {str(modality): number for modality, number in self._sent.acknowledged.items()},
        }

    async def _say_what_is_wanted(self) -> None:
        data = {
            "session": self._session,
            "tick_ms": self._wanted.tick_ms,
            "rate_hz": self._wanted.rate_hz,
            "max_record_bytes": self._bounds.max_record_bytes,
            "max_pixels": self._bounds.max_pixels,
            "frames_per_second": self._limits.frames_per_second,
            "bytes_per_second": self._limits.bytes_per_second,
        }
        await self._send(answer(WANTED, data))

    async def _send(self, message: str) -> None:
        async with self._sending:
            await self._websocket.send_text(message)

    async def _close(self, ends: BaseException) -> None:
        code = ends.code if isinstance(ends, _Ends) else NORMAL
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):  # it may have left already
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._websocket.close(code, str(ends))


async def _until(stop: asyncio.Event) -> NoReturn:
    await stop.wait()
    raise _Ends(RESTART, "the service is stopping")

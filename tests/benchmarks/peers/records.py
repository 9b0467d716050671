"""The records that all systems read: 32 sessions of sound, pictures and text, by the contract of Trivium.

    sessions -> frames in the order of capture -> topics, all at once or as they would come live

Kafka's timestamp is the capture time, the only event time that all systems know how to use. Nothing in a payload is ever decoded.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter

from aiokafka import AIOKafkaProducer

from stream.config import Settings
from stream.content import TEXT as PLAIN_TEXT
from stream.content import audio_l16
from stream.frame import Frame, Modality, Record, to_record
from stream.times import NS_PER_MS

PARTITIONS = 4
SESSIONS = 32
SECONDS = 60
HOP_MS = 320  # sessions begin on this grid or, with `spread`, anywhere
TICK_MS = 40
LOOK_SECONDS = 0.002
BATCH_BYTES = 256 * 1024


def settings_of(given: Mapping[str, str]) -> Settings:
    """What a process that reads them by Trivium's code is told of where they lie."""
    return Settings(
        bootstrap_servers=given["address"], topic_prefix=given["prefix"], group=given["group"], partitions=PARTITIONS
    )


@dataclass(frozen=True)
class Kind:
    """What the frames of one modality are like."""

    modality: Modality
    step_ms: int
    size_bytes: int
    content_type: str

    @property
    def lasts_ms(self) -> int:
        """How long it goes on; a text until the next."""
        return 0 if self.modality is Modality.TEXT else self.step_ms

    @property
    def there_ms(self) -> int:
        """How long after its capture time a live source has it: sound when it is complete, all else at once."""
        return self.step_ms if self.modality is Modality.AUDIO else 0


KINDS = (
    Kind(Modality.TEXT, 1_000, 40, PLAIN_TEXT),
    Kind(Modality.VIDEO, 40, 3_000, "image/jpeg"),
    Kind(Modality.AUDIO, 20, 640, audio_l16(16_000, 1)),
)
POOL = random.Random(5).randbytes(1 << 20)  # payloads are pieces of it: all different, and they do not compress


@dataclass(frozen=True, slots=True)
class Scene:
    """What is sent.

    Attributes
    ----------
    start_ms : int
        Capture time of the first frame, since the epoch.
    spread : bool
        Begin sessions anywhere, not on the grid of ticks.
    video_seconds : float or None
        After so long all pictures stop; None: never.
    """

    start_ms: int
    seconds: float = SECONDS
    sessions: int = SESSIONS
    spread: bool = False
    video_seconds: float | None = None

    def count(self) -> int:
        """Records in all."""
        return sum(len(self._captures_ms(number, kind)) for number in range(self.sessions) for kind in KINDS)

    def sounds(self) -> int:
        """Records of sound, each of which a join pairs with one picture and one text."""
        return sum(len(self._captures_ms(number, KINDS[-1])) for number in range(self.sessions))

    def frames(self) -> int:
        """Records of sound and pictures."""
        return sum(len(self._captures_ms(number, kind)) for number in range(self.sessions) for kind in KINDS[1:])

    def captured(self) -> Iterator[Sending]:
        """In the order of capture; at the same moment text comes first, then pictures."""
        return heapq.merge(*self._streams(), key=attrgetter("capture_ms"))

    def live(self) -> Iterator[Sending]:
        """In the order in which live sources have them."""
        return heapq.merge(*self._streams(), key=attrgetter("there_at_ms"))

    def _streams(self) -> list[Iterator[Sending]]:
        return [self._stream(number, kind) for kind in KINDS for number in range(self.sessions)]

    def _stream(self, number: int, kind: Kind) -> Iterator[Sending]:
        for sequence, capture_ms in enumerate(self._captures_ms(number, kind)):
            place = (number * 7_919 + sequence * 4_099) % (len(POOL) - kind.size_bytes)
            payload = POOL[place : place + kind.size_bytes]
            frame = Frame(
                f"session-{number}",
                kind.modality,
                capture_ms * NS_PER_MS,
                kind.lasts_ms * NS_PER_MS or None,
                payload if kind.modality is not Modality.TEXT else payload.hex()[: kind.size_bytes].encode(),
                kind.content_type,
                sequence=sequence,
                partition=number % PARTITIONS,
                timestamp_ms=capture_ms,
            )
            yield Sending(capture_ms, capture_ms + kind.there_ms, to_record(frame, kind.modality))

    def _captures_ms(self, number: int, kind: Kind) -> range:
        first_ms = self.start_ms + (number * 37 % HOP_MS if self.spread else number * TICK_MS % HOP_MS)
        seconds = self.seconds
        if kind.modality is Modality.VIDEO and self.video_seconds is not None:
            seconds = self.video_seconds
        return range(first_ms, first_ms + round(seconds * 1000), kind.step_ms)


@dataclass(frozen=True, slots=True)
class Sending:
    """A record, when it was captured, and when it can be sent."""

    capture_ms: int
    there_at_ms: int
    record: Record


def on_grid_ms(at_ms: float) -> int:
    """The first moment of the grid of hops that is not before `at_ms`."""
    return -int(-at_ms // HOP_MS) * HOP_MS


async def write(address: str, prefix: str, sendings: Iterable[Sending]) -> None:
    """All of them as fast as Kafka takes them, each topic and partition in the order given."""
    async with _producer(address, linger_ms=20) as producer:
        for sending in sendings:
            await _send(producer, prefix, sending)
        await producer.flush()


async def play(address: str, prefix: str, sendings: Iterable[Sending]) -> list[float]:
    """Each when a live source has it, by this machine's clock; how late each was, in ms."""
    late_ms: list[float] = []
    async with _producer(address, linger_ms=0) as producer:
        for sending in sendings:
            while (wait_ms := sending.there_at_ms - time.time() * 1000) > 0:  # noqa: ASYNC110 - time wakes nobody
                await asyncio.sleep(max(LOOK_SECONDS, wait_ms / 1000))
            late_ms.append(-wait_ms)
            await _send(producer, prefix, sending)
        await producer.flush()
    return late_ms


def _producer(address: str, linger_ms: int) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        bootstrap_servers=address, enable_idempotence=True, linger_ms=linger_ms, max_batch_size=BATCH_BYTES
    )


async def _send(producer: AIOKafkaProducer, prefix: str, sending: Sending) -> None:
    record = sending.record
    await producer.send(
        prefix + record.topic,
        record.value,
        record.key,
        partition=record.partition,
        timestamp_ms=record.timestamp_ms,
        headers=list(record.headers),
    )

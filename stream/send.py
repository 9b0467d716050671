"""Puts what `replay.py` makes into the topics: at the pace of the clips, or as fast as Kafka takes it.

Records are made ahead in a thread, so that decoding never holds up a record that is due; what is ahead is bounded.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import islice

from aiokafka import AIOKafkaProducer

from stream import topics
from stream.config import Settings
from stream.frame import Modality, Record
from stream.replay import Clock, Piece, Source, on_hop, pieces, records
from stream.scene import Scene
from stream.times import NS_PER_MS, NS_PER_SECOND

AHEAD_PIECES = 256  # made while as many are sent
UNACKNOWLEDGED = 4096
BATCH_BYTES = 256 * 1024
HEAD_START_NS = 200 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Pace:
    """When the sessions are played, and what time they are stamped with."""

    hop_ns: int
    speed: float = 1.0  # 0: as fast as possible, stamped as if they had just been played
    start_ns: int | None = None  # stamp from here on; otherwise with the time at which they are played


async def play(
    settings: Settings, played: Sequence[Source], scene: Scene, pace: Pace, sent: Callable[[int], None]
) -> int:
    """Send all sessions at once; `sent` is told how far into them, in ns. Returns how many records that were.

    Raises
    ------
    BrokerError
        If Kafka does not take them.
    """
    await topics.prepare(settings)
    names = {modality: settings.topic_prefix + modality for modality in Modality}
    producer = AIOKafkaProducer(
        **settings.client_options(), acks="all", enable_idempotence=True, max_batch_size=BATCH_BYTES
    )
    async with topics.reaching(settings), producer, aclosing(_ahead(pieces(played, scene))) as batches:
        sender = _Sender(producer)
        clock: Clock | None = None
        async for batch in batches:
            clock = clock or _clock(played, scene, pace)
            for piece in batch:
                there_ns = piece.timed.available_ns
                due_ns = clock.produced_ns + round(there_ns / (pace.speed or 1))
                if pace.speed:
                    await _until(due_ns)
                for record in records(piece, clock, names):
                    # When a live source would have produced it, however long Kafka has held up the ones before.
                    await sender.send(replace(record, timestamp_ms=due_ns // NS_PER_MS))
                sent(there_ns)
        await sender.flush()
    return sender.count


class _Sender:
    """Keeps what Kafka has not acknowledged yet, so that no failure goes unseen."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.count = 0
        self._producer = producer
        self._waiting: deque[asyncio.Future[object]] = deque()

    async def send(self, record: Record) -> None:
        """Send by the key's hash, alike on all topics."""
        self._waiting.append(
            await self._producer.send(
                record.topic,
                record.value,
                record.key,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers),
            )
        )
        self.count += 1
        while len(self._waiting) > UNACKNOWLEDGED or (self._waiting and self._waiting[0].done()):
            await self._waiting.popleft()

    async def flush(self) -> None:
        """Wait until Kafka has all."""
        while self._waiting:
            await self._waiting.popleft()


def _clock(played: Sequence[Source], scene: Scene, pace: Pace) -> Clock:
    """Time 0: a moment from now, or so long ago that the longest session ends now."""
    longest_ns = max(source.length_ns for source in played) + round(max(scene.delay_ms.values(), default=0) * NS_PER_MS)
    now_ns = time.time_ns()
    produced_ns = now_ns + HEAD_START_NS if pace.speed else now_ns - longest_ns - pace.hop_ns
    produced_ns = on_hop(produced_ns, pace.hop_ns)
    return Clock(produced_ns if pace.start_ns is None else on_hop(pace.start_ns, pace.hop_ns), produced_ns)


async def _until(time_ns: int) -> None:
    left_ns = time_ns - time.time_ns()
    if left_ns > 0:
        await asyncio.sleep(left_ns / NS_PER_SECOND)


async def _ahead(made: Iterator[Piece]) -> AsyncGenerator[list[Piece], None]:
    """Batches of pieces, the next one made while the last one is sent."""
    following = asyncio.create_task(asyncio.to_thread(_some, made))
    try:
        while batch := await following:
            following = asyncio.create_task(asyncio.to_thread(_some, made))
            yield batch
    finally:
        following.cancel()


def _some(made: Iterator[Piece]) -> list[Piece]:
    return list(islice(made, AHEAD_PIECES))

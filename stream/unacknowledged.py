"""What one socket has sent and Kafka has not acknowledged: how much that is, whether more may follow, what went wrong.

frame -> [unacknowledged] -> acknowledged
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream.frame import Modality

LIMIT_BYTES = 2 << 20  # then nothing more is read from the socket until Kafka has taken some


class Unacknowledged:
    """Counts of one socket. Kafka acknowledges a topic's records in order, so the highest number says it all."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self.frames = 0
        self.bytes = 0
        self.acknowledged: dict[Modality, int] = {}  # the newest `sequence`
        self.failed: BaseException | None = None
        self._limit_bytes = limit_bytes
        self._room = asyncio.Event()
        self._room.set()

    async def room(self) -> None:
        """Wait until less than the limit is unacknowledged."""
        await self._room.wait()

    def add(self, sent: asyncio.Future[object], modality: Modality, sequence: int | None, size_bytes: int) -> None:
        """Count a record until the client's future of it is done."""
        self._count(1, size_bytes)

        def done(future: asyncio.Future[object]) -> None:
            self._count(-1, -size_bytes)
            fault = asyncio.CancelledError() if future.cancelled() else future.exception()
            if fault is not None:
                self.failed = self.failed or fault
            elif sequence is not None:
                self.acknowledged[modality] = max(sequence, self.acknowledged.get(modality, 0))

        sent.add_done_callback(done)

    def _count(self, frames: int, size_bytes: int) -> None:
        self.frames += frames
        self.bytes += size_bytes
        if self.bytes < self._limit_bytes:
            self._room.set()
        else:
            self._room.clear()

"""Sends ready-made records at real-time speed: the live benchmarks' load, from a process of its own.

Nothing is made while it sends but the stamps, so that it takes little of the machine that is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import NamedTuple

from stream import clients, topics
from stream.config import Settings
from stream.frame import Record
from stream.times import NS_PER_MS, NS_PER_SECOND


class Due(NamedTuple):
    """A record, and when it is to be sent, in ns since the epoch; it goes to its own partition."""

    at_ns: int
    record: Record


async def send_on_time(settings: Settings, due: Iterator[Due]) -> list[float]:
    """Send each at its time, in that order; how late each was, in ms."""
    await topics.prepare(settings)
    late_ms: list[float] = []
    async with clients.producer(settings) as producer:
        for at_ns, record in due:
            left_ns = at_ns - time.time_ns()
            if left_ns > 0:
                await asyncio.sleep(left_ns / NS_PER_SECOND)
            await producer.send(
                record.topic,
                record.value,
                record.key,
                partition=record.partition,
                headers=list(record.headers),
            )
            late_ms.append(max(0, time.time_ns() - at_ns) / NS_PER_MS)
        await producer.flush()
    return late_ms

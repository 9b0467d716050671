"""Record batches byte by byte: what a producer of another make may send and the client of ours refuses to write."""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer
from aiokafka.codec import gzip_encode
from aiokafka.record.util import calc_crc32c, encode_varint

GZIP = 1


@dataclass(frozen=True, slots=True)
class Raw:
    """One record; a header's name may be any bytes."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[bytes, bytes | None], ...] = ()
    timestamp_ms: int | None = None  # None for now


async def send_batch(
    producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Raw], *, attributes: int = 0
) -> int:
    """Send one batch, acknowledged; the offset of its first record. The producer must not be idempotent."""
    batch = producer.create_batch()
    batch.append(timestamp=None, key=b"in place of", value=b"what follows")
    batch._build()
    batch._buffer = encoded(records, attributes)
    return int((await (await producer.send_batch(batch, topic, partition=partition))).offset)


def encoded(records: Sequence[Raw], attributes: int = 0) -> bytes:
    """The bytes of a batch in Kafka's format 2."""
    now_ms = time.time_ns() // 1_000_000
    times = [now_ms if one.timestamp_ms is None else one.timestamp_ms for one in records]
    body = b"".join(_record(one, place, times[place] - times[0]) for place, one in enumerate(records))
    if attributes & GZIP:
        body = gzip_encode(body)
    checked = struct.pack(">hiqqqhii", attributes, len(records) - 1, times[0], max(times), -1, -1, -1, len(records))
    checked += body
    return struct.pack(">qiibI", 0, len(checked) + 9, -1, 2, calc_crc32c(checked)) + checked


def _record(one: Raw, offset: int, later_ms: int) -> bytes:
    content = bytearray(b"\0")
    encode_varint(later_ms, content.append)
    encode_varint(offset, content.append)
    for part in (one.key, one.value):
        content += _bytes(part)
    encode_varint(len(one.headers), content.append)
    for name, value in one.headers:
        content += _bytes(name) + _bytes(value)
    return _length(len(content)) + bytes(content)


def _bytes(part: bytes | None) -> bytes:
    return _length(-1) if part is None else _length(len(part)) + part


def _length(count: int) -> bytes:
    found = bytearray()
    encode_varint(count, found.append)
    return bytes(found)

"""A record that could not be read, as it goes to the `dead-letters` topic: whole where that fits.

Its id is its place: topic, partition and offset, which the headers name. Whatever a sender managed to write,
a dead letter about it fits, so that one bad record never stops a lane.
"""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import RecordError
from stream.frame import Record

MAX_HEADERS_BYTES = 32 * 1024
MAX_KEY_BYTES = 32 * 1024
MAX_MESSAGE_BYTES = 1_000
MAX_LETTER_BYTES = 1_000_000  # the broker's and the producer's default limits are a little above

_HEADER_OVERHEAD_BYTES = 10  # two lengths in front of name and value, as varints
_OWN = ("topic", "partition", "offset", "reason", "message", "truncated")
_OWN_NAMES = frozenset(f"trivium_{name}" for name in _OWN)


@dataclass(slots=True)
class DeadLetter:
    """A record that could not be read, and why."""

    record: Record
    error: RecordError


def dead_letter(record: Record, error: RecordError, topic: str, max_record_bytes: int) -> Record:
    """The dead letter of `record`, for the same partition of `topic`.

    Left out, with `trivium_truncated: true`: a value above `max_record_bytes`, the original headers from the
    one on with which they exceed 32 KiB, a key above 32 KiB, and a value that would not fit beside the rest.
    """
    key = None if record.key is None or len(record.key) > MAX_KEY_BYTES else record.key
    original = tuple(header for header in record.headers if header[0] not in _OWN_NAMES)
    headers = _that_fit(original)
    added = _added(record, error)
    room = MAX_LETTER_BYTES - _headers_bytes(headers) - _headers_bytes(added) - len(key or b"")
    value = None if record.value is None or len(record.value) > min(max_record_bytes, room) else record.value
    if (key, value, headers) != (record.key, record.value, original):
        added = (*added, ("trivium_truncated", b"true"))
    return Record(topic, record.partition, -1, record.timestamp_ms, key, value, (*headers, *added))


def _added(record: Record, error: RecordError) -> tuple[tuple[str, bytes], ...]:
    message = str(error).encode(errors="replace")[:MAX_MESSAGE_BYTES].decode(errors="ignore")
    texts = (record.topic, str(record.partition), str(record.offset), error.reason.value, message)
    return tuple((f"trivium_{name}", text.encode()) for name, text in zip(_OWN, texts, strict=False))


def _that_fit(headers: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    room = MAX_HEADERS_BYTES
    for count, header in enumerate(headers):
        room -= _headers_bytes((header,))
        if room < 0:
            return headers[:count]
    return headers


def _headers_bytes(headers: tuple[tuple[str, bytes], ...]) -> int:
    # A Kafka header's value may be null.
    return sum(len(name.encode()) + len(value or b"") + _HEADER_OVERHEAD_BYTES for name, value in headers)

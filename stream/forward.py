"""A record sent on as it was to another topic, with headers that say where it lay and why it was sent on.

Its id is its place: topic, partition and offset, which the headers name. Whatever a sender managed to write, what is sent on
about it fits, so that one bad record never stops a lane.
"""

from __future__ import annotations

from collections.abc import Mapping

from stream.frame import Record

MAX_HEADERS_BYTES = 32 * 1024
MAX_KEY_BYTES = 32 * 1024
MAX_FORWARDED_BYTES = 1_000_000  # the broker's and the producer's default limits are a little above

PLACE = ("trivium_topic", "trivium_partition", "trivium_offset")
TRUNCATED = "trivium_truncated"
WHY = ("trivium_reason", "trivium_message", "trivium_late_ms")  # of dead letters and of late frames

_OWN = frozenset({*PLACE, *WHY, TRUNCATED})
_HEADER_OVERHEAD_BYTES = 10  # two lengths in front of name and value, as varints


def forwarded(record: Record, topic: str, why: Mapping[str, str], max_record_bytes: int) -> Record:
    """`record`, for the same partition of `topic`, with its place and `why` behind its own headers.

    Left out, with `trivium_truncated: true`: a value above `max_record_bytes`, the original headers from the one on with
    which they exceed 32 KiB, a key above 32 KiB, and a value that would not fit beside the rest. A record that was cut is marked
    so, too.
    """
    key = None if record.key is None or len(record.key) > MAX_KEY_BYTES else record.key
    original = tuple(header for header in record.headers if header[0] not in _OWN)
    headers = _that_fit(original)
    place = zip(PLACE, (record.topic, str(record.partition), str(record.offset)), strict=True)
    added = tuple((name, text.encode()) for name, text in (*place, *why.items()))
    room = MAX_FORWARDED_BYTES - _headers_bytes(headers) - _headers_bytes(added) - len(key or b"")
    value = None if record.value is None or len(record.value) > min(max_record_bytes, room) else record.value
    if record.cut or (key, value, headers) != (record.key, record.value, original):
        added = (*added, (TRUNCATED, b"true"))
    return Record(topic, record.partition, -1, record.timestamp_ms, key, value, (*headers, *added))


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

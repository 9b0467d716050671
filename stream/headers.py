"""CloudEvents 1.0 in Kafka headers (binary mode): one rule a header, for what comes in and what goes out.

Strict: a header that is malformed makes its record a dead letter. The one exception is `traceparent`, which
W3C Trace Context wants ignored rather than answered with an error.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

from stream.errors import Reason, RecordError
from stream.times import MAX_NS, NS_PER_MS, format_rfc3339, parse_rfc3339

SPEC_VERSION = b"1.0"
FRAME, BOUND, END = b"trivium.frame.v1", b"trivium.bound.v1", b"trivium.end.v1"
SEQUENCE_DIGITS = 10
MAX_DURATION_MS = 86_400_000

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_TYPES = frozenset((FRAME, BOUND, END))
_SHOWN_BYTES = 80  # of a value in a message

Headers = Mapping[str, bytes | None]  # a Kafka header may be null, which says the same as leaving it out


def by_name(pairs: Sequence[tuple[str, bytes]]) -> Headers:
    """Headers by their names; the contract's may not come twice, others may."""
    headers = dict(pairs)
    if len(headers) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next((name for name, count in counts.items() if count > 1 and _is_ours(name)), None)
        if twice is not None:
            raise bad_header(f"{twice[:_SHOWN_BYTES]} is there {counts[twice]} times; send it once.")
    return headers


def is_cloud_event(headers: Headers) -> bool:
    """Whether any `ce_` header is there; if none is, the record is a plain one."""
    if "ce_specversion" in headers or any(name.startswith("ce_") for name in headers):
        return True
    if (headers.get("content-type") or b"").lower().startswith(b"application/cloudevents"):
        raise bad_header("The record is a CloudEvent in structured mode; send binary mode: ce_ headers, bare payload.")
    return False


def event_type(headers: Headers) -> bytes:
    """`ce_type`, after all that CloudEvents requires has been found: FRAME, BOUND or END."""
    get = headers.get
    if get("ce_specversion") != SPEC_VERSION:
        raise bad_header(f"ce_specversion is {shown(required(headers, 'ce_specversion'))}; send 1.0.")
    check_text(headers, "ce_id")
    check_text(headers, "ce_source")
    found = get("ce_type")
    if found is None or found not in _TYPES:
        found = required(headers, "ce_type")
        known = " ".join(known.decode() for known in (FRAME, BOUND, END))
        raise RecordError(Reason.UNKNOWN_TYPE, f"ce_type is {shown(found)}; send one of {known}.")
    return found


def check_text(headers: Headers, name: str) -> None:
    """Raise unless a required header is UTF-8."""
    value = headers.get(name) or required(headers, name)
    if value.isascii():
        return
    try:
        value.decode()
    except UnicodeDecodeError as error:
        raise bad_header(f"{name} is {shown(value)}, which is not UTF-8; send UTF-8.") from error


def captured_ns(headers: Headers) -> int:
    """`ce_time` in nanoseconds, within 1970 and the end of 64 bits."""
    text = headers.get("ce_time") or required(headers, "ce_time")
    try:
        time_ns = parse_rfc3339(text)
    except ValueError as error:
        message = f"ce_time does not read as RFC 3339: {error}; send one like 2026-03-01T12:00:00.04Z."
        raise RecordError(Reason.BAD_TIME, message) from error
    if not 0 <= time_ns <= MAX_NS:
        message = f"ce_time is {shown(text)}, before 1970 or after 2262; check the sender's clock."
        raise RecordError(Reason.BAD_TIME, message)
    return time_ns


def produced_ns(timestamp_ms: int) -> int:
    """A record's own Kafka timestamp in nanoseconds, for records without `ce_time`."""
    if not 0 <= timestamp_ms <= MAX_NS // NS_PER_MS:
        message = f"The record's timestamp is {timestamp_ms} ms and it has no ce_time; send either."
        raise RecordError(Reason.BAD_TIME, message)
    return timestamp_ms * NS_PER_MS


def duration_ns(headers: Headers) -> int | None:
    """`ce_duration`; 0 says unknown, as it does in media containers."""
    value = headers.get("ce_duration")
    return None if value is None else _stated_ns(value)


@lru_cache(maxsize=1024)  # of values of at most 10 bytes: what is refused is not kept
def _stated_ns(value: bytes) -> int | None:
    if not value.isdigit() or len(value) > SEQUENCE_DIGITS or int(value) > MAX_DURATION_MS:
        raise bad_header(f"ce_duration is {shown(value)}; send whole milliseconds, 0 to {MAX_DURATION_MS}.")
    return int(value) * NS_PER_MS or None


def sequence(headers: Headers) -> int | None:
    """`ce_sequence`."""
    value = headers.get("ce_sequence")
    if value is None:
        return None
    if not value.isdigit() or len(value) != SEQUENCE_DIGITS:
        raise bad_header(f"ce_sequence is {shown(value)}; send {SEQUENCE_DIGITS} digits, padded with zeros.")
    return int(value)


def region(headers: Headers) -> str:
    """`ce_region`: mouth or scene."""
    value = headers.get("ce_region")
    if value is None or value == b"scene":
        return "scene"
    if value == b"mouth":
        return "mouth"
    raise bad_header(f"ce_region is {shown(value)}; send mouth or scene.")


def traceparent(headers: Headers) -> str | None:
    """`traceparent`, or None where it is not one."""
    value = headers.get("traceparent")
    if value is None or _TRACEPARENT.fullmatch(value) is None:
        return None
    return value.decode()


def size_bytes(pairs: Sequence[tuple[str, bytes]]) -> int:
    """What headers as they came take: names and values."""
    total = 0
    for name, value in pairs:
        total += len(name) + len(value or b"")
    return total


def required(headers: Headers, name: str) -> bytes:
    """The value of a header that must be there and not be empty."""
    value = headers.get(name)
    if not value:
        raise bad_header(f"{name} is missing or empty; send it, or no ce_ header at all.")
    return value


def cloud_event(
    event_type: bytes, event_id: str, source: str, time_ns: int, traceparent: str | None = None
) -> list[tuple[str, bytes]]:
    """The headers that every record of ours begins with."""
    headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", event_id.encode()),
        ("ce_source", source.encode()),
        ("ce_type", event_type),
        ("ce_time", format_rfc3339(time_ns).encode()),
    ]
    return headers if traceparent is None else [*headers, ("traceparent", traceparent.encode())]


def bad_header(message: str) -> RecordError:
    """The error for whatever is wrong with a header but a type or a time."""
    return RecordError(Reason.BAD_HEADER, message)


def shown(value: bytes) -> str:
    """The beginning of a value, fit for a message."""
    return repr(value[:_SHOWN_BYTES])


def _is_ours(name: str) -> bool:
    return name.startswith("ce_") or name in ("content-type", "traceparent")

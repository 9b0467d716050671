"""Frames, and the record contract both ways: the first step of the path.

    record -> [Frame | Bound | End]

Knows CloudEvents headers and content types, not Kafka clients, not media. Reading is the hot path: what repeats from
record to record (keys, sources, content types, seconds) is looked up, not judged again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache

from stream import headers as ce
from stream.content import BYTES_PER_SAMPLE, ContentType, audio_l16, content_type, known, remember
from stream.errors import Reason, RecordError
from stream.times import MAX_NS, NS_PER_MS, NS_PER_SECOND

MAX_KEY_BYTES = 128
MAX_TEXT_CHARACTERS = 1_000  # of a longer text the rest is not used
LONGEST_PICTURE_NS = 2 * NS_PER_SECOND  # however long it says that it is shown: a day would ask for a day of hops


class Modality(StrEnum):
    """The three roads; each is also the name of its topic."""

    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"


# Bound once: to reach a member through its class is slow in Python 3.11.
_TEXT, _AUDIO, _VIDEO = Modality


@dataclass(slots=True)
class Record:
    """One Kafka record, free of any client's types."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int  # when it was produced
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    cut: bool = False  # the value is not all that came
    headers_bytes: int = field(init=False, compare=False, repr=False)  # of their names and values

    def __post_init__(self) -> None:
        self.headers_bytes = ce.size_bytes(self.headers)


@dataclass(slots=True)
class Frame:
    """One piece of one modality: `payload` covers `[time_ns, time_ns + duration_ns)`."""

    session: str
    modality: Modality
    time_ns: int  # capture time of the first sample, since the Unix epoch
    duration_ns: int | None  # None while unknown: until the next frame
    payload: bytes
    content_type: str  # in its canonical spelling
    rate_hz: int = 0  # audio only
    channels: int = 0  # audio only
    region: str = "scene"  # video only: scene or mouth
    sequence: int | None = None
    traceparent: str | None = None
    partition: int = 0
    offset: int = -1
    timestamp_ms: int = 0  # of the record
    headers: tuple[tuple[str, bytes], ...] = field(default=(), compare=False, repr=False)  # as they came
    counted: bool = field(default=False, compare=False, repr=False)  # late or read again: no more is said of it
    cut: bool = field(default=False, compare=False, repr=False)  # the payload is not all that came
    headers_bytes: int = field(default=0, compare=False, repr=False)  # of their names and values

    @property
    def size_bytes(self) -> int:
        """What it costs to hold: the payload and the headers that it came with."""
        return len(self.payload) + self.headers_bytes


@dataclass(slots=True)
class Bound:
    """A heartbeat: nothing of this modality before `time_ns` will come."""

    session: str
    modality: Modality
    time_ns: int
    partition: int = 0
    offset: int = -1
    timestamp_ms: int = 0


@dataclass(slots=True)
class End:
    """One modality's part of the session is over at `time_ns`."""

    session: str
    modality: Modality
    time_ns: int
    partition: int = 0
    offset: int = -1
    timestamp_ms: int = 0


def parse(
    record: Record, modality: Modality, defaults: Mapping[Modality, str], max_record_bytes: int
) -> Frame | Bound | End:
    """Read one record of the topic of `modality`; `defaults` are the content types of plain records.

    Raises
    ------
    RecordError
        Whatever is wrong with the record, and nothing else: it is a dead letter.
    """
    session = _session(record.key)
    payload = record.value or b""
    if len(payload) > max_record_bytes:
        message = f"The value has {len(payload)} bytes, {max_record_bytes} are allowed; send shorter frames."
        raise RecordError(Reason.TOO_LARGE, message)
    headers = ce.by_name(record.headers)
    alike = (
        headers.get("ce_specversion"),
        headers.get("ce_source"),
        headers.get("ce_type"),
        headers.get("content-type"),
    )
    content = known.get(alike)
    if content is not None:  # all that is alike was found good before; the rest is read in the order of any other frame
        ce.check_text(headers, "ce_id")
        return _frame(record, payload, session, modality, ce.captured_ns(headers), content, headers)
    if not ce.is_cloud_event(headers):
        content = content_type(defaults[modality].encode())
        return _frame(record, payload, session, modality, ce.produced_ns(record.timestamp_ms), content, {})
    event_type, time_ns = ce.event_type(headers), ce.captured_ns(headers)
    if event_type == ce.FRAME:
        content = content_type(ce.required(headers, "content-type"))
        remember(alike, content)
        return _frame(record, payload, session, modality, time_ns, content, headers)
    if payload:
        message = f"A {event_type.decode()} carries {len(payload)} bytes; its value must be empty."
        raise RecordError(Reason.BAD_LENGTH, message)
    signal = Bound if event_type == ce.BOUND else End
    return signal(session, modality, time_ns, record.partition, record.offset, record.timestamp_ms)


def to_record(item: Frame | Bound | End, topic: str, source: str = "/trivium/replay") -> Record:
    """Write what `parse` reads: durations in whole milliseconds, none for sound, whose samples tell it."""
    payload, number, described = b"", item.time_ns, []
    event_type = ce.END if isinstance(item, End) else ce.BOUND
    if isinstance(item, Frame):
        event_type, payload, described = ce.FRAME, item.payload, _described(item)
        number = item.time_ns if item.sequence is None else item.sequence
    kind = event_type.decode().split(".")[1]
    event_id = f"{item.session}-{item.modality}-{kind}-{number}"
    headers = [*ce.cloud_event(event_type, event_id, source, item.time_ns), *described]
    key = item.session.encode()
    return Record(topic, item.partition, item.offset, item.timestamp_ms, key, payload, tuple(headers))


def _described(frame: Frame) -> list[tuple[str, bytes]]:
    headers: list[tuple[str, str]] = []
    if frame.duration_ns is not None and frame.modality is not _AUDIO:
        headers.append(("ce_duration", str(max(1, round(frame.duration_ns / NS_PER_MS)))))
    if frame.sequence is not None:
        headers.append(("ce_sequence", f"{frame.sequence:0{ce.SEQUENCE_DIGITS}d}"))
    if frame.modality is _VIDEO and frame.region != "scene":
        headers.append(("ce_region", frame.region))
    if frame.traceparent is not None:
        headers.append(("traceparent", frame.traceparent))
    headers.append(("content-type", frame.content_type))
    return [(name, value.encode()) for name, value in headers]


def _frame(
    record: Record,
    payload: bytes,
    session: str,
    modality: Modality,
    time_ns: int,
    content: ContentType,
    headers: ce.Headers,
) -> Frame:
    if content.modality != modality:
        message = f"The content-type is {content.canonical} on the {modality} topic; send it to {content.modality}."
        raise RecordError(Reason.BAD_HEADER, message)
    duration_ns = ce.duration_ns(headers) if "ce_duration" in headers else None
    length_bytes = len(payload)
    if modality is _AUDIO:
        duration_ns = _sound_ns(length_bytes, content.rate_hz, content.channels)
    elif modality is _TEXT:
        payload = _used_text(payload)
    elif not payload:
        raise RecordError(Reason.BAD_MEDIA, f"The {content.canonical} has no bytes; send one whole picture a record.")
    elif duration_ns is not None and duration_ns > LONGEST_PICTURE_NS:
        duration_ns = LONGEST_PICTURE_NS
    if time_ns + (duration_ns or 0) > MAX_NS:
        raise RecordError(Reason.BAD_TIME, f"The frame at {time_ns} ns ends after 2262; check the sender's clock.")
    return Frame(
        session,
        modality,
        time_ns,
        duration_ns,
        payload,
        content.canonical,
        content.rate_hz,
        content.channels,
        ce.region(headers) if modality is _VIDEO else "scene",
        ce.sequence(headers),
        ce.traceparent(headers) if "traceparent" in headers else None,
        record.partition,
        record.offset,
        record.timestamp_ms,
        record.headers,
        False,  # not counted yet
        len(payload) < length_bytes,
        record.headers_bytes,
    )


@lru_cache(maxsize=4096)  # of keys of at most 128 bytes: what is refused is not kept
def _session(key: bytes | None) -> str:
    if key is None:
        raise RecordError(Reason.NO_KEY, "The record has no key; send the session's name as its key.")
    if not 1 <= len(key) <= MAX_KEY_BYTES:
        message = f"The key has {len(key)} bytes; send a session's name of 1 to {MAX_KEY_BYTES} bytes."
        raise RecordError(Reason.BAD_KEY, message)
    try:
        return key.decode()
    except UnicodeDecodeError as error:
        raise RecordError(Reason.BAD_KEY, f"The key {ce.shown(key)} is not UTF-8; send the session's name.") from error


@lru_cache(maxsize=1024)
def _sound_ns(length_bytes: int, rate_hz: int, channels: int) -> int:
    step = BYTES_PER_SAMPLE * channels
    count, rest = divmod(length_bytes, step)
    if rest or not count:
        message = (
            f"The {audio_l16(rate_hz, channels)} has {length_bytes} bytes; send a multiple of {step}, at least one."
        )
        raise RecordError(Reason.BAD_LENGTH, message)
    return (count * NS_PER_SECOND + rate_hz // 2) // rate_hz


def _used_text(payload: bytes) -> bytes:
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        message = f"The text is not UTF-8 at byte {error.start} of {len(payload)}; send UTF-8."
        raise RecordError(Reason.BAD_TEXT, message) from error
    return payload if len(text) <= MAX_TEXT_CHARACTERS else text[:MAX_TEXT_CHARACTERS].encode()

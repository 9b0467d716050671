"""Frames, and the record contract both ways: the first step of the path.

    record -> [Frame | Bound | End]

Knows CloudEvents headers and content types, not Kafka clients, not media.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Modality(StrEnum):
    """The three roads; each is also the name of its topic."""

    TEXT = "text"
    AUDIO = "audio"
    VIDEO = "video"


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


@dataclass(slots=True)
class Frame:
    """One piece of one modality: `payload` covers `[time_ns, time_ns + duration_ns)`."""

    session: str
    modality: Modality
    time_ns: int  # capture time of the first sample, since the Unix epoch
    duration_ns: int | None  # None while unknown: until the next frame
    payload: bytes
    content_type: str
    rate_hz: int = 0  # audio only
    channels: int = 0  # audio only
    region: str = "scene"  # video only: scene or mouth
    sequence: int | None = None
    traceparent: str | None = None
    partition: int = 0
    offset: int = -1
    timestamp_ms: int = 0  # of the record


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
    """This modality's part of the session is over at `time_ns`."""

    session: str
    modality: Modality
    time_ns: int
    partition: int = 0
    offset: int = -1
    timestamp_ms: int = 0

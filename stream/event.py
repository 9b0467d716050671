"""An event as subscribers get it: a record of `predictions` as Server-Sent Event, and notices of our own.

    record, what it says -> [Event] -> bytes of every subscriber's stream, made once

The `data:` is one CloudEvent in structured JSON, on one line; what makes streams differ, the `id:`, is put before it for each.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import inf

import orjson

from stream.frame import Record
from stream.publish import Prediction, SessionRecord
from stream.times import format_rfc3339

GAP = "trivium.gap.v1"
CLOSED = "trivium.closed.v1"
ATTRIBUTES = ("specversion", "id", "source", "type", "time")


class Kind(StrEnum):
    """What an event is, as metrics name it."""

    INTERIM = "interim"
    FINAL = "final"
    SESSION = "session"
    GAP = "gap"


@dataclass(frozen=True, slots=True)
class Event:
    """One record's event.

    Attributes
    ----------
    task : str or None
        None for a session record: it belongs to every task.
    segment : float
        Of a prediction; 0 of a session record.
    body : bytes
        `event:` and `data:` lines; an `id:` line goes before, an empty line behind.
    read_seconds : float
        When it was read here, on the monotonic clock.
    """

    partition: int
    offset: int
    session: str
    kind: Kind
    task: str | None
    segment: float
    body: bytes
    read_seconds: float


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody subscribes to: one session, or all, of one task or any."""

    session: str | None = None
    task: str | None = None

    def has(self, event: Event) -> bool:
        """Whether an event is part of it; session records are of every task."""
        return self.session in {None, event.session} and (self.task is None or event.task in {None, self.task})


def event_of(record: Record, message: Prediction | SessionRecord, read_seconds: float) -> Event:
    """Make a record's event; `message` is what the record says."""
    headers = dict(record.headers)
    attributes: dict[str, object] = {
        name: headers.get(f"ce_{name}", b"").decode("utf-8", "replace") for name in ATTRIBUTES
    }
    if "traceparent" in headers:
        attributes["traceparent"] = headers["traceparent"].decode("utf-8", "replace")
    attributes |= {"datacontenttype": "application/json", "data": orjson.loads(record.value or b"null")}
    kind, task, segment = Kind.SESSION, None, 0.0
    if isinstance(message, Prediction):
        kind, task, segment = Kind.FINAL if message.is_final else Kind.INTERIM, message.task, message.segment
    body = _block(str(attributes["type"]), attributes)
    return Event(record.partition, record.offset, message.session, kind, task, segment, body, read_seconds)


def notice(event_type: str, source: str, event_id: str, time_ns: int, data: dict[str, object]) -> bytes:
    """Make the body of an event that stands in no topic: of a gap, or of a stream's end."""
    attributes: dict[str, object] = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "type": event_type,
        "time": format_rfc3339(time_ns),
        "datacontenttype": "application/json",
        "data": data,
    }
    return _block(event_type, attributes)


def without_superseded(events: Iterable[Event]) -> list[Event]:
    """Leave out interims that a later event of theirs says better; of finals and session records none, and keep the order.

    An interim gives way to a later interim of its segment, to a later final of that or a later segment, and to its
    session's end or new start.
    """
    kept: list[Event] = []
    final: dict[str, float] = {}  # by session: up to which segment all is said, going back
    interims: set[tuple[str, float]] = set()
    for event in reversed([*events]):
        segment = (event.session, event.segment)
        if event.kind is Kind.INTERIM:
            if segment in interims or event.segment <= final.get(event.session, -inf):
                continue
            interims.add(segment)
        else:
            until = event.segment if event.kind is Kind.FINAL else inf
            final[event.session] = max(until, final.get(event.session, -inf))
        kept.append(event)
    return kept[::-1]


def _block(event_type: str, attributes: dict[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n" % (event_type.encode(), orjson.dumps(attributes))

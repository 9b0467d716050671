"""Which sessions there are, and what was said last in each: what `GET /sessions` tells.

    events as they are read -> [Board] -> a row a session

Holds as many sessions as it may, forgetting whoever was silent longest; knows of what was said before this process began only
what it has read again at its start.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from stream.event import Event, Kind
from stream.publish import Prediction, SessionRecord

SESSIONS = 1_000


@dataclass(slots=True)
class Row:
    """One session, since it last began.

    Attributes
    ----------
    first_offset : int or None
        Of the record that says that it has started; None where that was not read.
    latest : dict of Kind to Event
        Its start or end, its last final, and the interim of what is open behind that.
    """

    session: str
    partition: int
    first_offset: int | None = None
    start_ms: float | None = None
    end_ms: float | None = None
    reason: str | None = None
    finals: int = 0
    prediction: Prediction | None = None
    statuses: dict[str, str] = field(default_factory=dict)
    latest: dict[Kind, Event] = field(default_factory=dict)
    is_ended: bool = False

    def shown(self) -> dict[str, object]:
        """What is told of it."""
        said = self.prediction
        return {
            "session": self.session,
            "state": "ended" if self.is_ended else "live",
            "reason": self.reason,
            "partition": self.partition,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "finals": self.finals,
            "task": said and said.task,
            "text": said and said.text,
            "is_final": said and said.is_final,
            "published_ms": said and said.times.published_ms,
            "modalities": self.statuses,
        }


class Board:
    """All sessions that are known, by name."""

    def __init__(self) -> None:
        self._rows: OrderedDict[str, Row] = OrderedDict()

    def get(self, session: str) -> Row | None:
        """Look one up."""
        return self._rows.get(session)

    def rows(self) -> Iterator[Row]:
        """Those that are live first; of them, and of the others, whoever spoke last first."""
        newest = [*reversed(self._rows.values())]
        yield from (row for row in newest if not row.is_ended)
        yield from (row for row in newest if row.is_ended)

    def note(self, event: Event, message: Prediction | SessionRecord) -> None:
        """Take what an event says."""
        row = self._rows.get(event.session)
        if row is None or (isinstance(message, SessionRecord) and message.state == "started"):
            row = self._rows[event.session] = Row(event.session, event.partition)
        self._rows.move_to_end(event.session)
        if isinstance(message, SessionRecord):
            _note_session(row, event, message)
        else:
            _note_prediction(row, event, message)
        if len(self._rows) > SESSIONS:
            self._rows.popitem(last=False)


def _note_session(row: Row, event: Event, message: SessionRecord) -> None:
    row.start_ms, row.end_ms, row.reason = message.start_ms, message.end_ms, message.reason
    row.is_ended = message.state == "ended"
    row.finals = message.finals
    row.latest[Kind.SESSION] = event
    if row.is_ended:
        row.latest.pop(Kind.INTERIM, None)
    else:
        row.first_offset = event.offset


def _note_prediction(row: Row, event: Event, message: Prediction) -> None:
    row.prediction = message
    row.latest[event.kind] = event
    if message.is_final:
        row.finals += 1
        row.statuses = {str(name): result.status for name, result in message.modalities.items()}
        interim = row.latest.get(Kind.INTERIM)
        if interim is not None and interim.segment <= event.segment:
            del row.latest[Kind.INTERIM]

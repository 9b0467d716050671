"""How results are to be read: finals once each, interims only while they say something newer.

Finals and interims come from different producers, so they may overtake each other, and what was acknowledged just before
a crash may come twice. Knows no Kafka client.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from stream.publish import Prediction, SessionRecord

SESSIONS = 10_000  # remembered; of more than that, the one longest silent is forgotten


@dataclass(slots=True)
class _Known:
    started_ms: float = -1.0
    ended_ms: float = -1.0
    final_ms: float = -1.0  # segment of the last final
    newest: tuple[float, int, int] = (-1.0, -1, -1)  # segment, epoch and revision of the last interim


class Reading:
    """Tells what of a stream of results is news, session by session."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, _Known] = OrderedDict()

    def is_news(self, message: Prediction | SessionRecord) -> bool:
        """Whether a reader is to see it; by (segment, final, epoch, revision) it must be newer than what was seen."""
        known = self._known(message.session)
        if isinstance(message, SessionRecord):
            return _moves(known, message)
        if message.is_final:
            newer = message.segment > known.final_ms
            known.final_ms = max(known.final_ms, message.segment)
            return newer
        key = message.segment, message.epoch, message.revision
        newer = message.segment > known.final_ms and key > known.newest
        known.newest = max(known.newest, key)
        return newer

    def _known(self, session: str) -> _Known:
        known = self._sessions.setdefault(session, _Known())
        self._sessions.move_to_end(session)
        if len(self._sessions) > SESSIONS:
            self._sessions.popitem(last=False)
        return known


def _moves(known: _Known, record: SessionRecord) -> bool:
    """Note a session's start or end; a name that is used again starts afresh, whatever its stamps."""
    if record.state == "ended":
        newer, known.ended_ms = known.ended_ms != record.start_ms, record.start_ms
        return newer
    newer, known.started_ms = known.started_ms != record.start_ms, record.start_ms
    if newer:
        known.final_ms, known.newest = -1.0, (-1.0, -1, -1)
    return newer

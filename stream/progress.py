"""What a lane must remember to go on after a restart: per session the frontier, cuts and held text; and the offsets to commit.

    frames read, frontiers moved -> records of the compacted topic `progress`, offsets of the three input topics

Pure bookkeeping: knows offsets and times, not Kafka clients, not the aligner. The topic holds one record a session, keyed by it,
and one record a lane with the owner epoch, under the empty key, which no session can have.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from stream.errors import BrokerError
from stream.frame import Bound, End, Frame, Modality
from stream.times import from_ms, to_ms

EPOCH_KEY = b""
_VIDEO_TICKS = 2  # how long a picture holds at most

Offsets = dict[Modality, int]


@dataclass(frozen=True, slots=True)
class HeldText:
    """The text that holds at a frontier: a new owner shows it until the next one, without reading it again."""

    text: str
    time_ns: int
    duration_ns: int | None
    offset: int


@dataclass(slots=True)
class SessionProgress:
    """What a new owner must know of one session.

    Attributes
    ----------
    newest_ns : int
        The newest end of a frame: the session's timeline, against which capture times are believed or not.
    cuts : dict
        The lane's read positions when the frontier last moved: a record below its cut was seen before.
    floors : dict
        The lane's read positions before the session's first frames: a record below belongs to an earlier session of that name.
    last : dict or None
        The session's last offsets, once it has ended.
    """

    session: str
    start_ns: int
    frontier_ns: int
    newest_ns: int
    cuts: Offsets = field(default_factory=dict)
    floors: Offsets = field(default_factory=dict)
    text: HeldText | None = None
    revision: int = 0
    finals: int = 0
    last: Offsets | None = None

    def to_json(self, epoch: int) -> bytes:
        text = self.text
        return orjson.dumps(
            {
                "epoch": epoch,
                "start_ms": to_ms(self.start_ns),
                "frontier_ms": to_ms(self.frontier_ns),
                "newest_ms": to_ms(self.newest_ns),
                "cuts": self.cuts,
                "floors": self.floors,
                "text": text
                and {
                    "text": text.text,
                    "time_ms": to_ms(text.time_ns),
                    "duration_ms": None if text.duration_ns is None else to_ms(text.duration_ns),
                    "offset": text.offset,
                },
                "revision": self.revision,
                "finals": self.finals,
                "last": self.last,
            },
            option=orjson.OPT_NON_STR_KEYS,
        )

    @classmethod
    def from_json(cls, session: str, value: bytes) -> SessionProgress:
        found = orjson.loads(value)
        text = found["text"]
        return cls(
            session=session,
            start_ns=from_ms(found["start_ms"]),
            frontier_ns=from_ms(found["frontier_ms"]),
            newest_ns=from_ms(found["newest_ms"]),
            cuts=_offsets(found["cuts"]),
            floors=_offsets(found["floors"]),
            text=text
            and HeldText(
                text=text["text"],
                time_ns=from_ms(text["time_ms"]),
                duration_ns=None if text["duration_ms"] is None else from_ms(text["duration_ms"]),
                offset=text["offset"],
            ),
            revision=found["revision"],
            finals=found["finals"],
            last=None if found["last"] is None else _offsets(found["last"]),
        )


class _Span(NamedTuple):
    """Where and when one frame lies; without an end it lasts until the next one begins."""

    offset: int
    start_ns: int
    end_ns: int | None
    text: str = ""


@dataclass(slots=True)
class _Read:
    """What was read of one session and may be needed again, in the order of offsets; and the newest offsets of all."""

    spans: dict[Modality, list[_Span]] = field(default_factory=lambda: {modality: [] for modality in Modality})
    last: Offsets = field(default_factory=dict)


class Progress:
    """The memory of one lane."""

    def __init__(self, tick_ns: int, context_ns: int, epoch: int = 0) -> None:
        self.tick_ns = tick_ns
        self.context_ns = context_ns  # the encoders' left context
        self.epoch = epoch
        self.positions: Offsets = {}
        self.sessions: dict[str, SessionProgress] = {}
        self._read: dict[str, _Read] = {}
        self._unsaved: set[str] = set()

    # Read

    def read(self, modality: Modality, offset: int) -> None:
        """The lane has taken the record at `offset`."""
        self.positions[modality] = offset + 1

    def note(self, item: Frame | Bound | End) -> None:
        """The record read last was this item of a session."""
        read = self._read.setdefault(item.session, _Read())
        read.last[item.modality] = item.offset
        if isinstance(item, Frame):
            read.spans[item.modality].append(_span(item, self.tick_ns))

    def forget(self, session: str, modality: Modality, offset: int) -> None:
        """The frame at `offset` is of no use to anybody: it pins nothing."""
        spans = self._read[session].spans[modality]
        spans[:] = [span for span in spans if span.offset != offset]

    def is_earlier(self, item: Frame | Bound | End) -> bool:
        """Whether the item belongs to a session of that name that has ended before this owner read it."""
        known = self.sessions.get(item.session)
        if known is None:
            return False
        bounds = known.floors if known.last is None else known.cuts
        return item.offset < bounds.get(item.modality, 0)

    # Move

    def start(self, session: str, start_ns: int) -> SessionProgress:
        """A session begins; its frontier is the start of its first frame."""
        earlier = self.sessions.get(session)
        start_ns = from_ms(to_ms(start_ns))
        floors = dict(earlier.cuts) if earlier else {}
        known = SessionProgress(session, start_ns, start_ns, start_ns, cuts=dict(floors), floors=floors)
        self.sessions[session] = known
        self._unsaved.add(session)
        return known

    def move(self, session: str, frontier_ns: int) -> None:
        """A final or silence ends at `frontier_ns`: what lies before its left context is needed no more."""
        known = self.sessions[session]
        known.frontier_ns = frontier_ns
        known.cuts = dict(self.positions)
        read = self._read.setdefault(session, _Read())
        known.text = _held(known.text, read.spans[Modality.TEXT], frontier_ns)
        for modality, spans in read.spans.items():
            read.spans[modality] = _reaching(spans, frontier_ns - self.context_ns)
        self._unsaved.add(session)

    def end(self, session: str) -> None:
        """A session is over; its record stays until a new owner could not read any of its frames again."""
        known = self.sessions[session]
        known.cuts = dict(self.positions)
        known.last = dict(self._read.pop(session, _Read()).last)
        known.text = None
        self._unsaved.add(session)

    # Keep

    def first_offset(self, session: str, modality: Modality, start_ns: int) -> int | None:
        """The lowest offset of a frame that reaches into the left context of a segment from `start_ns`."""
        known = self.sessions[session]
        read = self._read.get(session, _Read())
        needed = [span.offset for span in _reaching(read.spans[modality], start_ns - self.context_ns)]
        if modality is Modality.TEXT and known.text is not None:
            needed.append(known.text.offset)
        return min(needed, default=None)

    def offsets(self) -> Offsets:
        """What to commit: per topic the lowest offset that a new owner must read again, or the position."""
        committable = dict(self.positions)
        for session, read in self._read.items():
            known = self.sessions.get(session)
            held = known.text.offset if known is not None and known.text is not None else None
            for modality, spans in read.spans.items():
                pinning = next((span.offset for span in spans if span.offset != held), None)
                if pinning is not None:
                    committable[modality] = min(committable[modality], pinning)
        return committable

    def unsaved(self) -> list[tuple[bytes, bytes]]:
        """Key and value of each session's record that is not as it was when last asked."""
        changed, self._unsaved = self._unsaved, set()
        return [(name.encode(), self.sessions[name].to_json(self.epoch)) for name in sorted(changed)]

    def outlived(self, committed: Offsets) -> list[bytes]:
        """Keys of the ended sessions that all committed offsets have passed: their records can be removed."""
        gone = [name for name, known in self.sessions.items() if _is_outlived(known, committed)]
        for name in gone:
            del self.sessions[name]
            self._unsaved.discard(name)
        return [name.encode() for name in gone]


def restored(records: Iterable[tuple[bytes, bytes | None]], tick_ns: int, context_ns: int) -> Progress:
    """Read a lane's partition of `progress`, oldest record first; the epoch is its last owner's.

    Raises
    ------
    BrokerError
        If a record is none that `Progress` wrote.
    """
    newest = {key: value for key, value in records}
    progress = Progress(tick_ns, context_ns)
    for key, value in newest.items():
        if value is None:
            continue
        try:
            if key == EPOCH_KEY:
                progress.epoch = orjson.loads(value)["epoch"]
            else:
                progress.sessions[key.decode()] = SessionProgress.from_json(key.decode(), value)
        except (ValueError, KeyError, TypeError) as error:
            raise BrokerError(
                f"The topic progress holds {value[:80]!r} under {key!r}: a record of Trivium was expected ({error!r}); "
                "give the group a topic prefix of its own."
            ) from error
    return progress


def epoch_value(epoch: int) -> bytes:
    """The value under `EPOCH_KEY`."""
    return orjson.dumps({"epoch": epoch})


def _span(frame: Frame, tick_ns: int) -> _Span:
    if frame.modality is Modality.TEXT:
        end_ns = None if frame.duration_ns is None else frame.time_ns + frame.duration_ns
        return _Span(frame.offset, frame.time_ns, end_ns, frame.payload.decode())
    duration_ns = _VIDEO_TICKS * tick_ns if frame.duration_ns is None else frame.duration_ns
    return _Span(frame.offset, frame.time_ns, frame.time_ns + duration_ns)


def _reaching(spans: list[_Span], from_ns: int) -> list[_Span]:
    """Those that reach beyond `from_ns`, still in the order of offsets."""
    starts_ns = sorted(span.start_ns for span in spans)

    def reaches(span: _Span) -> bool:
        if span.end_ns is not None:
            return span.end_ns > from_ns
        following = bisect_right(starts_ns, span.start_ns)
        return following == len(starts_ns) or starts_ns[following] > from_ns

    return [span for span in spans if reaches(span)]


def _held(before: HeldText | None, spans: list[_Span], at_ns: int) -> HeldText | None:
    """The newest text that began by `at_ns`, if it has not ended."""
    begun = [
        HeldText(span.text, span.start_ns, None if span.end_ns is None else span.end_ns - span.start_ns, span.offset)
        for span in spans
        if span.start_ns <= at_ns
    ]
    newest = max([*begun, *([before] if before else [])], key=lambda text: (text.time_ns, text.offset), default=None)
    if newest is None or (newest.duration_ns is not None and newest.time_ns + newest.duration_ns <= at_ns):
        return None
    return newest


def _is_outlived(known: SessionProgress, committed: Offsets) -> bool:
    return known.last is not None and all(committed.get(name, 0) > offset for name, offset in known.last.items())


def _offsets(found: dict[str, int]) -> Offsets:
    return {Modality(name): offset for name, offset in found.items()}

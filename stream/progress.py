"""What a lane must remember to go on after a restart: per session its checkpoint and counts; and the offsets to commit.

    frontiers moved, offsets still needed -> records of the compacted topic `progress`, offsets of the three input topics

Pure bookkeeping: knows offsets and times, no Kafka client. The topic holds one record a session, keyed by it, and one record
a lane with the owner epoch, under the empty key, which no session can have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from stream.content import TEXT
from stream.errors import BrokerError
from stream.frame import Frame, Modality
from stream.hop import Checkpoint
from stream.skew import UNKNOWN, Skew
from stream.times import from_ms, to_ms

EPOCH_KEY = b""

Offsets = dict[Modality, int]
Saved = tuple[bytes, bytes | None]  # key and value of one record; no value: the session is forgotten


@dataclass(slots=True)
class SessionProgress:
    """What a new owner must know of one session.

    Attributes
    ----------
    checkpoint : Checkpoint
        Where its last final, or the silence after it, left it. Its cuts are the lane's read positions then: a record
        below was seen before. A record below its `since` was before its first: another of its name may have had it.
    revision : int
        The last one shown of the segment that is open.
    finals : int
        How many there were so far.
    skew : Skew
        What the segment that is open goes by.
    """

    session: str
    checkpoint: Checkpoint
    revision: int = 0
    finals: int = 0
    skew: Skew = UNKNOWN


class Progress:
    """The memory of one lane.

    Attributes
    ----------
    epoch : int
        How many owners the lane has had; 0 without a broker.
    positions : dict
        Offset of the next record of each topic.
    """

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.positions: Offsets = {}
        self.sessions: dict[str, SessionProgress] = {}
        self._unsaved: set[str] = set()

    def start(self, session: str, checkpoint: Checkpoint, needed: Mapping[Modality, int]) -> SessionProgress:
        """A session begins with what is `needed`. If another of its name has ended, what was read of that one stays read."""
        earlier = self.sessions.get(session)
        cuts = dict(earlier.checkpoint.cuts) if earlier else {}
        known = SessionProgress(session, replace(checkpoint, cuts=cuts, since=_highest(cuts, self.offsets(needed))))
        self.sessions[session] = known
        self._unsaved.add(session)
        return known

    def move(self, session: str, checkpoint: Checkpoint) -> None:
        """A final or silence has moved the frontier: all records read by now are cut off."""
        known = self.sessions[session]
        cuts = _highest(known.checkpoint.cuts, self.positions)
        known.checkpoint = replace(checkpoint, cuts=cuts, since=known.checkpoint.since)
        self._unsaved.add(session)

    def touch(self, session: str, checkpoint: Checkpoint) -> None:
        """Something else has changed that a new owner may not read again, such as that a modality has ended."""
        before = self.sessions[session].checkpoint
        self.sessions[session].checkpoint = replace(checkpoint, cuts=before.cuts, since=before.since)
        self._unsaved.add(session)

    def end(self, session: str, needed: Mapping[Modality, int]) -> None:
        """A session is over; its record stays until a new owner could not read any of its frames again.

        What is `needed` by the next of its name, which began when the clock was set, is not cut off with it.
        """
        known = self.sessions[session]
        cuts = _lowest(_highest(known.checkpoint.cuts, self.positions), needed)
        known.checkpoint = replace(known.checkpoint, cuts=cuts, since={}, held_text=None, over=True)
        self._unsaved.add(session)

    def offsets(self, needed: Mapping[Modality, int]) -> Offsets:
        """What to commit: of each topic the lowest offset `needed` again, or the position where there is none."""
        return _lowest(self.positions, needed)

    def unsaved(self) -> list[tuple[bytes, bytes]]:
        """Key and value of each session that is not as it was when last asked."""
        changed, self._unsaved = sorted(self._unsaved), set()
        return [(name.encode(), to_json(self.sessions[name], self.epoch)) for name in changed]

    def outlived(self, committed: Mapping[Modality, int]) -> list[bytes]:
        """Forget the ended sessions that all committed offsets have passed, and give the keys of their records."""
        gone = [
            name
            for name, known in self.sessions.items()
            if known.checkpoint.over
            and all(committed.get(topic, 0) >= cut for topic, cut in known.checkpoint.cuts.items())
        ]
        for name in gone:
            del self.sessions[name]
            self._unsaved.discard(name)
        return [name.encode() for name in gone]


def restored(records: Iterable[tuple[bytes | None, bytes | None]], context_ns: int) -> Progress:
    """Read a lane's partition of `progress`, oldest record first; the epoch is its last owner's.

    Parameters
    ----------
    context_ns : int
        Left context of the encoders in use, which may not be those that the last owner used.

    Raises
    ------
    BrokerError
        If a record is none that Trivium wrote.
    """
    progress = Progress()
    for key, value in dict(records).items():
        if value is None:
            continue
        try:
            if key == EPOCH_KEY:
                progress.epoch = orjson.loads(value)["epoch"]
            else:
                known = from_json((key or b"").decode(), value, context_ns)
                progress.sessions[known.session] = known
        except (ValueError, KeyError, TypeError) as error:
            raise BrokerError(
                f"The topic progress holds {value[:80]!r} under the key {key!r}, a session's progress was expected "
                f"({type(error).__name__}: {error}); let nobody else write to it, or set another topic_prefix."
            ) from error
    return progress


def epoch_value(epoch: int) -> bytes:
    """The value under `EPOCH_KEY`."""
    return orjson.dumps({"epoch": epoch})


def to_json(known: SessionProgress, epoch: int) -> bytes:
    """The value under a session's key."""
    at = known.checkpoint
    return orjson.dumps(
        {
            "epoch": epoch,
            "revision": known.revision,
            "finals": known.finals,
            "skew_ms": None if known.skew.measured_ns is None else to_ms(known.skew.measured_ns),
            "skew_steady": known.skew.steady,
            "start_ms": to_ms(at.start_ns),
            "frontier_ms": to_ms(at.frontier_ns),
            "newest_ms": to_ms(at.newest_ns),
            "cuts": {str(name): cut for name, cut in at.cuts.items()},
            "text": None if at.held_text is None else _text_to_json(at.held_text),
            "heard_ms": {str(name): to_ms(heard_ns) for name, heard_ns in at.heard_ns.items()},
            "ended": sorted(at.ended),
            "over": at.over,
            "spoken": sorted(at.spoken),
            "bounds_ms": {str(name): to_ms(bound_ns) for name, bound_ns in at.bounds_ns.items()},
            "arrived_ms": None if at.newest_arrived_ns is None else to_ms(at.newest_arrived_ns),
            "since": {str(name): cut for name, cut in at.since.items()},
        }
    )


def from_json(session: str, value: bytes, context_ns: int) -> SessionProgress:
    """Read what `to_json` wrote.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it did not.
    """
    found = orjson.loads(value)
    frontier_ns = from_ms(found["frontier_ms"])
    arrived_ms = found.get("arrived_ms")  # a version before did not say it
    checkpoint = Checkpoint(
        start_ns=from_ms(found["start_ms"]),
        frontier_ns=frontier_ns,
        keep_from_ns=frontier_ns - context_ns,
        newest_ns=from_ms(found["newest_ms"]),
        cuts={Modality(name): cut for name, cut in found["cuts"].items()},
        held_text=None if found["text"] is None else _text_from_json(session, found["text"]),
        heard_ns={Modality(name): from_ms(heard_ms) for name, heard_ms in found["heard_ms"].items()},
        ended=frozenset(map(Modality, found["ended"])),
        over=found["over"],
        spoken=frozenset(map(Modality, found.get("spoken", found["heard_ms"]))),  # nor this, nor what follows
        bounds_ns={Modality(name): from_ms(bound_ms) for name, bound_ms in found.get("bounds_ms", {}).items()},
        newest_arrived_ns=None if arrived_ms is None else from_ms(arrived_ms),
        since={Modality(name): cut for name, cut in found.get("since", {}).items()},
    )
    skew_ms = found.get("skew_ms")  # a version before did not say it
    skew = Skew(None if skew_ms is None else from_ms(skew_ms), found.get("skew_steady", True))
    return SessionProgress(session, checkpoint, found["revision"], found["finals"], skew)


def _lowest(positions: Offsets, needed: Mapping[Modality, int]) -> Offsets:
    return {name: min(position, needed.get(name, position)) for name, position in positions.items()}


def _highest(cuts: Offsets, positions: Offsets) -> Offsets:
    """Cuts that have moved to the positions, but not back: a former owner may have read further than this one by now."""
    return cuts | {name: max(position, cuts.get(name, 0)) for name, position in positions.items()}


def _text_to_json(held: Frame) -> dict[str, Any]:
    return {
        "text": held.payload.decode(),
        "time_ms": to_ms(held.time_ns),
        "duration_ms": None if held.duration_ns is None else to_ms(held.duration_ns),
        "partition": held.partition,
        "offset": held.offset,
    }


def _text_from_json(session: str, found: dict[str, Any]) -> Frame:
    return Frame(
        session=session,
        modality=Modality.TEXT,
        time_ns=from_ms(found["time_ms"]),
        duration_ns=None if found["duration_ms"] is None else from_ms(found["duration_ms"]),
        payload=found["text"].encode(),
        content_type=TEXT,
        partition=found["partition"],
        offset=found["offset"],
    )

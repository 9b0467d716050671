"""Emitter: makes the hops of one session, and makes them again when late frames touch them.

    [Timeline, ...] -> Hop

Knows which hops went out and as what; when they go out is decided in `session.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from stream.frame import Frame, Modality
from stream.hop import Hop, HopReason, Outcome, Status, Tally
from stream.timeline import Placed, Timeline
from stream.wait import Wait
from stream.watermark import NEVER_NS

_NOT_THERE = frozenset({Status.LATE, Status.SILENT, Status.IDLE})
_PRESENT, _LATE, _SILENT, _IDLE, _SHED = Status.PRESENT, Status.LATE, Status.SILENT, Status.IDLE, Status.SHED
_USED, _SHED_FRAME = Outcome.USED, Outcome.SHED


@dataclass(slots=True)
class _Sent:
    """A hop that went out and whose frames are all still here."""

    revision: int
    statuses: dict[Modality, Status]
    reason: HopReason


class Emitter:
    """The hops of one session."""

    def __init__(self, session: str, wait: Wait, hop_ns: int, tally: Tally) -> None:
        self._session = session
        self._wait = wait
        self._hop_ns = hop_ns
        self._tally = tally
        self._sent: dict[int, _Sent] = {}
        self._touched: set[int] = set()

    def emit(
        self, start_ns: int, reason: HopReason, members: Collection[Timeline], now_ns: int, stirred_ns: int
    ) -> Hop:
        """Make a hop for the first time; `members` are those that were waited for, at `stirred_ns` the first news came."""
        end_ns = start_ns + self._hop_ns
        frames, found = self._collect(start_ns, end_ns)
        statuses: dict[Modality, Status] = {}
        lost: dict[Modality, int] = {}
        for modality, line in self._wait.lines.items():
            statuses[modality] = _status(frames[modality], found[modality], line, line in members, end_ns)
            if missing := line.lost(start_ns, end_ns):
                lost[modality] = missing
                self._tally.lost[modality] += missing
            line.forget_crossings(end_ns)
        self._sent[start_ns] = _Sent(0, statuses, reason)
        lags_ns = {line.modality: now_ns - line.bound_ns for line in members if line.bound_ns != NEVER_NS}
        arrived_ns = _newest_arrival_ns(found, now_ns)
        return Hop(
            self._session, start_ns, end_ns, frames, statuses, reason, 0, arrived_ns, now_ns, {}, lost, lags_ns,
            due_ns=max(arrived_ns, min(stirred_ns, now_ns)),
        )  # fmt: skip

    def touch(self, start_ns: int, end_ns: int) -> bool:
        """Mark the hops that went out and that a frame touches; whether there are any."""
        first_ns = start_ns - start_ns % self._hop_ns
        if self._sent:
            first_ns = max(first_ns, next(iter(self._sent)))
        touched = [at for at in range(first_ns, end_ns, self._hop_ns) if at in self._sent]
        self._touched.update(touched)
        return bool(touched)

    def emit_again(self, now_ns: int, stirred_ns: int) -> list[Hop]:
        """The hops marked, with all their frames, each a revision further."""
        touched, self._touched = sorted(self._touched), set()
        hops = [self._revise(start_ns, now_ns, stirred_ns) for start_ns in touched]
        for hop in hops[:-1]:
            hop.more = True
        return hops

    def forget(self, before_ns: int) -> None:
        """Hops that end by then are never made again."""
        gone = [start_ns for start_ns in self._sent if start_ns + self._hop_ns <= before_ns]
        for start_ns in gone:
            del self._sent[start_ns]
        self._touched.difference_update(gone)

    def oldest_end_ns(self) -> int | None:
        """End of the oldest hop that could still be made again."""
        return next((start_ns + self._hop_ns for start_ns in self._sent), None)

    def _revise(self, start_ns: int, now_ns: int, stirred_ns: int) -> Hop:
        end_ns = start_ns + self._hop_ns
        sent = self._sent[start_ns]
        frames, found = self._collect(start_ns, end_ns)
        for modality, status in sent.statuses.items():
            if frames[modality] and status in _NOT_THERE:
                sent.statuses[modality] = _LATE
        sent.revision += 1
        late = {
            modality: count
            for modality, placed in found.items()
            if (count := sum(one.late and one.frame.time_ns >= start_ns for one in placed))
        }
        lost = {
            modality: missing for modality, line in self._wait.lines.items() if (missing := line.lost(start_ns, end_ns))
        }
        arrived_ns = _newest_arrival_ns(found, now_ns)
        return Hop(
            self._session, start_ns, end_ns, frames, dict(sent.statuses), sent.reason, sent.revision, arrived_ns, now_ns,
            late, lost, due_ns=max(arrived_ns, min(stirred_ns, now_ns)),
        )  # fmt: skip

    def _collect(self, start_ns: int, end_ns: int) -> tuple[dict[Modality, list[Frame]], dict[Modality, list[Placed]]]:
        frames: dict[Modality, list[Frame]] = {}
        found: dict[Modality, list[Placed]] = {}
        for modality, line in self._wait.lines.items():
            found[modality] = placed = line.overlapping(start_ns, end_ns)
            frames[modality] = [one.frame for one in placed if one.outcome is not _SHED_FRAME]
            fresh = [one for one in placed if one.outcome is None]
            for one in fresh:
                line.mark(one, _USED)
            if fresh:
                self._tally.outcomes[modality, _USED] += len(fresh)
        return frames, found


def _status(frames: list[Frame], placed: list[Placed], line: Timeline, waited_for: bool, end_ns: int) -> Status:  # noqa: FBT001
    if len(frames) < len(placed):
        return _SHED  # some or all of them
    if frames:
        return _PRESENT
    if line.first_ns >= end_ns:
        return _IDLE  # by then it had never spoken
    if line.settled(end_ns) or line.modality is Modality.TEXT:
        return _SILENT
    return _LATE if waited_for else _IDLE


def _newest_arrival_ns(found: dict[Modality, list[Placed]], now_ns: int) -> int:
    """When the newest frame of a hop came; a hop without any has nothing newer than now."""
    return max((one.arrived_ns for placed in found.values() for one in placed), default=now_ns)

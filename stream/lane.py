"""The main path, for one partition number of every topic.

    take:     record -> Frame -> aligner                                 a record that cannot be read -> dead letter
    advance:  aligner -> Hop -> open segment -> Caption -> Prediction    all sessions at once, each in its own order

Knows no Kafka client and no clock: `owner.py` feeds it from Kafka, `trivium recognize` from a file, and both get the same.
A lane takes what is there, then advances; while it advances nothing is taken, so a final's cut is the read position.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from stream import metrics
from stream.account import Account
from stream.align import Aligner
from stream.deadletter import DeadLetter
from stream.errors import RecordError
from stream.frame import Frame, Modality, Record, parse
from stream.hop import Checkpoint, Ended, Event, Hop, Slept, Started
from stream.late import LateFrame
from stream.opened import Opened, Segment
from stream.overload import Hurry, Lag, Overload
from stream.progress import Progress, SessionProgress
from stream.publish import Input, SessionRecord
from stream.results import Maker, Result
from stream.skew import Skew
from stream.times import to_ms

if TYPE_CHECKING:
    from stream.caption import Caption


OpenSegment = Callable[[int, int, Skew], Segment]  # frontier_ns, revision and skew to go on from
Output = Result | DeadLetter | LateFrame  # what leaves a lane
_FRAME_BYTES = {modality: metrics.FRAME_BYTES.labels(modality) for modality in Modality}


@dataclass(frozen=True, slots=True)
class Intake:
    """How records are read: which topic is which modality's, what plain records hold, how large a value may be."""

    topics: Mapping[str, Modality]
    content_types: Mapping[Modality, str]
    max_record_bytes: int


class Lane:
    """One partition number: its sessions, from the record read to the result made.

    Parameters
    ----------
    number : int
        The partition.
    progress : Progress
        What the last owner left; the sessions in it that have not ended go on.
    overload : Overload or None
        The process's, which all its lanes share; None: one of its own.
    """

    def __init__(
        self,
        number: int,
        intake: Intake,
        aligner: Aligner,
        open_segment: OpenSegment,
        maker: Maker,
        progress: Progress,
        context_ns: int,
        overload: Overload | None = None,
    ) -> None:
        self.number = number
        self.aligner = aligner
        self.progress = progress
        self._intake = intake
        self._open_segment = open_segment
        self._maker = maker
        self._context_ns = context_ns  # how far before the frontier frames are still needed
        self._sessions: dict[str, Opened] = {}
        self._overload, self._lag = overload or Overload(), Lag()
        self._live = False  # the last record taken was not there before
        self._account = Account({modality: topic for topic, modality in intake.topics.items()})
        self._buffered_bytes = metrics.BUFFERED_BYTES.labels(number)
        self._taken_bytes: Counter[Modality] = Counter()  # of frames, not told to the metrics yet
        self._touched: set[str] = set()  # sessions to be remembered anew, though their frontiers have not moved
        for known in progress.sessions.values():
            aligner.restore(known.session, known.checkpoint)
            if not known.checkpoint.over:
                self._open(known)

    def take(self, record: Record, now_ns: int, *, history: bool = False) -> None:
        """Read one record, which arrives at `now_ns` of the lane's clock; `history`: it was there before the takeover."""
        modality = self._intake.topics[record.topic]
        self.progress.positions[modality] = record.offset + 1
        self._live = not history
        if history:
            self._lag.took_history(modality, record.offset)
        try:
            item = parse(record, modality, self._intake.content_types, self._intake.max_record_bytes)
        except RecordError as error:
            self._account.reject(record, error)
            return
        if isinstance(item, Frame):
            self._taken_bytes[modality] += len(item.payload)
        else:
            self._touched.add(item.session)
        self.aligner.add(item, now_ns, history=history)

    async def advance(
        self, now_ns: int, behind: frozenset[Modality] = frozenset(), hurry: Hurry | None = None
    ) -> list[Output]:
        """Do what is due at `now_ns`; live, a session of which much is due has its turn, and the rest at the next advance.

        Parameters
        ----------
        hurry : Hurry or None
            What the machine says; without it nothing is too much.

        Raises
        ------
        InferenceError
            If a model fails on input that passed every check.
        """
        self._lag.note(hurry, now_ns, overloaded=self._overload.level > 0)
        results = await self._follow_all(self.aligner.poll(now_ns, behind, in_turns=hurry is not None and self._live))
        self._remember()
        self.aligner.has_read(self.progress.positions)
        self._measure()
        return [*self._account.close(self.aligner), *results]

    def wake_ns(self) -> int | None:
        """When to advance next if no record comes, on the lane's clock."""
        return self.aligner.wake_ns()

    def close(self) -> None:
        """Give up all sessions without ending them: another owner goes on with them."""
        metrics.SESSIONS_ACTIVE.dec(len(self._sessions))
        self._sessions.clear()

    async def _follow_all(self, events: list[Event]) -> list[Result]:
        """What comes of them: of many sessions all at once, of one without a task of its own."""
        news: dict[str, list[Event]] = {}
        for event in events:
            news.setdefault(event.session, []).append(event)
        if len(news) > 1:
            return [*chain.from_iterable(await asyncio.gather(*(self._follow(*each) for each in news.items())))]
        return [result for each in news.items() for result in await self._follow(*each)]

    async def _follow(self, name: str, news: list[Event]) -> list[Result]:
        results: list[Result] = []
        for place, event in enumerate(news):
            # The aligner is ahead: of a session that ends in this news it knows no more, or already the next of its name.
            ending = any(isinstance(later, Ended) for later in news[place:])
            match event:
                case Started():
                    results.append(self._start(event, ending=ending))
                case Hop():
                    results += await self._hop(event, ending=ending)
                case Slept():
                    results += await self._finish(name, ending=ending)
                case Ended():
                    results += await self._finish(name, ending=ending)
                    results.append(self._end(event))
        return results

    def _start(self, started: Started, *, ending: bool) -> Result:
        frontier_ns = started.start_ns
        keep_from_ns = frontier_ns - self._context_ns
        checkpoint = Checkpoint(started.start_ns, frontier_ns, keep_from_ns, newest_ns=started.start_ns)
        needed = {} if ending else self.aligner.oldest_offsets_of(started.session)
        self._open(self.progress.start(started.session, checkpoint, needed))
        if not ending:
            self.aligner.settle(started.session, frontier_ns, keep_from_ns)
            self._touched.add(started.session)
        message = SessionRecord(session=started.session, state="started", start_ms=to_ms(started.start_ns))
        return Result(message, started.start_ns)

    async def _hop(self, hop: Hop, *, ending: bool) -> list[Result]:
        session = self._sessions[hop.session]
        waited_ns = self._lag.waited_ns(hop)
        level = 0 if waited_ns is None else self._overload.judge(waited_ns, self._lag.machine_ns)
        hop, shed = session.spared.lighten(hop, level)
        self._account.shed(shed)
        session.story.add(hop)
        captions = await session.segment.hop(hop)
        for frame, error in session.newly_corrupt(hop.end_ns):
            self._account.reject_corrupt(frame, error)
        return self._results(session, session.spared.shown(captions, level), ending=ending)

    async def _finish(self, name: str, *, ending: bool) -> list[Result]:
        session = self._sessions[name]
        return self._results(session, await session.segment.close(), ending=ending)

    def _end(self, ended: Ended) -> Result:
        known = self._sessions.pop(ended.session).known
        self.progress.end(ended.session, self.aligner.oldest_offsets_of(ended.session))
        metrics.SESSIONS_ACTIVE.dec()
        metrics.SESSIONS_ENDED.labels(ended.reason).inc()
        message = SessionRecord(
            session=ended.session,
            state="ended",
            reason=ended.reason.value,
            finals=known.finals,
            start_ms=to_ms(ended.start_ns),
            end_ms=to_ms(ended.end_ns),
        )
        return Result(message, ended.end_ns)

    def _open(self, known: SessionProgress) -> None:
        segment = self._open_segment(known.checkpoint.frontier_ns, known.revision, known.skew)
        self._sessions[known.session] = Opened(known, segment)
        metrics.SESSIONS_ACTIVE.inc()

    def _results(self, session: Opened, captions: list[Caption], *, ending: bool) -> list[Result]:
        """Results of the captions; then the frontier moves to where the segment has it."""
        results = [self._result(session, caption) for caption in captions]
        name, frontier_ns = session.known.session, session.segment.frontier_ns
        if frontier_ns > session.known.checkpoint.frontier_ns and not ending:
            keep_from_ns = frontier_ns - self._context_ns
            session.known.skew = session.segment.skew
            self.aligner.settle(name, frontier_ns, keep_from_ns)
            self.progress.move(name, self.aligner.checkpoint(name))
            session.forget(keep_from_ns)
        return results

    def _result(self, session: Opened, caption: Caption) -> Result:
        known = session.known
        known.finals += caption.is_final
        known.revision = 0 if caption.is_final else caption.revision
        inputs = self._inputs(session.story.first_offsets(caption.start_ns - self._context_ns))
        return session.story.result(known.session, caption, self._maker, self.progress.epoch, inputs)

    def _inputs(self, first_offsets: Mapping[Modality, int]) -> list[Input]:
        """Where the frames lie that a result was made from; nowhere without a broker, which has no epochs."""
        positions = self.progress.positions
        return [
            Input(topic=topic, partition=self.number, first_offset=first_offsets[name], cut=positions[name])
            for topic, name in self._intake.topics.items()
            if self.progress.epoch and name in first_offsets
        ]

    def _measure(self) -> None:
        for modality, taken_bytes in self._taken_bytes.items():
            _FRAME_BYTES[modality].inc(taken_bytes)
        self._taken_bytes.clear()
        self._buffered_bytes.set(self.aligner.buffered_bytes)

    def _remember(self) -> None:
        for name in self._touched & self._sessions.keys():
            self.progress.touch(name, self.aligner.checkpoint(name))
        self._touched.clear()

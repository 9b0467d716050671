"""A lane on a machine that is as slow as a test wants: its time passes by what is computed, and by waiting for records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from stream.caption import Caption
from stream.clock import LaneClock
from stream.frame import Frame, Modality, Record
from stream.hop import Hop, Status
from stream.lane import Lane
from stream.overload import Hurry, Overload
from stream.progress import Progress
from stream.publish import Prediction
from stream.results import Result
from stream.skew import Skew
from tests.echo import HOP_NS, MS, T0_NS, EchoSegment, echo_lane

TAKE_RECORDS = 64
LOOK_NS = 20 * MS
PICTURE_MS = 40


@dataclass
class Machine:
    """One worker that computes for all sessions in turn.

    Attributes
    ----------
    hop_ns, picture_ns : int
        What a hop costs, and each of its pictures more.
    history : dict
        Per modality the offset below which a record lay there at the takeover.
    """

    hop_ns: int
    picture_ns: int
    history: dict[Modality, int] = field(default_factory=dict)
    now_ns: int = T0_NS
    overload: Overload = field(default_factory=Overload)
    hops: list[Hop] = field(default_factory=list)  # as they were computed
    levels: list[tuple[float, int]] = field(default_factory=list)  # each change: at which second, to what
    finals: list[tuple[float, Prediction]] = field(default_factory=list)  # each with how late it was, in seconds

    def __post_init__(self) -> None:
        self.lane: Lane = echo_lane(Progress(), open_segment=self._segment, overload=self.overload)
        self._clock = LaneClock()
        self._topics: dict[Modality, list[Record]] = {name: [] for name in Modality}
        self._fetched = dict.fromkeys(Modality, 0)

    def _segment(self, frontier_ns: int, revision: int, skew: Skew) -> EchoSegment:
        machine = self

        class SlowSegment(EchoSegment):
            async def hop(self, hop: Hop) -> list[Caption]:
                machine.hops.append(hop)
                machine.work(machine.hop_ns + machine.picture_ns * len(hop.frames[Modality.VIDEO]))
                return await super().hop(hop)

        return SlowSegment(frontier_ns, revision, skew)

    async def run(self, records: Iterable[Record], until_s: float) -> None:
        """Let the records be produced when they say, and the lane do what it can."""
        for record in records:
            self._topics[Modality(record.topic)].append(record)
        while self.now_ns < T0_NS + until_s * 1e9:
            self._fetch()
            idle = self._take()
            now_ns, behind = self._clock.now_ns(self.now_ns), self._clock.behind(self.now_ns)
            began_ns = self.now_ns
            for output in await self.lane.advance(now_ns, behind, Hurry(self.now_ns, idle)):
                if isinstance(output, Result) and isinstance(output.message, Prediction) and output.message.is_final:
                    self.finals.append(((self.now_ns - output.due_ns) / 1e9, output.message))
            if not self.levels or self.levels[-1][1] != self.overload.level:
                self.levels.append(((self.now_ns - T0_NS) / 1e9, self.overload.level))
            if idle and self.now_ns == began_ns:
                self.now_ns += LOOK_NS

    def work(self, ns: int) -> None:
        """Let time pass; meanwhile what is produced is fetched."""
        until_ns = self.now_ns + ns
        while self.now_ns < until_ns:
            self.now_ns = min(until_ns, self.now_ns + LOOK_NS)
            self._fetch()

    def pictures(self, from_s: float, until_s: float) -> Counter[int]:
        """How many pictures the hops had, of those that began in this time."""
        return Counter(len(hop.frames[Modality.VIDEO]) for hop in self._between(from_s, until_s))

    def statuses(self, modality: Modality, from_s: float, until_s: float) -> Counter[Status]:
        return Counter(hop.statuses[modality] for hop in self._between(from_s, until_s))

    def lateness_s(self, from_s: float, until_s: float) -> list[float]:
        """How late the finals came of what was said in this time."""
        begin_ms, end_ms = (T0_NS / MS + at_s * 1000 for at_s in (from_s, until_s))
        return [late_s for late_s, final in self.finals if begin_ms <= final.end_ms < end_ms]

    def _between(self, from_s: float, until_s: float) -> list[Hop]:
        return [hop for hop in self.hops if from_s * 1e9 <= hop.start_ns - T0_NS < until_s * 1e9]

    def _fetch(self) -> None:
        for modality, unread in self._topics.items():
            first = last = self._fetched[modality]
            while last < len(unread) and unread[last].timestamp_ms * MS <= self.now_ns:
                last += 1
            self._fetched[modality] = last
            self._clock.fetched(modality, unread[first:last], last, last, self.now_ns)

    def _take(self) -> bool:
        """Whether there was no more to take."""
        taken = 0
        for modality, record, now_ns in islice(self._clock.arrivals(self.now_ns, self.lane.wake_ns), TAKE_RECORDS):
            self.lane.take(record, now_ns, history=record.offset < self.history.get(modality, 0))
            taken += 1
        wake_ns = self.lane.wake_ns()
        return taken < TAKE_RECORDS and (wake_ns is None or self._clock.now_ns(self.now_ns) < wake_ns)


def pictures(session: str, from_s: float, until_s: float) -> list[Frame]:
    """Pictures of a camera, beginning on a hop."""
    start_ns = T0_NS + round(from_s * 1e9) // HOP_NS * HOP_NS
    return [
        Frame(session, Modality.VIDEO, at_ns, PICTURE_MS * MS, b"picture", "image/jpeg")
        for at_ns in range(start_ns, T0_NS + round(until_s * 1e9), PICTURE_MS * MS)
    ]

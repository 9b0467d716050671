"""What a lane without models makes of live sessions: its hops and results, when they came, and what was counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from stream import metrics
from stream.caption import Caption
from stream.frame import End, Frame, Modality, Record
from stream.hop import Hop, Status
from stream.lane import Lane, Output
from stream.late import LateFrame
from stream.progress import Progress
from stream.publish import Prediction, SessionRecord
from stream.results import Result
from stream.skew import Skew
from tests.echo import FRAME_MS, MS, T0_NS, EchoSegment, echo_lane, feed, live, sound, wake
from tests.pressed import pictures

TEXT, AUDIO, VIDEO = Modality
SENTENCE = "hey......."  # a second, with silence enough for a final
SECOND_NS = 1_000 * MS
DEADLINE_NS = 200 * MS
IDLE_NS = 2_000 * MS
SETTLED_NS = FRAME_MS * MS  # within this a hop's end is passed by a frame's
HOUR_NS = 3_600 * SECOND_NS
FOREVER_NS = 1 << 62

Items = list[Frame | End]


def heard(from_s: int = 0, until_s: int = 6, session: str = "a") -> Items:
    found = sound(session, SENTENCE * (until_s - from_s), start_ms=1000 * from_s)
    return [item for item in found if isinstance(item, Frame)]


def seen(from_s: int = 0, until_s: int = 6, session: str = "a") -> Items:
    return list(pictures(session, from_s, until_s))


def read(from_s: int = 0, until_s: int = 6, session: str = "a") -> Items:
    return [
        Frame(session, TEXT, T0_NS + at_s * SECOND_NS, None, b"shown", "text/plain;charset=utf-8")
        for at_s in range(from_s, until_s)
    ]


def counted(metric: str) -> Counter[tuple[str, ...]]:
    found = getattr(metrics, metric)
    samples = (sample for family in found.collect() for sample in family.samples)
    return Counter({tuple(one.labels.values()): round(one.value) for one in samples})


class Heard:
    """A lane's hops and results, and when they came."""

    def __init__(self) -> None:
        self.hops: list[Hop] = []
        self.outputs: list[Output] = []
        self.most_bytes = 0
        self._before = {name: counted(name) for name in ("FRAMES", "HOPS", "SESSIONS_ENDED")}
        self.lane: Lane = echo_lane(Progress(), open_segment=self._segment)

    def _segment(self, frontier_ns: int, revision: int, skew: Skew) -> EchoSegment:
        hops = self.hops

        class NotingSegment(EchoSegment):
            async def hop(self, hop: Hop) -> list[Caption]:
                hops.append(hop)
                return await super().hop(hop)

        return NotingSegment(frontier_ns, revision, skew)

    async def hears(self, *items: Frame | End, until_s: float | None = None) -> Heard:
        """All of them live, in the order in which they became available; then time passes."""
        return await self.receives(live(items), until_s)

    async def receives(self, records: Iterable[Record], until_s: float | None = None) -> Heard:
        for record in records:
            self.outputs += await feed(self.lane, [record])
            self.most_bytes = max(self.most_bytes, self.lane.aligner.buffered_bytes)
        self.outputs += await wake(self.lane, FOREVER_NS if until_s is None else T0_NS + round(until_s * SECOND_NS))
        return self

    def finals(self, session: str = "a") -> list[str]:
        messages = [one.message for one in self.outputs if isinstance(one, Result)]
        return [one.text for one in messages if isinstance(one, Prediction) and one.is_final and one.session == session]

    def late(self) -> list[LateFrame]:
        return [one for one in self.outputs if isinstance(one, LateFrame)]

    def ended(self) -> list[str | None]:
        messages = [one.message for one in self.outputs if isinstance(one, Result)]
        return [one.reason for one in messages if isinstance(one, SessionRecord) and one.state == "ended"]

    def statuses(self, modality: Modality) -> set[Status]:
        return {hop.statuses[modality] for hop in self.hops}

    def new(self, metric: str) -> dict[tuple[str, ...], int]:
        return dict(counted(metric) - self._before[metric])

    def waits_ns(self) -> list[int]:
        """Of each hop, how much later it went out than it was captured."""
        return [hop.aligned_ns - hop.end_ns for hop in self.hops if hop.revision == 0]

"""A lane without Kafka and without inference: reads a backlog in step, pauses what is ahead, and settles hops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from stream.align import Aligner
from stream.clock import LaneClock
from stream.frame import Bound, End, Frame, Modality, Record
from stream.hop import Event, Hop, Outcome, Timing
from stream.times import NS_PER_MS, NS_PER_SECOND
from tests.aligning import START_NS

Item = Frame | Bound | End


@dataclass
class Backlog:
    """Topics with all their records in them, each item with the moment at which it was produced.

    Attributes
    ----------
    fetched : int
        Records a fetch brings at most.
    batch : int
        Records taken between two polls, if nothing is due before.
    keep_hops : int
        How far the frontier stays behind the last hop.
    """

    topics: Mapping[Modality, Sequence[tuple[Item, float]]] = field(repr=False)
    session_bytes: int
    lane_bytes: int
    timing: Timing = field(default_factory=Timing)
    history: bool = True
    fetched: int = 10
    batch: int = 5
    keep_hops: int = 1
    events: list[Event] = field(default_factory=list, repr=False)
    outcomes: Counter[tuple[Modality, Outcome]] = field(default_factory=Counter)
    most_bytes: int = 0  # ever held after a poll
    paused: int = 0  # rounds in which something was paused

    def __post_init__(self) -> None:
        self.aligner = Aligner(self.timing, self.session_bytes, self.lane_bytes)
        self.clock = LaneClock()
        self.machine_ns = START_NS + 86_400 * NS_PER_SECOND
        self._asked = dict.fromkeys(Modality, 0)
        for modality in Modality:
            self.clock.seek(modality, 0, self.machine_ns)

    @property
    def hops(self) -> list[Hop]:
        return [event for event in self.events if isinstance(event, Hop)]

    @property
    def unread(self) -> int:
        return sum(len(items) for items in self.topics.values()) - sum(self.clock.positions().values())

    def run(self) -> None:
        """Read all there is, then let the time pass until nothing is due any more."""
        idle_rounds = 0
        while self.unread:
            before = self.unread, self._asked.copy()
            self._round()
            idle_rounds = idle_rounds + 1 if (self.unread, self._asked) == before else 0
            if idle_rounds > 100:
                raise AssertionError(f"{self.unread} records are never read: the lane stands still")
        while self.aligner.sessions:
            self.machine_ns += NS_PER_SECOND // 10
            self._round()

    def _round(self) -> None:
        held = self.aligner.ahead(self.clock.behind(self.machine_ns))
        self.paused += bool(held)
        self.clock.hold(held)
        for modality, items in self.topics.items():
            if modality not in held and not self.clock.queued(modality):
                self._fetch(modality, items)
        run = self.clock.arrivals(self.machine_ns, self.aligner.wake_ns)
        for modality, record, now_ns in islice(run, self.batch):
            item, _ = self.topics[modality][record.offset]
            self.aligner.add(item, now_ns, history=self.history)
        self._advance()

    def _fetch(self, modality: Modality, items: Sequence[tuple[Item, float]]) -> None:
        first = self._asked[modality]
        records = [
            Record(modality, 0, first + index, START_NS // NS_PER_MS + round(produced_ms), b"s", b"x")
            for index, (_, produced_ms) in enumerate(items[first : first + self.fetched])
        ]
        self._asked[modality] = first + len(records)
        self.clock.fetched(modality, records, self._asked[modality], len(items), self.machine_ns)

    def _advance(self) -> None:
        events = self.aligner.poll(self.clock.now_ns(self.machine_ns), self.clock.behind(self.machine_ns))
        self.most_bytes = max(self.most_bytes, self.aligner.buffered_bytes)
        for event in events:
            if isinstance(event, Hop):
                frontier_ns = event.end_ns - self.keep_hops * self.timing.hop_ns
                self.aligner.settle(event.session, frontier_ns, frontier_ns - self.timing.tick_ns)
        self.events += events
        self.outcomes += self.aligner.drain_outcomes()

"""Trivium's own side: the service from its consumer to its hops, with all that a lane commits, and nothing decoded.

    records -> Inlet -> LaneClock -> Frame -> Aligner -> [Hop, counted]

`service.host` runs as ever, with its lanes, its group and its commits; only what `trivium serve` does with a hop is left out.
An output is a hop: all sound, pictures and text of 320 ms.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter

from stream import topics
from stream.align import Aligner
from stream.assembly import intake
from stream.caption import Caption
from stream.config import Settings
from stream.errors import RecordError
from stream.frame import Frame, Modality
from stream.health import Health
from stream.hop import Hop, HopReason, Timing
from stream.lane import Lane
from stream.progress import Progress
from stream.publish import Model
from stream.results import Maker
from stream.service import host
from stream.skew import UNKNOWN
from stream.stop import Stop
from stream.times import NS_PER_MS, NS_PER_SECOND
from tests.benchmarks.peers.meter import Meter, given
from tests.benchmarks.peers.records import settings_of

SEGMENT_NS = 3 * NS_PER_SECOND
CONTEXT_NS = 120 * NS_PER_MS  # the shipped bundle's
LOOK_SECONDS = 0.002
TIMING = Timing()


def main() -> None:
    """Read all that was written, or live until SIGTERM."""
    options = given(sys.argv[1:])
    settings = settings_of(options)
    counted = Counted(live=options["records"] == "0")
    asyncio.run(_serve(settings, counted, int(options["records"])))
    counted.meter.tell(
        counted.records(),
        counted.hops,
        frames=counted.frames,
        reasons=dict(counted.reasons),
        at_deadline=counted.at_deadline,
        sounds=counted.sounds,
    )


class Counted:
    """Hops so far, and live when they came.

    Attributes
    ----------
    frames : int
        Of sound and pictures, each counted in the hop in which it begins, but those that came after it.
    reasons : Counter
        Why hops went out; `again` are those made again for frames that came late.
    at_deadline : list
        Live: of each hop that went out at its deadline its end and how many ms later it came.
    sounds : list
        Live: the same of each frame of sound, which waits for its hop to be whole.
    """

    def __init__(self, *, live: bool) -> None:
        self.meter = Meter()
        self.hops = 0
        self.frames = 0
        self.reasons: Counter[str] = Counter()
        self.lanes: list[Lane] = []
        self.at_deadline: list[tuple[float, float]] = []
        self.sounds: list[tuple[float, float]] = []
        self._live = live

    def records(self) -> int:
        """How many were taken."""
        return sum(sum(lane.progress.positions.values()) for lane in self.lanes)

    def take(self, hop: Hop) -> None:
        """One more came."""
        if self._live:
            self.meter.begin()
        self.reasons[hop.reason if not hop.revision else "again"] += 1
        if hop.revision:
            return
        self.hops += 1
        for modality in (Modality.AUDIO, Modality.VIDEO):
            self.frames += sum(frame.time_ns >= hop.start_ns for frame in hop.frames.get(modality, ()))
        if self._live:
            self._note(hop, time.time() * 1000)

    def _note(self, hop: Hop, now_ms: float) -> None:
        end_ms = hop.end_ns / NS_PER_MS
        self.meter.came(end_ms)
        if hop.reason is HopReason.DEADLINE:
            self.at_deadline.append(self.meter.outputs[-1])
        for frame in hop.frames.get(Modality.AUDIO, ()):
            whole_ms = (frame.time_ns + (frame.duration_ns or 0)) / NS_PER_MS
            self.sounds.append((whole_ms, round(now_ms - whole_ms, 1)))


class Unread:
    """In the place of an open segment: it takes hops, and moves the frontier as speech in sentences of 3 s would."""

    def __init__(self, counted: Counted, frontier_ns: int) -> None:
        self.frontier_ns = frontier_ns
        self.skew = UNKNOWN
        self.corrupt: list[tuple[Frame, RecordError]] = []
        self._counted = counted

    async def hop(self, hop: Hop) -> list[Caption]:
        """Count it."""
        self._counted.take(hop)
        if hop.end_ns - self.frontier_ns >= SEGMENT_NS:
            self.frontier_ns = hop.end_ns
        return []

    async def close(self) -> list[Caption]:
        """Nothing is open."""
        return []


async def _serve(settings: Settings, counted: Counted, wanted: int) -> None:
    maker = Maker("none", Model(name="none", version="0", digest="sha256:0"), "cpu")

    def make_lane(number: int, progress: Progress) -> Lane:
        aligner = Aligner(TIMING, settings.session_buffer_bytes, settings.lane_buffer_bytes)
        counted.lanes.append(
            Lane(
                number,
                intake(settings),
                aligner,
                lambda frontier_ns, _revision, _skew: Unread(counted, frontier_ns),
                maker,
                progress,
                CONTEXT_NS,
            )
        )
        return counted.lanes[-1]

    await topics.prepare(settings)
    stop = Stop()
    async with asyncio.TaskGroup() as tasks:
        if wanted:
            tasks.create_task(_watch(counted, wanted, stop.wished))
        await host(settings, make_lane, CONTEXT_NS, Health(), stop.wished)


async def _watch(counted: Counted, wanted: int, done: asyncio.Event) -> None:
    """Start the clock with the first record taken, stop it with the last."""
    while not counted.records():  # noqa: ASYNC110 - a position wakes nobody
        await asyncio.sleep(LOOK_SECONDS)
    counted.meter.begin()
    while counted.records() < wanted:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_SECONDS)
    counted.meter.end()
    done.set()


if __name__ == "__main__":
    main()

"""What it costs to take records in and align them: a backlog through the consumer, the record contract and the aligner.

`write` fills the input topics beforehand, in capture order: sessions of sound (50 records a second of 640 bytes), pictures
(25 of 3,000) and text (1 of 40), with the headers that `trivium replay` gives, spread evenly over the partitions. `run` then
starts a process that reads them as the service does (`Inlet`, `Lane`, `Aligner`, a task a lane), but whose segments take a
hop, decode nothing, and move the frontier 3 s behind it. The clock runs from the moment when all partitions are open until
the last session has ended; start-up, imports and the connection do not count, fetching does. Every frame must be in a hop.

records_per_second, cpu_us_per_record, peak_bytes
    Medians of the runs, a fresh process each; the peak is of resident memory, interpreter and packages included. Bar: at
    most 17 us of processor time a record. `at_rest_bytes` is the resident memory before the first record.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from heapq import merge

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from prometheus_client import Counter

from stream import clients, metrics, topics
from stream.align import Aligner
from stream.assembly import intake
from stream.config import Settings
from stream.deadletter import DeadLetter
from stream.errors import RecordError
from stream.frame import End, Frame, Modality, to_record
from stream.hop import Hop, Outcome, Timing
from stream.inlet import Inlet
from stream.lane import Lane
from stream.late import LateFrame
from stream.owner import TAKE_RECORDS
from stream.progress import Progress
from stream.publish import Model, SessionRecord
from stream.results import Maker, Result
from stream.segment import Caption
from stream.times import NS_PER_MS, NS_PER_SECOND
from tests.benchmarks.processes import ROOT, Stage, stage
from tests.benchmarks.report import progress, report, spread

RUNS = 5
BAR_CPU_US = 17.0
SEGMENT_NS = 3 * NS_PER_SECOND
CONTEXT_NS = 320 * NS_PER_MS
TIMEOUT_SECONDS = 300.0
KIB = 1024  # the unit in which Linux counts resident memory
SHAPES = (  # a modality's step in ms, bytes and content type
    (Modality.AUDIO, 20, 640, "audio/L16;rate=16000;channels=1"),
    (Modality.VIDEO, 40, 3_000, "image/jpeg"),
    (Modality.TEXT, 1_000, 40, "text/plain;charset=utf-8"),
)


@dataclass(frozen=True)
class Load:
    """What lies in the topics."""

    sessions: int = 32
    seconds: int = 60
    partitions: int = 4

    @property
    def records(self) -> int:
        """How many frames, and the end records of their sessions."""
        return self.sessions * sum(self.seconds * 1000 // step_ms + 1 for _, step_ms, _, _ in SHAPES)

    def sessions_of(self, partition: int) -> int:
        """How many of the sessions lie in one partition."""
        return len(range(partition, self.sessions, self.partitions))


@dataclass(frozen=True)
class Run:
    """What one process needed for all of it."""

    records: int
    hops: int
    seconds: float
    cpu_seconds: float
    at_rest_bytes: int
    peak_bytes: int


class Unread:
    """In a segment's place: it takes hops and reads nothing in them."""

    hops = 0  # of all sessions

    def __init__(self, frontier_ns: int, _: int) -> None:
        self.frontier_ns = frontier_ns
        self.corrupt: list[tuple[Frame, RecordError]] = []
        self._end_ns = frontier_ns

    async def hop(self, hop: Hop) -> list[Caption]:
        """Move the frontier as a speaker who pauses now and then would."""
        Unread.hops += 1
        self._end_ns = hop.end_ns
        if hop.end_ns - 2 * SEGMENT_NS >= self.frontier_ns:
            self.frontier_ns = hop.end_ns - SEGMENT_NS
        return []

    async def close(self) -> list[Caption]:
        """Nothing is open any more."""
        self.frontier_ns = self._end_ns
        return []


def main() -> None:
    """Write, run, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the report is always JSON; taken for likeness")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--sessions", type=int, default=Load.sessions)
    parser.add_argument("--seconds", type=int, default=Load.seconds, help="how long each session lasts")
    parser.add_argument("--once", action="store_true", help="read what is written, in this process; for `run`")
    given = parser.parse_args()
    load = Load(given.sessions, given.seconds)
    if given.once:
        found = asyncio.run(_read(Settings.load(None, os.environ, partitions=load.partitions), load))
        print(orjson.dumps(asdict(found)).decode())
        return
    with stage() as found_stage:
        asyncio.run(write(found_stage.settings(partitions=load.partitions), load))
        runs = [run(found_stage, load) for _ in range(given.runs)]
        report("ingest", figures(runs))


async def write(settings: Settings, load: Load) -> None:
    """Fill the input topics, oldest record first; the youngest is as old as it takes to read them at once."""
    await topics.prepare(settings)
    start_ns = (time.time_ns() // NS_PER_SECOND - load.seconds) * NS_PER_SECOND
    progress(f"writing {load.records} records")
    async with clients.producer(settings) as producer:
        for number, item in merge(*(_session(number, load, start_ns) for number in range(load.sessions)), key=_when_ns):
            record = to_record(item, settings.topic_prefix + item.modality)
            await producer.send(
                record.topic,
                record.value,
                record.key,
                partition=number % load.partitions,
                timestamp_ms=record.timestamp_ms,
                headers=list(record.headers),
            )
        await producer.flush()


def run(found: Stage, load: Load) -> Run:
    """A process that reads it all once."""
    options = ("--once", "--sessions", str(load.sessions), "--seconds", str(load.seconds))
    command = (sys.executable, "-m", "tests.benchmarks.ingest", *options)
    done = subprocess.run(
        command, cwd=ROOT, env=found.environment, stdout=subprocess.PIPE, check=True, timeout=TIMEOUT_SECONDS
    )
    one = Run(**orjson.loads(done.stdout.splitlines()[-1]))
    if one.records != load.records:
        raise ValueError(f"{one.records} records were read, {load.records} were written: see that nothing was lost.")
    progress(f"{one.records / one.seconds:,.0f} records/s, {one.cpu_seconds * 1e6 / one.records:.1f} us of CPU each")
    return one


def figures(runs: list[Run]) -> dict[str, object]:
    """The medians, and how far the runs lie apart."""
    per_second = [one.records / one.seconds for one in runs]
    cpu_us = [one.cpu_seconds * 1e6 / one.records for one in runs]
    return {
        "records_per_second": round(statistics.median(per_second)),
        "cpu_us_per_record": round(statistics.median(cpu_us), 2),
        "bar": BAR_CPU_US,
        "passes": statistics.median(cpu_us) <= BAR_CPU_US,
        "peak_bytes": statistics.median(one.peak_bytes for one in runs),
        "at_rest_bytes": statistics.median(one.at_rest_bytes for one in runs),
        "spread": {"records_per_second": spread(per_second), "cpu_us_per_record": spread(cpu_us)},
        "records": runs[0].records,
        "hops": [one.hops for one in runs],
    }


async def _read(settings: Settings, load: Load) -> Run:
    """All lanes, each in a task of its own, fed by one consumer."""
    consumer = clients.input_consumer(settings)
    numbers = range(load.partitions)
    partitions = [
        {name: TopicPartition(settings.topic_prefix + name, number) for name in Modality} for number in numbers
    ]
    consumer.assign([partition for of_lane in partitions for partition in of_lane.values()])
    async with consumer:
        consumer.pause(*consumer.assignment())
        inlets = [Inlet(consumer, of_lane) for of_lane in partitions]
        at_rest_bytes = _peak_bytes()
        began, cpu_began = time.perf_counter(), time.process_time()
        for inlet in inlets:
            inlet.open(dict.fromkeys(Modality, 0))
        feeding = asyncio.create_task(_feed(consumer, inlets))
        lanes = [_lane(number, settings) for number in numbers]
        async with asyncio.timeout(TIMEOUT_SECONDS), asyncio.TaskGroup() as tasks:
            for number, inlet, lane in zip(numbers, inlets, lanes, strict=True):
                tasks.create_task(_own(inlet, lane, load.sessions_of(number)))
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
        feeding.cancel()
    frames = sum(int(_value(metrics.FRAMES.labels(name, Outcome.USED))) for name in Modality)
    records = frames + load.sessions * len(Modality)
    return Run(records, Unread.hops, seconds, cpu_seconds, at_rest_bytes, _peak_bytes())


async def _feed(consumer: AIOKafkaConsumer, inlets: Sequence[Inlet]) -> None:
    """What `service.py` does."""
    while True:
        fetched = await consumer.getmany(timeout_ms=clients.FETCH_WAIT_MS)
        for inlet in inlets:
            await inlet.feed(fetched)


async def _own(inlet: Inlet, lane: Lane, sessions: int) -> None:
    """What `owner.py` does, but that nothing is committed; until so many sessions have ended."""
    while sessions:
        taken = 0
        while taken < TAKE_RECORDS and (arrival := inlet.take(lane.wake_ns())) is not None:
            lane.take(arrival.record, arrival.now_ns, history=True)
            taken += 1
        now_ns, behind = inlet.now_ns(), inlet.behind()
        woken = (wake_ns := lane.wake_ns()) is not None and wake_ns <= now_ns
        for output in await lane.advance(now_ns, behind):
            sessions -= _is_end(output)
        inlet.hold(lane.aligner.ahead(behind))
        if woken or taken == TAKE_RECORDS:
            await asyncio.sleep(0)
        else:
            await inlet.wait(lane.wake_ns(), None)


def _lane(number: int, settings: Settings) -> Lane:
    """A lane as `assembly.py` makes it, but for its segments."""
    aligner = Aligner(Timing(), settings.session_buffer_bytes, settings.lane_buffer_bytes)
    maker = Maker("none", Model(name="none", version="0", digest="sha256:"), "cpu")
    return Lane(number, intake(settings), aligner, Unread, maker, Progress(), CONTEXT_NS)


def _is_end(output: Result | DeadLetter | LateFrame) -> bool:
    if isinstance(output, DeadLetter):
        raise output.error
    if isinstance(output, LateFrame):
        return False  # the count of frames in hops will tell
    return isinstance(output.message, SessionRecord) and output.message.state == "ended"


def _session(number: int, load: Load, start_ns: int) -> Iterator[tuple[int, Frame | End]]:
    """One session's records with its number, in capture order."""
    name = f"session-{number:02d}"
    start_ns += number * 7 * NS_PER_MS  # sessions do not keep step with one another
    end_ns = start_ns + load.seconds * NS_PER_SECOND
    roads = [_road(name, start_ns, end_ns, *shape) for shape in SHAPES]
    for item in merge(*roads, key=_item_ns):
        yield number, item


def _road(
    name: str, start_ns: int, end_ns: int, modality: Modality, step_ms: int, size_bytes: int, content: str
) -> Iterator[Frame | End]:
    step_ns = step_ms * NS_PER_MS
    duration_ns = None if modality is Modality.TEXT else step_ns
    for sequence, at_ns in enumerate(range(start_ns, end_ns, step_ns)):
        payload = sequence.to_bytes(4, "big").hex().encode().ljust(size_bytes, b".")
        produced_ms = (at_ns + (duration_ns or 0)) // NS_PER_MS
        yield Frame(
            name, modality, at_ns, duration_ns, payload, content, sequence=sequence, timestamp_ms=produced_ms
        )  # fmt: skip
    yield End(name, modality, end_ns, timestamp_ms=end_ns // NS_PER_MS)


def _item_ns(item: Frame | End) -> int:
    return item.time_ns


def _when_ns(pair: tuple[int, Frame | End]) -> int:
    return pair[1].time_ns


def _value(counter: Counter) -> float:
    return next(sample.value for family in counter.collect() for sample in family.samples)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB


if __name__ == "__main__":
    main()

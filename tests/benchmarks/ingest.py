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
from typing import NamedTuple

import orjson
from prometheus_client import Counter

from stream import clients, metrics, topics
from stream.config import Settings
from stream.frame import End, Frame, Modality, to_record
from stream.hop import Outcome
from stream.times import NS_PER_MS, NS_PER_SECOND
from tests.benchmarks.processes import ROOT, Stage, stage
from tests.benchmarks.reading import Unread, reading
from tests.benchmarks.report import benchmark_parser, progress, report, spread

RUNS = 5
BAR_CPU_US = 17.0
TIMEOUT_SECONDS = 300.0
KIB = 1024  # the unit in which Linux counts resident memory
STAGGER_NS = 7 * NS_PER_MS


class Shape(NamedTuple):
    """What one modality of a session sends."""

    modality: Modality
    step_ms: int
    size_bytes: int
    content_type: str


SHAPES = (
    Shape(Modality.AUDIO, 20, 640, "audio/L16;rate=16000;channels=1"),
    Shape(Modality.VIDEO, 40, 3_000, "image/jpeg"),
    Shape(Modality.TEXT, 1_000, 40, "text/plain;charset=utf-8"),
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
        return self.sessions * sum(self.seconds * 1000 // shape.step_ms + 1 for shape in SHAPES)

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


def main() -> None:
    """Write, run, report."""
    parser = benchmark_parser(__doc__)
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
        for number, item in merge(
            *(_numbered(number, load, start_ns) for number in range(load.sessions)), key=_when_ns
        ):
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
    """All of it, in this process."""
    async with reading(settings) as everything, asyncio.timeout(TIMEOUT_SECONDS):
        at_rest_bytes = _peak_bytes()
        began, cpu_began = time.perf_counter(), time.process_time()
        sessions = [load.sessions_of(number) for number in range(load.partitions)]
        await everything.until_ended(sessions, Unread, history=True)
        seconds, cpu_seconds = time.perf_counter() - began, time.process_time() - cpu_began
    frames = sum(int(_value(metrics.FRAMES.labels(name, Outcome.USED))) for name in Modality)
    records = frames + load.sessions * len(Modality)
    return Run(records, Unread.hops, seconds, cpu_seconds, at_rest_bytes, _peak_bytes())


def one_session(number: int, start_ns: int, seconds: int, shapes: Sequence[Shape] = SHAPES) -> Iterator[Frame | End]:
    """One session's records in capture order; `timestamp_ms` is when each was complete."""
    name = f"session-{number:02d}"
    end_ns = start_ns + seconds * NS_PER_SECOND
    yield from merge(*(_road(name, start_ns, end_ns, shape) for shape in shapes), key=_item_ns)


def _numbered(number: int, load: Load, start_ns: int) -> Iterator[tuple[int, Frame | End]]:
    stagger_ns = number * STAGGER_NS  # sessions do not keep step with one another
    return ((number, item) for item in one_session(number, start_ns + stagger_ns, load.seconds))


def _road(name: str, start_ns: int, end_ns: int, shape: Shape) -> Iterator[Frame | End]:
    step_ns = shape.step_ms * NS_PER_MS
    duration_ns = None if shape.modality is Modality.TEXT else step_ns
    for sequence, at_ns in enumerate(range(start_ns, end_ns, step_ns)):
        produced_ms = (at_ns + (duration_ns or 0)) // NS_PER_MS
        payload = f"{sequence:010d}".encode().ljust(shape.size_bytes, b".")
        yield Frame(
            session=name,
            modality=shape.modality,
            time_ns=at_ns,
            duration_ns=duration_ns,
            payload=payload,
            content_type=shape.content_type,
            sequence=sequence,
            timestamp_ms=produced_ms,
        )
    yield End(name, shape.modality, end_ns, timestamp_ms=end_ns // NS_PER_MS)


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

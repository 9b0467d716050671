"""How soon after its end a hop is there, live: capture to hop, through Kafka, the record contract and the aligner.

Sessions of `ingest.py`'s records are sent at real-time speed by a process of their own (sound when it is complete, pictures
and text when they begin) and read by another, as in `ingest.py`: nothing is decoded. A hop has come when it is handed to its
session's segment. All times are of this machine's clock; broker, sender and reader share the machine.

speaking
    All three speak: from the end of a hop to the hop. Bar: p95 at most 30 ms.
silent
    Video is silent but not gone: in each 1.6 s it sends the pictures of one hop. Of the hops that went out at their
    deadline: from that deadline, `deadline_ms` after sound had settled the hop, to the hop. Bar: p95 at most 15 ms.
gone
    Video never speaks: from the end of a hop to the hop. Nothing is waited for, so it is as if all spoke.

Each with p50, p95 and p99 over the hops of all sessions but those of the first and last second, and `late_ms`: how late the
sender itself was (p95), which is part of the delays.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from heapq import merge
from pathlib import Path
from typing import ClassVar

import orjson

from stream import topics
from stream.caption import Caption
from stream.config import Settings
from stream.frame import End, Frame, Modality, to_record
from stream.hop import Hop, HopReason, Timing
from stream.times import NS_PER_MS, NS_PER_SECOND
from tests.benchmarks.ingest import SHAPES, STAGGER_NS, Load, Shape, one_session
from tests.benchmarks.processes import LOOK_SECONDS, Stage, finish, raise_ended, running, stage
from tests.benchmarks.reading import Unread, reading
from tests.benchmarks.report import benchmark_parser, percentile, progress, report
from tests.benchmarks.sending import Due, send_on_time

BARS_P95_MS = {"speaking": 30.0, "silent": 15.0}
TIMING = Timing()
CYCLE_HOPS = 5  # of which video speaks in one: 1.6 s, less than the time after which it would no longer be waited for
HEAD_START_NS = 2 * NS_PER_SECOND
EDGE_NS = NS_PER_SECOND
GRACE_SECONDS = 60
OPEN = "open"  # what the reader says first


class Measured(Unread):
    """Notes when each hop comes, beyond its end, and why it went out."""

    noted: ClassVar[list[tuple[Hop, int]]] = []  # and the time since the epoch, in ns

    async def hop(self, hop: Hop) -> list[Caption]:
        """Note it."""
        if hop.revision == 0:
            Measured.noted.append((replace(hop, frames={}), time.time_ns()))
        return await super().hop(hop)


def main() -> None:
    """One case after another; report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--sessions", type=int, default=Load.sessions)
    parser.add_argument("--seconds", type=int, default=Load.seconds, help="how long each session lasts")
    parser.add_argument("--case", choices=("speaking", "silent", "gone"), help="only this one; for the processes")
    parser.add_argument("--send", action="store_true", help="send, from this process")
    parser.add_argument("--read", action="store_true", help="read, in this process")
    given = parser.parse_args()
    load = Load(given.sessions, given.seconds)
    if given.send or given.read:
        settings = Settings.load(None, os.environ, partitions=load.partitions)
        done = asyncio.run(_send(settings, load, given.case) if given.send else _read(settings, load, given.case))
        print(orjson.dumps(done).decode(), flush=True)
        return
    cases = [given.case] if given.case else ["speaking", "silent", "gone"]
    with stage() as found:
        figures = {case: measured(found, load, case) for case in cases}
    passes = {case: figures[case]["p95_ms"] <= bar for case, bar in BARS_P95_MS.items() if case in figures}
    report("hops", {**figures, "bars_p95_ms": BARS_P95_MS, "passes": passes, "sessions": load.sessions})


def measured(found: Stage, load: Load, case: str) -> dict[str, float]:
    """One case in fresh topics."""
    found.remove_topics(*topics.INPUTS)
    asyncio.run(topics.prepare(found.settings(partitions=load.partitions)))
    options = ("--case", case, "--sessions", str(load.sessions), "--seconds", str(load.seconds))
    command = (sys.executable, "-m", "tests.benchmarks.hops", *options)
    read, sent = found.folder / f"read-{case}.json", found.folder / f"sent-{case}.json"
    with running(found, (*command, "--read"), "read.log", read) as reader:
        _wait_until_open(reader, read)
        with running(found, (*command, "--send"), "send.log", sent) as sender:
            finish(sender, "the sender", found.folder / "send.log", load.seconds + GRACE_SECONDS)
        finish(reader, "the reader", found.folder / "read.log", GRACE_SECONDS)
    delays_ms, late_ms = orjson.loads(read.read_bytes().splitlines()[-1]), orjson.loads(sent.read_bytes())
    found_ms = {
        "p50_ms": percentile(delays_ms, 0.5),
        "p95_ms": percentile(delays_ms, 0.95),
        "p99_ms": percentile(delays_ms, 0.99),
        "late_ms": percentile(late_ms, 0.95),
    }
    progress(f"{case}: {found_ms}")
    return {**{name: round(value, 2) for name, value in found_ms.items()}, "hops": len(delays_ms)}


async def _read(settings: Settings, load: Load, case: str) -> list[float]:
    """Read until all sessions have ended; the delays in ms."""
    sessions = [load.sessions_of(number) for number in range(load.partitions)]
    async with reading(settings) as everything, asyncio.timeout(load.seconds + GRACE_SECONDS):
        print(OPEN, flush=True)
        await everything.until_ended(sessions, Measured, history=False)
    ends_ns = [hop.end_ns for hop, _ in Measured.noted]
    first_ns, last_ns = min(ends_ns) + EDGE_NS, max(ends_ns) - EDGE_NS
    noted = [(hop, at_ns) for hop, at_ns in Measured.noted if first_ns < hop.end_ns < last_ns]
    if case == "silent":  # a hop that is polled at its deadline says that deadline, on the lane's clock
        since = [at_ns - hop.aligned_ns for hop, at_ns in noted if hop.reason is HopReason.DEADLINE]
    else:
        since = [at_ns - hop.end_ns for hop, at_ns in noted]
    return [delay_ns / NS_PER_MS for delay_ns in since]


async def _send(settings: Settings, load: Load, case: str) -> list[float]:
    """All sessions at real-time speed; how late each record was, in ms."""
    start_ns = time.time_ns() + HEAD_START_NS
    shapes = [shape for shape in SHAPES if case != "gone" or shape.modality is not Modality.VIDEO]
    roads = [
        _road(settings, load, case, number, start_ns, shape) for number in range(load.sessions) for shape in shapes
    ]
    return await send_on_time(settings, merge(*roads, key=_at_ns))


def _road(settings: Settings, load: Load, case: str, number: int, start_ns: int, shape: Shape) -> Iterator[Due]:
    """One modality's records of one session, each when a live source would have it."""
    for item in one_session(number, start_ns + number * STAGGER_NS, load.seconds, [shape]):
        if case != "silent" or not _is_silent(item):
            item.partition = number % load.partitions
            yield Due(_there_ns(item), to_record(item, settings.topic_prefix + item.modality))


def _is_silent(item: Frame | End) -> bool:
    """Whether video says nothing then."""
    is_picture = isinstance(item, Frame) and item.modality is Modality.VIDEO
    return is_picture and item.time_ns // TIMING.hop_ns % CYCLE_HOPS > 0


def _there_ns(item: Frame | End) -> int:
    if isinstance(item, Frame) and item.modality is Modality.AUDIO:
        return item.time_ns + (item.duration_ns or 0)
    return item.time_ns


def _at_ns(due: Due) -> int:
    return due.at_ns


def _wait_until_open(reader: subprocess.Popen[bytes], output: Path) -> None:
    until = time.monotonic() + GRACE_SECONDS
    while not output.read_bytes().startswith(OPEN.encode()):
        if reader.poll() is not None:
            raise_ended("the reader", reader, output.with_name("read.log"))
        if time.monotonic() > until:
            raise TimeoutError(f"The reader has not opened its partitions within {GRACE_SECONDS} s: see {output}.")
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()

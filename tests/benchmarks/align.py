"""How many records the aligner takes in a second on one core: add, poll and settle, with nothing else around them.

Sessions of sound (50 records a second), pictures (25), heartbeats of a quiet text (2) and texts (one in two seconds), mixed
as they would be produced live, and an end record each. A lane would do just this: poll when the aligner asks for it and
after each 10 ms of records, and move a session's frontier 3 s behind its newest hop. Frames carry the nine headers of the
contract. Figure `records_per_second`: the median of the runs; bar: 100,000.
"""

from __future__ import annotations

import argparse
import gc
import time

from stream.align import Aligner
from stream.frame import Bound, End, Frame, Modality
from stream.hop import Hop, Timing
from stream.times import NS_PER_MS, NS_PER_SECOND
from tests.benchmarks.report import progress, report, spread

TEXT, AUDIO, VIDEO = Modality
START_NS = 1_700_000_000 * NS_PER_SECOND
BATCH_NS = 10 * NS_PER_MS
SEGMENT_NS = 3 * NS_PER_SECOND
CONTEXT_NS = 320 * NS_PER_MS
SESSION_BYTES, LANE_BYTES = 8 << 20, 64 << 20

Item = Frame | Bound | End


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=120, help="how long each session lasts")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print the result as JSON (it always is)")
    options = parser.parse_args()
    arrivals = mixed(options.sessions, options.seconds)
    per_second, per_cpu_second, hops = [], [], 0
    for run in range(options.runs):
        wall, cpu, hops = measure(arrivals)
        per_second.append(len(arrivals) / wall)
        per_cpu_second.append(len(arrivals) / cpu)
        progress(f"run {run + 1}: {per_second[-1]:,.0f} records a second")
    figures = spread(per_second)
    report(
        "align",
        {
            "records_per_second": figures["median"],
            "spread": figures,
            "records_per_cpu_second": spread(per_cpu_second),
            "records": len(arrivals),
            "sessions": options.sessions,
            "hops": hops,
        },
    )


def mixed(sessions: int, seconds: int) -> list[tuple[int, Item]]:
    """Records of all sessions with their arrivals, oldest first."""
    arrivals: list[tuple[int, Item]] = []
    for number in range(sessions):
        arrivals += one_session(f"session-{number}", START_NS + number * 7 * NS_PER_MS, seconds)
    return sorted(arrivals, key=lambda pair: pair[0])


def one_session(name: str, start_ns: int, seconds: int) -> list[tuple[int, Item]]:
    """Each record arrives 5 ms after it was complete."""
    made: list[tuple[int, Item]] = []
    until_ns = start_ns + seconds * NS_PER_SECOND
    for modality, step_ms, size_bytes in ((AUDIO, 20, 640), (VIDEO, 40, 12_000), (TEXT, 2_000, 20)):
        step_ns, payload = step_ms * NS_PER_MS, bytes(size_bytes)
        for index, at_ns in enumerate(range(start_ns, until_ns, step_ns)):
            duration_ns = None if modality is TEXT else step_ns
            made.append((at_ns + (duration_ns or 0), frame(name, modality, at_ns, duration_ns, payload, index)))
    made += [(at_ns, Bound(name, TEXT, at_ns)) for at_ns in range(start_ns, until_ns, NS_PER_SECOND // 2)]
    made += [(until_ns, End(name, modality, until_ns)) for modality in Modality]
    return [(complete_ns + 5 * NS_PER_MS, item) for complete_ns, item in made]


def frame(
    session: str, modality: Modality, time_ns: int, duration_ns: int | None, payload: bytes, sequence: int
) -> Frame:
    """A frame as `frame.parse` gives it, with its headers."""
    names = ("specversion", "id", "source", "type", "time", "duration", "sequence", "region")
    headers = (*((f"ce_{name}", b"0123456789abcdef") for name in names), ("content-type", b"image/jpeg"))
    return Frame(
        session,
        modality,
        time_ns,
        duration_ns,
        payload,
        "image/jpeg",
        sequence=sequence,
        offset=sequence,
        headers=headers,
    )


def measure(arrivals: list[tuple[int, Item]]) -> tuple[float, float, int]:
    """Wall and CPU seconds for all of them, and the hops that came out."""
    gc.collect()
    began, cpu_began = time.perf_counter(), time.process_time()
    hops = follow(arrivals)
    return time.perf_counter() - began, time.process_time() - cpu_began, hops


def follow(arrivals: list[tuple[int, Item]]) -> int:
    """What a lane does with its aligner."""
    aligner = Aligner(Timing(), SESSION_BYTES, LANE_BYTES)
    hops, batch_ns = 0, 0
    for now_ns, item in arrivals:
        wake_ns = aligner.wake_ns()
        if now_ns >= batch_ns or (wake_ns is not None and wake_ns <= now_ns):
            hops += advance(aligner, now_ns)
            batch_ns = now_ns + BATCH_NS
        aligner.add(item, now_ns)
    while (wake_ns := aligner.wake_ns()) is not None:
        hops += advance(aligner, wake_ns)
    return hops + advance(aligner, arrivals[-1][0])


def advance(aligner: Aligner, now_ns: int) -> int:
    """Poll, and settle what came."""
    hops = 0
    for event in aligner.poll(now_ns):
        if isinstance(event, Hop):
            hops += 1
            frontier_ns = event.end_ns - SEGMENT_NS
            aligner.settle(event.session, frontier_ns, frontier_ns - CONTEXT_NS)
    return hops


if __name__ == "__main__":
    main()

"""Whether the service's memory stays flat: eight live sessions that talk all the time, ten minutes long.

`trivium replay` plays one joined session as eight, at real-time speed, a second of room noise between two clips, to
`trivium serve`. Every few seconds the resident memory, threads and open files of `serve`, its decoding processes included, are
read from /proc.

Figure `growth`: the median resident memory of the last minute against the median from the end of the second minute to
the end of the third, less 1. The first two minutes are warm-up: buffers, pools and the allocator's arenas fill. Beside it
stands the slope of a straight line fitted from the second minute on, in per cent a minute, so that a slow leak shows
that one window against another might hide. Bar: at most 0.05.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.benchmarks import clips
from tests.benchmarks.processes import TRIVIUM, Service, Stage, raise_ended, running, serving, stage
from tests.benchmarks.report import benchmark_parser, progress, report

SESSIONS = 8
GAP_MS = 1000
CLIP_SECONDS = 3.0  # each, at least
WARM_UP = 0.2  # of the time: the first two of ten minutes
WINDOW = 0.1  # of the time: one of ten minutes
BAR = 0.05
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """The service at one moment, with the processes that it has started."""

    seconds: float
    resident_bytes: int
    threads: int
    files: int
    buffered_bytes: float


def main() -> None:
    """Play, look, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--every-seconds", type=float, default=5.0)
    given = parser.parse_args()
    with stage() as found:
        with serving(found) as service:
            seconds = given.minutes * 60
            command = replayed(found, seconds, given.sessions)
            samples = watched(found, service, command, seconds, given.every_seconds)
            metrics = service.metrics()
        report("memory", {**figures(samples), **_load(given, metrics)})


def replayed(found: Stage, seconds: float, sessions: int) -> list[str]:
    """What plays so many live sessions for longer than so many seconds."""
    count = int(seconds / (CLIP_SECONDS + GAP_MS / 1000)) + 2
    paths = [str(clip.path) for clip in clips.take(count, found.folder)]
    options = ["--join", "--sessions", str(sessions), "--session", "memory", "--gap-ms", str(GAP_MS)]
    return [*TRIVIUM, "replay", *options, *paths]


def watched(
    found: Stage, service: Service, command: Sequence[str], seconds: float, every_seconds: float
) -> list[Sample]:
    """Samples of the service while a source speaks to it, which is not to end before."""
    samples: list[Sample] = []
    with running(found, command, "source.log") as source:
        began = time.monotonic()
        while (at := time.monotonic() - began) < seconds:
            service.check()
            if source.poll() is not None:
                raise_ended("the source", source, found.folder / "source.log")
            samples.append(look(service, at))
            if len(samples) % 12 == 1:
                last = samples[-1]
                progress(
                    f"{at:5.0f} s  {last.resident_bytes / MIB:.1f} MiB  {last.threads} threads  {last.files} files"
                )
            time.sleep(every_seconds)
    return samples


def look(service: Service, seconds: float) -> Sample:
    """What /proc says of the service and of the processes that it has started, and what its lanes hold."""
    folders = [Path(f"/proc/{number}") for number in service.process_ids()]
    lines = [dict(line.split(":", 1) for line in (each / "status").read_text().splitlines()) for each in folders]
    return Sample(
        seconds,
        sum(int(each["VmRSS"].split()[0]) * 1024 for each in lines),
        sum(int(each["Threads"]) for each in lines),
        sum(len(list((each / "fd").iterdir())) for each in folders),
        service.metrics().get("trivium_buffered_bytes", 0.0),
    )


def figures(samples: Sequence[Sample]) -> dict[str, object]:
    """How the memory has moved, and the series itself."""
    length = samples[-1].seconds
    warm = [sample for sample in samples if sample.seconds >= WARM_UP * length]
    before = [sample.resident_bytes for sample in warm if sample.seconds < (WARM_UP + WINDOW) * length]
    after = [sample.resident_bytes for sample in warm if sample.seconds >= (1 - WINDOW) * length]
    growth = statistics.median(after) / statistics.median(before) - 1
    slope, _ = np.polyfit([s.seconds / 60 for s in warm], [s.resident_bytes for s in warm], 1)
    return {
        "growth": round(growth, 4),
        "bar": BAR,
        "passes": growth <= BAR,
        "slope_percent_a_minute": round(100 * float(slope) / statistics.median(before), 3),
        "resident_mib": {
            "before": round(statistics.median(before) / MIB, 1),
            "after": round(statistics.median(after) / MIB, 1),
            "most": round(max(sample.resident_bytes for sample in samples) / MIB, 1),
        },
        "threads": _range([sample.threads for sample in warm]),
        "files": _range([sample.files for sample in warm]),
        "series": [[round(s.seconds), round(s.resident_bytes / MIB, 1), s.threads, s.files] for s in samples],
    }


def _range(values: Sequence[int]) -> dict[str, int]:
    return {"first": values[0], "last": values[-1], "most": max(values)}


def _load(given: argparse.Namespace, metrics: dict[str, float]) -> dict[str, object]:
    return {
        "minutes": given.minutes,
        "sessions": given.sessions,
        "clips": clips.source(),
        "finals": metrics["trivium_final_latency_seconds_count"],
        "interims": metrics["trivium_interim_latency_seconds_count"],
        "buffered_bytes_at_the_end": metrics.get("trivium_buffered_bytes", 0.0),
    }


if __name__ == "__main__":
    main()

"""Whether the service's memory stays flat: eight live sessions that talk all the time, ten minutes long.

`trivium replay` plays one joined session as eight, at real-time speed, a second of room noise between two clips, to
`trivium serve`. Every few seconds the resident memory, threads and open files of `serve` are read from /proc.

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
from tests.benchmarks.report import progress, report

SESSIONS = 8
GAP_MS = 1000
CLIP_SECONDS = 3.0  # each, at least
WARM_UP = 0.2  # of the time: the first two of ten minutes
WINDOW = 0.1  # of the time: one of ten minutes
BAR = 0.05
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """The service's process at one moment."""

    seconds: float
    resident_bytes: int
    threads: int
    files: int


def main() -> None:
    """Play, look, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="the report is always JSON; taken for likeness")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--every-seconds", type=float, default=5.0)
    given = parser.parse_args()
    with stage() as found:
        with serving(found) as service:
            samples = watched(found, service, given.minutes * 60, given.sessions, given.every_seconds)
            metrics = service.metrics()
        report("memory", {**figures(samples), **_load(given, metrics)})


def watched(found: Stage, service: Service, seconds: float, sessions: int, every_seconds: float) -> list[Sample]:
    """Samples of the service while it is spoken to."""
    count = int(seconds / (CLIP_SECONDS + GAP_MS / 1000)) + 2
    paths = [str(clip.path) for clip in clips.take(count, found.folder, 0)]
    options = ["--join", "--sessions", str(sessions), "--session", "memory", "--gap-ms", str(GAP_MS)]
    samples: list[Sample] = []
    with running(found, [*TRIVIUM, "replay", *options, *paths], "replay.log") as replay:
        began = time.monotonic()
        while (at := time.monotonic() - began) < seconds:
            service.check()
            if replay.poll() is not None:
                raise_ended("trivium replay", replay, found.folder / "replay.log")
            samples.append(look(service.process.pid, at))
            if len(samples) % 12 == 0:
                last = samples[-1]
                progress(
                    f"{at:5.0f} s  {last.resident_bytes / MIB:.1f} MiB  {last.threads} threads  {last.files} files"
                )
            time.sleep(every_seconds)
    return samples


def look(pid: int, seconds: float) -> Sample:
    """What /proc says of a process."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    resident_bytes = int(lines["VmRSS"].split()[0]) * 1024
    return Sample(seconds, resident_bytes, int(lines["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())))


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

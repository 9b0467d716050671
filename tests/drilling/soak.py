"""`tests/soak`: the service's memory over an hour in which sources behave oddly.

Four live sessions: a plain one, one whose pictures stop after two seconds, one whose pictures and one whose sound run ten
times too fast. Every few seconds the resident memory, threads and open files of `trivium serve`, its decoding processes
included, are read from /proc, and how much its lanes hold from its metrics. The memory of recent events (`events_buffer_bytes`,
32 MiB by default, which fill in half an hour and then stay full) is made small, so that it is full before growth is measured.

Figure `growth`: as in `tests/benchmarks/memory.py`, the median of the last tenth of the time against the median of the tenth
that follows the warm-up, less 1. Bar: at most 0.02.
"""

from __future__ import annotations

import asyncio
import sys
import urllib.request

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client.parser import text_string_to_metric_families

from stream import topics
from stream.config import Settings
from tests.benchmarks import clips
from tests.benchmarks.memory import CLIP_SECONDS, figures, watched
from tests.benchmarks.processes import ROOT, Service, Stage, serving, stage
from tests.benchmarks.report import benchmark_parser, report
from tests.drilling.odd import KINDS

ODD = ROOT / "tests" / "drilling" / "odd.py"
GAP_SECONDS = 1.0
BAR = 0.02
EVERY_SECONDS = 5.0
KEPT_MS = 300_000  # of what the sources send: it would fill the disk
SEGMENT_BYTES = 64 << 20
EVENTS_BYTES = 1 << 20
COUNTED = ("trivium_frames_total", "trivium_hops_total", "trivium_sessions_ended_total", "trivium_dead_letters_total")


def main() -> int:
    """Speak, look, report; 0 if the memory stays flat."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    given = parser.parse_args()
    with stage() as found:
        asyncio.run(_make_topics(found.settings()))
        with serving(found, "--events-buffer-bytes", str(EVENTS_BYTES)) as service:
            seconds = given.minutes * 60
            samples = watched(found, service, odd(found, seconds), seconds, EVERY_SECONDS)
            moved = figures(samples)
            growth = float(str(moved["growth"]))
            result = {
                **moved,
                "bar": BAR,
                "passes": growth <= BAR,
                "minutes": given.minutes,
                "sessions": [kind.name for kind in KINDS],
                "clips": clips.source(),
                "buffered_bytes_most": max(sample.buffered_bytes for sample in samples),
                "counted": counted(service),
            }
        report("soak", result)
    return 0 if growth <= BAR else 1


def odd(found: Stage, seconds: float) -> list[str]:
    """What speaks oddly for longer than so many seconds."""
    count = int(seconds / (CLIP_SECONDS + GAP_SECONDS)) + 2
    paths = [str(clip.path) for clip in clips.take(count, found.folder)]
    return [sys.executable, str(ODD), "--seconds", str(seconds + 60), *paths]


def counted(service: Service) -> dict[str, float]:
    """What became of all that was sent, each under its own reason; what never happened is left out."""
    with urllib.request.urlopen(f"http://{service.address}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples if sample.name in COUNTED and sample.value]
    return {f"{sample.name} {' '.join(sample.labels.values())}": sample.value for sample in samples}


async def _make_topics(settings: Settings) -> None:
    """Make the input topics before `serve` does, so that they keep minutes of the pictures and not an hour."""
    configs = {"retention.ms": str(KEPT_MS), "segment.bytes": str(SEGMENT_BYTES)}
    names = [settings.topic_prefix + name for name in topics.INPUTS]
    client = AIOKafkaAdminClient(**settings.client_options())
    await client.start()
    try:
        await client.create_topics([NewTopic(name, settings.partitions, 1, topic_configs=configs) for name in names])
    finally:
        await client.close()


if __name__ == "__main__":
    sys.exit(main())

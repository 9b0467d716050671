"""What exactly-once costs a final: from its inference to a reader of committed records, beside at-least-once.

Sessions of joined clips, a second of room noise between two sentences, are played live into all lanes of one
`trivium serve`, as often with each `delivery`, in turns. A reader in this process notes when it has each final in its hands. A
final waits at most `commit_interval_ms` for the commit before; what exactly-once adds on top of that, at the 99th percentile,
is the figure.

Figure `added_p99_ms`: p99 of (received - `inferred_ms`), exactly-once less at-least-once, less `commit_interval_ms`; bar: 20.
`beyond_p99_ms`: the same without taking off what at-least-once takes.
"""

from __future__ import annotations

import asyncio
import time

from stream import topics
from stream.config import Settings
from stream.publish import Prediction
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.processes import TRIVIUM, Service, Stage, running, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report

DELIVERIES = ("exactly-once", "at-least-once")
GRACE_SECONDS = 120.0
BAR_MS = 20.0


def main() -> None:
    """Play under each delivery, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--clips", type=int, default=15, help="of each session")
    parser.add_argument("--turns", type=int, default=3, help="of each delivery")
    given = parser.parse_args()
    with stage() as found:
        waits_ms: dict[str, list[float]] = {delivery: [] for delivery in DELIVERIES}
        for turn in range(given.turns):
            for delivery, waits in waits_ms.items():
                waits.extend(played(found, delivery, f"{delivery}-{turn + 1}", given.sessions, given.clips))
        report("delivery", {**figures(waits_ms, found.settings()), "sessions": given.sessions, "clips": clips.source()})


def played(found: Stage, delivery: str, name: str, sessions: int, count: int) -> list[float]:
    """How long each final took, in ms; `name` is that of the group and of the sessions."""
    found.remove_topics(topics.PROGRESS, topics.PREDICTIONS)
    paths = [str(clip.path) for clip in clips.take(count, found.folder)]
    options = ["--join", "--sessions", str(sessions), "--session", name]
    with serving(found, "--delivery", delivery, "--group", name) as service:
        progress(f"{name}: {sessions} sessions of {count} clips")
        with running(found, [*TRIVIUM, "replay", *options, *paths], f"{name}.log"):
            return asyncio.run(_received(found.settings(), service, name, sessions))


def figures(waits_ms: dict[str, list[float]], settings: Settings) -> dict[str, object]:
    """The figure and what it is made of."""
    once_ms, least_ms = (percentile(waits_ms[delivery], 0.99) for delivery in DELIVERIES)
    beyond_ms = once_ms - settings.commit_interval_ms
    added_ms = beyond_ms - least_ms
    return {
        "added_p99_ms": round(added_ms, 1),
        "bar": BAR_MS,
        "passes": added_ms <= BAR_MS,
        "beyond_p99_ms": round(beyond_ms, 1),
        "commit_interval_ms": settings.commit_interval_ms,
        "received_after_ms": {
            delivery: {f"p{share * 100:g}": round(percentile(waits, share), 1) for share in (0.5, 0.95, 0.99)}
            for delivery, waits in waits_ms.items()
        },
        "finals": {delivery: len(waits) for delivery, waits in waits_ms.items()},
    }


async def _received(settings: Settings, service: Service, prefix: str, sessions: int) -> list[float]:
    waits_ms: list[float] = []
    ended = 0
    async with asyncio.timeout(None) as limit, following(settings, from_beginning=True) as news:
        async for message in news:
            now = time.time()
            limit.reschedule(asyncio.get_running_loop().time() + GRACE_SECONDS)
            service.check()
            if not message.session.startswith(prefix):
                continue
            if isinstance(message, Prediction):
                if message.is_final:
                    waits_ms.append(now * 1000 - message.times.inferred_ms)
            else:
                ended += message.state == "ended"
            if ended == sessions:
                break
    return waits_ms


if __name__ == "__main__":
    main()

"""How much later than its hop's deadline a final comes when a modality has gone silent.

Sessions of joined clips are sent live; in each, pictures and sound by turns stop for some seconds and come back. A final whose
last hop waited for the silent modality is due at that hop's end plus `deadline_ms`; one whose hop had all is due at the
hop's end. How late the second kind comes is what inference and the way through the service take; what the first kind takes
beyond that is the figure.

Figure `beyond_p99_ms`: p99 of (`published_ms` - hop's end - `deadline_ms`) of finals in silence, less p99 of (`published_ms` -
hop's end) of all other finals; bar: 20.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator

from models.bundle import load
from stream import clients, topics
from stream.config import Settings
from stream.frame import Frame, Modality
from stream.publish import Prediction
from stream.replay import Clock, Piece, on_hop, pieces, records, sources
from stream.scene import Scene
from stream.times import NS_PER_SECOND
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.live import due_ms
from tests.benchmarks.processes import Service, Stage, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report

GAP_MS = 1000
QUIET_SECONDS, ROUND_SECONDS = 7, 10  # of each round, one modality is quiet for so long, then the other in the next
HEAD_START_NS = NS_PER_SECOND
GRACE_SECONDS = 60.0
BAR_MS = 20.0


def main() -> None:
    """Send, watch, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--sessions", type=int, default=4)
    parser.add_argument("--clips", type=int, default=30, help="of each session")
    given = parser.parse_args()
    with stage() as found, serving(found) as service:
        late, other = asyncio.run(measured(found, service, given.sessions, given.clips))
        report("silence", {**figures(late, other), "sessions": given.sessions, "clips": clips.source()})


async def measured(found: Stage, service: Service, sessions: int, count: int) -> tuple[list[float], list[float]]:
    """In ms: lateness of finals whose hop waited until its deadline, and of all others."""
    settings = found.settings()
    bundle = load(settings.bundle)
    scene = Scene(gap_ms=(GAP_MS, GAP_MS))
    paths = [clip.path for clip in clips.take(count, found.folder)]
    played = sources(paths, scene, session="quiet", copies=sessions, join=True)
    await topics.prepare(settings)
    start_ns = on_hop(time.time_ns() + HEAD_START_NS, bundle.hop_ns)
    progress(f"{sessions} sessions of {played[0].length_ns / NS_PER_SECOND:.0f} s")
    sending = asyncio.create_task(send(settings, spoken(pieces(played, scene)), Clock(start_ns, start_ns)))
    late: list[float] = []
    other: list[float] = []
    async for final in finals(settings, service, sessions):
        after_ms = final.times.published_ms - due_ms(final.end_ms, float("inf"), bundle)
        waited_ms = final.times.aligned_ms - final.times.ingested_ms
        if waited_ms >= settings.deadline_ms:
            late.append(after_ms - settings.deadline_ms)
        else:
            other.append(after_ms)
    await sending
    return late, other


def spoken(made: Iterator[Piece]) -> Iterator[Piece]:
    """All but what is quiet by then; that everything ends is told."""
    for piece in made:
        round_number, into = divmod(piece.timed.available_ns / NS_PER_SECOND, ROUND_SECONDS)
        quiet = Modality.VIDEO if round_number % 2 == 0 else Modality.AUDIO
        item = piece.timed.item
        if into >= QUIET_SECONDS or item.modality is not quiet or not isinstance(item, Frame):
            yield piece


async def send(settings: Settings, made: Iterator[Piece], clock: Clock) -> None:
    """Each record when it is there live."""
    names = {modality: settings.topic_prefix + modality for modality in Modality}
    async with clients.producer(settings) as producer:
        for piece in made:
            wait_seconds = (clock.produced_ns + piece.timed.available_ns - time.time_ns()) / NS_PER_SECOND
            if wait_seconds > 0:
                await asyncio.sleep(wait_seconds)
            for record in records(piece, clock, names):
                await producer.send(record.topic, record.value, record.key, headers=list(record.headers))


async def finals(settings: Settings, service: Service, sessions: int) -> AsyncIterator[Prediction]:
    """Of so many sessions, until all have ended."""
    ended = 0
    async with asyncio.timeout(None) as limit, following(settings, from_beginning=True) as news:
        async for message in news:
            limit.reschedule(asyncio.get_running_loop().time() + GRACE_SECONDS)
            service.check()
            if isinstance(message, Prediction):
                if message.is_final:
                    yield message
            else:
                ended += message.state == "ended"
            if ended == sessions:
                return


def figures(late: list[float], other: list[float]) -> dict[str, object]:
    """The figure and what it is made of."""
    beyond_ms = percentile(late, 0.99) - percentile(other, 0.99)
    return {
        "beyond_p99_ms": round(beyond_ms, 1),
        "bar": BAR_MS,
        "passes": beyond_ms <= BAR_MS,
        "in_silence_ms": told(late),
        "otherwise_ms": told(other),
    }


def told(values: list[float]) -> dict[str, float]:
    """Their spread."""
    return {f"p{share * 100:g}": round(percentile(values, share), 1) for share in (0.5, 0.95, 0.99)} | {
        "finals": len(values)
    }


if __name__ == "__main__":
    main()

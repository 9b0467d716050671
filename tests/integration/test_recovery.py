"""Recovery on a real broker: where a lane goes on after its owner has died, and that nothing of a former owner stays."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path

import pytest

from stream import clients, topics
from stream.assembly import context_ns, lane_maker
from stream.config import Settings
from stream.frame import Modality, Record
from stream.health import Health
from stream.predict import Predictor
from stream.progress import EPOCH_KEY
from stream.replay import Clock, on_hop, pieces, records, sources
from stream.scene import Scene
from stream.service import host
from tests.drilling.again import uninterrupted
from tests.drilling.judge import judge
from tests.drilling.told import read_to_rest
from tests.echo import HOP_NS, sound, unseen
from tests.echo_service import (
    Results,
    committed,
    crashing,
    ended,
    finals,
    read_until,
    results_until,
    running,
    settings_of,
    source,
)
from tests.synthetic_clips import SyntheticClip

LANES = 8
REST_SECONDS = 60.0


@pytest.fixture(scope="module")
def predictor() -> Iterator[Predictor]:
    with closing(Predictor.load(Settings(provider="cpu", max_batch=4))) as loaded:
        yield loaded


async def test_recovery_at_any_moment_gives_the_finals_of_an_uninterrupted_run(
    broker: str, topic_prefix: str, predictor: Predictor, synthetic_clip: SyntheticClip
) -> None:
    settings = settings_of(broker, topic_prefix, partitions=LANES, provider="cpu")
    sessions = Counter(f"session-{lane}" for lane in range(LANES))
    await write(settings, synthetic_clip)
    for count in (1, LANES, 4 * LANES):
        async with dying(settings, predictor):
            await read_until(settings, topics.PREDICTIONS, partial(more_than, count), None)
    async with dying(settings, predictor):
        told = await read_to_rest(settings, sessions, REST_SECONDS)
    verdict = judge(told, sessions, await uninterrupted(settings, range(LANES)))
    assert verdict.faults() == {}
    assert verdict.alike == verdict.finals >= LANES


async def test_a_session_that_has_ended_is_told_once_while_another_holds_the_offset_back(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    host_items = [*unseen("host"), *sound("host", "abcdefghijklmnopqrstuvwxyz")]
    async with source(settings) as live:
        async with crashing(settings):
            await live.send(*host_items[:12])
            await live.send(*unseen("guest"), *sound("guest", "hello........."))
            await results_until(settings, lambda found: len(ended(found)) == 1)
        assert (await committed(settings)).get(("audio", 0), 0) <= 1  # the host's segment is open
        for number, other in enumerate(("second guest", "third guest")):
            async with crashing(settings):
                await live.send(*unseen(other), *sound(other, "you........."))
                await results_until(settings, partial(have_ended, number + 2))
        async with running(settings):
            await live.send(*host_items[12:])
            results = await results_until(settings, lambda found: any(one.session == "host" for one in ended(found)))
            told = Counter(one.session for one in ended(results))
            progress = await read_until(settings, topics.PROGRESS, lambda found: remembered(found) == set())
    assert told == {"guest": 1, "second guest": 1, "third guest": 1, "host": 1}
    assert Counter(finals(results))["h e l l o"] == 1
    assert remembered(progress) == set()


async def test_a_stopped_service_leaves_no_task_thread_or_descriptor(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, partitions=LANES)
    held: list[tuple[int, int, int]] = []
    for number in range(3):
        async with source(settings) as live, running(settings):
            for lane in range(LANES):
                session = f"{number}-{lane}"
                await live.send(*unseen(session), *sound(session, "hello........."), partition=lane)
            for lane in range(LANES):
                await results_until(settings, partial(have_ended, number + 1), lane)
        held.append(held_now())
    assert held[0] == held[1] == held[2]
    assert held[0][0] == 1  # this one


async def write(settings: Settings, clip: SyntheticClip) -> None:
    """The clip and its text as a session in each lane, as if they had just been played."""
    await topics.prepare(settings)
    names = {modality: settings.topic_prefix + modality for modality in Modality}
    scene = Scene(text=clip.path.with_suffix(".vtt"))
    [played] = sources([clip.path], scene)
    start_ns = on_hop(time.time_ns() - played.length_ns, HOP_NS) - HOP_NS
    async with clients.producer(settings) as producer:
        for piece in pieces([played], scene):
            for record in records(piece, Clock(start_ns, start_ns), names):
                for lane in range(LANES):
                    await producer.send(
                        record.topic,
                        record.value,
                        f"session-{lane}".encode(),
                        partition=lane,
                        timestamp_ms=record.timestamp_ms,
                        headers=list(record.headers),
                    )


@asynccontextmanager
async def dying(settings: Settings, predictor: Predictor) -> AsyncIterator[None]:
    """Run the service with the shipped bundle, then end it in the middle of whatever it does."""
    serving = host(settings, lane_maker(settings, predictor), context_ns(predictor), Health(), asyncio.Event())
    service = asyncio.create_task(serving)
    yield
    service.cancel()
    with suppress(asyncio.CancelledError):
        await service


def more_than(count: int, found: list[Record]) -> bool:
    return len(found) > count


def have_ended(count: int, found: Results) -> bool:
    return len(ended(found)) == count


def held_now() -> tuple[int, int, int]:
    """Tasks, threads and open files of this process."""
    return len(asyncio.all_tasks()), threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))


def remembered(progress: list[Record]) -> set[bytes | None]:
    """Sessions of which there still is progress."""
    newest = {record.key: record.value for record in progress}
    return {key for key, value in newest.items() if value is not None and key != EPOCH_KEY}

"""Exactly once on a real broker: whoever had a lane before can publish nothing more, whatever it still believes."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from stream import clients, metrics, topics
from stream.assembly import intake
from stream.caption import Caption
from stream.config import Settings
from stream.delivery import Batch, FencedError, delivering
from stream.frame import End, Frame, Modality
from stream.hop import Hop
from stream.owner import Owner
from stream.progress import EPOCH_KEY, epoch_value
from stream.publish import Prediction
from tests.echo import CONTEXT_NS, EchoSegment, echo_lane, letter, sound, unseen
from tests.echo_service import (
    PATIENT,
    WAIT_SECONDS,
    committed,
    crashing,
    ended,
    finals,
    results_until,
    running,
    serve_echo,
    settings_of,
    source,
)

SAID = "hello.........you.........there........."
FINALS = ["h e l l o", "y o u", "t h e r e"]
MIDDLE = SAID.index("you") + 4  # of what is sent: two records before it are video's
LANES = 8


def spoken(session: str) -> list[Frame | End]:
    return [*unseen(session), *sound(session, SAID)]


async def test_a_crash_doubles_no_final_in_any_of_eight_lanes(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, partitions=LANES)
    said = [spoken(f"session-{lane}") for lane in range(LANES)]
    async with source(settings) as live:
        async with crashing(settings):
            for lane, items in enumerate(said):
                await live.send(*items[:MIDDLE], partition=lane)
            for lane in range(LANES):
                await results_until(settings, lambda found: bool(finals(found)), lane)
        async with running(settings):
            for lane, items in enumerate(said):
                await live.send(*items[MIDDLE:], partition=lane)
            for lane in range(LANES):
                results = await results_until(settings, lambda found: bool(ended(found)), lane)
                assert finals(results) == FINALS
                assert [one.finals for one in ended(results)] == [3]


async def test_a_stale_owner_is_fenced_although_no_group_generation_is_checked(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, commit_interval_ms=60_000)
    await topics.prepare(settings)
    async with source(settings) as live, clients.producer(settings) as beside:
        async with assigned(settings, beside) as (stale, released):
            await live.send(*spoken("a")[:MIDDLE])
            await results_until(
                settings, lambda found: any("y" in one.text for one in found if isinstance(one, Prediction))
            )
            before = fenced()
            async with running(settings_of(broker, topic_prefix)):
                await live.send(*spoken("a")[MIDDLE:])
                await results_until(settings, lambda found: bool(ended(found)))
                stale.release()  # which lets it commit the final that it has gathered
                await released
                assert fenced() == before + 1
        results = await results_until(settings, lambda found: bool(ended(found)))
        assert finals(results) == FINALS
        assert (await committed(settings))["audio", 0] == len(SAID) + 1


async def test_a_fenced_producer_leaves_no_error_that_nobody_looked_at(
    broker: str, topic_prefix: str, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_of(broker, topic_prefix)
    await topics.prepare(settings)
    saved = [(EPOCH_KEY, epoch_value(epoch)) for epoch in range(2)]
    async with clients.input_consumer(settings) as consumer, delivering(settings, 0, consumer) as stale:
        await stale.commit(Batch((), saved, {}))
        async with delivering(settings, 0, consumer):
            with pytest.raises(FencedError):
                await stale.commit(Batch((), saved, {}))
    del stale
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_worker_that_was_paused_past_its_group_session_publishes_no_second_final(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    paused, woken = threading.Event(), threading.Event()

    class Pausing(EchoSegment):
        """Stops the whole process's event loop, heartbeats and all, as a suspended machine would."""

        async def hop(self, hop: Hop) -> list[Caption]:
            if any(letter(frame) == "y" for frame in hop.frames[Modality.AUDIO]):
                paused.set()
                woken.wait(WAIT_SECONDS)
            return await super().hop(hop)

    stop_worker, worker = in_a_thread(settings, Pausing)
    try:
        async with source(settings) as live:
            await live.send(*spoken("a"))
            await asyncio.to_thread(paused.wait, WAIT_SECONDS)
            async with running(settings):
                await results_until(settings, lambda found: bool(ended(found)))
                woken.set()
                await live.send(*[*unseen("b"), *sound("b", SAID)])
                results = await results_until(settings, lambda found: len(ended(found)) == 2)
                stop_worker()
                await asyncio.to_thread(worker.join)
            results = await results_until(settings, lambda found: len(ended(found)) == 2)
    finally:
        woken.set()
        stop_worker()
    assert finals(one for one in results if one.session == "a") == FINALS
    assert finals(one for one in results if one.session == "b") == FINALS


@asynccontextmanager
async def assigned(settings: Settings, beside: AIOKafkaProducer) -> AsyncIterator[tuple[Owner, asyncio.Task[None]]]:
    """Own lane 0 without being in the group, as one that the group has given up on still believes to."""
    partitions = [TopicPartition(settings.topic_prefix + name, 0) for name in Modality]
    consumer = clients.input_consumer(settings)
    consumer.assign(partitions)
    async with consumer:
        consumer.pause(*partitions)
        owner = Owner(
            0,
            settings,
            consumer,
            beside,
            lambda number, progress: echo_lane(progress, number, intake(settings), PATIENT),
            CONTEXT_NS,
        )
        reading = asyncio.create_task(feed(owner, consumer))
        yield owner, asyncio.create_task(owner.run())
        reading.cancel()


async def feed(owner: Owner, consumer: AIOKafkaConsumer) -> None:
    while True:
        await owner.inlet.feed(await consumer.getmany(timeout_ms=clients.FETCH_WAIT_MS))


def in_a_thread(settings: Settings, segment: type[EchoSegment]) -> tuple[Callable[[], None], threading.Thread]:
    """Serve in a thread with an event loop of its own; what is called to stop it, and the thread."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve_echo(settings, segment, stop))

    def stop_soon() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    thread = threading.Thread(target=run)
    thread.start()
    return stop_soon, thread


def fenced() -> float:
    found = (sample for family in metrics.TRANSACTIONS.collect() for sample in family.samples)
    return sum(sample.value for sample in found if sample.labels.get("outcome") == "fenced")

"""Lanes move between workers under load, eight and more of them a worker; what is said is said once all the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from stream import metrics, topics
from stream.config import Settings
from stream.frame import Record
from stream.progress import EPOCH_KEY
from stream.publish import SessionRecord, read_result
from tests.echo import sound, unseen
from tests.echo_service import (
    Results,
    Source,
    committed,
    crashing,
    ended,
    finals,
    read_until,
    running,
    settings_of,
    source,
)

LANES = 16
SHARE = 8  # of a worker, with two of them
SAID = "hello.........you.........there........."
FINALS = ["h e l l o", "y o u", "t h e r e"]
STEPS = 21  # in which it is said


async def test_a_worker_joins_leaves_and_dies_under_load_and_every_final_comes_once(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix, partitions=LANES)
    async with source(settings) as live, running(settings), talking(live) as talk:
        await taken_over(settings, LANES)
        async with running(settings):  # joins
            await talk.goes_on_until(STEPS // 3)
            await taken_over(settings, LANES + SHARE)
        await talk.goes_on_until(2 * STEPS // 3)  # has left
        await taken_over(settings, LANES + 2 * SHARE)
        async with crashing(settings):
            await taken_over(settings, LANES + 3 * SHARE)
            await talk.goes_on_until(STEPS - 1)
        await talk.goes_on_until(STEPS)  # is dead
        for lane, results in (await all_told(settings)).items():
            assert_told_whole(results, lane)
        offsets = await committed(settings)
    assert {offsets["audio", lane] for lane in range(LANES)} == {len(SAID) + 1}


async def test_of_lanes_that_do_not_divide_evenly_each_is_whole_with_one_worker(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, partitions=3)
    async with source(settings) as live, running(settings), running(settings):
        await taken_over(settings, 3)
        said = {lane: [*unseen(f"{lane}"), *sound(f"{lane}", SAID)] for lane in range(3)}
        await asyncio.gather(*(live.send(*items, partition=lane) for lane, items in said.items()))
        for lane, results in (await all_told(settings)).items():
            assert_told_whole(results, lane)


async def test_with_an_instance_id_a_quick_restart_moves_nothing(broker: str, topic_prefix: str) -> None:
    settings = {name: settings_of(broker, topic_prefix, partitions=LANES, instance_id=name) for name in ("a", "b")}
    async with source(settings["a"]) as live, running(settings["a"]):
        await taken_over(settings["a"], LANES)
        async with crashing(settings["b"]):
            await taken_over(settings["a"], LANES + SHARE)
            before, assigned = await epochs(settings["a"]), times_assigned()
        async with running(settings["b"]):
            said = {lane: [*unseen(f"{lane}"), *sound(f"{lane}", SAID)] for lane in range(LANES)}
            await asyncio.gather(*(live.send(*items, partition=lane) for lane, items in said.items()))
            for lane, results in (await all_told(settings["a"])).items():
                assert_told_whole(results, lane)
            await taken_over(settings["a"], LANES + 2 * SHARE)
            after = await epochs(settings["a"])
    moved = {lane for lane in range(LANES) if after[lane] != before[lane]}
    assert moved == {lane for lane in range(LANES) if before[lane] == 2}  # those that the other had, and has again
    assert len(moved) == SHARE
    assert times_assigned() == assigned + 1  # nobody but the one that came back was told anything


class Talk:
    """A session in each lane, of which a step at a time is said."""

    def __init__(self, live: Source) -> None:
        self._live = live
        self._said = 0
        self._wanted = 0
        self._moved = asyncio.Condition()

    async def run(self) -> None:
        said = {lane: [*unseen(f"{lane}"), *sound(f"{lane}", SAID)] for lane in range(LANES)}
        length = len(said[0])
        for step in range(STEPS):
            async with self._moved:
                await self._moved.wait_for(partial(self._wants, step))
            now = slice(step * length // STEPS, (step + 1) * length // STEPS)
            await asyncio.gather(*(self._live.send(*items[now], partition=lane) for lane, items in said.items()))
            async with self._moved:
                self._said = step + 1
                self._moved.notify_all()

    def _wants(self, step: int) -> bool:
        return self._wanted > step

    async def goes_on_until(self, steps: int) -> None:
        async with self._moved:
            self._wanted = steps
            self._moved.notify_all()
            await self._moved.wait_for(lambda: self._said >= steps)


@asynccontextmanager
async def talking(live: Source) -> AsyncIterator[Talk]:
    async with asyncio.TaskGroup() as tasks:
        talk = Talk(live)
        tasks.create_task(talk.run())
        yield talk


async def all_told(settings: Settings) -> dict[int, Results]:
    """Results of each lane, once its session has ended."""
    have_all_ended = partial(have_ended, settings.partitions)
    records = await read_until(settings, topics.PREDICTIONS, have_all_ended, partition=None)
    told: dict[int, Results] = {lane: [] for lane in range(settings.partitions)}
    for record in records:
        told[record.partition].append(read_result(record))
    return told


def have_ended(sessions: int, found: list[Record]) -> bool:
    return len(ended(map(read_result, found))) >= sessions


def assert_told_whole(results: Results, lane: int) -> None:
    assert finals(results) == FINALS, f"lane {lane}"
    assert [one.state for one in results if isinstance(one, SessionRecord)] == ["started", "ended"]
    assert [one.finals for one in ended(results)] == [len(FINALS)]


async def taken_over(settings: Settings, times: int) -> None:
    """Wait until lanes have been taken over so often, all told."""
    await read_until(settings, topics.PROGRESS, partial(have_owners, times), partition=None)


async def epochs(settings: Settings) -> dict[int, int]:
    """How many owners each lane has had."""
    found = await read_until(settings, topics.PROGRESS, partial(have_owners, LANES + SHARE), partition=None)
    return {lane: sum(one.key == EPOCH_KEY and one.partition == lane for one in found) for lane in range(LANES)}


def have_owners(times: int, found: list[Record]) -> bool:
    return sum(one.key == EPOCH_KEY for one in found) >= times


def times_assigned() -> float:
    return sum(sample.value for family in metrics.REBALANCES.collect() for sample in family.samples)

"""The service on a real broker, with lanes that need no model: what is delivered, what is committed, what is resumed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from stream import clients, topics
from stream.caption import Caption
from stream.errors import InferenceError
from stream.frame import End, Frame, Modality, Record
from stream.hop import Hop
from stream.owner import Owner
from stream.progress import EPOCH_KEY, epoch_value
from stream.publish import Prediction, SessionRecord
from stream.service import one_error
from stream.times import NS_PER_SECOND
from tests.echo import CONTEXT_NS, FRAME_MS, MS, EchoSegment, echo_lane, sound, unseen
from tests.echo_service import (
    WAIT_SECONDS,
    Source,
    committed,
    crashing,
    ended,
    finals,
    read_until,
    results_until,
    running,
    serve_echo,
    settings_of,
    source,
)

SAID = "hello.........you.........there........."
YEAR_NS = 365 * 24 * 3_600 * NS_PER_SECOND
MIDDLE = SAID.index("you") + 4  # of what is sent: two records before it are video's


def spoken(session: str, text: str = SAID) -> list[Frame | End]:
    return [*unseen(session), *sound(session, text)]


async def test_a_live_session_is_told_from_its_start_to_its_end(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with source(settings) as live, running(settings):
        await live.send(*spoken("a"))
        results = await results_until(settings, lambda found: bool(ended(found)))
    assert [(one.session, one.state) for one in results if isinstance(one, SessionRecord)] == [
        ("a", "started"),
        ("a", "ended"),
    ]
    assert finals(results) == ["h e l l o", "y o u", "t h e r e"]
    assert [(one.reason, one.finals) for one in ended(results)] == [("end", 3)]
    assert {one.epoch for one in results if isinstance(one, Prediction)} == {1}


async def test_results_go_to_the_partition_of_their_lane_whatever_their_key_hashes_to(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    async with source(settings) as live, running(settings):
        await live.send(*spoken("a"), partition=0)
        await live.send(*spoken("b"), partition=1)
        for partition, session in enumerate("ab"):
            results = await results_until(settings, lambda found: bool(ended(found)), partition)
            assert {one.session for one in results} == {session}


async def test_a_restart_in_the_middle_of_a_session_goes_on_where_it_was(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    items = spoken("a")
    async with source(settings) as live:
        async with running(settings):
            await live.send(*items[:MIDDLE])
            await results_until(settings, lambda found: shows(found, "y"))
        async with running(settings):
            await live.send(*items[MIDDLE:])
            results = await results_until(settings, lambda found: bool(ended(found)))
    assert finals(results) == ["h e l l o", "y o u", "t h e r e"]
    assert [one.finals for one in ended(results)] == [3]
    assert [one.state for one in results if isinstance(one, SessionRecord)] == ["started", "ended"]
    assert sorted({one.epoch for one in results if isinstance(one, Prediction)}) == [1, 2]


async def test_a_stop_closes_no_segment(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with source(settings) as live:
        async with running(settings):
            await live.send(*spoken("a", "hello")[:-1])
            await results_until(settings, lambda found: shows(found, "h"))
        results = await results_until(settings, bool)
    assert finals(results) == []
    assert ended(results) == []


async def test_a_lane_that_is_released_before_its_first_step_ends(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    await topics.prepare(settings)
    partitions = [TopicPartition(topic_prefix + name, 0) for name in Modality]
    async with (
        asyncio.timeout(WAIT_SECONDS),
        clients.producer(settings) as interims,
        clients.input_consumer(settings) as consumer,
    ):
        consumer.assign(partitions)
        consumer.pause(*partitions)
        owner = Owner(0, settings, consumer, interims, lambda number, progress: echo_lane(progress, number), CONTEXT_NS)
        owned = asyncio.create_task(owner.run())
        owner.release()
        await owned


async def test_the_committed_offset_is_the_lowest_that_the_next_owner_needs(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    items = spoken("a")[:MIDDLE]
    async with source(settings) as live:
        async with running(settings):
            await live.send(*items)
            await results_until(settings, lambda found: shows(found, "y"))
        offsets = await committed(settings)
        results = await results_until(settings, bool)
    segment_ms = max(one.start_ms for one in results if isinstance(one, Prediction))
    [started] = [one for one in results if isinstance(one, SessionRecord)]
    needed_ms = segment_ms - started.start_ms - CONTEXT_NS // MS
    assert offsets["audio", 0] == needed_ms // FRAME_MS


async def test_everything_is_committed_once_a_session_has_ended(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    items = spoken("a")
    async with source(settings) as live:
        async with running(settings):
            await live.send(*items)
            await results_until(settings, lambda found: bool(ended(found)))
        assert (await committed(settings))["audio", 0] == len(items) - 2
        async with running(settings):
            pass
        progress = await read_until(settings, topics.PROGRESS, lambda found: any(one.value is None for one in found))
    assert next(one.key for one in progress if one.value is None) == b"a"


async def test_a_record_that_cannot_be_read_is_a_dead_letter_with_its_reason_and_the_stream_goes_on(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix, max_record_bytes=5_000)
    items = spoken("a")
    audio = topic_prefix + Modality.AUDIO
    bad = [
        Record(audio, 0, -1, 0, None, b"x", ()),
        Record(audio, 0, -1, 0, b"\xff", b"x", ()),
        Record(audio, 0, -1, 0, b"a", b"odd", ()),
        Record(audio, 0, -1, 0, b"a", bytes(6_000), (("ce_note", b"kept"),)),
        Record(audio, 0, -1, 0, None, bytes(6_000), ()),
        Record(topic_prefix + Modality.TEXT, 0, -1, 0, b"a", b"\xff\xfe", ()),
    ]
    async with source(settings) as live, running(settings):
        await live.send(*items[:22])
        for record in bad:
            await live.send_record(record)
        await live.send(*items[22:])
        results = await results_until(settings, lambda found: bool(ended(found)))
        letters = await read_until(settings, topics.DEAD_LETTERS, lambda found: len(found) >= len(bad))
    assert finals(results) == ["h e l l o", "y o u", "t h e r e"]
    reasons = [dict(one.headers)["trivium_reason"].decode() for one in letters]
    assert sorted(reasons) == ["bad_key", "bad_length", "bad_text", "no_key", "no_key", "too_large"]
    [too_large] = [one for one in letters if dict(one.headers)["trivium_reason"] == b"too_large"]
    assert (too_large.key, too_large.value, dict(too_large.headers)["ce_note"]) == (b"a", None, b"kept")
    assert dict(too_large.headers)["trivium_offset"] == b"23"


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
async def test_sources_may_compress_as_they_like(broker: str, topic_prefix: str, compression: str) -> None:
    settings = settings_of(broker, topic_prefix)
    await topics.prepare(settings)
    async with (
        AIOKafkaProducer(bootstrap_servers=broker, compression_type=compression) as producer,
        running(settings),
    ):
        await Source(settings, producer).send(*spoken("a"))
        results = await results_until(settings, lambda found: bool(ended(found)))
    assert finals(results) == ["h e l l o", "y o u", "t h e r e"]


async def test_a_source_whose_clock_is_years_off_stops_nobody(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    years = {"ahead": 4 * YEAR_NS, "behind": -4 * YEAR_NS}
    async with source(settings) as live, running(settings):
        for session, off_ns in years.items():
            await live.send(*[replace(item, time_ns=item.time_ns + off_ns) for item in spoken(session)])
        results = await results_until(settings, lambda found: len(ended(found)) == len(years))
    assert {one.session: one.finals for one in ended(results)} == dict.fromkeys(years, 3)


async def test_a_second_process_takes_over_lanes_without_saying_anything_twice(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    said = {session: spoken(session) for session in "ab"}
    epochs: list[set[int]] = []
    async with source(settings) as live, running(settings):
        for partition, items in enumerate(said.values()):
            await live.send(*items[:MIDDLE], partition=partition)
            await results_until(settings, lambda found: shows(found, "y"), partition)
        async with running(settings):
            await read_until(settings, topics.PROGRESS, has_second_owner, partition=None)
            for partition, (session, items) in enumerate(said.items()):
                await live.send(*items[MIDDLE:], partition=partition)
                results = await results_until(settings, lambda found: bool(ended(found)), partition)
                assert finals(results) == ["h e l l o", "y o u", "t h e r e"]
                assert {one.session for one in results} == {session}
                epochs.append({one.epoch for one in results if isinstance(one, Prediction)})
    assert sorted(epochs, key=len) == [{1}, {1, 2}]  # the lane that stayed went on as it was


async def test_at_least_once_a_crash_loses_no_final_and_changes_none(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, delivery="at-least-once")
    items = spoken("a")
    async with source(settings) as live:
        async with crashing(settings):
            await live.send(*items[:MIDDLE])
            await results_until(settings, lambda found: shows(found, "y"))
        async with running(settings):
            await live.send(*items[MIDDLE:])
            results = await results_until(settings, lambda found: bool(ended(found)))
    assert list(dict.fromkeys(finals(results))) == ["h e l l o", "y o u", "t h e r e"]


async def test_a_lane_that_fails_stops_the_service_with_its_error_and_commits_nothing_of_it(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    async with source(settings) as live:
        await live.send(*spoken("a"))
        with pytest.raises(InferenceError, match="the model broke"), one_error(settings):
            await serve_echo(settings, BrokenSegment, asyncio.Event())
        assert (await committed(settings)).get(("audio", 0), 0) == 0


class BrokenSegment(EchoSegment):
    async def hop(self, hop: Hop) -> list[Caption]:
        raise InferenceError(f"the model broke at {hop.start_ns}")


def has_second_owner(progress: list[Record]) -> bool:
    return any(one.key == EPOCH_KEY and one.value == epoch_value(2) for one in progress)


def shows(results: list[Prediction | SessionRecord], text: str) -> bool:
    return any(isinstance(one, Prediction) and one.text.startswith(text) for one in results)

"""One subscriber's blocks: ids, heartbeats, what is left out, and the way from Kafka's past to memory."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
from aiokafka.errors import KafkaConnectionError

from stream.audience import Audience
from stream.catchup import Gap, Piece, Readers
from stream.config import Settings
from stream.cursor import Cursor
from stream.event import Event, Kind, Wanted
from stream.publish import Prediction, SessionRecord
from stream.ring import OVERHEAD_BYTES, Ring
from stream.subscription import BEAT_SECONDS, BLOCK_BYTES, Subscription
from tests.watching import final, prediction

TOPIC = "predictions"


class Log:
    """What Kafka holds: a list of results for each partition; those before `begins` are deleted."""

    def __init__(self, *partitions: list[Prediction]) -> None:
        self.partitions = partitions
        self.begins = dict.fromkeys(range(len(partitions)), 0)
        self.reads = 0

    async def read(self, offsets: Mapping[int, int], session: str | None = None) -> Piece:
        self.reads += 1
        gone = [Gap(p, at, self.begins[p], "retention") for p, at in offsets.items() if at < self.begins[p]]
        if gone:
            return Piece([], gone, {p: max(at, self.begins[p]) for p, at in offsets.items()})
        piece = Piece([], [], {})
        for number, at in offsets.items():
            found = [*enumerate(self.partitions[number])][at : at + 3]
            events = [(event_of(said, number, offset), said) for offset, said in found]
            piece.events += [one for one in events if session in {None, one[0].session}]
            piece.offsets[number] = at + len(found)
        return piece

    async def bounds(self, numbers: object) -> tuple[dict[int, int], dict[int, int]]:
        del numbers
        return self.begins, {number: len(held) for number, held in enumerate(self.partitions)}


def event_of(said: Prediction | SessionRecord, partition: int, offset: int, body: bytes = b"") -> Event:
    assert isinstance(said, Prediction)
    kind = Kind.FINAL if said.is_final else Kind.INTERIM
    return Event(partition, offset, said.session, kind, "speech", said.segment, body or said.text.encode() + b"\n", 0.0)


def ring_of(log: Log, *read: tuple[int, int], events: int = 1000) -> Ring:
    """A ring that has read these records of the log, in this order."""
    ring = Ring(TOPIC, events * (OVERHEAD_BYTES + 4))
    ring.open(dict.fromkeys(range(len(log.partitions)), 0))
    for partition, offset in read:
        ring.append(event_of(log.partitions[partition][offset], partition, offset))
    return ring


def subscription(ring: Ring, log: Log, offsets: Mapping[int, int], wanted: Wanted | None = None) -> Subscription:
    cursor = Cursor(TOPIC, dict(offsets))
    return Subscription(wanted or Wanted(), cursor, ring, cast("Readers", log), "/test")


async def told(subscribed: Subscription) -> list[str]:
    """All that it is told by now, but for the opening."""
    texts: list[str] = []
    blocks = subscribed.blocks()
    while (block := await now(blocks)) is not None:
        texts += said(block)
    return texts[1:]


async def now(blocks: AsyncIterator[bytes]) -> bytes | None:
    """The next block, or None if there is none by now: nothing here waits but for news."""
    coming = asyncio.ensure_future(anext(blocks, None))
    for _ in range(2):  # one for the block, one where it lets others have their turn
        await asyncio.sleep(0)
    if coming.done():
        return coming.result()
    coming.cancel()
    return None


def said(block: bytes) -> list[str]:
    """A block's events as `place text`, or what else there is in one."""
    parts = re.sub(r"data: .*", "", block.decode()).split("\n\n")
    return [" ".join(part.removeprefix("id: ").removeprefix(TOPIC + ":").split()) for part in parts if part.strip()]


async def said_next(blocks: AsyncIterator[bytes]) -> list[str]:
    return said(await anext(blocks))


TWO = ([final("a", 0, "a 0"), final("a", 1, "a 1")], [final("b", 0, "b 0"), final("b", 1, "b 1")])


async def test_the_ids_of_everything_are_the_places_in_the_order_in_which_it_was_read() -> None:
    log = Log(*TWO)
    ring = ring_of(log, (0, 0), (1, 0), (1, 1), (0, 1))
    assert await told(subscription(ring, log, {0: 0, 1: 0})) == [
        "0=1,1=0 a 0",
        "0=1,1=1 b 0",
        "0=1,1=2 b 1",
        "0=2,1=2 a 1",
    ]
    assert log.reads == 0


async def test_who_comes_from_a_replica_that_read_in_another_order_gets_the_rest_under_places_of_its_own() -> None:
    log = Log(*TWO)
    ring = ring_of(log, (0, 0), (0, 1), (1, 0), (1, 1))
    assert await told(subscription(ring, log, {0: 0, 1: 1})) == ["0=1,1=1 a 0", "0=2,1=1 a 1", "0=2,1=2 b 1"]


async def test_the_place_of_one_session_names_its_partition_once_that_is_known() -> None:
    log = Log(*TWO)
    ring = ring_of(log, (0, 0), (1, 0), (1, 1), (0, 1))
    assert await told(subscription(ring, log, {0: 0, 1: 0}, Wanted("b"))) == ["1=1 b 0", "1=2 b 1"]


async def test_a_session_that_two_partitions_hold_is_told_whole_under_places_that_can_be_taken_up_again() -> None:
    log = Log([final("b", 0)], [final("b", 1)])
    ring = ring_of(log, (1, 0), (0, 0))
    found = await told(subscription(ring, log, {0: 0, 1: 0}, Wanted("b")))
    assert found == ["0=0,1=1 b 1", "0=1,1=1 b 0"]
    for place in ("0=0,1=1", "0=1,1=1"):
        Cursor.parse(f"{TOPIC}:{place}", TOPIC, 2, one=True)


async def test_who_is_far_behind_lets_others_have_their_turn_between_two_blocks() -> None:
    log = Log([])
    ring = ring_of(log, events=100_000)
    for offset in range(5):
        ring.append(event_of(final("a", offset), 0, offset, bytes(BLOCK_BYTES)))
    blocks, turns = subscription(ring, log, {0: 0}).blocks(), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.ensure_future(others())
    for _ in range(6):
        await anext(blocks)
    beside.cancel()
    assert turns >= 3


async def test_what_memory_has_dropped_is_read_from_kafka_and_then_goes_on_from_memory() -> None:
    log = Log([final("a", number, f"{number:03}") for number in range(10)], [])
    ring = ring_of(log, *((0, offset) for offset in range(10)), events=2)
    assert await told(subscription(ring, log, {0: 1, 1: 0})) == [f"0={n + 1},1=0 {n:03}" for n in range(1, 10)]
    assert log.reads == 3


async def test_who_is_far_back_catches_up_even_where_memory_is_empty() -> None:
    log = Log([final("a", 0, "a 0")])
    ring = Ring(TOPIC, 1000)
    ring.open({0: 1})
    assert await told(subscription(ring, log, {0: 0})) == ["0=1 a 0"]


async def test_what_kafka_has_deleted_is_a_gap_between_the_places() -> None:
    log = Log([final("a", number, f"{number:03}") for number in range(6)])
    log.begins[0] = 3
    ring = ring_of(log, *((0, offset) for offset in range(6)), events=1)
    assert await told(subscription(ring, log, {0: 1})) == ["0=3 event: trivium.gap.v1", "0=4 003", "0=5 004", "0=6 005"]


async def test_a_place_ahead_of_this_process_but_not_of_kafka_is_waited_for() -> None:
    log = Log(*TWO)
    ring = ring_of(log, (0, 0))
    subscribed = subscription(ring, log, {0: 1, 1: 1})
    blocks = subscribed.blocks()
    await anext(blocks)
    for partition, offset in ((1, 0), (1, 1)):
        ring.append(event_of(log.partitions[partition][offset], partition, offset))
    assert await said_next(blocks) == ["0=1,1=2 b 1"]


async def test_a_block_ends_where_it_is_large_and_the_next_goes_on_there() -> None:
    log = Log([])
    ring = ring_of(log, events=100_000)
    for offset in range(5):
        ring.append(event_of(final("a", offset), 0, offset, bytes(BLOCK_BYTES // 2)))
    blocks = subscription(ring, log, {0: 0}).blocks()
    sizes = [len(await anext(blocks)) // (BLOCK_BYTES // 2) for _ in range(4)]
    assert sizes == [0, 2, 2, 1]


async def test_interims_that_were_overtaken_before_a_reader_was_ready_are_left_out() -> None:
    log = Log([prediction("a", 0, "x"), prediction("a", 0, "x y"), final("a", 0, "x z"), prediction("a", 1, "k")])
    ring = ring_of(log, *((0, offset) for offset in range(4)))
    assert await told(subscription(ring, log, {0: 0})) == ["0=3 x z", "0=4 k"]


async def test_a_silent_stream_says_its_place_again_and_then_only_that_it_lives() -> None:
    log = Log(*TWO)
    ring = ring_of(log)
    subscribed = subscription(ring, log, {0: 0, 1: 0}, Wanted("nobody"))
    blocks = subscribed.blocks()
    opening = await said_next(blocks)
    ring.append(event_of(log.partitions[0][0], 0, 0))
    waiting = asyncio.ensure_future(said_next(blocks))
    await asyncio.sleep(0)
    subscribed.keep_up()
    assert not subscribed.is_due()
    for expected in ("0=1,1=0", ":"):
        subscribed._sent_seconds -= BEAT_SECONDS
        assert subscribed.is_due()
        subscribed.stirred.set()
        assert await waiting == [expected]
        waiting = asyncio.ensure_future(said_next(blocks))
        await asyncio.sleep(0)
    waiting.cancel()
    assert opening[0].endswith("id: predictions:0=0,1=0")


async def test_a_live_reader_that_memory_has_left_behind_is_closed_with_the_reason() -> None:
    log = Log([final("a", number, f"{number:03}") for number in range(10)])
    ring = ring_of(log, events=2)
    subscribed = subscription(ring, log, {0: 0})
    blocks = subscribed.blocks()
    await anext(blocks)
    ring.append(event_of(log.partitions[0][0], 0, 0))
    waiting = asyncio.ensure_future(said_next(blocks))
    await asyncio.sleep(0)
    assert await waiting == ["0=1 000"]
    waiting = asyncio.ensure_future(said_next(blocks))
    await asyncio.sleep(0)
    for offset in range(1, 10):
        ring.append(event_of(log.partitions[0][offset], 0, offset))
    subscribed.stirred.set()
    assert await waiting == ["event: trivium.closed.v1"]
    assert (subscribed.leaves, log.reads) == ("behind", 0)


class Away(Log):
    """Kafka does not answer."""

    async def read(self, offsets: Mapping[int, int], session: str | None = None) -> Piece:
        del offsets, session
        raise KafkaConnectionError


async def test_who_cannot_be_given_what_is_missing_is_told_so_and_keeps_the_place() -> None:
    log = Away([final("a", 0), final("a", 1), final("a", 2)])
    ring = ring_of(log, (0, 0), (0, 1), (0, 2), events=1)
    assert await told(subscription(ring, log, {0: 1})) == ["event: trivium.closed.v1"]


@pytest.mark.parametrize(("reason", "last"), [("left", []), ("stopping", ["event: trivium.closed.v1"])])
async def test_a_subscription_that_ends_says_why_unless_nobody_is_there_any_more(reason: str, last: list[str]) -> None:
    log = Log([])
    subscribed = subscription(ring_of(log), log, {0: 0})
    blocks = subscribed.blocks()
    await anext(blocks)
    subscribed.leave(reason)
    assert [one async for block in blocks for one in said(block)] == last


async def test_one_made_before_all_was_forgotten_is_sent_away_and_not_left_in_silence() -> None:
    audience = Audience(Settings())
    audience.ring.open(dict.fromkeys(range(8), 0))
    subscription = audience.subscribe(Wanted("a", None), audience.now())
    audience.ring = Ring(TOPIC, 1_000)
    with audience.member(subscription):
        assert subscription.leaves == "failed"

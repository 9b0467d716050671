"""Subscribers who are slow, stuck or gone too long, on a real broker, and that nobody else suffers for it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from stream import topics
from stream.config import Settings
from stream.server import PatientProtocol
from tests.command import until as until_so
from tests.echo_service import settings_of
from tests.watching import Publisher, Site, final, prediction, publishing, subscribed, until, watched

LONG = "word " * 400
STREAM = b"GET /events HTTP/1.0\r\nhost: localhost\r\n\r\n"  # 1.0: what comes is the stream itself, not in chunks


class Hasty(PatientProtocol):
    """Cuts off whoever takes nothing for a second."""

    stall_seconds = 1.0


@contextmanager
def stuck(site: Site) -> Iterator[socket.socket]:
    """A reader that subscribes and reads nothing, with little room for what it does not read."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = site.url.removeprefix("http://").rpartition(":")
        connection.connect((host, int(port)))
        connection.sendall(STREAM)
        yield connection


async def publish_much(publisher: Publisher, count: int, first: int = 0) -> None:
    """Finals of 2 KB, each with an interim before it."""
    for number in range(first, first + count):
        await publisher.publish(prediction("a", number, LONG), final("a", number, f"{number} {LONG}"))


def clients(site: Site) -> int:
    return site.audience.count


async def test_a_stuck_reader_is_cut_off_and_the_others_get_everything(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with (
        publishing(settings) as publisher,
        watched(settings, Hasty) as site,
        subscribed(f"{site.url}/events") as coming,
    ):
        with stuck(site):
            await until_so(lambda: clients(site) == 2)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(publish_much(publisher, 150))
                found = await until(coming, lambda all_: sum(event.is_final for event in all_) == 150)
            await until_so(lambda: clients(site) == 1)
    assert [event.text.split()[0] for event in found if event.is_final] == [str(number) for number in range(150)]


async def test_a_slow_reader_misses_interims_and_no_final(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher, watched(settings) as site:
        with stuck(site) as connection:
            await until_so(lambda: clients(site) == 1)
            await publish_much(publisher, 150)
            texts = await read_until(connection, "149 ")
    said = [text.split()[0] for text in texts]
    assert [text for text in said if text != "word"] == [str(number) for number in range(150)]
    assert said.count("word") < 120  # of 150: what its buffers held was sent before it was slow


async def test_a_reader_that_falls_behind_memory_is_told_so_and_loses_nothing(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_buffer_bytes=50_000)
    async with publishing(settings) as publisher, watched(settings) as site:
        begin = str(site.audience.now())
        with stuck(site) as connection:
            await until_so(lambda: clients(site) == 1)
            await publish_much(publisher, 150)
            await read_until(connection, '"reason":"behind"')
        async with subscribed(f"{site.url}/events", begin) as coming:
            found = await until(coming, lambda all_: sum(event.is_final for event in all_) == 150)
    assert [event.text.split()[0] for event in found if event.is_final] == [str(number) for number in range(150)]


async def test_what_kafka_has_deleted_is_told_as_a_gap(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_buffer_bytes=4_000)
    topic = f"{topic_prefix}{topics.PREDICTIONS}"
    async with publishing(settings) as publisher, watched(settings) as site:
        begin = str(site.audience.now())
        await publisher.publish(*(final("a", number) for number in range(20)))
        await delete_before(settings, 0, 11)
        async with subscribed(f"{site.url}/events", begin) as coming:
            gap, *rest = await until(coming, lambda all_: len(all_) == 15)
    assert gap.type == "trivium.gap.v1"
    assert gap.id == f"{topic}:0=11,1=0"
    assert gap.data == {
        "topic": topic,
        "partition": 0,
        "first_offset": 0,
        "next_offset": 11,
        "reason": "retention",
    }
    assert [event.text for event in rest] == [f"a {number}" for number in range(6, 20)]  # a record and its marker each


async def test_a_place_that_the_topic_has_not_reached_is_told_as_a_gap(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    topic = f"{topic_prefix}{topics.PREDICTIONS}"
    async with (
        publishing(settings) as publisher,
        watched(settings) as site,
        subscribed(f"{site.url}/events", f"{topic}:0=0,1=70") as coming,
    ):
        (gap,) = await until(coming, lambda all_: len(all_) == 1)
        await publisher.publish(final("a", 1), partition=1)
        (event,) = await until(coming, lambda all_: len(all_) == 1)
    assert (gap.data["first_offset"], gap.data["next_offset"], gap.data["reason"]) == (0, 70, "reset")
    assert event.text == "a 1"


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning_and_told_as_a_gap(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher, watched(settings) as site:
        await publisher.publish(*(final("a", number) for number in range(9)))
        async with subscribed(f"{site.url}/events") as coming:
            await publisher.publish(final("a", 9))
            (last,) = await until(coming, lambda all_: len(all_) == 1)
            await make_anew(settings)
            assert [event.data async for event in coming] == [{"reason": "failed"}]
        async with subscribed(f"{site.url}/events", last.id) as coming:
            (gap,) = await until(coming, lambda all_: len(all_) == 1)
            async with publishing(settings) as another:
                await another.publish(final("a", 3))
            (event,) = await until(coming, lambda all_: len(all_) == 1)
    assert (gap.data["first_offset"], gap.data["next_offset"], gap.data["reason"]) == (0, 19, "reset")
    assert event.text == "a 3"


async def make_anew(settings: Settings) -> None:
    """Delete the topic, and make it again."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await client.start()
    name = settings.topic_prefix + topics.PREDICTIONS
    try:
        await client.delete_topics([name])
        while name in await client.list_topics():  # noqa: ASYNC110 - a broker tells only who asks
            await asyncio.sleep(0.05)
    finally:
        await client.close()
    await topics.prepare(settings)


async def delete_before(settings: Settings, partition: int, offset: int) -> None:
    """What retention does."""
    client = AIOKafkaAdminClient(bootstrap_servers=settings.bootstrap_servers)
    await client.start()
    try:
        where = TopicPartition(settings.topic_prefix + topics.PREDICTIONS, partition)
        await client.delete_records({where: RecordsToDelete(offset)})
    finally:
        await client.close()


async def read_until(connection: socket.socket, said: str) -> list[str]:
    """Read at last, and give the texts of all predictions."""
    connection.setblocking(False)
    stream = bytearray()
    async with asyncio.timeout(60):
        while said.encode() not in stream or not stream.endswith(b"\n\n"):
            stream += await asyncio.get_running_loop().sock_recv(connection, 65536)
    lines = [line for line in bytes(stream).split(b"\n") if line.startswith(b"data: ")]
    return [read["data"]["text"] for line in lines if "text" in (read := orjson.loads(line[6:]))["data"]]

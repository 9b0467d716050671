"""A header whose name is not UTF-8 makes the Kafka client raise; it stops nobody here."""

from __future__ import annotations

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from stream import clients, topics
from stream.frame import Modality, to_record
from stream.lenient import LenientReader
from tests.echo import sound, unseen
from tests.echo_service import Source, ended, finals, read_until, results_until, running, settings_of
from tests.raw_records import GZIP, Raw, send_batch

SAID = "hello........."
ODD = (b"\xff\xfe", b"x")


@pytest.mark.parametrize("attributes", [0, GZIP])
async def test_a_header_whose_name_is_no_utf8_stops_neither_its_batch_nor_the_stream(
    broker: str, topic_prefix: str, attributes: int
) -> None:
    settings = settings_of(broker, topic_prefix)
    await topics.prepare(settings)
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer, running(settings):
        live = Source(settings, producer)
        items = list(sound("a", SAID))
        await live.send(*unseen("a"), *items[:2])
        moved = [to_record(live.moved(item), "audio") for item in items[2:5]]
        batch = [Raw(one.key, one.value, tuple((name.encode(), value) for name, value in one.headers)) for one in moved]
        batch[1] = Raw(batch[1].key, batch[1].value, (ODD, *batch[1].headers))
        batch.insert(1, Raw(b"a", b"odd", (ODD,)))
        await send_batch(producer, topic_prefix + "audio", 0, batch, attributes=attributes)
        await live.send(*items[5:])
        results = await results_until(settings, lambda found: bool(ended(found)))
        [letter] = await read_until(settings, topics.DEAD_LETTERS, bool)
    assert finals(results) == ["h e l l o"]
    headers = dict(letter.headers)
    assert (headers["\\xff\\xfe"], headers["trivium_reason"], headers["trivium_offset"]) == (b"x", b"bad_length", b"3")


async def test_what_an_aborted_transaction_wrote_is_not_read_past_it_either(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    await topics.prepare(settings)
    audio = TopicPartition(topic_prefix + Modality.AUDIO, 0)
    async with (
        AIOKafkaProducer(bootstrap_servers=broker, transactional_id=f"{topic_prefix}source") as careful,
        AIOKafkaProducer(bootstrap_servers=broker) as producer,
        clients.partition_reader(settings, audio) as consumer,
        LenientReader(settings, consumer) as reader,
    ):
        for word in (b"kept", b"aborted"):
            await careful.begin_transaction()
            await careful.send_and_wait(audio.topic, word, partition=0)
            await (careful.commit_transaction() if word == b"kept" else careful.abort_transaction())
        await send_batch(producer, audio.topic, 0, [Raw(b"k", b"odd", (ODD,))])
        found = await reader.fetch({audio: 0})
    assert [record.value for record in found[audio].records] == [b"kept", b"odd"]
    assert found[audio].position == 5  # two markers stand between

"""Results over Server-Sent Events, on a real broker, to a client of somebody else's making."""

from __future__ import annotations

import asyncio

import httpx
import orjson
import pytest
from httpx_sse import aconnect_sse

from stream import events, web
from stream.audience import Audience
from stream.config import Settings
from stream.health import Health
from tests.echo_service import settings_of
from tests.watching import (
    T0_MS,
    Publisher,
    Site,
    Told,
    ended,
    final,
    prediction,
    publishing,
    started,
    subscribed,
    until,
    watched,
)


def has_ended(found: list[Told]) -> bool:
    return found[-1].data.get("state") == "ended"


def finals(found: list[Told]) -> list[str]:
    return [event.text for event in found if event.is_final]


async def test_a_subscriber_is_told_of_a_session_from_now_on(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher:
        await publisher.publish(started("kitchen"), final("kitchen", 0, "before"))
        async with watched(settings) as site, subscribed(f"{site.url}/sessions/kitchen/events") as coming:
            await publisher.publish(prediction("kitchen", 1, "lay"), final("garden", 1), partition=0)
            await publisher.publish(final("kitchen", 1, "lay green"), ended("kitchen", 2))
            found = await until(coming, has_ended)
    assert finals(found) == ["lay green"]
    assert {event.data["session"] for event in found} == {"kitchen"}


async def test_an_event_is_the_record_as_a_cloud_event_and_its_id_a_place(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    said = final("a", 0, "lay green")
    async with (
        publishing(settings) as publisher,
        watched(settings) as site,
        httpx.AsyncClient() as client,
        aconnect_sse(client, "GET", f"{site.url}/events") as stream,
    ):
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        coming = stream.aiter_sse()
        opening = await anext(coming)
        assert opening.id == f"{topic_prefix}predictions:0=0,1=0"
        assert 1000 <= (opening.retry or 0) <= 3000
        await publisher.publish(said, partition=1)
        event = await anext(coming)
    cloud_event = orjson.loads(event.data)
    assert event.event == cloud_event["type"] == "trivium.prediction.v1"
    assert event.id == f"{topic_prefix}predictions:0=0,1=1"
    assert cloud_event.keys() == {"specversion", "id", "source", "type", "time", "datacontenttype", "data"}
    assert cloud_event["data"] == said.model_dump(mode="json")


async def test_everything_of_a_task_comes_with_all_session_records(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher, watched(settings) as site:
        async with subscribed(f"{site.url}/events", task="gesture") as coming:
            await publisher.publish(started("a"), final("a", 0), ended("a", 1))
            assert [event.data["state"] for event in await until(coming, has_ended)] == ["started", "ended"]
        async with subscribed(f"{site.url}/events", task="speech") as coming:
            await publisher.publish(final("b", 0), partition=1)
            await publisher.publish(final("a", 9), ended("a", 1))
            assert {*finals(await until(coming, lambda found: len(found) == 2))} == {"b 0", "a 9"}


@pytest.mark.parametrize(("path", "names"), [("/sessions/a/events", "a"), ("/events", "ab")])
async def test_twenty_forced_disconnects_from_two_replicas_lose_and_double_no_final(
    broker: str, topic_prefix: str, path: str, names: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    expected = {name: [f"{name} {number}" for number in range(50)] for name in names}
    found: list[Told] = []

    def all_said(more: list[Told]) -> bool:
        return len(finals(found + more)) >= sum(map(len, expected.values()))

    async with publishing(settings) as publisher, watched(settings) as one, watched(settings) as other:
        last_id = str(one.audience.now())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(speak(publisher))
            for site in (one, other) * 10:
                async with subscribed(f"{site.url}{path}", last_id) as coming:
                    found += await until(coming, lambda more: len(more) >= 2 or all_said(more))
                last_id = found[-1].id
            async with subscribed(f"{one.url}{path}", last_id) as coming:
                found += await until(coming, all_said)
    assert {name: [text for text in finals(found) if text[0] == name] for name in names} == expected


async def speak(publisher: Publisher) -> None:
    """Two sessions in two partitions at once."""
    for number in range(50):
        await publisher.publish(prediction("a", number, "?"), final("a", number))
        await publisher.publish(prediction("b", number, "?"), final("b", number), partition=1)


async def test_who_comes_back_after_memory_has_forgotten_is_given_it_from_kafka(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_buffer_bytes=8_000)
    async with publishing(settings) as publisher, watched(settings) as site:
        begin = str(site.audience.now())
        for number in range(40):
            await publisher.publish(prediction("a", number, "?"), final("a", number), final("b", number))
            await publisher.publish(final("c", number), partition=1)
        await publisher.publish(ended("a", 40))
        async with subscribed(f"{site.url}/sessions/a/events", begin) as coming:
            of_one = await until(coming, has_ended)
        async with subscribed(f"{site.url}/events", begin) as coming:
            of_all = await until(coming, lambda found: len(finals(found)) == 120)
        assert not site.audience.ring.has_all_from(site.audience.now().parse(begin, site.audience.topic, 2, one=False))
    assert finals(of_one) == [f"a {number}" for number in range(40)]
    for name in "abc":
        assert [text for text in finals(of_all) if text[0] == name] == [f"{name} {number}" for number in range(40)]


async def test_a_new_subscriber_may_have_everything_that_is_kept(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_buffer_bytes=4_000)
    async with publishing(settings) as publisher:
        await publisher.publish(*(final("a", number) for number in range(20)))
        async with watched(settings) as site, subscribed(f"{site.url}/events", **{"from": "beginning"}) as coming:
            assert len(finals(await until(coming, lambda found: len(found) == 20))) == 20


async def test_a_new_subscriber_may_have_all_of_one_session_from_where_it_last_began(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher:
        await publisher.publish(started("a"), final("a", 0, "long ago"), ended("a", 1))
        await publisher.publish(final("b", 1), started("a", T0_MS + 60_000), final("a", 30), final("a", 31))
        async with (
            watched(settings) as site,
            subscribed(f"{site.url}/sessions/a/events", **{"from": "beginning"}) as coming,
        ):
            found = await until(coming, lambda found: len(found) == 3)
    assert [event.data.get("state") or event.text for event in found] == ["started", "a 30", "a 31"]


async def test_a_new_subscriber_may_have_how_a_session_stands_first(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher:
        await publisher.publish(started("a"), final("a", 0), final("a", 1), prediction("a", 2, "lay"))
        async with (
            watched(settings) as site,
            subscribed(f"{site.url}/sessions/a/events", **{"from": "latest"}) as coming,
        ):
            stands = await until(coming, lambda found: len(found) == 3)
            await publisher.publish(final("a", 2))
            (news,) = await until(coming, lambda found: len(found) == 1)
    assert [event.data.get("state") or event.text for event in stands] == ["started", "a 1", "lay"]
    assert {event.id for event in stands} == {stands[0].id}
    assert news.text == "a 2"


async def test_what_a_transaction_gave_up_is_never_told(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_buffer_bytes=4_000)
    async with publishing(settings) as publisher, watched(settings) as site:
        begin = str(site.audience.now())
        async with subscribed(f"{site.url}/events") as coming:
            await publisher.give_up(final("a", 0, "no"))
            await publisher.publish(*(final("a", number) for number in range(1, 10)))
            live = finals(await until(coming, lambda found: len(found) == 9))
        async with subscribed(f"{site.url}/events", begin) as coming:
            resumed = finals(await until(coming, lambda found: len(found) == 9))
    assert live == resumed == [f"a {number}" for number in range(1, 10)]


async def test_an_id_that_is_none_is_refused_in_one_line(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with watched(settings) as site, httpx.AsyncClient(base_url=site.url) as client:
        for query in ({"last-event-id": "17"}, {"from": "yesterday"}):
            answer = await client.get("/events", params=query)
            assert (answer.status_code, answer.text.count("\n")) == (400, 1)
        assert (await client.head("/events")).status_code == 200


async def test_one_reader_more_than_allowed_is_sent_away(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_clients=1)
    async with (
        watched(settings) as site,
        subscribed(f"{site.url}/events"),
        httpx.AsyncClient(base_url=site.url) as client,
    ):
        answer = await client.get("/events")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_whoever_is_there_when_the_service_stops_is_told(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, events_clients=1)
    async with httpx.AsyncClient() as client, asyncio.TaskGroup() as tasks, watched(settings) as site:
        stream = await client.send(client.build_request("GET", f"{site.url}/events"), stream=True)
        reading = tasks.create_task(stream.aread())
        await reading_began(site)
    assert b'"data":{"reason":"stopping"}' in reading.result()


async def test_whoever_waits_for_a_service_that_never_starts_is_sent_away_when_it_stops() -> None:
    audience = Audience(Settings())
    pages = web.app(Settings(), Health(), [events.routes(audience)])
    client = httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://localhost")
    async with client, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.get("/events"))
        await asyncio.sleep(0)
        audience.close()
    assert asking.result().status_code == 503


async def reading_began(site: Site) -> None:
    async with asyncio.timeout(30):
        while not site.audience.is_full:  # noqa: ASYNC110 - another task's doing must be looked at
            await asyncio.sleep(0.01)

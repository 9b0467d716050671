"""Pages as sources, on a real server and a real Kafka: what they send right, what they send wrong, and too much of it."""

from __future__ import annotations

import asyncio
import time
from typing import NoReturn

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.typing import Origin

from stream import topics
from stream.conversation import Limits
from stream.frame import Frame, Modality, parse
from stream.seats import SEATS_A_SOURCE
from stream.server import PatientSocket
from stream.structured import max_message_bytes
from tests.echo_service import read_until, settings_of
from tests.talking import WAIT_SECONDS, WANTED, clock, heard, letting_in, page, served, sound


async def test_what_a_page_sends_is_in_kafka_as_any_producers_frames_are(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    end = {"type": "trivium.end.v1", "datacontenttype": None, "data_base64": None, "modality": "audio"}
    words = {"datacontenttype": "text/plain;charset=utf-8", "data_base64": None, "data": "place red"}
    async with letting_in(settings) as address, page(address) as socket:
        wanted = await heard(socket, "wanted")
        for number in range(20):
            await socket.send(sound(number))
        await socket.send(sound(0, **words))
        await socket.send(sound(20, **end))
        pressure = await heard(socket, "pressure")
        while pressure["frames"] or pressure["acknowledged"] != {"audio": 19, "text": 0}:
            pressure = await heard(socket, "pressure")
    assert (wanted["tick_ms"], wanted["rate_hz"], wanted["session"]) == (40, 16_000, "somebody")
    audio = await read_until(settings, "audio", lambda found: len(found) == 21, partition=None)
    text = await read_until(settings, "text", lambda found: len(found) == 1, partition=None)
    frames = [parse(one, Modality.AUDIO, {}, settings.max_record_bytes) for one in audio[:20]]
    assert [one.sequence for one in frames if isinstance(one, Frame)] == list(range(20))
    assert {one.session for one in frames} == {"somebody"}
    assert dict(audio[20].headers)["ce_type"] == b"trivium.end.v1"
    assert text[0].value == b"place red"
    assert len({one.partition for one in [*audio, *text]}) == 1


async def test_wrong_messages_are_answered_with_their_reason_and_stop_nobody(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    wrong = {
        "bad_time": sound(1, time="yesterday"),
        "unknown_type": sound(1, type="trivium.frame.v9"),
        "bad_length": sound(1, data_base64="AAAA"),
        "bad_media": sound(1, datacontenttype="image/jpeg"),
        "too_large": sound(1, data_base64="A" * (max_message_bytes(settings.max_record_bytes) - 10_000)),
        "bad_header": "no JSON",
    }
    async with letting_in(settings) as address, page(address) as socket, page(address, "another") as other:
        for reason, message in wrong.items():
            await socket.send(message)
            assert (await heard(socket, "error"))["reason"] == reason
        await socket.send(b"\x00binary")
        assert (await heard(socket, "error"))["reason"] == "bad_header"
        await socket.send(sound(1))
        await other.send(sound(1))
        audio = await read_until(settings, "audio", lambda found: len(found) == 2, partition=None)
    assert {one.key for one in audio} == {b"somebody", b"another"}


async def test_an_answer_names_the_event_that_was_wrong(broker: str, topic_prefix: str) -> None:
    async with letting_in(settings_of(broker, topic_prefix)) as address, page(address) as socket:
        await socket.send(sound(5, sequence="5"))
        error = await heard(socket, "error")
    assert error["id"] == "audio-5"
    assert "ce_sequence is b'5'; send 10 digits" in error["message"]


async def test_the_clock_is_answered_with_the_servers_two_stamps(broker: str, topic_prefix: str) -> None:
    async with letting_in(settings_of(broker, topic_prefix)) as address, page(address) as socket:
        before_ms = time.time_ns() / 1e6
        await socket.send(clock(before_ms))
        told = await heard(socket, "clock")
        after_ms = time.time_ns() / 1e6
        await socket.send(clock("noon"))
        assert (await heard(socket, "error"))["reason"] == "bad_header"
    assert told["origin_ms"] == before_ms
    assert before_ms - 1 <= told["receive_ms"] <= told["transmit_ms"] <= after_ms + 1


async def test_what_is_more_than_allowed_is_left_out_and_said_once_a_second(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, source_frames_per_second=5)
    async with letting_in(settings) as address, page(address) as socket:
        for number in range(200):
            await socket.send(sound(number))
        error = await heard(socket, "error")
        audio = await read_until(settings, "audio", lambda found: len(found) >= 10, partition=None)
    assert error["reason"] == "overflow"
    assert "More than 5 messages" in error["message"]
    assert len(audio) < 200


async def test_a_message_that_cannot_be_right_closes_its_socket(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with letting_in(settings) as address, page(address) as socket:
        await heard(socket, "wanted")
        await socket.send("x" * (max_message_bytes(settings.max_record_bytes) + 1))
        with pytest.raises(ConnectionClosedError) as caught:
            await heard(socket, "error")
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1009


async def test_a_page_that_says_nothing_is_sent_away_and_another_takes_its_place(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix, max_sources=1)
    limits = Limits(200, 4_000_000, silent_seconds=0.3)
    await topics.prepare(settings)
    async with served(settings, limits) as (ingress, address), ingress.open(WANTED):
        async with page(address) as silent:
            await heard(silent, "wanted")
            with pytest.raises(ConnectionClosedError) as caught:
                await heard(silent, "error")
        async with page(address) as another:
            await heard(another, "wanted")
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "no whole message in 0.3 s")


async def test_a_page_that_does_not_listen_is_cut_off_and_another_takes_its_place(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix, max_sources=1, source_frames_per_second=1_000_000)
    await topics.prepare(settings)
    async with served(settings, socket_protocol=Hasty) as (ingress, address), ingress.open(WANTED):
        async with page(address, max_queue=1) as deaf:
            with pytest.raises(ConnectionClosedError):
                await talking_on(deaf)
        async with page(address) as another:
            await heard(another, "wanted")


async def talking_on(socket: ClientConnection) -> NoReturn:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            await socket.send("no JSON")


class Hasty(PatientSocket):
    """Waits for nobody longer than a moment."""

    stall_seconds = 0.2


async def test_pages_above_the_limit_are_told_to_come_again(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix, max_sources=1)
    async with letting_in(settings) as address:
        async with page(address) as first:
            await heard(first, "wanted")
            assert await closed(address) == (1013, "1 pages are talking, as many as max_sources allows")
        async with page(address) as again:
            await heard(again, "wanted")


async def test_new_sessions_are_told_to_come_again_while_too_many_have_not_ended(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix, max_sources=1)
    async with letting_in(settings) as address:
        for number in range(SEATS_A_SOURCE):
            async with page(address, f"guest-{number}") as guest:
                await heard(guest, "wanted")
        assert await closed(address) == (1013, "4 sessions have not ended, as many as max_sources allows")
        async with page(address, "guest-0") as again:
            await heard(again, "wanted")


async def test_while_the_service_starts_a_page_is_told_to_come_again(broker: str, topic_prefix: str) -> None:
    async with served(settings_of(broker, topic_prefix)) as (_, address):
        assert await closed(address) == (1013, "the service is starting or stopping")


async def test_when_the_service_stops_pages_are_told_and_what_they_sent_is_in_kafka(
    broker: str, topic_prefix: str
) -> None:
    settings = settings_of(broker, topic_prefix)
    async with letting_in(settings) as first, page(first) as socket:
        await heard(socket, "wanted")
    async with served(settings) as (ingress, address):
        async with ingress.open(WANTED):
            leaving = page(address)
            socket = await leaving.__aenter__()
            for number in range(50):
                await socket.send(sound(number))
            await socket.send(clock(0.0))
            await heard(socket, "clock")  # so all before it was taken
        with pytest.raises(ConnectionClosedError) as caught:
            await heard(socket, "error")
        await leaving.__aexit__(None, None, None)
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1012, "the service is stopping")
    await read_until(settings, "audio", lambda found: len(found) == 50, partition=None)


async def test_a_client_without_the_subprotocol_or_a_name_is_refused_with_a_line(
    broker: str, topic_prefix: str
) -> None:
    async with letting_in(settings_of(broker, topic_prefix)) as address:
        for path in ("somebody", "n" * 129):
            with pytest.raises(InvalidStatus) as caught:
                async with connect(f"ws://{address}/sessions/{path}/frames"):
                    pass
            assert caught.value.response.status_code == 400
            assert b"\n" in caught.value.response.body


async def test_a_page_of_another_origin_is_refused(broker: str, topic_prefix: str) -> None:
    async with letting_in(settings_of(broker, topic_prefix)) as address:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://{address}/sessions/a/frames", origin=Origin("http://elsewhere.example")):
                pass
    assert caught.value.response.status_code == 403


async def closed(address: str) -> tuple[int, str]:
    """How a connection is closed that is not wanted."""
    async with page(address) as socket:
        with pytest.raises(ConnectionClosedError) as caught:
            await heard(socket, "wanted")
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason

"""Sessions and captions as pages get them, without a broker: from memory, and from records that a fake Kafka holds."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, cast

import httpx
import pytest
from starlette.applications import Starlette

from stream import sessions
from stream.audience import Audience
from stream.board import Board
from stream.catchup import Fetched, Readers
from stream.config import Settings
from stream.event import Event, Kind
from stream.frame import Record
from stream.publish import Prediction, SessionRecord, prediction_record, session_record
from stream.sessions import LISTED_SECONDS, MOST_CUES, Captions, Listing, read_captions
from stream.view import cue
from tests.watching import T0_MS, ended, final, prediction, started

TOPIC = "predictions"
SOURCE = "/trivium/test"


class Log:
    """One partition of the predictions; it gives records, two at once, and no events."""

    def __init__(self, *records: Record) -> None:
        self.records = records

    async def fetch(self, offsets: Mapping[int, int], session: str | None = None) -> Fetched:
        assert session is not None
        (at,) = offsets.values()
        found = self.records[at : at + 2]
        return Fetched([one for one in found if one.key == session.encode()], [], {0: at + len(found)})

    async def bounds(self, numbers: object) -> tuple[dict[int, int], dict[int, int]]:
        del numbers
        return {0: 0}, {0: len(self.records)}


class Threads(ThreadPoolExecutor):
    """A loop's threads, and how often one was asked for."""

    asked = 0

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        self.asked += 1
        return super().submit(work, *given, **named)


def record(message: Prediction | SessionRecord) -> Record:
    if isinstance(message, Prediction):
        return prediction_record(message, TOPIC, 0, SOURCE)
    return session_record(message, TOPIC, 0, SOURCE)


def audience_of(*records: Record) -> Audience:
    """One that is ready, before Kafka, and remembers nothing."""
    audience = Audience(Settings())
    audience.ring.open({0: len(records)})
    audience.readers = cast("Readers", Log(*records))
    audience.ready.set()
    return audience


def say(board: Board, message: Prediction) -> None:
    board.note(Event(0, 0, message.session, Kind.FINAL, None, message.segment, b"", 0.0), message)


def client(audience: Audience, now: list[float]) -> httpx.AsyncClient:
    """A client of the pages, whose clock shows the last of `now`."""
    pages = Starlette(routes=sessions.routes(audience, lambda: now[-1]))
    return httpx.AsyncClient(transport=httpx.ASGITransport(pages), base_url="http://localhost")


async def stays() -> bool:
    return False


async def test_sessions_are_told_as_they_were_for_less_than_a_second_and_then_as_they_are() -> None:
    audience, now = audience_of(), [100.0]
    async with client(audience, now) as pages:
        say(audience.board, final("a", 0, "one"))
        first = await pages.get("/sessions")
        say(audience.board, final("a", 1, "two"))
        now.append(100.0 + 0.9 * LISTED_SECONDS)
        again = await pages.get("/sessions")
        now.append(100.0 + LISTED_SECONDS)
        later = await pages.get("/sessions")
    assert again.content == first.content
    assert [answer.json()["sessions"][0]["text"] for answer in (first, later)] == ["one", "two"]
    assert first.headers["content-type"] == "application/json"
    assert first.json()["sessions"][0]["modalities"] == {"text": "present", "audio": "present", "video": "present"}


def test_who_asks_again_within_a_second_is_given_the_same_bytes_and_none_are_made() -> None:
    board, listing = Board(), Listing()
    say(board, final("a", 0, "schön"))
    made = listing.json(board, 5.0)
    assert "schön".encode() in made
    assert listing.json(board, 5.9) is made
    assert listing.json(board, 6.0) is not made


def test_a_second_counts_from_when_the_answer_was_made_not_from_when_it_was_last_asked_for() -> None:
    board, listing = Board(), Listing()
    for now_seconds in (0.0, 0.6):
        listing.json(board, now_seconds)
    say(board, final("a", 0))
    assert b'"a 0"' in listing.json(board, 1.2)


def test_of_a_final_only_what_its_cue_says_is_kept() -> None:
    captions, whole = Captions(), final("a", 0, "lay green")
    kept = weakref.ref(whole)
    captions.note(whole)
    del whole
    assert [*captions.finals] == [("a", T0_MS, T0_MS + 1_000, "lay green")]
    assert kept() is None


def test_cues_are_those_that_watch_prints() -> None:
    captions, name = Captions(), "a/b & <c>"
    said = [final(name, 0, "lay <b>\"green\"</b> & 'blue'"), final(name, 1, "now")]
    captions.note(started(name, T0_MS - 5_000))
    for message in said:
        captions.note(message)
    cues = "".join(f"\n{cue(one, T0_MS - 5_000)}\n" for one in said)
    assert captions.text().decode() == f"WEBVTT\n{cues}"


def test_of_very_many_finals_the_newest_are_kept_and_times_count_from_the_first_of_them() -> None:
    captions, first = Captions(), final("a", 0)
    for number in range(MOST_CUES + 1):
        captions.note(first.model_copy(update={"segment": T0_MS + number, "start_ms": T0_MS + number}))
    assert len(captions.finals) == MOST_CUES
    assert captions.text().startswith(b"WEBVTT\n\n00:00:00.000 --> 00:00:00.999\n")


async def test_captions_are_read_from_records_without_an_event_of_any() -> None:
    said = prediction("a", 0, "x"), final("a", 0), final("b", 0), final("a", 1)
    told = record(started("a")), *map(record, said), record(ended("a", 2))
    captions = await read_captions(audience_of(*told), "a", stays)
    assert (captions.start_ms, [one.text for one in captions.finals]) == (T0_MS, ["a 0", "a 1"])


async def test_a_record_that_is_not_ours_is_passed_over_and_told_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    foreign = replace(record(final("a", 1)), value=b"{}")
    records = record(final("a", 0)), foreign, record(final("a", 2))
    captions = await read_captions(audience_of(*records), "a", stays)
    assert [one.text for one in captions.finals] == ["a 0", "a 2"]
    assert "passed over predictions-0@-1" in caplog.text


async def test_captions_of_a_session_are_a_file_and_of_nobody_a_404() -> None:
    async with client(audience_of(record(started("a")), record(final("a", 0, "now"))), [0.0]) as pages:
        answer = await pages.get("/sessions/a/captions.vtt")
        unknown = await pages.get("/sessions/nobody/captions.vtt")
    assert answer.text == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\n<v a>now\n"
    assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
    assert unknown.status_code == 404


async def test_cues_are_written_in_a_thread_since_lanes_share_the_loop() -> None:
    threads = Threads()
    asyncio.get_running_loop().set_default_executor(threads)
    async with client(audience_of(record(final("a", 0, "now"))), [0.0]) as pages:
        answer = await pages.get("/sessions/a/captions.vtt")
    assert (answer.status_code, threads.asked) == (200, 1)

"""Follows predictions: reads what is committed, drops what is old, until told to stop or enough sessions have ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from stream import clients, topics
from stream.config import Settings
from stream.errors import JobError, RecordError
from stream.publish import Prediction, SessionRecord, read_result
from stream.reading import Reading
from stream.view import View

POLL_MS = 200
NO_TOPIC_SECONDS = 0.5  # between looks for the topic


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which results are shown, and when to stop."""

    session: str | None = None
    url: str | None = None
    finals_only: bool = False
    from_beginning: bool = False
    until_ended: int | None = None
    timeout_seconds: float | None = None

    def shows(self, message: Prediction | SessionRecord) -> bool:
        """Whether it is shown at all."""
        return not self.finals_only or (isinstance(message, Prediction) and message.is_final)


async def watch(settings: Settings, wanted: Wanted, view: View) -> None:
    """Show results until enough sessions have ended; for ever, if that was not asked for.

    Raises
    ------
    JobError
        If the time is over before.
    """
    ended: set[tuple[str, float]] = set()
    try:
        async with (
            asyncio.timeout(wanted.timeout_seconds),
            _followed(settings, wanted) as news,
        ):
            async for message in news:
                if wanted.session not in (None, message.session):
                    continue
                if wanted.shows(message):
                    view.show(message)
                if isinstance(message, SessionRecord) and message.state == "ended":
                    ended.add((message.session, message.start_ms))
                if wanted.until_ended is not None and len(ended) >= wanted.until_ended:
                    return
    except TimeoutError:
        expected = f", expected {wanted.until_ended}" if wanted.until_ended else ""
        raise JobError(
            f"{len(ended)} sessions ended within {wanted.timeout_seconds:g} s{expected}: "
            "see whether trivium serve runs, or give more --timeout."
        ) from None


def _followed(
    settings: Settings, wanted: Wanted
) -> AbstractAsyncContextManager[AsyncIterator[Prediction | SessionRecord]]:
    if wanted.url is None:
        return following(settings, from_beginning=wanted.from_beginning)
    from stream.watch_url import following_url

    return following_url(settings, wanted.url, wanted.session, from_beginning=wanted.from_beginning)


@asynccontextmanager
async def following(
    settings: Settings, *, from_beginning: bool = False
) -> AsyncIterator[AsyncIterator[Prediction | SessionRecord]]:
    """Results that are news, from the moment of entry on; or all that the topic holds, then those."""
    async with topics.reaching(settings):
        partitions, is_new = await _partitions(settings)
        consumer = AIOKafkaConsumer(
            **settings.client_options(),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )
        try:
            await consumer.start()
            consumer.assign(partitions)
            if from_beginning or is_new:
                await consumer.seek_to_beginning(*partitions)
            else:
                await consumer.seek_to_end(*partitions)
            yield _news(consumer)
        finally:
            await consumer.stop()


async def _news(consumer: AIOKafkaConsumer) -> AsyncIterator[Prediction | SessionRecord]:
    reading = Reading()
    while True:
        fetched = await consumer.getmany(timeout_ms=POLL_MS)
        for found in (found for batch in fetched.values() for found in batch):
            try:
                message = read_result(clients.fetched(found))
            except RecordError as error:
                print(f"trivium: passed over {found.topic}-{found.partition}@{found.offset}: {error}", file=sys.stderr)
                continue
            if reading.is_news(message):
                yield message


async def _partitions(settings: Settings) -> tuple[list[TopicPartition], bool]:
    """The topic's partitions, waited for where there is no such topic, and whether it was."""
    topic, waited = settings.topic_prefix + topics.PREDICTIONS, False
    while topic not in (found := await topics.partitions(settings)):
        waited = True
        await asyncio.sleep(NO_TOPIC_SECONDS)
    return [TopicPartition(topic, number) for number in range(found[topic])], waited

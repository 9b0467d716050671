"""Delivery: how what a lane has gathered gets out, by what a crash may do to it.

    results, progress, offsets -> [one transaction | one after another] -> Kafka

`ExactlyOnce` puts all of it into one transaction of a producer that belongs to the lane: whoever takes the lane over fences
it, and a reader of committed records sees all or nothing. `AtLeastOnce` is for brokers without transactions: what was sent
before a crash is sent again, under the same ids.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    InvalidTxnState,
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
)

from stream import clients, metrics
from stream.config import Settings
from stream.outlet import Outlet, see
from stream.progress import Saved
from stream.results import Result

log = logging.getLogger(__name__)

Committed = dict[TopicPartition, int]
# Another producer has the lane's transactional id by now, or the broker gave up a transaction that took too long.
FENCED = (ProducerFenced, InvalidProducerEpoch, InvalidProducerIdMapping, InvalidTxnState, OutOfOrderSequenceNumber)


class FencedError(Exception):
    """The lane has another owner, or had for a while: what is known of it here may be old."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What belongs together: results, the progress that they imply, and the offsets up to which it is true."""

    results: Sequence[Result]
    saved: Sequence[Saved]
    offsets: Committed


class Delivery(Protocol):
    """Gets batches of one lane out, one at a time."""

    async def commit(self, batch: Batch) -> bool:
        """Return once the batch is out for good; False if its offsets are not committed, since the group is changing.

        Raises
        ------
        FencedError
            If the lane has had another owner.
        """


class ExactlyOnce:
    """All of a batch in one transaction."""

    def __init__(self, settings: Settings, outlet: Outlet, producer: AIOKafkaProducer) -> None:
        self._group = clients.group(settings)
        self._outlet = outlet
        self._producer = producer

    async def commit(self, batch: Batch) -> bool:
        """As `Delivery` says; True."""
        began = time.monotonic()
        try:
            async with self._producer.transaction(), _errors_seen(self._producer):
                await self._outlet.publish(batch.results, batch.saved)  # acknowledged before the offsets follow
                if batch.offsets:
                    await self._producer.send_offsets_to_transaction(batch.offsets, self._group)
        except FENCED as error:
            metrics.TRANSACTIONS.labels("fenced").inc()
            raise FencedError from error
        except KafkaError:
            metrics.TRANSACTIONS.labels("aborted").inc()
            raise
        metrics.TRANSACTIONS.labels("committed").inc()
        self._outlet.measure(batch.results, began)
        return True


class AtLeastOnce:
    """Results and progress, then offsets."""

    def __init__(self, outlet: Outlet, consumer: AIOKafkaConsumer) -> None:
        self._outlet = outlet
        self._consumer = consumer

    async def commit(self, batch: Batch) -> bool:
        """As `Delivery` says; nothing tells an owner that another has come, but for the offsets that are refused."""
        began = time.monotonic()
        await self._outlet.publish(batch.results)
        await self._outlet.publish((), batch.saved)
        self._outlet.measure(batch.results, began)
        try:
            if batch.offsets:
                await self._consumer.commit(batch.offsets)
        except (CommitFailedError, IllegalStateError) as error:
            log.warning(
                "offsets not committed: whoever has the lane next reads from those before", extra={"error": str(error)}
            )
            return False
        return True


@asynccontextmanager
async def delivering(settings: Settings, number: int, consumer: AIOKafkaConsumer) -> AsyncIterator[Delivery]:
    """The way out of lane `number`; from the first moment on no former owner's transaction can end well."""
    if settings.delivery == "at-least-once":
        async with clients.producer(settings) as producer:
            yield AtLeastOnce(Outlet(settings, number, producer), consumer)
    else:
        async with clients.lane_producer(settings, number) as producer:
            yield ExactlyOnce(settings, Outlet(settings, number, producer), producer)


@asynccontextmanager
async def _errors_seen(producer: AIOKafkaProducer) -> AsyncIterator[None]:
    """See the errors that the client sets on futures of its own within a transaction and shows to nobody.

    It tells them to whoever waits for a record as well; asyncio would log those futures as never retrieved.
    """
    producer._txn_manager.wait_for_transaction_end().add_done_callback(see)  # noqa: SLF001 - nothing public leads there
    try:
        yield
    except KafkaError:
        for batches in producer._message_accumulator._batches.values():  # noqa: SLF001
            for batch in batches:
                batch._drain_waiter.add_done_callback(see)  # noqa: SLF001
        raise

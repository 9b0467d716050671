"""What leaves a lane: results, dead letters and progress become records and are sent, to be waited for or not.

    [Prediction | SessionRecord | DeadLetter | LateFrame | progress] -> records -> partition p of their topics

Knows topics and producers, not when to send what: that is `owner.py`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from stream import clients, metrics, refused, topics
from stream.config import Settings
from stream.deadletter import DeadLetter, dead_letter
from stream.frame import Record
from stream.lane import Output
from stream.late import LateFrame, late_record
from stream.overload import Step
from stream.progress import Saved
from stream.publish import Prediction, prediction_record, session_record
from stream.results import Result
from stream.times import NS_PER_SECOND, from_ms, to_ms

log = logging.getLogger(__name__)

MOST_SHOWN_BYTES = 128 << 10  # under way to a broker that is slow, or away


class Outlet:
    """The way out of one lane through one producer; all records go to the lane's own partition number."""

    def __init__(self, settings: Settings, number: int, producer: AIOKafkaProducer) -> None:
        self._settings = settings
        self._number = number
        self._producer = producer
        self._source = f"/trivium/{clients.group(settings)}/{number}"
        self._ungranted: BaseException | None = None
        self._shown_bytes = 0  # of interims that are not acknowledged yet
        self._showing: set[asyncio.Task[None]] = set()  # the event loop itself holds them only weakly

    def show(self, interim: Result) -> None:
        """Send an interim, waiting for nothing; whether it arrives is only logged. While too much is under way it is left out.

        Raises
        ------
        KafkaError
            If one before was refused since nobody granted it: in a transaction that would look as if the lane were fenced.
        """
        if self._ungranted is not None:
            raise self._ungranted
        record = self._record(interim)
        size_bytes = len(record.value or b"")
        if self._shown_bytes + size_bytes > MOST_SHOWN_BYTES:
            metrics.DEGRADED.labels(Step.INTERIMS).inc()
            return
        self._shown_bytes += size_bytes
        showing = asyncio.create_task(self._show(record, size_bytes))
        self._showing.add(showing)
        showing.add_done_callback(self._showing.discard)
        _measure(interim)

    async def _show(self, record: Record, size_bytes: int) -> None:
        try:
            await (await self._start(record))
        except KafkaError as error:
            log.warning("an interim was not acknowledged", extra={"error": repr(error)})
            self._ungranted = error if refused.is_ungranted(error) else self._ungranted
        finally:
            self._shown_bytes -= size_bytes

    async def publish(self, outputs: Iterable[Output], saved: Iterable[Saved] = ()) -> None:
        """Send outputs and progress, and wait until all are acknowledged."""
        sent = [await self._start(self._record(output)) for output in outputs]
        topic = self._settings.topic_prefix + topics.PROGRESS
        for key, value in saved:
            sent.append(await self._producer.send(topic, value, key, partition=self._number))
            sent[-1].add_done_callback(see)
        await asyncio.gather(*sent)

    def measure(self, results: Sequence[Result], began: float) -> None:
        """Say in the metrics that results are out for good, sent since `began` on the monotonic clock."""
        for result in results:
            _measure(result)
        if results:
            metrics.PUBLISH_SECONDS.observe(time.monotonic() - began)

    async def _start(self, record: Record) -> asyncio.Future[object]:
        # Kafka's timestamp is the moment of sending, so it is left to the client: a session's own times are by its source's
        # clock, and a broker refuses records from the future and soon deletes old ones.
        # The client refuses a record with neither key nor value, which a dead letter may be.
        value = b"" if record.key is None and record.value is None else record.value
        acknowledged: asyncio.Future[object] = await self._producer.send(
            record.topic,
            value,
            record.key,
            partition=self._number,
            headers=list(record.headers),
        )
        acknowledged.add_done_callback(see)
        return acknowledged

    def _record(self, result: Output) -> Record:
        prefix = self._settings.topic_prefix
        if isinstance(result, DeadLetter):
            topic = prefix + topics.DEAD_LETTERS
            return dead_letter(result.record, result.error, topic, self._settings.max_record_bytes)
        if isinstance(result, LateFrame):
            return late_record(result, prefix + topics.LATE, self._settings.max_record_bytes)
        topic, message = prefix + topics.PREDICTIONS, result.message
        if isinstance(message, Prediction):
            return prediction_record(_now_published(message), topic, self._number, self._source, result.traceparent)
        return session_record(message, topic, self._number, self._source, result.traceparent)


def _now_published(prediction: Prediction) -> Prediction:
    times = prediction.times.model_copy(update={"published_ms": to_ms(time.time_ns())})
    return prediction.model_copy(update={"times": times})


def _measure(result: Result) -> None:
    if not isinstance(result.message, Prediction):
        return
    if result.message.is_final:
        latency, since_ns = metrics.FINAL_LATENCY_SECONDS, result.due_ns
    else:
        latency, since_ns = metrics.INTERIM_LATENCY_SECONDS, from_ms(result.message.times.captured_ms)
    latency.observe(max(0, time.time_ns() - since_ns) / NS_PER_SECOND)


def see(future: asyncio.Future[object]) -> None:
    """Look at a future's error, which is told elsewhere too: else asyncio logs it as lost if nobody waits any more."""
    if not future.cancelled():
        future.exception()

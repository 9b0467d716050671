"""The service: start, main loop, drain. One consumer, one owner a lane.

    settings -> [start] -> ready -> [main loop: lanes come and go with their partitions] -> signal -> [drain] -> end

What a process has once stands here; what a lane does is `owner.py`'s. A lane that fails stops the process, which recovers at
its restart.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from stream import clients, events, logs, metrics, pages, refused, server, sessions, web
from stream.assembly import LaneMaker, context_ns, lane_maker, wanted
from stream.audience import Audience
from stream.config import Settings
from stream.errors import BrokerError, TriviumError
from stream.frame import Modality
from stream.health import Health
from stream.ingress import Ingress
from stream.lenient import LenientReader
from stream.owner import Owner
from stream.startup import start_up
from stream.stop import Stop

log = logging.getLogger(__name__)

BEAT_SECONDS = 0.25
SILENT_SECONDS = 5.0  # without an answer to any fetch, of which each is answered within a second


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT.

    Raises
    ------
    ConfigError
        If settings, bundle, provider or the HTTP address cannot be used.
    BrokerError
        If Kafka is away, or set up otherwise.
    InferenceError
        If a model fails on input that passed every check.
    KeyboardInterrupt
        After the drain, if it was SIGINT.
    """
    logs.set_up(settings.log_format)
    listener = server.listen(settings.http)
    server.allow_files(settings.events_clients)
    stop = Stop()
    async with stop.bounded(settings):
        with one_error(settings):
            await _serve(settings, listener, stop.wished)
    if stop.signal is signal.SIGINT:
        raise KeyboardInterrupt


async def _serve(settings: Settings, listener: socket.socket, stop: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        health, audience, ingress = Health(), Audience(settings), Ingress(settings)
        parts = [events.routes(audience), sessions.routes(audience), ingress.routes(), pages.routes()]
        app = web.app(settings, health, parts)
        beside = [tasks.create_task(server.serve(app, listener, settings)), tasks.create_task(_beat(health))]
        report = await start_up(settings)
        leave_garbage()
        with closing(report.checked()) as predictor:
            log.info("started", extra=dict(report.found))
            beside.append(tasks.create_task(audience.run()))
            async with ingress.open(wanted(predictor)):
                await host(settings, lane_maker(settings, predictor), context_ns(predictor), health, stop)
        audience.close()
        for task in beside:
            task.cancel()


def leave_garbage() -> None:
    """Let Python look for cyclic garbage seldom: what start-up made stays, and frames, the most of what follows, are in no cycle.

    Each look passes over all the records that lie in the queues; so it comes only once more has gathered than they hold.
    """
    gc.freeze()
    gc.set_threshold(200_000, 20, 50)


async def host(
    settings: Settings, make_lane: LaneMaker, left_context_ns: int, health: Health, stop: asyncio.Event
) -> None:
    """Own the lanes that the group assigns, until `stop`; then drain."""
    async with (
        clients.producer(settings) as beside,
        clients.input_consumer(settings) as consumer,
        LenientReader(settings, consumer) as reader,
        asyncio.TaskGroup() as tasks,
    ):
        make_owner = partial(
            Owner,
            settings=settings,
            consumer=consumer,
            beside=beside,
            make_lane=make_lane,
            context_ns=left_context_ns,
        )
        lanes = Lanes(consumer, make_owner, tasks, health, reader)
        consumer.subscribe([settings.topic_prefix + name for name in Modality], listener=lanes)
        reading = tasks.create_task(lanes.read())
        await stop.wait()
        log.info("stopping: what is final goes out and is committed")
        health.block("stop", "the service is stopping")
        reading.cancel()
        await lanes.drain()


class Lanes(ConsumerRebalanceListener):  # type: ignore[misc]  # the client ships no types
    """The lanes that the group has assigned to this process."""

    def __init__(
        self,
        consumer: AIOKafkaConsumer,
        make_owner: Callable[[int], Owner],
        tasks: asyncio.TaskGroup,
        health: Health,
        reader: LenientReader,
    ) -> None:
        self._consumer = consumer
        self._reader = reader
        self._make_owner = make_owner
        self._tasks = tasks
        self._health = health
        self._owners: dict[int, Owner] = {}
        self._running: list[asyncio.Task[None]] = []
        self._draining = False

    async def read(self) -> None:
        """Hand what the consumer has fetched to its lanes, for ever."""
        while True:
            fetched = await self._reader.getmany(self._wanted)
            for owner in list(self._owners.values()):
                await owner.inlet.feed(fetched)
            self._look_at_broker()

    def _wanted(self) -> dict[TopicPartition, int]:
        return {partition: at for owner in self._owners.values() for partition, at in owner.inlet.wanted().items()}

    def _look_at_broker(self) -> None:
        """Be ready only while Kafka answers; the client itself tries for ever and says nothing to us."""
        ages = [age for owner in self._owners.values() if (age := owner.inlet.unanswered_seconds()) is not None]
        silent_seconds = min(ages, default=0.0)
        away = "kafka" in self._health.reasons
        if silent_seconds > SILENT_SECONDS:
            self._health.block("kafka", f"Kafka has answered nothing for {silent_seconds:.0f} s; see that it runs")
            if not away:
                log.error("Kafka has answered nothing for %.0f s, trying on; see that it runs", silent_seconds)
        elif away:
            self._health.clear("kafka")
            log.info("Kafka answers again")

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Let all lanes commit what is final, before others may get them."""
        log.info("partitions revoked: %d", len(set(revoked)))
        await self._release()

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Pause at once; each lane is taken over in a task of its own, whose failure stops the process."""
        partitions = set(assigned)
        self._consumer.pause(*partitions)
        numbers = {partition.partition for partition in partitions}
        log.info("lanes assigned: %s", sorted(numbers))
        metrics.REBALANCES.inc()
        for number in self._owners.keys() - numbers:
            self._owners.pop(number).drop()
        if not self._draining:
            self._owners |= {number: self._make_owner(number) for number in numbers - self._owners.keys()}
            self._running = [self._tasks.create_task(owner.run()) for owner in self._owners.values()]
        self._health.clear("start")

    async def drain(self) -> None:
        """Let all lanes commit what is final, and give them up."""
        self._draining = True
        await self._release()
        for owner in self._owners.values():
            owner.drop()

    async def _release(self) -> None:
        for owner in self._owners.values():
            owner.release()
        # A lane's error is the task group's to raise.
        await asyncio.gather(*self._running, return_exceptions=True)


async def _beat(health: Health) -> None:
    while True:
        health.beat()
        await asyncio.sleep(BEAT_SECONDS)


@contextmanager
def one_error(settings: Settings) -> Iterator[None]:
    """Raise the first error of the task group that can be named, instead of the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        for error in _leaves(group):
            if isinstance(error, TriviumError):
                raise error from group
            if isinstance(error, KafkaError) and refused.is_ungranted(error):
                raise BrokerError(
                    f"Kafka at {settings.bootstrap_servers} refused ({error}): {refused.granted_by(settings)}"
                ) from group
            if isinstance(error, KafkaError):
                raise BrokerError(
                    f"Kafka at {settings.bootstrap_servers} failed ({type(error).__name__}: {error}): "
                    "see that it runs, then start again; nothing that was committed is lost."
                ) from group
        raise


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error

"""One run of one system, in a process of its own: over all that was written before, or live.

Each run has a group that nobody had before, so it reads from the earliest record, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from stream import topics
from stream.frame import Modality
from tests.benchmarks.peers.environment import Environment
from tests.benchmarks.peers.records import PARTITIONS, Scene, on_grid_ms, play, write
from tests.benchmarks.peers.systems import System
from tests.benchmarks.processes import Stage, raise_ended, running

BACKLOG_SECONDS = 300.0  # a system that is not done by then has failed
START_SECONDS = 120.0
STOP_SECONDS = 30.0
TERMINATED = 143  # what Java says after SIGTERM, whatever was told before
WARM_SECONDS = 8.0  # live: until all run at their pace; then is measured
AFTER_SECONDS = 3.0  # records go on for so long after what is measured, so that all of it comes out


@dataclass(frozen=True)
class Told:
    """What a process said of itself, and what the system says of it."""

    line: dict[str, Any]
    whole_cpu_seconds: float  # from its start to its end
    whole_seconds: float


@dataclass(frozen=True)
class Live:
    """A live run: what was told, what of it is measured, and how late the records were sent, in ms."""

    told: Told
    from_ms: float
    until_ms: float
    late_ms: list[float]

    def delays_ms(self, name: str = "live") -> list[float]:
        """Of what was captured while it was measured: how long after it the output came."""
        return [delay for captured, delay in self.told.line.get(name, ()) if self.from_ms < captured <= self.until_ms]


class Sender:
    """Sends a scene from the moment when a group has taken its partitions.

    Attributes
    ----------
    start_ms : int
        When the scene began.
    late_ms : list
        How late each record was sent.
    """

    def __init__(self, address: str, prefix: str, scene: Callable[[], Scene]) -> None:
        self.start_ms = 0
        self.late_ms: list[float] = []
        self._address = address
        self._prefix = prefix
        self._scene = scene

    def send(self, group: str) -> None:
        """Wait for the group, then send all of it."""
        asyncio.run(_stable(self._address, group))
        scene = self._scene()
        self.start_ms = scene.start_ms
        self.late_ms = asyncio.run(play(self._address, self._prefix, scene.live()))


class Runs:
    """The runs on one stage."""

    def __init__(self, stage: Stage, environment: Environment) -> None:
        self._stage = stage
        self._environment = environment

    @contextmanager
    def written(self, scene: Scene) -> Iterator[str]:
        """Topics with all records of a scene in them, by their prefix."""
        with self._topics() as prefix:
            asyncio.run(write(self._stage.address, prefix, scene.captured()))
            found = asyncio.run(_held(self._stage.address, prefix))
            if found != scene.count():
                raise RuntimeError(
                    f"The topics hold {found} records, {scene.count()} were written: look at the broker."
                )
            yield prefix

    def backlog(self, system: System, prefix: str, scene: Scene) -> Told:
        """Read all that lies in the topics."""
        told = self._run(system, prefix, scene.count())
        asyncio.run(_remove(self._stage.address, prefix, keep_inputs=True))
        if told.line["records"] < scene.count():
            raise RuntimeError(f"{system.name} read {told.line['records']} of {scene.count()} records.")
        return told

    def live(self, system: System, seconds: float, *, spread: bool, video: bool) -> Live:
        """Read what is sent as live sources would, for so many seconds after all has warmed up."""

        def scene() -> Scene:
            return Scene(
                on_grid_ms(time.time() * 1000 + 200),
                WARM_SECONDS + seconds + AFTER_SECONDS,
                spread=spread,
                video_seconds=None if video else WARM_SECONDS,
            )

        with self._topics() as prefix:
            sender = Sender(self._stage.address, prefix, scene)
            told = self._run(system, prefix, 0, sender)
        from_ms = sender.start_ms + WARM_SECONDS * 1000
        return Live(told, from_ms, from_ms + seconds * 1000, sender.late_ms)

    def _run(self, system: System, prefix: str, records: int, sender: Sender | None = None) -> Told:
        """A process from its start to its end; live it is stopped when all is sent."""
        group = f"{prefix}{system.name}-{uuid.uuid4().hex[:8]}"
        named = group.removeprefix(prefix) if system.kind in {"trivium", "raw"} else group  # they add the prefix
        given = {"address": self._stage.address, "prefix": prefix, "group": named, "records": str(records)}
        state, output, log = (self._stage.folder / f"{group}.{kind}" for kind in ("state", "json", "log"))
        command = system.command(self._environment, given, state)
        began, cpu_began = time.perf_counter(), _children_seconds()
        with running(self._stage, command, log.name, output) as process:
            if sender is not None:
                sender.send(group)
                process.terminate()
            ended = process.wait(BACKLOG_SECONDS if sender is None else STOP_SECONDS)
        if ended not in {0, TERMINATED}:
            raise_ended(system.name, process, log)
        told = Told(_last_line(output), _children_seconds() - cpu_began, time.perf_counter() - began)
        shutil.rmtree(state, ignore_errors=True)
        return told

    @contextmanager
    def _topics(self) -> Iterator[str]:
        prefix = f"{self._stage.prefix}{uuid.uuid4().hex[:4]}-"
        settings = self._stage.settings(topic_prefix=prefix, partitions=PARTITIONS)
        asyncio.run(topics.prepare(settings))
        try:
            yield prefix
        finally:
            asyncio.run(_remove(self._stage.address, prefix))


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _last_line(output: Path) -> dict[str, Any]:
    lines = output.read_bytes().splitlines()
    if not lines:
        raise RuntimeError(f"Nothing was told in {output}; one line of JSON was expected.")
    line: dict[str, Any] = orjson.loads(lines[-1])
    return line


async def _held(address: str, prefix: str) -> int:
    partitions = [TopicPartition(prefix + name, number) for name in Modality for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=address) as consumer:
        ends = await consumer.end_offsets(partitions)
    return sum(ends.values())


async def _stable(address: str, group: str) -> None:
    """Until a member of the group has its partitions."""
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        async with asyncio.timeout(START_SECONDS):
            while await _state(client, group) != "Stable":  # noqa: ASYNC110 - a broker tells only who asks
                await asyncio.sleep(0.1)
    finally:
        await client.close()


async def _state(client: AIOKafkaAdminClient, group: str) -> str:
    (answer,) = await client.describe_consumer_groups([group])
    return str(answer.groups[0][2])


async def _remove(address: str, prefix: str, *, keep_inputs: bool = False) -> None:
    """Remove the topics of a prefix, changelogs that have it in the middle of their names included."""
    kept = {prefix + name for name in Modality} if keep_inputs else set()
    client = AIOKafkaAdminClient(bootstrap_servers=address)
    await client.start()
    try:
        ours = {topic for topic in await client.list_topics() if prefix in topic} - kept
        if ours:
            await client.delete_topics(sorted(ours))
        while ours & set(await client.list_topics()):  # noqa: ASYNC110 - a broker tells only who asks
            await asyncio.sleep(0.1)
    finally:
        await client.close()

"""One run of one system, in a process of its own: over all that was written before, or live.

Each run has a group that nobody had before, so it reads from the earliest record, and leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
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
STOP_SECONDS = 30.0
WARM_SECONDS = 10.0  # live: until all are started, have caught up and run at their pace; then is measured
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
        with self._topics() as prefix:
            start_ms = on_grid_ms(time.time() * 1000 + 200)
            scene = Scene(
                start_ms,
                WARM_SECONDS + seconds + AFTER_SECONDS,
                spread=spread,
                video_seconds=None if video else WARM_SECONDS,
            )
            late_ms: list[float] = []
            told = self._run(system, prefix, 0, lambda: late_ms.extend(self._play(prefix, scene)))
        from_ms = start_ms + WARM_SECONDS * 1000
        return Live(told, from_ms, from_ms + seconds * 1000, late_ms)

    def _play(self, prefix: str, scene: Scene) -> list[float]:
        return asyncio.run(play(self._stage.address, prefix, scene.live()))

    def _run(self, system: System, prefix: str, records: int, meanwhile: Any = None) -> Told:
        """A process from its start to its end; live it is stopped when what is done meanwhile is done."""
        group = f"{prefix}{system.name}-{uuid.uuid4().hex[:8]}"
        if system.kind in {"trivium", "raw"}:
            group = group.removeprefix(prefix)  # Trivium's settings put the prefix before it
        given = {"address": self._stage.address, "prefix": prefix, "group": group, "records": str(records)}
        state, output, log = (self._stage.folder / f"{group}.{kind}" for kind in ("state", "json", "log"))
        command = system.command(self._environment, given, state)
        began, cpu_began = time.perf_counter(), _children_seconds()
        with running(self._stage, command, log.name, output) as process:
            if meanwhile is not None:
                meanwhile()
                process.terminate()
            self._await(system, process, log, STOP_SECONDS if meanwhile is not None else BACKLOG_SECONDS)
        told = Told(_last_line(output), _children_seconds() - cpu_began, time.perf_counter() - began)
        shutil.rmtree(state, ignore_errors=True)
        return told

    def _await(self, system: System, process: subprocess.Popen[bytes], log: Path, seconds: float) -> None:
        ended = process.wait(seconds)
        if ended not in {0, 143}:  # Java says 143 after SIGTERM, whatever was told before
            raise_ended(system.name, process, log)

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

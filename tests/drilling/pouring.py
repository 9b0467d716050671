"""What is poured in: mutated records at their pace, and beside them one clean speaker after another.

    Mutator -> batches -> topics;  trivium replay -> topics

No more is poured while the service has records to read: what is asked here is what bad records do, not how fast the machine
is. Overload, which may cost the speaker pictures, is asked elsewhere.

Heartbeats and ends among the mutants have no outcome, so they are counted here by reading them as the service does.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aiokafka import AIOKafkaProducer

from stream.config import Settings
from stream.errors import RecordError
from stream.frame import Frame, Modality, Record, parse
from stream.scene import Scene, takes, timed
from tests.benchmarks.processes import TRIVIUM, Service, Stage, raise_ended
from tests.benchmarks.report import progress
from tests.mutation import SESSIONS, Mutant, Mutator, ends
from tests.raw_records import send_batch

PARTITIONS = 2
TRANCHE_SECONDS = 0.05
BATCH_BYTES = 700_000
BATCH_RECORDS = 40
UNREAD_RECORDS = 30  # more than these, and the service is given time to read them
LAG_SECONDS = 0.25  # between looks at them
RESIDENT = "VmRSS"
TOLD_RECORDS = 1_000


@dataclass(frozen=True)
class Pour:
    """How many records, how fast at most, and what draws their changes."""

    records: int = 2_000
    per_second: float = 100.0
    seed: int = 0


@dataclass
class Sent:
    """What was sent, and how the service bore it.

    Attributes
    ----------
    signals : int
        Mutants that are valid heartbeats or ends.
    clean_frames : int
        Of each clean session.
    resident_mib : list
        At each look, of the service and then of each of its decoding processes.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    signals: int = 0
    clean_frames: int = 0
    resident_mib: list[list[float]] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        """All mutants."""
        return self.kinds.total()


async def pour(stage: Stage, service: Service, clip: Path, order: Pour) -> Sent:
    """Mutants at their pace, and one clean session after another until the last is sent."""
    settings = stage.settings()
    pieces = list(timed(takes([clip], Scene()), Scene()))
    sent, over = Sent(clean_frames=sum(isinstance(piece.item, Frame) for piece in pieces)), asyncio.Event()
    mutator = iter(Mutator(pieces, order.seed, PARTITIONS))
    producer, keeps_up = AIOKafkaProducer(**settings.client_options(), max_request_size=2 << 20), asyncio.Event()
    async with producer, asyncio.TaskGroup() as tasks:
        tasks.create_task(_speak(stage, clip, sent, over))
        tasks.create_task(_look(service, sent, over))
        tasks.create_task(_follow(service, keeps_up, over))
        due = time.monotonic()
        while sent.records < order.records:
            if not sent.records % TOLD_RECORDS:
                progress(f"{sent.records} of {order.records} records sent")
            if not keeps_up.is_set():
                await keeps_up.wait()
                due = time.monotonic()
            count = min(order.records - sent.records, round(order.per_second * TRANCHE_SECONDS))
            await _send(producer, settings, [next(mutator) for _ in range(count)], sent)
            due += TRANCHE_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        last = [mutant for session in range(SESSIONS) for mutant in ends(session, PARTITIONS)]
        await _send(producer, settings, last, sent)
        over.set()
    return sent


def resident_mib(service: Service, numbers: Sequence[int]) -> list[float]:
    """Of each of its processes."""
    found = [
        int(line.split()[1]) / 1024
        for number in numbers
        for line in Path(f"/proc/{number}/status").read_text().splitlines()
        if line.startswith(RESIDENT)
    ]
    if len(found) < len(numbers):  # one has just ended
        service.process.wait()
        service.check()
    return found


async def _send(producer: AIOKafkaProducer, settings: Settings, mutants: Sequence[Mutant], sent: Sent) -> None:
    """Batches of one partition each, as many records in one as fit."""
    batches: dict[tuple[Modality, int], list[list[Mutant]]] = defaultdict(lambda: [[]])
    for mutant in mutants:
        sent.kinds[mutant.kind] += 1
        sent.signals += _is_signal(mutant, settings)
        road = batches[mutant.modality, mutant.partition]
        if len(road[-1]) >= BATCH_RECORDS or sum(map(_size, (*road[-1], mutant))) > BATCH_BYTES:
            road.append([])
        road[-1].append(mutant)
    for (modality, partition), road in batches.items():
        for batch in filter(None, road):
            topic = settings.topic_prefix + modality
            await send_batch(producer, topic, partition, [mutant.raw for mutant in batch])


def _size(mutant: Mutant) -> int:
    raw = mutant.raw
    headers = sum(len(name) + len(value or b"") + 8 for name, value in raw.headers)
    return len(raw.key or b"") + len(raw.value or b"") + headers


def _is_signal(mutant: Mutant, settings: Settings) -> bool:
    raw = mutant.raw
    headers = tuple((name.decode(errors="backslashreplace"), value) for name, value in raw.headers)
    record = Record(mutant.modality, 0, 0, raw.timestamp_ms or 0, raw.key, raw.value, headers)  # type: ignore[arg-type]
    types = {
        Modality.TEXT: settings.default_text_type,
        Modality.AUDIO: settings.default_audio_type,
        Modality.VIDEO: settings.default_video_type,
    }
    try:
        return not isinstance(parse(record, mutant.modality, types, settings.max_record_bytes), Frame)
    except RecordError:
        return False


async def _speak(stage: Stage, clip: Path, sent: Sent, over: asyncio.Event) -> None:
    while not over.is_set():
        name = f"clean-{len(sent.clean)}"
        sent.clean.append(name)
        command = [*TRIVIUM, "replay", "--session", name, clip]
        log = f"replay-{name}.log"
        replay = stage.start([str(word) for word in command], log)
        if await asyncio.to_thread(replay.wait):
            raise_ended("trivium replay", replay, stage.folder / log)


async def _follow(service: Service, keeps_up: asyncio.Event, over: asyncio.Event) -> None:
    while not over.is_set():
        unread = (await asyncio.to_thread(service.metrics)).get("trivium_consumer_lag_records", 0)
        (keeps_up.set if unread <= UNREAD_RECORDS else keeps_up.clear)()
        await asyncio.sleep(LAG_SECONDS)


async def _look(service: Service, sent: Sent, over: asyncio.Event) -> None:
    numbers = service.process_ids()
    while not over.is_set():
        sent.resident_mib.append(resident_mib(service, numbers))
        await asyncio.sleep(TRANCHE_SECONDS)

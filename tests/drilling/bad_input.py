"""Bad input: thousands of mutated records beside one clean speaker after another, and every one of them accounted for.

    mutants, clean sessions -> [trivium serve] -> outcomes + dead letters = records; clean finals as without the mutants

Each record ends as one dead letter or one counted outcome; heartbeats and ends, which are neither, are counted here by reading
them as the service does. Clean finals are held against `trivium recognize`, and timed from the arrival of the last sound used.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from models.synthetic import speak, write_clip
from stream import topics
from stream.clients import fetched
from stream.config import Settings
from stream.errors import Reason, RecordError
from stream.frame import Frame, Modality, Record, parse
from stream.publish import Prediction, read_result
from stream.scene import Scene, takes, timed
from tests.benchmarks.processes import TRIVIUM, Service, Stage, _get, raise_ended, serving, stage
from tests.benchmarks.report import benchmark_parser, progress, report
from tests.mutation import SESSIONS, Mutant, Mutator, ends
from tests.raw_records import send_batch

PARTITIONS = 2
SETTINGS = {"TRIVIUM_PARTITIONS": str(PARTITIONS), "TRIVIUM_SESSION_END_MS": "3000"}
TRANCHE_SECONDS = 0.05
BATCH_BYTES = 700_000
BATCH_RECORDS = 40
REST_SECONDS = 60.0
RESIDENT = "VmRSS"
HOP_MS = 320
TOLD_RECORDS = 1_000
TWICE = ("corrupt", "overflow")  # outcomes that are dead letters as well


@dataclass
class Sent:
    """What was sent, and how the service bore it.

    Attributes
    ----------
    signals : int
        Mutants that are valid heartbeats or ends.
    clean_frames : int
        Of each clean session.
    """

    kinds: Counter[str] = field(default_factory=Counter)
    signals: int = 0
    clean_frames: int = 0
    resident_mib: list[float] = field(default_factory=list)
    clean: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        """All mutants."""
        return self.kinds.total()


def drill(
    stage: Stage, clip: Path, *, records: int = 2_000, per_second: float = 100.0, seed: int = 0
) -> dict[str, Any]:
    """Run it; what came of it. Nothing is judged here."""
    stage = replace(stage, environment=stage.environment | SETTINGS)
    settings = stage.settings()
    alone = subprocess.Popen(
        [*TRIVIUM, "recognize", "--json", "--session", "alone", clip], stdout=subprocess.PIPE, env=stage.environment
    )
    with serving(stage) as service:
        expected = [_heard(Prediction.model_validate_json(line)) for line in alone.communicate()[0].splitlines()]
        began, used = time.monotonic(), _processor_seconds(service)
        sent = asyncio.run(_pour(stage, settings, service, clip, records, per_second, seed))
        seconds = time.monotonic() - began
        counted = _at_rest(service, sent)
        used = _processor_seconds(service) - used
        ready = _get(service.address, "/readyz")[0]
        sent.resident_mib.append(_resident_mib(service))
        service.check()
    letters, finals = asyncio.run(_told(settings, sent.clean))
    return {
        "records": sent.records,
        "kinds": len(sent.kinds),
        "seconds": round(seconds, 1),
        "processor_ms_a_record": round(1000 * used / sent.records, 2),
        **_account(counted, sent),
        "letters": len(letters),
        "letters_by_reason": dict(Counter(letters).most_common()),
        "unknown_reasons": sorted({*letters} - {*Reason}),
        "ready": ready,
        "stopped_with": service.process.returncode,
        **_memory(sent.resident_mib),
        "clean_sessions": len(sent.clean),
        "clean_finals": sum(map(len, finals.values())),
        "clean_changed": sorted(name for name in sent.clean if [_heard(one) for one in finals[name]] != expected),
        "clean_ms_most": max(
            (one.times.published_ms - one.times.ingested_ms for its in finals.values() for one in its), default=None
        ),
    }


# What is sent


async def _pour(
    stage: Stage, settings: Settings, service: Service, clip: Path, records: int, per_second: float, seed: int
) -> Sent:
    """Mutants at their pace, and one clean session after another until the last is sent."""
    pieces = list(timed(takes([clip], Scene()), Scene()))
    sent, over = Sent(clean_frames=sum(isinstance(piece.item, Frame) for piece in pieces)), asyncio.Event()
    mutator = iter(Mutator(pieces, seed, PARTITIONS))
    producer = AIOKafkaProducer(**settings.client_options(), max_request_size=2 << 20)
    async with producer, asyncio.TaskGroup() as tasks:
        tasks.create_task(_speak(stage, clip, sent, over))
        tasks.create_task(_look(service, sent, over))
        due = time.monotonic()
        while sent.records < records:
            if not sent.records % TOLD_RECORDS:
                progress(f"{sent.records} of {records} records sent")
            tranche = [next(mutator) for _ in range(min(records - sent.records, round(per_second * TRANCHE_SECONDS)))]
            await _send(producer, settings, tranche, sent)
            due += TRANCHE_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        last = [mutant for session in range(SESSIONS) for mutant in ends(session, PARTITIONS)]
        await _send(producer, settings, last, sent)
        over.set()
    return sent


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


async def _look(service: Service, sent: Sent, over: asyncio.Event) -> None:
    while not over.is_set():
        sent.resident_mib.append(_resident_mib(service))
        await asyncio.sleep(TRANCHE_SECONDS)


def _resident_mib(service: Service) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    found = [int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith(RESIDENT)]
    if not found:  # it has just ended
        service.process.wait()
        service.check()
    return found[0]


def _processor_seconds(service: Service) -> float:
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# What came of it


def _at_rest(service: Service, sent: Sent) -> dict[str, Counter[str]]:
    """The counts once they cover all records and no session is open, or as they are after a while."""
    end = time.monotonic() + REST_SECONDS
    while True:
        counted = _counts(service)
        resting = not counted["sessions"]["active"] and not _account(counted, sent)["unaccounted"]
        if resting or time.monotonic() > end:
            return counted
        service.check()
        time.sleep(0.2)


def _counts(service: Service) -> dict[str, Counter[str]]:
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    names = {"trivium_frames_total": "outcome", "trivium_dead_letters_total": "reason"}
    for family in text_string_to_metric_families(_get(service.address, "/metrics")[1]):
        for sample in family.samples:
            if sample.name in names:
                counted[names[sample.name]][sample.labels[names[sample.name]]] += int(sample.value)
            elif sample.name == "trivium_sessions_active":
                counted["sessions"]["active"] = int(sample.value)
            elif sample.name == "trivium_sessions_ended_total":
                counted["ended"][sample.labels["reason"]] += int(sample.value)
    return counted


def _account(counted: dict[str, Counter[str]], sent: Sent) -> dict[str, Any]:
    """What is known of how many records; what is left over is a mistake, more than there were as much as fewer."""
    outcomes, letters = counted["outcome"], counted["reason"].total()
    frames = sum(count for outcome, count in outcomes.items() if outcome not in TWICE)
    return {
        "outcomes": dict(outcomes.most_common()),
        "dead_letters": letters,
        "signals": sent.signals,
        "sessions_ended": dict(counted["ended"]),
        "unaccounted": sent.records + len(sent.clean) * sent.clean_frames - sent.signals - frames - letters,
    }


def _memory(resident_mib: Sequence[float]) -> dict[str, float]:
    """When it began, at its most, a fifth on the way and at the end."""
    moments = {"first": 0, "fifth": len(resident_mib) // 5, "last": -1}
    found = {name: round(resident_mib[place], 1) for name, place in moments.items()}
    return {f"resident_mib_{name}": value for name, value in (found | {"most": round(max(resident_mib), 1)}).items()}


async def _told(settings: Settings, clean: Sequence[str]) -> tuple[list[str], dict[str, list[Prediction]]]:
    """Reasons of all dead letters, finals of the clean sessions."""
    letters = [dict(one.headers)["trivium_reason"].decode() async for one in _all(settings, topics.DEAD_LETTERS)]
    finals: dict[str, list[Prediction]] = {name: [] for name in clean}
    async for one in _all(settings, topics.PREDICTIONS):
        message = read_result(fetched(one))
        if isinstance(message, Prediction) and message.is_final and message.session in finals:
            finals[message.session].append(message)
    return letters, finals


async def _all(settings: Settings, name: str) -> AsyncIterator[ConsumerRecord]:
    """Everything that a topic holds."""
    topic = settings.topic_prefix + name
    options = {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
    async with AIOKafkaConsumer(**settings.client_options(), **options) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        while any([await consumer.position(one) < end for one, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    yield record


def _heard(final: Prediction) -> tuple[object, ...]:
    """What must not depend on when it was played, or beside what."""
    zero_ms = final.start_ms // HOP_MS * HOP_MS
    words = [(word.word, round(word.start_ms - zero_ms), round(word.end_ms - zero_ms)) for word in final.words]
    statuses = [result.status for result in final.modalities.values()]
    return final.text, round(final.end_ms - zero_ms), words, statuses


def main() -> None:
    """Run it and report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="mutated records")
    parser.add_argument("--per-second", type=float, default=100.0, help="how fast they come")
    parser.add_argument("--seed", type=int, default=0, help="the same seed changes records in the same ways")
    options = parser.parse_args()
    with stage() as set_stage:
        clip = set_stage.folder / "synthetic.mp4"
        write_clip(clip, speak(seed=3, sentences=2))
        found = drill(set_stage, clip, records=options.records, per_second=options.per_second, seed=options.seed)
    report("bad_input", found)


if __name__ == "__main__":
    main()

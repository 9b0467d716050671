"""What became of what was poured in, as the service's metrics, its dead letters and its finals tell.

metrics -> outcomes + dead letters = records;  topics -> letters, finals of the clean sessions
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from stream import topics
from stream.clients import fetched
from stream.config import Settings
from stream.publish import Prediction, read_result
from tests.benchmarks.processes import Service, _get
from tests.drilling.pouring import PARTITIONS, Sent

REST_SECONDS = 60.0
TWICE = ("corrupt", "overflow")  # outcomes that are dead letters as well


def at_rest(service: Service, sent: Sent) -> dict[str, Counter[str]]:
    """The counts once they cover all records and no session is open, or as they are after a while."""
    end = time.monotonic() + REST_SECONDS
    while True:
        counted = _counts(service)
        resting = not counted["sessions"]["active"] and not account(counted, sent)["unaccounted"]
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


def account(counted: dict[str, Counter[str]], sent: Sent) -> dict[str, Any]:
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


def memory(resident_mib: Sequence[Sequence[float]]) -> dict[str, float]:
    """Of the service itself when it began, a fifth on the way, at the end and at its most; and by what any process grew."""
    itself = [each[0] for each in resident_mib]
    moments = {"first": itself[0], "fifth": itself[len(itself) // 5], "last": itself[-1], "most": max(itself)}
    growth = max(max(column) - column[0] for column in zip(*resident_mib, strict=True))
    return {
        **{f"resident_mib_{name}": round(value, 1) for name, value in moments.items()},
        "growth_mib": round(growth, 1),
    }


async def told(settings: Settings, clean: Sequence[str]) -> tuple[list[str], dict[str, list[Prediction]]]:
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

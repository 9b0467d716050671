"""Kafka clients of the service, with every default replaced that would be wrong here.

Beside the path: `service.py` and `owner.py` ask for clients and never name an option themselves.
"""

from __future__ import annotations

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor

from stream.config import Settings
from stream.frame import Record

KAFKA_REQUEST_BYTES = 1 << 20  # what brokers take by default
ENVELOPE_BYTES = (
    128 * 1024
)  # key, headers and framing beside a dead letter's value: 32 KiB of original headers and ours
TRANSACTION_TIMEOUT_MS = 10_000  # a lane that hangs holds up the readers of its partition for no longer
OUTAGE_MS = 120_000  # a record that waits this long for its acknowledgement stops the process
GROUP_SESSION_MS = 6_000  # so long nobody has a killed worker's lanes; brokers allow no less by default
HEARTBEAT_MS = 2_000
REBALANCE_MS = 60_000  # a live member may take so long to finish its steps and commits before its lanes move
EVENTS_FETCH_BYTES = 256 * 1024  # of a partition at once, by each reader of events
FETCH_WAIT_MS = 100  # a partition that is resumed waits for the fetch under way at most this long


def input_consumer(settings: Settings) -> AIOKafkaConsumer:
    """The one consumer of a process: group member, commits only what it is told to.

    The range assignor gives one member the same partition number of all topics; the default, round robin, would not.
    """
    return AIOKafkaConsumer(
        **settings.client_options(),
        group_id=group(settings),
        group_instance_id=settings.instance_id,
        partition_assignment_strategy=(RangePartitionAssignor,),
        session_timeout_ms=GROUP_SESSION_MS,
        rebalance_timeout_ms=REBALANCE_MS,
        heartbeat_interval_ms=HEARTBEAT_MS,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_WAIT_MS,
        max_partition_fetch_bytes=_request_bytes(settings),
    )


def partition_reader(settings: Settings, partition: TopicPartition) -> AIOKafkaConsumer:
    """A consumer outside any group that reads one partition from its beginning."""
    reader = AIOKafkaConsumer(
        **settings.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    reader.assign([partition])
    return reader


def events_reader(settings: Settings) -> AIOKafkaConsumer:
    """A consumer outside any group that is told what to read, and raises where that is no longer there."""
    return AIOKafkaConsumer(
        **settings.client_options(),
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level="read_committed",
        max_partition_fetch_bytes=EVENTS_FETCH_BYTES,
    )


def producer(settings: Settings, **options: str | int) -> AIOKafkaProducer:
    """A producer whose acknowledged records are on all replicas, in the order they were sent."""
    return AIOKafkaProducer(
        **settings.client_options(),
        **options,
        acks="all",
        enable_idempotence=True,
        max_request_size=_request_bytes(settings),
        request_timeout_ms=OUTAGE_MS,
    )


def lane_producer(settings: Settings, number: int) -> AIOKafkaProducer:
    """The transactional producer of one lane: starting it fences whoever had the lane before."""
    name = f"{group(settings)}-{number}"
    return producer(settings, transactional_id=name, transaction_timeout_ms=TRANSACTION_TIMEOUT_MS)


def fetched(record: ConsumerRecord) -> Record:
    """A record as the path has it."""
    return Record(
        record.topic, record.partition, record.offset, record.timestamp, record.key, record.value, record.headers
    )


def group(settings: Settings) -> str:
    """The consumer group's full name."""
    return settings.topic_prefix + settings.group


def _request_bytes(settings: Settings) -> int:
    return max(KAFKA_REQUEST_BYTES, settings.max_record_bytes + ENVELOPE_BYTES)

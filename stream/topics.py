"""The topics: their names, how long they hold, and that all have the same partitions.

Stands before the path: whoever writes or serves calls `prepare` first, whoever only checks lets it look. Knows Kafka's admin
client, no records.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from stream.errors import BrokerError

if TYPE_CHECKING:
    from stream.config import Settings

HOUR_MS = 3_600_000
INPUTS = ("text", "audio", "video")
PREDICTIONS = "predictions"
PROGRESS = "progress"
DEAD_LETTERS = "dead-letters"
LATE = "late"
PROGRESS_SEGMENT_BYTES = 16 << 20  # the newest segment is never compacted, and whoever takes a lane over reads it all
CONFIGS = {
    **{name: {"retention.ms": str(HOUR_MS)} for name in INPUTS},
    PREDICTIONS: {"retention.ms": str(7 * 24 * HOUR_MS)},
    PROGRESS: {"cleanup.policy": "compact", "segment.bytes": str(PROGRESS_SEGMENT_BYTES)},
    DEAD_LETTERS: {"retention.ms": str(7 * 24 * HOUR_MS)},
    LATE: {"retention.ms": str(24 * HOUR_MS)},
}
MAX_REPLICAS = 3
VISIBLE_SECONDS = 15.0  # how long a new topic may take to be seen by the broker asked


async def prepare(settings: Settings, *, only_look: bool = False) -> list[str]:
    """Create the topics that are missing, unless `create_topics` is false, and check their partitions.

    Parameters
    ----------
    only_look : bool
        Create nothing: those that would be created are no fault, and are what is returned.

    Raises
    ------
    BrokerError
        If Kafka does not answer, or with one line of all topics that are not as the settings say.
    """
    async with reaching(settings), _admin(settings) as admin:
        found = await _partitions(admin)
        missing = [name for name in _expected(settings) if name not in found and settings.create_topics]
        if missing and not only_look:
            await _create(admin, settings, missing)
            found, missing = await _partitions(admin), []
    faults = [
        f"topic '{name}' has {found.get(name, 0)} partitions, expected {settings.partitions}"
        for name in _expected(settings)
        if name not in missing and found.get(name) != settings.partitions
    ]
    if faults:
        remedy = "create them so, set partitions, or let create_topics be true where they are missing"
        raise BrokerError(f"{'; '.join(faults)}: {remedy}.")
    return missing


async def partitions(settings: Settings) -> dict[str, int]:
    """Partition counts of all topics that there are, by their full names."""
    async with reaching(settings), _admin(settings) as admin:
        return await _partitions(admin)


@asynccontextmanager
async def reaching(settings: Settings) -> AsyncIterator[None]:
    """Turn what a Kafka client raises into a `BrokerError` that says which broker and what to do."""
    try:
        yield
    except (KafkaError, OSError) as error:
        told = str(error).removeprefix(f"{type(error).__name__}: ") or type(error).__name__
        if "bootstrap" in told:  # the client shows its own tuples of addresses
            told = "nothing there answers"
        raise BrokerError(
            f"Kafka at {settings.bootstrap_servers} failed: {told}. "
            "Start it with deploy/kafka start, or set bootstrap_servers."
        ) from error


def _expected(settings: Settings) -> dict[str, dict[str, str]]:
    return {settings.topic_prefix + name: config for name, config in CONFIGS.items()}


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**settings.client_options())
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    """All topics' partition counts; asked for by name, a broker might create them by itself."""
    return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}


async def _create(admin: AIOKafkaAdminClient, settings: Settings, names: Sequence[str]) -> None:
    brokers = len((await admin.describe_cluster())["brokers"])
    configs = _expected(settings)
    wanted = [
        NewTopic(name, settings.partitions, min(MAX_REPLICAS, brokers), topic_configs=configs[name]) for name in names
    ]
    answer = await admin.create_topics(wanted)
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:  # another process may have been quicker
            raise BrokerError(f"Topic '{name}' cannot be created ({error.__name__}): create it, or allow it.")
    async with asyncio.timeout(VISIBLE_SECONDS):
        while set(names).difference(await _partitions(admin)):  # noqa: ASYNC110 - Kafka does not tell, it must be asked
            await asyncio.sleep(0.05)

"""Whether a Kafka broker answers a real client: the same client library that the service uses."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

TIMEOUT_SECONDS = 3


def answers(address: str) -> bool:
    """Whether the broker at `HOST:PORT` is registered in its cluster and says so to a client."""
    return _listens(address) and asyncio.run(_describes_itself(address))


def _listens(address: str) -> bool:
    """Cheap, and quiet where the client would log an error for a port that is still closed."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


async def _describes_itself(address: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=TIMEOUT_SECONDS * 1000)
    with _quiet_client():
        try:
            await client.start()
            cluster = await client.describe_cluster()
        except (KafkaError, OSError):
            return False
        finally:
            await client.close()
    return bool(cluster["brokers"])


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client from logging errors: not to be answered yet is what is being found out."""
    logger = logging.getLogger("aiokafka")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)

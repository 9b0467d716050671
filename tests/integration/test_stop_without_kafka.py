"""The service ends when it is told to, though its broker has gone and the client waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.broker import Broker
from deploy.command import CACHE
from stream.stop import STOP_SECONDS
from tests.command import interrupted, line_with, started, trivium
from tests.synthetic_clips import SyntheticClip

GRACE_SECONDS = 10  # for what is done before


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[tuple[Broker, str]]:
    """A broker of this test's own, and its address."""
    broker = Broker(tmp_path / "kafka", CACHE / "jars")
    try:
        yield broker, broker.start(attached=True)
    finally:
        broker.stop()


async def test_a_stop_ends_in_time_though_the_broker_has_gone(
    mortal: tuple[Broker, str], synthetic_clip: SyntheticClip
) -> None:
    broker, address = mortal
    async with started("serve", "--http", "127.0.0.1:0", KAFKA_BOOTSTRAP_SERVERS=address) as serving:
        await line_with(serving.stderr, "lane taken over")
        await trivium("replay", "--speed", "0", synthetic_clip.path, KAFKA_BOOTSTRAP_SERVERS=address)
        await asyncio.to_thread(broker.stop)
        began = time.monotonic()
        done = await interrupted(serving)
    assert done.code == 1
    assert "what was not committed yet is computed again at the next start" in done.errors.splitlines()[-1]
    assert time.monotonic() - began < STOP_SECONDS + GRACE_SECONDS

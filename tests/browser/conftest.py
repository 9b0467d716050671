"""What the tests of the pages share: one service on topics of its own, and a clip of somebody who speaks."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from models.tasks import speech
from stream.config import Settings
from stream.noise import grid_folder
from tests.browsing import Fake, Service, fake_of
from tests.command import ONE_DECODER
from tests.synthetic_clips import SyntheticClip

PARTITIONS = 2
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="package")
def environment(broker: str) -> Iterator[dict[str, str]]:
    """Give the settings of a service on topics that no other test uses; the topics are removed afterwards."""
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    others = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
    own = {"KAFKA_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": prefix, "TRIVIUM_PARTITIONS": str(PARTITIONS)}
    yield others | ONE_DECODER | own
    asyncio.run(_remove(broker, prefix))


@pytest.fixture(scope="package")
def settings(environment: dict[str, str]) -> Settings:
    """Give the same as settings, for what the tests read from Kafka."""
    return Settings.load(None, environment)


@pytest.fixture(scope="package")
def service(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Give a service that is ready; a test that kills it starts it again."""
    served = Service(environment, tmp_path_factory.mktemp("service") / "serve.log")
    served.start()
    yield served
    served.stop()


@pytest.fixture(scope="package")
def spoken(synthetic_clip: SyntheticClip) -> Path:
    """Give a clip of a real person where there are any, else of the synthetic speaker."""
    real = grid_folder() / f"{speech.held_out('test')[0]}.mp4"
    return real if real.is_file() else synthetic_clip.path


@pytest.fixture(scope="package")
def fake(spoken: Path, tmp_path_factory: pytest.TempPathFactory) -> Fake:
    """Give it as camera and microphone."""
    return fake_of(spoken, tmp_path_factory.mktemp("fake"))


@pytest.fixture(scope="package")
def drawn(synthetic_clip: SyntheticClip, tmp_path_factory: pytest.TempPathFactory) -> Fake:
    """Give the synthetic speaker, who is nobody, as camera and microphone."""
    return fake_of(synthetic_clip.path, tmp_path_factory.mktemp("drawn"))


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Give the folder that screenshots go to: docs where they are asked for, else one that is forgotten."""
    return ROOT / "docs" if request.config.getoption("--screenshots") else tmp_path


async def _remove(broker: str, prefix: str) -> None:
    client = AIOKafkaAdminClient(bootstrap_servers=broker)
    await client.start()
    try:
        await client.delete_topics([topic for topic in await client.list_topics() if topic.startswith(prefix)])
    finally:
        await client.close()

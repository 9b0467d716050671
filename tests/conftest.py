"""What the tests share: a real broker, fresh topics on it, and the clips of real people where they are."""

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from hypothesis import settings

from deploy.probe import answers
from stream.noise import grid_folder

pytest_plugins = ("tests.synthetic_clips",)

GRID = grid_folder()

# A busy machine is no bug, so no deadline; in CI the same examples every time.
settings.register_profile("trivium", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("trivium")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the README's pictures of the pages be taken anew."""
    parser.addoption("--screenshots", action="store_true", help="write docs/live.png and docs/session.png anew")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what needs the clips where they are not; the summary says so."""
    needs = [item for item in items if "grid" in getattr(item, "fixturenames", ())]
    if os.environ.get("TRIVIUM_GRID") and not GRID.is_dir():
        raise pytest.UsageError(f"TRIVIUM_GRID is {GRID}, which is no folder: name the folder of the clips or unset it")
    if not GRID.is_dir():
        config.hook.pytest_deselected(items=needs)
        items[:] = [item for item in items if item not in needs]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say whether the clips of real people were there."""
    if GRID.is_dir():
        terminalreporter.write_line(f"grid clips: {GRID}")
    else:
        terminalreporter.write_line(
            f"grid clips: not at {GRID}, tests that need them left out (TRIVIUM_GRID names another place)"
        )


@pytest.fixture(scope="session")
def grid() -> Path:
    """Give the folder of the clips of real people; a test that asks for it is left out where there is none."""
    return GRID


@pytest.fixture(scope="session")
def broker() -> str:
    """Give the bootstrap servers of a real broker; without one the test fails, it is never skipped."""
    address = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if not address:
        pytest.fail('KAFKA_BOOTSTRAP_SERVERS is not set: run tests/run, or export "$(deploy/kafka start)" first')
    if not any(answers(one) for one in address.split(",")):
        pytest.fail(f"KAFKA_BOOTSTRAP_SERVERS is {address}, and no broker answers there: deploy/kafka logs")
    return address


@pytest.fixture
async def topic_prefix(broker: str) -> AsyncIterator[str]:
    """Give a prefix that no other test uses; topics that bear it are removed afterwards, and what groups read of them."""
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    yield prefix
    client = AIOKafkaAdminClient(bootstrap_servers=broker)
    await client.start()
    try:
        topics = [topic for topic in await client.list_topics() if topic.startswith(prefix)]
        if topics:
            await client.delete_topics(topics)
    finally:
        await client.close()

"""The demo as a user runs it: captions that appear, change and become final, and nothing left behind."""

import os
import re
import signal
import wave
from pathlib import Path

import httpx
import pytest

from tests.command import ended, interrupted, line_with, started, trivium, until
from tests.synthetic_clips import SyntheticClip


@pytest.fixture
def environment(broker: str, topic_prefix: str) -> dict[str, str]:
    return {"KAFKA_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": topic_prefix, "TRIVIUM_PARTITIONS": "2"}


def services(prefix: str) -> list[int]:
    """Find the processes of `trivium serve` that were given this topic prefix."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            words, variables = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        if b"\0serve\0" in words and f"TRIVIUM_TOPIC_PREFIX={prefix}".encode() in variables:
            found.append(int(folder.name))
    return found


async def test_the_demo_shows_captions_until_they_are_final_and_leaves_nothing_running(
    environment: dict[str, str], topic_prefix: str
) -> None:
    done = await trivium("demo", **environment)
    assert done.code == 0, done.errors
    assert "synthetic: a drawn face and a computed voice, no person" in done.output
    assert re.search(r"rev 1 .* \+\d+ ms .*audio \d+", done.output)
    assert re.search(r"final .* \+\d+ ms .*video \d+ %", done.output)
    assert "said:" in done.output
    assert services(topic_prefix) == []


async def test_the_demo_plays_clips_of_the_users_own(
    environment: dict[str, str], synthetic_clip: SyntheticClip
) -> None:
    done = await trivium("demo", synthetic_clip.path, **environment)
    assert done.code == 0, done.errors
    assert re.search(r"synthetic-\d{6} +ended \(end\), finals: \d", done.output)
    assert "no person" not in done.output


async def test_a_demo_in_which_nothing_is_said_fails(environment: dict[str, str], tmp_path: Path) -> None:

    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(64_000))
    done = await trivium("demo", path, **environment)
    assert done.code == 1
    assert "No final came for silence-" in done.errors


@pytest.mark.parametrize("moment", ["Kafka answers", "The service was ready", "rev 1"])
async def test_ctrl_c_at_any_moment_stops_all_of_the_demo(
    moment: str, environment: dict[str, str], topic_prefix: str
) -> None:
    async with started("demo", **environment) as process:
        await line_with(process.stdout, moment)
        done = await interrupted(process)
    assert done.code == 130
    assert "Traceback" not in done.errors
    assert services(topic_prefix) == []


async def test_a_kept_demo_says_where_its_page_is_and_how_to_stop_it(
    environment: dict[str, str], topic_prefix: str
) -> None:
    done = await trivium("demo", "--keep", **environment)
    assert done.code == 0, done.errors
    page = re.search(r"See it: (http://\S+/sessions/synthetic-\d{6})\n", done.output)
    assert page is not None
    async with httpx.AsyncClient() as client:
        assert "captions" in (await client.get(page[1])).text
    told = re.search(r"Stop the service: kill (\d+)", done.output)
    assert told is not None
    assert services(topic_prefix) == [int(told[1])]
    os.kill(int(told[1]), signal.SIGTERM)
    await until(lambda: not services(topic_prefix))


async def test_a_demo_that_is_told_to_end_takes_its_service_with_it(
    environment: dict[str, str], topic_prefix: str
) -> None:
    async with started("demo", **environment) as process:
        await line_with(process.stdout, "The service was ready")
        process.send_signal(signal.SIGTERM)
        done = await ended(process)
    assert done.code != 0
    assert services(topic_prefix) == []

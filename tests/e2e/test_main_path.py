"""The main path with real processes and a real broker: clips in, captions out, the same as without a broker."""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from models.synthetic import speak, write_clip
from stream.cues import cues
from tests.command import Done, ended, has_loaded, interrupted, line_with, started, trivium, until
from tests.synthetic_clips import SyntheticClip

HOP_MS = 320
Results = dict[str, list[dict[str, Any]]]


@pytest.fixture
def environment(broker: str, topic_prefix: str) -> dict[str, str]:
    return {"KAFKA_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": topic_prefix, "TRIVIUM_PARTITIONS": "2"}


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    paths = [folder / f"synthetic-{seed}.mp4" for seed in (11, 12, 13)]
    for seed, path in zip((11, 12, 13), paths, strict=True):
        write_clip(path, speak(seed))
    return paths


@asynccontextmanager
async def serving(environment: dict[str, str]) -> AsyncIterator[None]:
    """Run the service until the block ends; it must drain and exit with 0."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    async with started("serve", "--http", address, **environment) as process:
        await line_with(process.stderr, "lane taken over")
        reading = asyncio.create_task(ended(process))
        yield
        process.send_signal(signal.SIGTERM)
        assert (await reading).code == 0


def results(done: Done) -> Results:
    """Sort the JSON lines by session."""
    assert done.code == 0, done.errors
    found: Results = {}
    for line in done.output.splitlines():
        message = orjson.loads(line)
        found.setdefault(message["session"], []).append(message)
    return found


def heard(final: dict[str, Any]) -> dict[str, Any]:
    """Take what must not depend on when and how a clip was played."""
    zero_ms = final["start_ms"] // HOP_MS * HOP_MS
    return {
        "text": final["text"],
        "end_ms": round(final["end_ms"] - zero_ms, 3),
        "words": [
            (word["word"], round(word["start_ms"] - zero_ms, 3), round(word["end_ms"] - zero_ms, 3))
            for word in final["words"]
        ],
        "status": {modality: result["status"] for modality, result in final["modalities"].items()},
    }


def assert_alike(live: Results, alone: Results) -> None:
    assert live.keys() == alone.keys()
    for session, finals in alone.items():
        assert [heard(final) for final in live[session]] == [heard(final) for final in finals]
        for here, there in zip(live[session], finals, strict=True):
            assert here["confidence"] == pytest.approx(there["confidence"], abs=0.01)
            assert (there["epoch"], there["inputs"]) == (0, [])
            assert here["epoch"] > 0
            assert here["inputs"]


async def test_what_is_written_before_the_service_starts_is_recognised_as_without_a_broker(
    clips: list[Path], environment: dict[str, str]
) -> None:
    assert (await trivium("replay", *clips, "--speed", "0", **environment)).code == 0
    async with serving(environment):
        words = ["watch", "--final", "--json", "--from-beginning", "--until-ended", "3", "--timeout", "60"]
        live = results(await trivium(*words, **environment))
    assert_alike(live, results(await trivium("recognize", "--json", *clips)))


async def test_what_is_played_live_is_recognised_as_without_a_broker(
    clips: list[Path], environment: dict[str, str]
) -> None:
    async with serving(environment):
        words = ["watch", "--json", "--from-beginning", "--until-ended", "3", "--timeout", "60"]
        async with started(*words, **environment) as watching:
            assert (await trivium("replay", *clips, **environment)).code == 0
            everything = results(await ended(watching))
    finals = {name: [each for each in its if each.get("is_final")] for name, its in everything.items()}
    assert_alike(finals, results(await trivium("recognize", "--json", *clips)))
    for its in everything.values():
        assert [its[0]["state"], its[-1]["state"]] == ["started", "ended"]
        assert its[-1]["finals"] == sum(each.get("is_final", False) for each in its)


async def test_watch_gives_finals_as_webvtt_timed_from_the_sessions_start(
    synthetic_clip: SyntheticClip, environment: dict[str, str], tmp_path: Path
) -> None:
    assert (await trivium("replay", synthetic_clip.path, "--speed", "0", "--session", "talk", **environment)).code == 0
    async with serving(environment):
        words = ["watch", "--vtt", "--from-beginning", "--session", "talk", "--until-ended", "1", "--timeout", "60"]
        done = await trivium(*words, **environment)
    (tmp_path / "talk.vtt").write_text(done.output)
    shown = cues(tmp_path / "talk.vtt")
    alone = results(await trivium("recognize", "--json", "--session", "talk", synthetic_clip.path))["talk"]
    assert [cue.text for cue in shown] == [final["text"] for final in alone]
    assert all(0 <= cue.time_ns < synthetic_clip.session.duration_s * 1e9 for cue in shown)


async def test_watch_fails_when_too_few_sessions_end_in_time(environment: dict[str, str]) -> None:
    done = await trivium("watch", "--until-ended", "2", "--timeout", "1", **environment)
    assert done.code == 1
    assert "0 sessions ended within 1 s, expected 2" in done.errors


async def test_recognize_prints_finals_and_with_interims_what_came_before_them(synthetic_clip: SyntheticClip) -> None:
    done = await trivium("recognize", "--json", "--interims", synthetic_clip.path)
    its = results(done)["synthetic"]
    assert [each["is_final"] for each in its].count(True) == len(
        results(await trivium("recognize", "--json", synthetic_clip.path))["synthetic"]
    )
    assert [(each["segment"], each["is_final"], each["revision"]) for each in its] == sorted(
        (each["segment"], each["is_final"], each["revision"]) for each in its
    )


@pytest.mark.parametrize("words", [["replay"], ["watch"]])
async def test_ctrl_c_ends_a_command_with_130(
    words: list[str], synthetic_clip: SyntheticClip, environment: dict[str, str]
) -> None:
    words = [*words, str(synthetic_clip.path)] if words == ["replay"] else words
    async with serving(environment), started(*words, **environment) as process:
        await until(lambda: has_loaded(process.pid, "aiokafka"))
        done = await interrupted(process)
    assert done.code == 130
    assert "Traceback" not in done.errors

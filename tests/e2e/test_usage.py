"""Wrong usage and absent things: the real command, its real exit code, one line that says what to do."""

import shutil
from pathlib import Path

import orjson
import pytest

from tests.command import Done, has_loaded, interrupted, started, trivium, until
from tests.synthetic_clips import SyntheticClip

COMMANDS = ("demo", "serve", "check", "replay", "recognize", "watch", "schema")
NO_BROKER = {"TRIVIUM_BOOTSTRAP_SERVERS": "127.0.0.1:1"}


def told(done: Done) -> str:
    """Give the one line of an error."""
    lines = [line for line in done.errors.splitlines() if line.startswith("trivium: ")]
    assert len(lines) == 1, done.errors
    assert "Traceback" not in done.errors
    return lines[0]


@pytest.mark.parametrize("command", COMMANDS)
async def test_every_command_explains_itself_with_an_example(command: str) -> None:
    done = await trivium(command, "--help")
    assert done.code == 0
    assert f"Example: trivium {command}" in done.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "Missing command"),
        (["sing"], "No such command 'sing'"),
        (["replay"], "Missing argument 'CLIP'"),
        (["replay", "nothing.mp4"], "nothing.mp4' is not there"),
        (["recognize", "nothing.mp4"], "nothing.mp4' is not there"),
        (["demo", "nothing.mp4"], "nothing.mp4' is not there"),
        (["replay", "a.mp4", "--speed", "fast"], "--speed"),
        (["replay", "a.mp4", "--gap-ms", "3000-1000"], "--gap-ms is '3000-1000'"),
        (["replay", "a.mp4", "--drop", "smell=0.1"], "--drop is 'smell=0.1'"),
        (["replay", "a.mp4", "--drop", "audio=2"], "--drop is 'audio=2'"),
        (["replay", "a.mp4", "--without", "text", "--without", "audio", "--without", "video"], "leaves nothing"),
        (["recognize", "a.mp4", "--text", "nothing.vtt"], "--text is 'nothing.vtt'"),
        (["watch", "--json", "--vtt"], "--json and --vtt"),
        (["watch", "--timeout", "3"], "without --until-ended"),
        (["serve", "--partitions", "none"], "partitions"),
    ],
)
async def test_wrong_usage_is_told_in_one_line_with_exit_code_2(words: list[str], expected: str) -> None:
    done = await trivium(*words)
    assert done.code == 2
    assert expected in told(done)
    assert done.output == ""


async def test_a_file_that_is_no_clip_is_wrong_usage(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no clip")
    done = await trivium("recognize", path)
    assert done.code == 2
    assert "notes.txt' cannot be read" in told(done)


async def test_two_clips_of_one_stem_are_wrong_usage(synthetic_clip: SyntheticClip, tmp_path: Path) -> None:
    second = shutil.copy(synthetic_clip.path, tmp_path / synthetic_clip.path.name)
    done = await trivium("recognize", synthetic_clip.path, second)
    assert done.code == 2
    assert "would both be session 'synthetic'" in told(done)


@pytest.mark.parametrize("command", ["replay", "watch", "demo"])
async def test_an_absent_broker_is_told_in_one_line_with_exit_code_1(
    command: str, synthetic_clip: SyntheticClip
) -> None:
    words = [synthetic_clip.path] if command != "watch" else []
    done = await trivium(command, *words, **NO_BROKER)
    assert done.code == 1
    assert "Kafka at 127.0.0.1:1 failed" in told(done)
    assert "deploy/kafka start" in told(done)


async def test_check_proves_the_provider_where_no_broker_is_and_then_says_that_none_is() -> None:
    done = await trivium("check", "--provider", "cpu", "--max-batch", "1", "--max-segment-ms", "1000", **NO_BROKER)
    assert done.code == 1
    assert "all vectors come out right on cpu" in done.output
    assert "hops a second" in done.output
    assert "Kafka at 127.0.0.1:1 failed" in told(done)


async def test_an_unknown_bundle_is_told_with_exit_code_2(synthetic_clip: SyntheticClip) -> None:
    done = await trivium("recognize", synthetic_clip.path, TRIVIUM_BUNDLE="nothing")
    assert done.code == 2
    assert "No bundle 'nothing'" in told(done)


async def test_the_schemas_of_both_kinds_of_result_are_printed() -> None:
    done = await trivium("schema")
    assert done.code == 0
    assert set(orjson.loads(done.output)) == {"trivium.prediction.v1", "trivium.session.v1"}


async def test_ctrl_c_while_modules_load_ends_with_130_and_says_nothing(synthetic_clip: SyntheticClip) -> None:
    async with started("recognize", synthetic_clip.path) as process:
        await until(lambda: has_loaded(process.pid, "numpy"))
        done = await interrupted(process)
    assert (done.code, done.output, done.errors) == (130, "", "")

"""Whether `trivium serve` gives what `trivium recognize` gives: from a backlog, and live.

backlog
    100 test clips are written by `trivium replay --speed 0`, then `trivium serve` is started and
    `trivium watch --final --json --from-beginning --until-ended 100` follows it.
live
    `trivium serve` and `trivium watch` run, and 8 clips are played at `--speed 1`, all at once.

Each final is held against the one of `recognize`: session, text, each modality's status and all times relative to the
clip's start must be equal, confidences (of the final and of each word) within 0.01. `recognize` is called as the
function behind its command, since the command's lines do not say when a clip began; where `serve` began is in its
session records. Figure `equal_share`: sessions without a difference over all sessions, of both parts; bar: 1.
Every difference is listed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stream.config import Settings
from stream.publish import Prediction, SessionRecord
from stream.recognize import recognize
from stream.replay import sources
from stream.scene import Scene
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.processes import TRIVIUM, Service, Stage, finish, running, serving, stage
from tests.benchmarks.report import benchmark_parser, progress, report

BACKLOG_CLIPS = 100
LIVE_CLIPS = 8
CONFIDENCE_WITHIN = 0.01
TIMEOUT_SECONDS = 600.0


@dataclass(slots=True)
class Heard:
    """One session: when its clip began, and its finals."""

    start_ms: float | None = None
    finals: list[Prediction] = field(default_factory=list)


def main() -> None:
    """Write, serve, compare."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--clips", type=int, default=BACKLOG_CLIPS, help="of the backlog")
    parser.add_argument("--live-clips", type=int, default=LIVE_CLIPS)
    given = parser.parse_args()
    with stage() as found:
        paths = [clip.path for clip in clips.take(max(given.clips, given.live_clips), found.folder, 0)]
        progress(f"recognising {len(paths)} clips")
        expected = asyncio.run(recognized(found.settings(), paths))
        backlog = compared(expected, backlogged(found, paths[: given.clips]))
    with stage() as found:
        live = compared(expected, played(found, paths[: given.live_clips]))
    sessions = [*backlog.values(), *live.values()]
    share = sum(not differences for differences in sessions) / len(sessions)
    parts = {"backlog": _part(backlog), "live": _part(live)}
    report("agreement", {"equal_share": share, "bar": 1.0, "passes": share == 1.0, **parts, "clips": clips.source()})


async def recognized(settings: Settings, paths: Sequence[Path]) -> dict[str, Heard]:
    """What the same path gives without a broker."""
    heard: dict[str, Heard] = {}
    await recognize(settings, sources(paths, Scene()), Scene(), lambda message: _note(heard, message), lambda _: None)
    return heard


def backlogged(found: Stage, paths: Sequence[Path]) -> dict[str, Heard]:
    """What `serve` and `watch` give of clips that were all there before."""
    names = [str(path) for path in paths]
    with running(found, [*TRIVIUM, "replay", "--speed", "0", *names], "replay.log") as replay:
        finish(replay, "trivium replay", found.folder / "replay.log", TIMEOUT_SECONDS)
    progress(f"backlog: {len(paths)} clips are written")
    output = found.folder / "finals"
    with (
        serving(found) as service,
        running(found, _watch(len(paths), "--from-beginning"), "watch.log", output) as watch,
    ):
        finish(watch, "trivium watch", found.folder / "watch.log", TIMEOUT_SECONDS)
        return _heard(found, service, output, len(paths))


def played(found: Stage, paths: Sequence[Path]) -> dict[str, Heard]:
    """What `serve` and `watch` give of clips that are played to them at real-time speed."""
    names = [str(path) for path in paths]
    output = found.folder / "finals"
    with serving(found) as service, running(found, _watch(len(paths)), "watch.log", output) as watch:
        progress(f"live: {len(paths)} clips are played")
        with running(found, [*TRIVIUM, "replay", "--speed", "1", *names], "replay.log") as replay:
            finish(replay, "trivium replay", found.folder / "replay.log", TIMEOUT_SECONDS)
        finish(watch, "trivium watch", found.folder / "watch.log", TIMEOUT_SECONDS)
        return _heard(found, service, output, len(paths))


def compared(expected: dict[str, Heard], found: dict[str, Heard]) -> dict[str, list[str]]:
    """The differences of each session found; none of most, one hopes."""
    return {name: differences(expected[name], heard) for name, heard in sorted(found.items())}


def differences(expected: Heard, found: Heard) -> list[str]:
    """In words, what is not equal in one session."""
    if len(expected.finals) != len(found.finals):
        texts = [[final.text for final in heard.finals] for heard in (expected, found)]
        return [f"finals: expected {texts[0]}, found {texts[1]}"]
    return [
        difference
        for right, ours in zip(expected.finals, found.finals, strict=True)
        for difference in _differences(right, expected.start_ms or 0.0, ours, found.start_ms or 0.0)
    ]


def _differences(expected: Prediction, expected_start_ms: float, found: Prediction, start_ms: float) -> list[str]:
    told = [
        f"{name}: expected {right}, found {ours}"
        for name, right, ours in (
            ("text", expected.text, found.text),
            ("status", _statuses(expected), _statuses(found)),
            ("times_ms", _times_ms(expected, expected_start_ms), _times_ms(found, start_ms)),
        )
        if right != ours
    ]
    pairs = zip(_confidences(expected), _confidences(found), strict=False)
    apart = max(abs(right - ours) for right, ours in pairs)
    return told if apart <= CONFIDENCE_WITHIN else [*told, f"confidence: {apart:.4f} apart"]


def _statuses(final: Prediction) -> dict[str, str]:
    return {str(modality): gave.status for modality, gave in final.modalities.items()}


def _times_ms(final: Prediction, start_ms: float) -> list[float]:
    """Segment, start, end and all words' times from the clip's start."""
    times = [final.segment, final.start_ms, final.end_ms]
    times += [time_ms for word in final.words for time_ms in (word.start_ms, word.end_ms)]
    return [round(time_ms - start_ms, 3) for time_ms in times]


def _confidences(final: Prediction) -> list[float]:
    return [final.confidence, *(word.confidence for word in final.words)]


def _watch(sessions: int, *options: str) -> list[str]:
    limits = ["--until-ended", str(sessions), "--timeout", str(TIMEOUT_SECONDS)]
    return [*TRIVIUM, "watch", "--final", "--json", *options, *limits]


def _heard(found: Stage, service: Service, output: Path, sessions: int) -> dict[str, Heard]:
    """The finals that `watch` has printed, and when the sessions began, which with --final it does not print."""
    service.wait_until_ended(sessions, TIMEOUT_SECONDS)
    heard = asyncio.run(_started(found.settings(), sessions))
    for line in output.read_bytes().splitlines():
        _note(heard, Prediction.model_validate_json(line))
    return heard


async def _started(settings: Settings, sessions: int) -> dict[str, Heard]:
    heard: dict[str, Heard] = {}
    async with asyncio.timeout(60), following(settings, from_beginning=True) as news:
        async for message in news:
            if isinstance(message, SessionRecord):
                _note(heard, message)
            if len(heard) == sessions:
                break
    return heard


def _note(heard: dict[str, Heard], message: Prediction | SessionRecord) -> None:
    session = heard.setdefault(message.session, Heard())
    if isinstance(message, SessionRecord):
        session.start_ms = message.start_ms
    elif message.is_final:
        session.finals.append(message)


def _part(compared_sessions: dict[str, list[str]]) -> dict[str, object]:
    differing = {name: told for name, told in compared_sessions.items() if told}
    return {
        "sessions": len(compared_sessions),
        "equal": len(compared_sessions) - len(differing),
        "differences": differing,
    }


if __name__ == "__main__":
    main()

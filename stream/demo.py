"""The main job on one machine: broker, service, a clip, live captions, a summary; then all of it stops."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from stream import topics
from stream.config import Settings
from stream.errors import JobError
from stream.publish import Prediction, SessionRecord
from stream.replay import Source, sources
from stream.scene import Scene
from stream.send import Pace, play
from stream.stage import Service, broker, service
from stream.tally import LEGEND, Tally, summary
from stream.times import NS_PER_SECOND
from stream.view import Captions
from stream.watch import following

SYNTHETIC = "synthetic"
SYNTHETIC_SEED = 7
SYNTHETIC_SENTENCES = 2
GRACE_SECONDS = 60.0  # for finals, after the last record


@dataclass(frozen=True, slots=True)
class Program:
    """What is played."""

    played: Sequence[Source]
    scene: Scene
    hop_ns: int
    said: str | None = None  # where it is known

    @property
    def sessions(self) -> list[str]:
        """Names of all sessions."""
        return [name for source in self.played for name in source.sessions]

    @property
    def length_seconds(self) -> float:
        """Of the longest session."""
        return max(source.length_ns for source in self.played) / NS_PER_SECOND


async def demo(settings: Settings, clips: Sequence[Path], hop_ns: int, *, keep: bool, config: Path | None) -> None:
    """Show it.

    Raises
    ------
    JobError
        If a session came to no final.
    """
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="trivium-") as folder:
        program = _program(clips, Path(folder), hop_ns, console)
        console.print("Starting what it needs: Kafka, then the service.", style="dim")
        async with broker(settings, keep=keep) as address:
            reached = settings.model_copy(update={"bootstrap_servers": address})
            await topics.prepare(reached)
            console.print(f"Kafka answers at {address}.", style="dim")
            started = time.monotonic()
            async with service(reached, config, keep=keep) as serving:
                console.print(f"The service was ready after {time.monotonic() - started:.1f} s.", style="dim")
                console.print(f"In a browser: {_page(serving, program)}", style="dim", soft_wrap=True)
                tallies = await _perform(reached, program, serving, console)
                _report(program, tallies, console)
                if keep:
                    _tell(address, serving, program, console)


def _program(clips: Sequence[Path], folder: Path, hop_ns: int, console: Console) -> Program:
    if clips:
        return Program(_named(sources(clips, Scene())), Scene(), hop_ns)
    from models import synthetic

    speaker = synthetic.speak(SYNTHETIC_SEED, SYNTHETIC_SENTENCES)
    path = folder / f"{SYNTHETIC}.mp4"
    synthetic.write_clip(path, speaker)
    console.print("The clip is synthetic: a drawn face and a computed voice, no person.", style="yellow")
    scene = replace(Scene(), text=path.with_suffix(".vtt"))
    return Program(_named(sources([path], scene)), scene, hop_ns, speaker.transcript)


def _named(played: Sequence[Source]) -> list[Source]:
    """Sessions of names that no earlier demo has used: what it left open would be taken up again."""
    now = time.strftime("%H%M%S")
    return [replace(source, sessions=tuple(f"{name}-{now}" for name in source.sessions)) for source in played]


async def _perform(settings: Settings, program: Program, serving: Service, console: Console) -> list[Tally]:
    """Play at real-time speed and show what comes back, until every session has ended."""
    tallies = {name: Tally(name) for name in program.sessions}
    open_sessions = set(tallies)
    limit_seconds = program.length_seconds + GRACE_SECONDS
    try:
        async with asyncio.timeout(limit_seconds), following(settings) as news, asyncio.TaskGroup() as tasks:
            tasks.create_task(play(settings, program.played, program.scene, Pace(program.hop_ns), lambda _: None))
            watched = tasks.create_task(serving.watched())
            with Captions(console) as view:
                async for message in news:
                    if message.session not in tallies:
                        continue
                    view.show(message)
                    _note(message, tallies, open_sessions)
                    if not open_sessions:
                        break
            watched.cancel()
    except TimeoutError:
        console.print(f"Not all sessions ended within {limit_seconds:.0f} s.", style="red")
    return list(tallies.values())


def _note(message: Prediction | SessionRecord, tallies: dict[str, Tally], open_sessions: set[str]) -> None:
    if isinstance(message, Prediction):
        tallies[message.session].add(message)
    elif message.state == "ended":
        open_sessions.discard(message.session)


def _report(program: Program, tallies: Sequence[Tally], console: Console) -> None:
    console.print()
    console.print(summary(tallies))
    console.print(LEGEND, style="dim")
    if program.said is not None:
        console.print(f"said:  {program.said}\nheard: {tallies[0].text}")
    silent = [tally.session for tally in tallies if not tally.finals]
    if silent:
        raise JobError(f"No final came for {', '.join(silent)}, expected one each: is anything said in the clip?")


def _page(serving: Service, program: Program) -> str:
    """Where the first session is followed."""
    return f"http://{serving.http}/sessions/{quote(program.sessions[0], safe='')}"


def _tell(address: str, serving: Service, program: Program, console: Console) -> None:
    console.print(
        f"\nStill running. See it: {_page(serving, program)}\n"
        f"Your own camera and microphone: http://{serving.http}/live\n"
        f"Follow it: KAFKA_BOOTSTRAP_SERVERS={address} {sys.argv[0]} watch\n"
        f"Stop the service: kill {serving.process.pid}   (it answers at http://{serving.http}, its log is {serving.log})\n"
        "Stop Kafka: deploy/kafka stop",
        soft_wrap=True,
    )

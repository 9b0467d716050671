"""The live sources: people who talk while things die. `trivium replay` as processes of their own, so that no kill touches them.

clips -> [room: session after session, each in several copies] -> topics
"""

from __future__ import annotations

import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.scene import Scene, takes
from stream.times import NS_PER_SECOND
from tests.benchmarks import clips
from tests.benchmarks.processes import TRIVIUM, raise_ended, stop
from tests.drilling.stage import Order, Set, until

GAP_MS = (800, 1600)
LATE_SECONDS = 180.0  # beside the speech's own length, where there is much else to compute
ROOM = 1000  # turns


@dataclass(frozen=True)
class Speech:
    """One session, or several that are alike, and what is said in it."""

    name: str
    said: Sequence[clips.Clip]
    copies: int = 1
    gap_ms: tuple[int, int] = GAP_MS
    seed: int = 0
    shown: bool = False  # its words as text too

    @property
    def sessions(self) -> list[str]:
        """Their names."""
        return [f"{self.name}-{copy + 1}" for copy in range(self.copies)] if self.copies > 1 else [self.name]

    def starts_seconds(self) -> list[float]:
        """When each clip begins, and when the last one ends."""
        laid = takes([clip.path for clip in self.said], Scene(gap_ms=self.gap_ms, seed=self.seed))
        return [take.start_ns / NS_PER_SECOND for take in laid] + [laid[-1].end_ns / NS_PER_SECOND]

    def begin(self, stage: Set) -> subprocess.Popen[bytes]:
        """Start saying it."""
        options = ["--join", "--session", self.name, "--sessions", str(self.copies), "--seed", str(self.seed)]
        options += ["--gap-ms", "{}-{}".format(*self.gap_ms)]
        if self.shown:
            options += ["--text", str(self._words(stage.folder))]
        command = [*TRIVIUM, "replay", *options, *(str(clip.path) for clip in self.said)]
        return stage.start(command, f"{self.name}.log")

    def _words(self, folder: Path) -> Path:
        path = folder / f"{self.name}.vtt"
        cues = [
            f"{_clock(start)} --> {_clock(start + 2)}\n{' '.join(word.word for word in clip.words)}\n"
            for start, clip in zip(self.starts_seconds(), self.said, strict=False)
        ]
        path.write_text("\n".join(["WEBVTT\n", *cues]))
        return path


class Talk:
    """Rooms in which people talk, one session after another, until they are told to stop."""

    def __init__(self, stage: Set, order: Order) -> None:
        self.sessions: Counter[str] = Counter()  # how often each was begun
        self._stage = stage
        self._order = order
        self._enough = threading.Event()
        self._hushed = threading.Event()
        self._failures: list[BaseException] = []
        self._rooms = [threading.Thread(target=self._room, args=(number,)) for number in range(order.rooms)]

    def begin(self) -> None:
        """Let all rooms talk."""
        for room in self._rooms:
            room.start()

    def hush(self) -> None:
        """Break off what is being said."""
        self._enough.set()
        self._hushed.set()

    def end(self) -> None:
        """Let what is being said be said to its end.

        Raises
        ------
        RuntimeError
            If something was not said.
        """
        self._enough.set()
        for room in self._rooms:
            room.join()
        if self._failures:
            raise self._failures[0]

    def say(self, speech: Speech) -> None:
        """Say it, from its beginning to its end."""
        self.sessions.update(speech.sessions)
        process = speech.begin(self._stage)
        try:
            seconds = speech.starts_seconds()[-1] + self._order.stop_seconds + LATE_SECONDS
            until(lambda: process.poll() is not None or self._hushed.is_set(), seconds, f"{speech.name} is said")
            if process.poll():
                raise_ended(f"trivium replay of {speech.name}", process, self._stage.folder / f"{speech.name}.log")
        finally:
            stop(process)

    def _room(self, number: int) -> None:
        try:
            turn = number * ROOM
            while not self._enough.is_set():
                self.say(self._speech(number, turn))
                turn += 1
        except Exception as error:  # a thread's error is raised where the thread is joined
            self._failures.append(error)

    def _speech(self, room: int, turn: int) -> Speech:
        order = self._order
        said = clips.take(order.clips, self._stage.folder, turn * order.clips)
        seed = order.seed + turn
        return Speech(f"room{room}-{turn % ROOM}", said, order.copies, seed=seed, shown=room % 2 == 1)


@contextmanager
def talking(stage: Set, order: Order) -> Iterator[Talk]:
    """People talk from here on; whatever happens, nobody talks afterwards."""
    talk = Talk(stage, order)
    talk.begin()
    try:
        yield talk
        talk.end()
    finally:
        talk.hush()
        talk.end()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes // 60):02d}:{int(minutes % 60):02d}:{rest:06.3f}"

"""Processes that decode: each places hops on the tick grid, as a worker thread would, but with an interpreter of its own.

    Hop -> [frames by a pipe -> Raster -> HopInput by a pipe]

Pictures are many small steps of array arithmetic, each of which needs the interpreter's lock; in threads they and the event
loop wait for one another. A process is told its bundle's shapes once, then answers one hop at a time. It ends when its
pipe is closed, so none outlives the service, however that ends. A `ProcessPoolExecutor` is not used because its workers hold
both ends of their queue, so that they outlive a service that was killed, and because before Python 3.14 it cannot end one that
hangs, which would hold up the drain.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, BinaryIO

from stream.errors import InferenceError, Reason, RecordError
from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.mouth import Mouth
from stream.raster import HopInput, Raster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROTOCOL = 5
STOP_SECONDS = 10.0
ANSWER_SECONDS = 60.0  # for a hop; one of which nothing is heard for longer hangs, and would hold up the drain as well
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_Sent = tuple[int, int | None, bytes, str, int, int, str]  # of a frame what decoding asks for


@dataclass(frozen=True, slots=True)
class Shapes:
    """All that placing a hop takes beside its frames."""

    tick_ns: int
    rate_hz: int
    vocabulary: tuple[str, ...]
    crop_height_px: int
    crop_width_px: int
    finder_digest: str
    max_pixels: int

    def raster(self) -> Raster:
        """What places hops, in whichever process."""
        mouth = Mouth(FaceFinder(self.finder_digest), self.crop_height_px, self.crop_width_px)
        return Raster(self.tick_ns, self.rate_hz, self.vocabulary, mouth, self.max_pixels)


class Decoders:
    """So many processes; threads ask them, each one that is idle.

    Raises
    ------
    InferenceError
        If a process has ended by itself, or was ended since it did not answer.
    """

    def __init__(self, count: int, shapes: Shapes, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._answer_seconds = answer_seconds
        self._asked: dict[subprocess.Popen[bytes], float] = {}  # since when, on the monotonic clock
        self._closed = Event()
        self._processes = [_start() for _ in range(count)]
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._processes:
            _write(process, shapes)
            self._idle.put(process)
        Thread(target=self._end_who_hangs, name="decoders", daemon=True).start()

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that there are."""
        return [process.pid for process in self._processes]

    def resident_bytes(self) -> int:
        """Memory that they hold by now; of one that has ended, 0. Pages that they share are counted in each."""
        return sum(map(_resident_bytes, self.process_ids))

    def wait(self) -> None:
        """Until all have started: they do so beside whatever else there is to do."""
        for process in self._processes:
            _write(process, ({}, 0, 0))
        for process in self._processes:
            _read(process)

    def hop(self, frames: Mapping[Modality, Sequence[Frame]], start_ns: int, end_ns: int) -> HopInput:
        """What `Raster.hop` gives; blocks."""
        sent = {modality: [_sent(frame) for frame in listed] for modality, listed in frames.items() if listed}
        process = self._idle.get()
        self._asked[process] = time.monotonic()
        try:
            _write(process, (sent, start_ns, end_ns))
            placed, corrupt = _read(process)
        finally:
            del self._asked[process]
            self._idle.put(process)
        video = frames.get(Modality.VIDEO, ())
        placed.corrupt = [(video[index], RecordError(Reason(reason), text)) for index, reason, text in corrupt]
        found: HopInput = placed
        return found

    def close(self) -> None:
        """Let the processes go, and see that they do."""
        self._closed.set()
        for process in self._processes:
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def _end_who_hangs(self) -> None:
        """Then whoever waits for it is told: there is no other way out of a pipe."""
        while not self._closed.wait(self._answer_seconds / 4):
            for process, since in list(self._asked.items()):
                if time.monotonic() - since > self._answer_seconds:
                    process.kill()


def _start() -> subprocess.Popen[bytes]:
    """A process that Ctrl-C does not reach: the service ends it when it has drained."""
    command = [sys.executable, "-m", "stream.decoders"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)


def _resident_bytes(process_id: int) -> int:
    try:
        return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _write(process: subprocess.Popen[bytes], message: object) -> None:
    try:
        if process.stdin is not None:
            pickle.dump(message, process.stdin, PROTOCOL)
            process.stdin.flush()
    except OSError as error:
        raise _ended(process) from error


def _read(process: subprocess.Popen[bytes]) -> Any:
    try:
        return _received(process.stdout) if process.stdout is not None else None
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise _ended(process) from error


def _ended(process: subprocess.Popen[bytes]) -> InferenceError:
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    return InferenceError(
        f"A decoding process has ended (exit code {process.returncode}) while it was asked to place a hop; "
        "its last lines are in the log. Start again: what was not committed is computed anew."
    )


def _sent(frame: Frame) -> _Sent:
    return (
        frame.time_ns,
        frame.duration_ns,
        frame.payload,
        frame.content_type,
        frame.rate_hz,
        frame.channels,
        frame.region,
    )


def main() -> None:
    """One process: its shapes, then hops, until the pipe is closed, whoever else is told to end."""
    # Supervisors signal all of a service at once, and it has yet to drain.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        raster = _received(asked).raster()
        while True:
            sent, start_ns, end_ns = _received(asked)
            _answer(answers, _placed(raster, sent, start_ns, end_ns))


def _received(file: IO[bytes]) -> Any:
    return pickle.load(file)  # noqa: S301 - from the other end of our own pipe


def _answer(answers: BinaryIO, message: object) -> None:
    pickle.dump(message, answers, PROTOCOL)
    answers.flush()


def _placed(
    raster: Raster, sent: Mapping[Modality, Sequence[_Sent]], start_ns: int, end_ns: int
) -> tuple[HopInput, list[tuple[int, str, str]]]:
    """The hop without its corrupt frames, which the asker has: their places among the pictures, and why."""
    frames = {modality: [Frame("", modality, *parts) for parts in listed] for modality, listed in sent.items()}
    placed = raster.hop(frames, start_ns, end_ns)
    places = {id(frame): index for index, frame in enumerate(frames.get(Modality.VIDEO, ()))}
    corrupt = [(places[id(frame)], str(error.reason), str(error)) for frame, error in placed.corrupt]
    placed.corrupt = []
    return placed, corrupt


if __name__ == "__main__":
    main()

"""The processes that decode: asked by threads, started anew where a picture ends them.

    Hop -> [frames by a pipe -> `decoder.py` -> HopInput by a pipe]

Pictures are many small steps of array arithmetic, each of which needs the interpreter's lock; in threads they and the event
loop wait for one another. A process ends when its pipe is closed, so none outlives the service, however that ends. A
`ProcessPoolExecutor` is not used because its workers hold both ends of their queue, so that they outlive a service that was
killed, and because before Python 3.14 it cannot end one that hangs, which would hold up the drain.
"""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from stream.decoder import Sent, Shapes, received, send
from stream.errors import InferenceError, Reason, RecordError
from stream.frame import Frame, Modality
from stream.raster import HopInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
ANSWER_SECONDS = 20.0  # for a hop; one of which nothing is heard for longer hangs, and would hold up the drain as well
TRIES = 2  # to place a hop with its pictures: who kills a process by chance costs nothing
ENDS_DECODERS = "The pictures of this hop have ended two decoding processes; send JPEG or PNG as cameras make them."
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_NOTHING: tuple[dict[Modality, list[object]], int, int] = ({}, 0, 0)  # a hop to be placed: no frames, no time


class Decoders:
    """So many processes; threads ask them, each one that is idle.

    A process that ends, or does not answer and is ended, is started anew: a picture may do that to it, and whatever else is in
    the stream goes on.

    Raises
    ------
    InferenceError
        If no process places the hop even without its pictures.
    """

    def __init__(self, count: int, shapes: Shapes, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._shapes = shapes
        self._answer_seconds = answer_seconds
        self._asked: dict[subprocess.Popen[bytes], float] = {}  # since when, on the monotonic clock
        self._closed = Event()
        self._processes = {_start(shapes) for _ in range(count)}
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        Thread(target=self._end_who_hangs, name="decoders", daemon=True).start()

    @property
    def process_ids(self) -> list[int]:
        """Of the processes that there are."""
        return [process.pid for process in list(self._processes)]

    def resident_bytes(self) -> int:
        """Memory that they hold by now; of one that has ended, 0. Pages that they share are counted in each."""
        return sum(map(_resident_bytes, self.process_ids))

    def wait(self) -> None:
        """Until all have started: they do so beside whatever else there is to do.

        Raises
        ------
        InferenceError
            If one ends instead.
        """
        for process in self._processes:
            _write(process, _NOTHING)
        for process in self._processes:
            _read(process)

    def hop(self, frames: Mapping[Modality, Sequence[Frame]], start_ns: int, end_ns: int) -> HopInput:
        """What `Raster.hop` gives; blocks. Pictures that have ended two processes are corrupt."""
        sent = {modality: [_sent(frame) for frame in listed] for modality, listed in frames.items() if listed}
        video = frames.get(Modality.VIDEO, ())
        for _ in range(TRIES):
            try:
                placed, corrupt = self._answer((sent, start_ns, end_ns))
            except InferenceError as error:
                log.warning("a decoding process is started anew: %s", error)
            else:
                placed.corrupt = [(video[index], RecordError(Reason(reason), text)) for index, reason, text in corrupt]
                return placed
        sent.pop(Modality.VIDEO, None)
        placed, _ = self._answer((sent, start_ns, end_ns))
        placed.corrupt = [(frame, RecordError(Reason.BAD_MEDIA, ENDS_DECODERS)) for frame in video]
        return placed

    def close(self) -> None:
        """Let the processes go, and see that they do."""
        self._closed.set()
        for process in self._processes:
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
        for process in self._processes:
            _end(process, STOP_SECONDS)

    def _answer(self, asked: object) -> tuple[HopInput, list[tuple[int, str, str]]]:
        """What one that is idle says; it is replaced if it ends over it."""
        process = next_idle = self._idle.get()
        self._asked[process] = time.monotonic()
        try:
            _write(process, asked)
            found: tuple[HopInput, list[tuple[int, str, str]]] = _read(process)
        except InferenceError:
            next_idle = self._successor(process)
            raise
        else:
            return found
        finally:
            del self._asked[process]
            self._idle.put(next_idle)

    def _successor(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        _end(process, 0)
        successor = _start(self._shapes)
        self._processes.remove(process)
        self._processes.add(successor)
        return successor

    def _end_who_hangs(self) -> None:
        """Then whoever waits for it is told: there is no other way out of a pipe."""
        while not self._closed.wait(self._answer_seconds / 4):
            for process, since in list(self._asked.items()):
                if time.monotonic() - since > self._answer_seconds:
                    process.kill()


def _start(shapes: Shapes) -> subprocess.Popen[bytes]:
    """A process that Ctrl-C does not reach: the service ends it when it has drained."""
    command = [sys.executable, "-m", "stream.decoder"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    _write(process, shapes)
    return process


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    """See that it ends, and leave nothing of it."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def _resident_bytes(process_id: int) -> int:
    try:
        return int(Path(f"/proc/{process_id}/statm").read_text().split()[1]) * PAGE_BYTES
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _write(process: subprocess.Popen[bytes], message: object) -> None:
    try:
        if process.stdin is not None:
            send(process.stdin, message)
    except (OSError, ValueError) as error:  # it has ended, or was found so before
        raise _ended(process) from error


def _read(process: subprocess.Popen[bytes]) -> Any:
    try:
        return received(process.stdout) if process.stdout is not None else None
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise _ended(process) from error


def _ended(process: subprocess.Popen[bytes]) -> InferenceError:
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.0)
    return InferenceError(
        f"A decoding process has ended (exit code {process.returncode}) while it was asked to place a hop; "
        "its last lines are in the log."
    )


def _sent(frame: Frame) -> Sent:
    return (
        frame.time_ns,
        frame.duration_ns,
        frame.payload,
        frame.content_type,
        frame.rate_hz,
        frame.channels,
        frame.region,
    )

"""The processes that decode: asked by threads, started anew where a picture ends them.

    Hop -> [frames by a pipe -> `decoder.py` -> HopInput by a pipe]

Pictures are many small steps of array arithmetic, each of which needs the interpreter's lock; in threads they and the event
loop wait for one another. A process ends when its pipe is closed, so none outlives the service, however that ends. A
`ProcessPoolExecutor` is not used because its workers hold both ends of their queue, so that they outlive a service that was
killed, and because one that dies breaks the pool.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from stream.decoder import Sent, Shapes, received, send
from stream.errors import InferenceError, Reason, RecordError
from stream.frame import Frame, Modality
from stream.raster import HopInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = logging.getLogger(__name__)

STOP_SECONDS = 10.0
TRIES = 2  # to place a hop with its pictures: who kills a process by chance costs nothing
ENDS_DECODERS = (
    "The pictures of this hop end whatever decodes them, or keep it busy; send JPEG or PNG as cameras make them."
)
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

_NOTHING: tuple[dict[Modality, list[object]], int, int] = ({}, 0, 0)  # a hop to be placed: no frames, no time


class Decoders:
    """So many processes; threads ask them, each one that is idle.

    A process that ends over a hop is started anew: a picture may do that to it, and whatever else is in the stream goes on.

    Raises
    ------
    InferenceError
        If no process places the hop even without its pictures.
    """

    def __init__(self, count: int, shapes: Shapes) -> None:
        self._shapes = shapes
        self._processes = {_start(shapes) for _ in range(count)}
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

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
        """What `Raster.hop` gives; blocks. Pictures that have ended two processes, or kept one busy for too long, are corrupt."""
        sent = {modality: [_sent(frame) for frame in listed] for modality, listed in frames.items() if listed}
        video = frames.get(Modality.VIDEO, ())
        process = self._idle.get()
        try:
            if process.poll() is not None:  # by itself, or somebody ended it: no picture of this hop has
                process = self._successor(process)
            for _ in range(TRIES):
                try:
                    placed, corrupt = _asked(process, (sent, start_ns, end_ns))
                except InferenceError:
                    hung = process.returncode == -signal.SIGPROF
                    process = self._successor(process)
                    if hung:
                        break
                else:
                    placed.corrupt = [
                        (video[index], RecordError(Reason(reason), text)) for index, reason, text in corrupt
                    ]
                    return placed
            sent.pop(Modality.VIDEO, None)
            placed, _ = _asked(process, (sent, start_ns, end_ns))
            placed.corrupt = [(frame, RecordError(Reason.BAD_MEDIA, ENDS_DECODERS)) for frame in video]
            return placed
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """Let the processes go, and see that they do."""
        for process in self._processes:
            with suppress(OSError):
                if process.stdin is not None:
                    process.stdin.close()
        for process in self._processes:
            _end(process, STOP_SECONDS)

    def _successor(self, process: subprocess.Popen[bytes]) -> subprocess.Popen[bytes]:
        _end(process, 0)
        log.warning("a decoding process has ended and is started anew", extra={"exit_code": process.returncode})
        successor = _start(self._shapes)
        self._processes.remove(process)
        self._processes.add(successor)
        return successor


def _asked(process: subprocess.Popen[bytes], hop: object) -> tuple[HopInput, list[tuple[int, str, str]]]:
    """What it says of a hop: the corrupt among the pictures by their places, each with why."""
    _write(process, hop)
    found: tuple[HopInput, list[tuple[int, str, str]]] = _read(process)
    return found


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

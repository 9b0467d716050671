"""A process that decodes: it places hops on the tick grid, as a worker thread would, but with an interpreter of its own.

    frames by a pipe -> Raster -> [HopInput by a pipe]

It is told its bundle's shapes once, then answers one hop at a time, until its pipe is closed. A hop that takes too much of the
processor ends it: a decoder that hangs does nothing else, however busy the machine is. Who asks is `decoders.py`.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.mouth import Mouth
from stream.raster import HopInput, Raster

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROTOCOL = 5
HOP_SECONDS = 10.0  # of processor time; eight pictures as large as allowed take two

Sent = tuple[int, int | None, bytes, str, int, int, str]  # of a frame what decoding asks for


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
    hop_seconds: float = HOP_SECONDS

    def raster(self) -> Raster:
        """What places hops, in whichever process."""
        mouth = Mouth(FaceFinder(self.finder_digest), self.crop_height_px, self.crop_width_px)
        return Raster(self.tick_ns, self.rate_hz, self.vocabulary, mouth, self.max_pixels)


def send(file: IO[bytes], message: object) -> None:
    """Write a message to one end of the pipe."""
    pickle.dump(message, file, PROTOCOL)
    file.flush()


def received(file: IO[bytes]) -> Any:
    """Read the next message from the other end; blocks."""
    return pickle.load(file)  # noqa: S301 - it is our own pipe


def main() -> None:
    """One process: its shapes, then hops, until the pipe is closed, whoever else is told to end."""
    # Supervisors signal all of a service at once, and it has yet to drain.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    with suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        shapes = received(asked)
        raster = shapes.raster()
        while True:
            sent, start_ns, end_ns = received(asked)
            signal.setitimer(signal.ITIMER_PROF, shapes.hop_seconds)  # SIGPROF ends it, whatever it is at
            placed = _placed(raster, sent, start_ns, end_ns)
            signal.setitimer(signal.ITIMER_PROF, 0)
            send(answers, placed)


def _placed(
    raster: Raster, sent: Mapping[Modality, Sequence[Sent]], start_ns: int, end_ns: int
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

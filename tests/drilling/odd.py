"""Live sources that behave oddly for hours: one whose pictures stop, one whose modality runs ten times too fast, beside plain ones.

    clips -> pieces in live order -> [what each kind makes of them] -> records -> topics

Fast means ten frames where one is due, each stamped where it would lie if the source's clock ran ten times too fast.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka import AIOKafkaProducer

from models.bundle import load
from stream import topics
from stream.config import Settings
from stream.frame import Frame, Modality, to_record
from stream.replay import Source, on_hop, sources
from stream.scene import Scene, Timed, timed
from stream.times import NS_PER_MS, NS_PER_SECOND

SILENT_AFTER_NS = 2 * NS_PER_SECOND
UNACKNOWLEDGED = 2048
FAST = 10


@dataclass(frozen=True)
class Kind:
    """How a source's modalities run: 1 is live, 10 too fast, 0 silent after two seconds."""

    name: str
    rates: Mapping[Modality, int]

    def frames(self, frame: Frame) -> Iterator[Frame]:
        """What this kind sends where a live source sends that frame, which is timed from the session's start."""
        rate = self.rates.get(frame.modality, 1)
        if rate == 1:
            yield frame
        elif rate == 0:
            if frame.time_ns < SILENT_AFTER_NS:
                yield frame
        else:
            step_ns = frame.duration_ns or 0
            for place in range(rate):
                yield replace(frame, time_ns=rate * frame.time_ns + place * step_ns, sequence=None)


KINDS = (
    Kind("plain", {}),
    Kind("video-silent", {Modality.VIDEO: 0}),
    Kind("video-fast", {Modality.VIDEO: FAST}),
    Kind("audio-fast", {Modality.AUDIO: FAST}),
)


async def speak(settings: Settings, source: Source, scene: Scene, seconds: float) -> int:
    """Play one source as a session of each kind, at its pace, until the time is over; how many records that were."""
    names = {modality: settings.topic_prefix + modality for modality in Modality}
    waiting: deque[asyncio.Future[object]] = deque()
    start_ns = on_hop(time.time_ns(), load(settings.bundle).hop_ns)
    sent = 0
    async with AIOKafkaProducer(**settings.client_options(), acks="all", enable_idempotence=True) as producer:
        pieces = timed(source.laid, scene)
        while batch := await asyncio.to_thread(_some, pieces):
            for piece in batch:
                if piece.available_ns > seconds * NS_PER_SECOND:
                    return sent
                await _until(start_ns + piece.available_ns)
                for frame in _frames(piece):
                    stamped = replace(frame, time_ns=start_ns + frame.time_ns)
                    record = to_record(stamped, names[frame.modality])
                    waiting.append(
                        await producer.send(record.topic, record.value, record.key, headers=list(record.headers))
                    )
                    sent += 1
                while len(waiting) > UNACKNOWLEDGED or (waiting and waiting[0].done()):
                    await waiting.popleft()
    return sent


def _frames(piece: Timed) -> Iterator[Frame]:
    if isinstance(piece.item, Frame):  # no end is sent: these sessions never end by themselves
        for kind in KINDS:
            yield from kind.frames(replace(piece.item, session=kind.name))


def _some(pieces: Iterator[Timed]) -> list[Timed]:
    return [piece for _, piece in zip(range(256), pieces, strict=False)]


async def _until(time_ns: int) -> None:
    left_ns = time_ns - time.time_ns()
    if left_ns > NS_PER_MS:
        await asyncio.sleep(left_ns / NS_PER_SECOND)


def main(words: Sequence[str] | None = None) -> None:
    """Speak; the settings come from the environment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, required=True)
    given = parser.parse_args(words)
    settings, scene = Settings.load(), Scene()

    async def run() -> int:
        await topics.prepare(settings)
        [source] = sources(given.clips, scene, session="odd", join=True)
        return await speak(settings, source, scene, given.seconds)

    print(f"Sent {asyncio.run(run())} records.")


if __name__ == "__main__":
    main()

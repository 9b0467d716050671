"""What is heard and seen in one session: clips laid end to end, with noise, losses, wrong stamps and delays on demand.

    [clip, ...] -> (when it is there, Frame | End), ...

Times count from the session's start; `replay.py` puts them on the calendar. Knows no topics and no clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream import clip
from stream.content import TEXT, audio_l16
from stream.cues import cues
from stream.frame import End, Frame, Modality
from stream.noise import Noise, mixed, noise_for, random_for, spoken_span
from stream.times import NS_PER_MS, NS_PER_SECOND

CHUNK_SAMPLES = 320  # 20 ms
ROOM_SAMPLES = clip.RATE_HZ // 5  # a gap repeats 200 ms
ROOM_STEP_SAMPLES = clip.RATE_HZ // 100
GAP_STEP_MS = 40  # drawn gaps keep the pictures' rhythm
SAMPLES_PER_MS = clip.RATE_HZ // 1000
PICTURE_NS = clip.SLOT_NS
SOUND = audio_l16(clip.RATE_HZ, 1)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is done to the clips before anybody hears and sees them."""

    snr_db: float | None = None
    noise: Noise = Noise.BABBLE
    gap_ms: tuple[int, int] = (1000, 1000)  # between joined clips, from and to
    text: Path | None = None  # WebVTT or SRT, its times counted from the session's start
    skew_ms: Mapping[Modality, float] = field(default_factory=dict)  # stamped so much later than captured
    delay_ms: Mapping[Modality, float] = field(default_factory=dict)  # there so much later
    drop: Mapping[Modality, float] = field(default_factory=dict)  # this share is lost on its way; the numbers show it
    without: frozenset[Modality] = frozenset()
    seed: int = 0


class Timed(NamedTuple):
    """A frame, or the end of its modality, and when a live source would have it."""

    available_ns: int
    item: Frame | End


@dataclass(frozen=True, slots=True)
class Take:
    """A clip's place in its session."""

    path: Path
    start_ns: int
    span_ns: int
    gap_ns: int  # after it

    @property
    def end_ns(self) -> int:
        """Where the next one begins."""
        return self.start_ns + self.span_ns + self.gap_ns


def takes(clips: Sequence[Path], scene: Scene) -> list[Take]:
    """Lay clips end to end in whole milliseconds, a gap after each but the last."""
    random = random_for(scene.seed, "gap", *(path.stem for path in clips))
    shortest_ms, longest_ms = scene.gap_ms
    found: list[Take] = []
    for number, path in enumerate(clips):
        start_ns = found[-1].end_ns if found else 0
        span_ms = -(-clip.span_ns(path) // NS_PER_MS)
        gap_ms = shortest_ms + GAP_STEP_MS * int(random.integers((longest_ms - shortest_ms) // GAP_STEP_MS + 1))
        gap_ms = gap_ms if number + 1 < len(clips) else 0
        found.append(Take(path, start_ns, span_ms * NS_PER_MS, gap_ms * NS_PER_MS))
    return found


def timed(laid: Sequence[Take], scene: Scene) -> Iterator[Timed]:
    """All frames and ends of one session in the order in which they would be there live; made as they are asked for."""
    roads = {Modality.TEXT: _cues(laid, scene), Modality.AUDIO: _sound(laid, scene), Modality.VIDEO: pictures(laid)}
    used = [road(frames, modality, laid, scene) for modality, frames in roads.items() if modality not in scene.without]
    yield from heapq.merge(*used, key=lambda piece: piece.available_ns)


def road(frames: Iterator[Frame], modality: Modality, laid: Sequence[Take], scene: Scene) -> Iterator[Timed]:
    """Number, lose, stamp and delay one modality's frames; its end comes after the last."""
    random = random_for(scene.seed, "drop", modality, *(take.path.stem for take in laid))
    lost, skew_ns = scene.drop.get(modality, 0.0), round(scene.skew_ms.get(modality, 0.0) * NS_PER_MS)
    delay_ns = round(scene.delay_ms.get(modality, 0.0) * NS_PER_MS)
    end_ns: int | None = None
    for number, frame in enumerate(frames):
        length_ns = frame.duration_ns or 0
        end_ns = frame.time_ns + length_ns
        if random.random() >= lost:
            there_ns = delay_ns + (end_ns if modality is Modality.AUDIO else frame.time_ns)
            frame.sequence = number
            frame.time_ns += skew_ns
            yield Timed(there_ns, frame)
    if end_ns is not None:
        yield Timed(end_ns + delay_ns, End("", modality, end_ns + skew_ns))


def _sound(laid: Sequence[Take], scene: Scene) -> Iterator[Frame]:
    for take in laid:
        yield from chunks(_heard(take, scene), take.start_ns)


def chunks(samples: NDArray[np.int16], start_ns: int) -> Iterator[Frame]:
    """Sound in frames of 20 ms, the first of them at `start_ns`."""
    for first in range(0, len(samples), CHUNK_SAMPLES):
        chunk = samples[first : first + CHUNK_SAMPLES]
        time_ns = start_ns + first * NS_PER_SECOND // clip.RATE_HZ
        length_ns = len(chunk) * NS_PER_SECOND // clip.RATE_HZ
        payload = chunk.astype(">i2").tobytes()
        yield Frame("", Modality.AUDIO, time_ns, length_ns, payload, SOUND, clip.RATE_HZ, 1)


def _heard(take: Take, scene: Scene) -> NDArray[np.int16]:
    """A clip's sound and the gap after it, under noise whose level the clip's speech sets."""
    speech = clip.samples(take.path)
    if not len(speech):
        return speech
    samples = speech
    if take.gap_ns:
        length = (take.span_ns + take.gap_ns) // NS_PER_MS * SAMPLES_PER_MS
        room = np.resize(quietest(speech), max(0, length - len(speech)))
        samples = np.concatenate([speech, room])[:length]
    if scene.snr_db is None:
        return samples
    noise = noise_for(scene.noise, len(samples), scene.seed, take.path.stem)
    return mixed(samples, noise, scene.snr_db, spoken_span(speech))


def quietest(samples: NDArray[np.int16]) -> NDArray[np.int16]:
    """The 200 ms with the least energy; all of a shorter clip."""
    squares = np.concatenate([[0.0], np.cumsum(samples.astype(np.float64) ** 2)])
    starts = np.arange(0, max(1, len(samples) - ROOM_SAMPLES + 1), ROOM_STEP_SAMPLES)
    ends = np.minimum(starts + ROOM_SAMPLES, len(samples))
    first = int(starts[np.argmin(squares[ends] - squares[starts])])
    return samples[first : first + ROOM_SAMPLES]


def pictures(laid: Sequence[Take]) -> Iterator[Frame]:
    """What the camera sees, the last picture of a clip for as long as the gap after it."""
    for take in laid:
        last: clip.Picture | None = None
        for last in clip.pictures(take.path):
            yield _picture(take.start_ns + last.time_ns, last.duration_ns, last.jpeg)
        if last is None or not take.gap_ns:
            continue
        for time_ns in range(take.start_ns + last.time_ns + last.duration_ns, take.end_ns, PICTURE_NS):
            yield _picture(time_ns, min(PICTURE_NS, take.end_ns - time_ns), last.jpeg)


def _picture(time_ns: int, duration_ns: int, jpeg: bytes) -> Frame:
    return Frame("", Modality.VIDEO, time_ns, duration_ns, jpeg, "image/jpeg")


def _cues(laid: Sequence[Take], scene: Scene) -> Iterator[Frame]:
    """Each line until its own end or the next one's start, all within the session."""
    if scene.text is None:
        return
    end_ns = laid[-1].end_ns
    lines = [cue for cue in cues(scene.text) if cue.time_ns < end_ns]
    limits_ns = [*(cue.time_ns for cue in lines[1:]), end_ns]
    for cue, limit_ns in zip(lines, limits_ns, strict=bool(lines)):
        until_ns = min(cue.end_ns, limit_ns)
        yield Frame("", Modality.TEXT, cue.time_ns, until_ns - cue.time_ns, cue.text.encode(), TEXT)

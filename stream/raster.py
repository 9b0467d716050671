"""Places a hop's frames on the tick grid: the step between payloads and features.

    Hop -> [HopInput: samples, crops, tokens, masks]

Audio is placed sample-accurately, video takes the nearest picture a tick, text holds. What a hop becomes depends
on its own frames alone. Training rasterises by this very code. Runs in worker threads or in processes
of its own; holds no state.
"""

from __future__ import annotations

import math
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from stream.errors import RecordError
from stream.frame import MAX_TEXT_CHARACTERS, Frame, Modality
from stream.media import picture, samples

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import av
    from numpy.typing import NDArray

    from stream.mouth import Mouth

MODALITIES = (Modality.TEXT, Modality.AUDIO, Modality.VIDEO)  # the order of all arrays over modalities
JITTER_NS = 5_000_000  # stamps of contiguous audio may be off by this much without being a gap
FILTER_SAMPLES = 32  # that resampling reads beyond an end, at most, of the lower rate
MAX_TOKENS = 32  # distinct known words of a text, a tick


@dataclass(slots=True)
class HopInput:
    """One hop on the tick grid."""

    samples: NDArray[np.float32]  # [ticks * samples a tick], zeros where nothing was captured
    crops: NDArray[np.uint8]  # [ticks, height, width], zeros where there is no mouth
    tokens: NDArray[np.int64]  # [ticks, MAX_TOKENS], 0 where there is none
    mask: NDArray[np.float32]  # [ticks, 3] in the order of MODALITIES, 1 where something is there
    corrupt: list[tuple[Frame, RecordError]] = field(default_factory=list)
    seconds: dict[Modality, float] = field(default_factory=dict)  # what it took, of those of which there was anything


class Raster:
    """Turns the frames of `[start, end)` into arrays.

    Parameters
    ----------
    rate_hz : int
        Sample rate of the model's audio; a tick must hold a whole number of samples.
    vocabulary : sequence of str
        Words by token id; id 0 is no word.
    max_pixels : int
        Pictures with more are refused before they are decoded.
    """

    def __init__(
        self, tick_ns: int, rate_hz: int, vocabulary: Sequence[str], mouth: Mouth, max_pixels: int = 4_000_000
    ) -> None:
        self.tick_ns = tick_ns
        self.rate_hz = rate_hz
        self.tick_samples = rate_hz * tick_ns // 1_000_000_000
        self._token = {word: index for index, word in enumerate(vocabulary) if index}
        self._mouth = mouth
        self._max_pixels = max_pixels

    def hop(self, frames: Mapping[Modality, Sequence[Frame]], start_ns: int, end_ns: int) -> HopInput:
        """Decode and place; frames that do not decode are returned with why."""
        ticks = (end_ns - start_ns) // self.tick_ns
        seconds: dict[Modality, float] = {}
        with _timed(Modality.AUDIO, frames, seconds):
            sound, heard = self._audio(frames.get(Modality.AUDIO, ()), start_ns, ticks)
        with _timed(Modality.VIDEO, frames, seconds):
            crops, seen, corrupt = self._video(frames.get(Modality.VIDEO, ()), start_ns, ticks)
        with _timed(Modality.TEXT, frames, seconds):
            tokens, read = self._text(frames.get(Modality.TEXT, ()), start_ns, ticks)
        mask = np.stack([read, heard, seen], axis=1).astype(np.float32)
        return HopInput(sound, crops, tokens, mask, corrupt, seconds)

    def nothing(self, ticks: int) -> HopInput:
        """`ticks` in which nothing was captured."""
        return self.hop({}, 0, ticks * self.tick_ns)

    def _audio(
        self, frames: Sequence[Frame], start_ns: int, ticks: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        sound = np.zeros(ticks * self.tick_samples, dtype=np.float32)
        covered = np.zeros(len(sound), dtype=bool)
        for run in _contiguous(frames):
            begin_ns = run[0].time_ns + _offset_ns(run)
            run_samples = _resampled(np.concatenate([samples(frame) for frame in run]), run[0].rate_hz, self.rate_hz)
            at = round((begin_ns - start_ns) * self.rate_hz / 1e9)
            first, last = max(at, 0), min(at + len(run_samples), len(sound))
            if first < last:
                sound[first:last] = run_samples[first - at : last - at]
                covered[first:last] = True
        return sound, covered.reshape(ticks, self.tick_samples).mean(axis=1) >= 0.5

    def _video(
        self, frames: Sequence[Frame], start_ns: int, ticks: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_], list[tuple[Frame, RecordError]]]:
        crops = np.zeros((ticks, self._mouth.height_px, self._mouth.width_px), dtype=np.uint8)
        seen = np.zeros(ticks, dtype=bool)
        nearest = nearest_frames(frames, start_ns, ticks, self.tick_ns)
        chosen = sorted({index for index in nearest if index is not None})
        cut, corrupt = self._crops([frames[index] for index in chosen])
        by_index = dict(zip(chosen, cut, strict=True))
        for tick, index in enumerate(nearest):
            crop = by_index[index] if index is not None else None
            if crop is not None:
                crops[tick] = crop
                seen[tick] = True
        return crops, seen, corrupt

    def _crops(self, frames: Sequence[Frame]) -> tuple[list[NDArray[np.uint8] | None], list[tuple[Frame, RecordError]]]:
        """A crop a frame, None where there is none, and the frames that did not decode."""
        crops: list[NDArray[np.uint8] | None] = [None] * len(frames)
        mouths: list[tuple[int, av.VideoFrame]] = []
        scenes: list[tuple[int, av.VideoFrame]] = []
        corrupt = []
        for index, frame in enumerate(frames):
            try:
                image = picture(frame, self._max_pixels)
            except RecordError as error:
                corrupt.append((frame, error))
                continue
            (mouths if frame.region == "mouth" else scenes).append((index, image))
        for shown, crop_all in ((mouths, self._mouth.wholes), (scenes, self._mouth.crops)):
            found = crop_all([image for _, image in shown])
            for (index, _), crop in zip(shown, found, strict=True):
                crops[index] = crop
        return crops, corrupt

    def _text(self, frames: Sequence[Frame], start_ns: int, ticks: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        tokens = np.zeros((ticks, MAX_TOKENS), dtype=np.int64)
        for frame in frames:
            tokens[self._first_tick(frame.time_ns - start_ns) :] = self.tokens(frame.payload.decode())
            if frame.duration_ns is not None:
                tokens[self._first_tick(frame.time_ns + frame.duration_ns - start_ns) :] = 0
        return tokens, np.asarray(tokens.any(axis=1), dtype=np.bool_)

    def _first_tick(self, offset_ns: int) -> int:
        """The first tick that begins at or after a time within the hop, or before it."""
        return max(0, -(-offset_ns // self.tick_ns))

    def tokens(self, text: str) -> NDArray[np.int64]:
        """Ids of a text's known words, each once, in order, shape [MAX_TOKENS]."""
        words = re.findall(r"[^\W_]+(?:'[^\W_]+)*", text[:MAX_TEXT_CHARACTERS].casefold())
        known = list(dict.fromkeys(self._token[word] for word in words if word in self._token))[:MAX_TOKENS]
        ids = np.zeros(MAX_TOKENS, dtype=np.int64)
        ids[: len(known)] = known
        return ids


@contextmanager
def _timed(
    modality: Modality, frames: Mapping[Modality, Sequence[Frame]], seconds: dict[Modality, float]
) -> Iterator[None]:
    """Measure what is done to a modality's frames, if there are any."""
    started = time.perf_counter()
    yield
    if frames.get(modality):
        seconds[modality] = time.perf_counter() - started


def nearest_frames(frames: Sequence[Frame], start_ns: int, ticks: int, tick_ns: int) -> list[int | None]:
    """For each tick the index of the picture shown at its middle, else of the nearest within one tick."""
    if not frames:
        return [None] * ticks
    begins = np.array([frame.time_ns for frame in frames], dtype=np.int64) - start_ns
    ends = begins + np.array(_shown_ns(frames, 2 * tick_ns), dtype=np.int64)
    middles = np.arange(ticks, dtype=np.int64)[:, None] * tick_ns + tick_ns // 2
    distance = np.maximum(np.maximum(begins - middles, middles - (ends - 1)), 0)
    best = len(frames) - 1 - distance[:, ::-1].argmin(axis=1)
    return [int(index) if distance[tick, index] <= tick_ns else None for tick, index in enumerate(best)]


def _shown_ns(frames: Sequence[Frame], longest_ns: int) -> list[int]:
    """How long each picture is shown: its duration, else until the next, then at most `longest_ns`."""
    until_next = [after.time_ns - frame.time_ns for frame, after in pairwise(frames)] + [longest_ns]
    known = [frame.duration_ns for frame in frames]
    return [
        max(min(gap, longest_ns) if duration is None else duration, 1)
        for gap, duration in zip(until_next, known, strict=True)
    ]


def _contiguous(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Audio frames in runs without a gap or a change of rate."""
    runs: list[list[Frame]] = []
    for frame in frames:
        follows = (
            runs
            and runs[-1][-1].rate_hz == frame.rate_hz
            and abs(runs[-1][-1].time_ns + (runs[-1][-1].duration_ns or 0) - frame.time_ns) <= JITTER_NS
        )
        if follows:
            runs[-1].append(frame)
        else:
            runs.append([frame])
    return runs


def _offset_ns(run: list[Frame]) -> int:
    """How far the run's first stamp is off, by the median over all its stamps."""
    lengths_ns = np.cumsum([0] + [frame.duration_ns or 0 for frame in run[:-1]])
    return int(np.median([frame.time_ns - run[0].time_ns for frame in run] - lengths_ns))


def _resampled(sound: NDArray[np.float32], from_hz: int, to_hz: int) -> NDArray[np.float32]:
    """Band-limited resampling by FFmpeg's libswresample; beyond its ends the sound goes on as it began and ended."""
    if from_hz == to_hz:
        return sound
    ratio = Fraction(to_hz, from_hz)
    # Whole samples at both rates, so that cutting the margin off again moves nothing.
    reach = FILTER_SAMPLES * max(from_hz, to_hz) / to_hz
    margin = ratio.denominator * math.ceil(reach / ratio.denominator)
    frame = AudioFrame.from_ndarray(np.pad(sound, margin, mode="edge")[None], format="flt", layout="mono")
    frame.sample_rate = from_hz
    resampler = AudioResampler(format="flt", layout="mono", rate=to_hz)
    pieces = [piece.to_ndarray()[0] for part in (frame, None) for piece in resampler.resample(part)]
    first, count = int(margin * ratio), math.ceil(len(sound) * ratio)
    return np.concatenate(pieces)[first : first + count]

"""One clip's features under many conditions, each distinct thing heard, seen and encoded once.

    clip -> frames -> hops -> windows -> features of Sound | Sight | hint -> Segment's inputs of the fusion

Frames come from the service's own scene, hops from its raster, features from the bundle's graphs with the context that
the manifest declares, a block of ticks as long as a hop at a time; a test holds them against `stream/blocks.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.bundle import Bundle
from models.measure.cells import Segment, Sight, Sound
from stream import clip
from stream.content import TEXT
from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.mouth import Mouth
from stream.noise import Noise, mixed, noise_for, random_for, spoken_span
from stream.provider import Models
from stream.raster import MODALITIES, HopInput, Raster
from stream.scene import Scene, Take, chunks, pictures, road, takes

WINDOWS_AT_ONCE = 88
GRAPH_INPUTS = {Modality.TEXT: "tokens", Modality.AUDIO: "samples", Modality.VIDEO: "crops"}
Key = Sound | Sight | int  # what a part is of; a hint goes by its seed


class Part(NamedTuple):
    """One modality of a clip, encoded."""

    features: NDArray[np.float32]  # [ticks, features]
    present: NDArray[np.float32]  # [ticks], 1 where something is there
    shown: frozenset[int] = frozenset()  # words, as classes


class Clip:
    """A clip's frames under any condition.

    Parameters
    ----------
    sentence : str
        What is said; a hint is one of its words.
    """

    def __init__(self, path: Path, sentence: str) -> None:
        self.stem = path.stem
        self._sentence = sentence
        self._laid: list[Take] = takes([path], Scene())
        self.span_ns = self._laid[0].span_ns
        self._speech = clip.samples(path)
        self._spoken = spoken_span(self._speech)
        self._pictures = list(pictures(self._laid))
        self._noise = lru_cache(maxsize=1)(self._new_noise)

    def _new_noise(self, kind: Noise, seed: int) -> NDArray[np.float64]:
        return noise_for(kind, len(self._speech), seed, self.stem)

    def heard(self, sound: Sound) -> list[Frame]:
        """Sound as `stream/scene.py` would send it."""
        samples = self.samples(sound)
        return self._arrived(chunks(samples, 0), Modality.AUDIO, sound.loss, sound.seed)

    def samples(self, sound: Sound) -> NDArray[np.int16]:
        """The clip's sound at 16 kHz under its noise, nothing lost."""
        air = sound.air
        if air.noise is None or air.snr_db is None:
            return self._speech
        return mixed(self._speech, self._noise(air.noise, sound.seed), air.snr_db, self._spoken)

    def seen(self, sight: Sight) -> list[Frame]:
        """Pictures as `stream/scene.py` would send them."""
        return self._arrived(self._pictures, Modality.VIDEO, sight.loss, sight.seed)

    def read(self, hint: int) -> list[Frame]:
        """One true word, shown all the time."""
        word = true_word(self.stem, self._sentence, hint)
        return [Frame("", Modality.TEXT, 0, self.span_ns, word.encode(), TEXT)]

    def _arrived(self, frames: Iterable[Frame], modality: Modality, loss: float, seed: int) -> list[Frame]:
        there = road(iter(frames), modality, self._laid, Scene(drop={modality: loss}, seed=seed))
        return [each.item for each in there if isinstance(each.item, Frame)]


def true_word(stem: str, sentence: str, seed: int) -> str:
    """One word of the sentence, drawn by the clip's name."""
    return str(random_for(seed, stem, "hint").choice(sentence.split()))


class Encoding:
    """Places and encodes frames as the service does with a bundle."""

    def __init__(self, bundle: Bundle, models: Models) -> None:
        manifest = bundle.manifest
        self._models, self._block = models, manifest.hop_ticks
        self._tick_ns, self._hop_ns = bundle.tick_ns, bundle.hop_ns
        self._left, self._right = bundle.left_ticks, bundle.right_ticks
        mouth = Mouth(FaceFinder(manifest.finder.digest), manifest.crop_height_px, manifest.crop_width_px)
        self.raster = Raster(bundle.tick_ns, manifest.rate_hz, manifest.vocabulary, mouth)

    def parts(self, source: Clip, segments: Sequence[Segment]) -> dict[Key, Part]:
        """What the segments are made of: features by sound, by sight and by hint."""
        sounds = dict.fromkeys(each.sound for each in segments if each.sound)
        sights = dict.fromkeys(each.sight for each in segments if each.sight)
        hints = dict.fromkeys(each.hint for each in segments if each.hint is not None)
        found: dict[Key, Part] = {}
        for modality, frames in (
            (Modality.AUDIO, ((each, source.heard(each)) for each in _grouped(sounds))),
            (Modality.VIDEO, ((each, source.seen(each)) for each in sights)),
            (Modality.TEXT, ((each, source.read(each)) for each in hints)),
        ):
            found.update((key, self.part(modality, arrived, source.span_ns)) for key, arrived in frames)
        return found

    def part(self, modality: Modality, frames: Sequence[Frame], span_ns: int) -> Part:
        """Features of one modality over `[0, span)`, up to the end of its last hop."""
        hops = self.hops(modality, frames, span_ns)
        column = MODALITIES.index(modality)
        present = np.concatenate([hop.mask[:, column] for hop in hops])
        raw = np.concatenate([getattr(hop, GRAPH_INPUTS[modality]) for hop in hops])
        if modality is Modality.TEXT:
            windows = raw.reshape(len(hops), self._block, -1)
            return Part(self._encoded(modality, windows), present, frozenset({*raw.ravel().tolist()} - {0}))
        per_tick = raw.reshape(len(present), -1, *raw.shape[1:])
        features = self._encoded(modality, self._windows(per_tick))
        return Part(features[self._right : self._right + len(present)], present)

    def hops(self, modality: Modality, frames: Sequence[Frame], span_ns: int) -> list[HopInput]:
        """The frames on the grid; a hop gets all that overlap it."""
        placed = []
        for start_ns in range(0, span_ns, self._hop_ns):
            end_ns = start_ns + self._hop_ns
            inside = [
                each for each in frames if each.time_ns < end_ns and each.time_ns + (each.duration_ns or 0) > start_ns
            ]
            placed.append(self.raster.hop({modality: inside}, start_ns, end_ns))
        return placed

    def _windows(self, per_tick: NDArray[Any]) -> NDArray[Any]:
        """Blocks with their context, from the one that ends the right context before the first hop does.

        `per_tick` is [ticks, items, ...] and what comes back [blocks, (left + block + right) * items, ...]; around the
        clip nothing was captured.
        """
        blocks = len(per_tick) // self._block + 1
        wide = self._left + self._block + self._right
        filled = np.zeros(((blocks - 1) * self._block + wide, *per_tick.shape[1:]), dtype=per_tick.dtype)
        filled[self._left + self._right :][: len(per_tick)] = per_tick
        cut = [filled[first : first + wide] for first in range(0, blocks * self._block, self._block)]
        return np.stack(cut).reshape(blocks, -1, *per_tick.shape[2:])

    def _encoded(self, modality: Modality, windows: NDArray[Any]) -> NDArray[np.float32]:
        name = GRAPH_INPUTS[modality]
        runs = [windows[first : first + WINDOWS_AT_ONCE] for first in range(0, len(windows), WINDOWS_AT_ONCE)]
        found = np.concatenate([self._models.run(modality, {name: run})["features"] for run in runs])
        return np.asarray(found.reshape(-1, found.shape[2]), dtype=np.float32)


def _grouped(sounds: Iterable[Sound]) -> list[Sound]:
    """In an order in which each noise is made once."""
    return sorted(sounds, key=lambda each: (str(each.air.noise), each.seed))

"""What speech training hears, sees and reads: clips one after another, silence, noise, hints.

The head serves open segments, which begin in silence and end anywhere, so samples do as well. Everything drawn comes
from one generator, so a seed gives one training set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from models.tasks.speech import Utterance, labels
from models.tasks.speech_pieces import joined, paced, part, silence, swapped
from stream.raster import MAX_TOKENS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

LONGEST_TICKS = 125
VOICES = 6  # of a babble
SNR_DB = (-10.0, 15.0)
ASTRAY_SNR_DB = 0.0  # at least, where the pictures mislead: something must tell what is said
SWAPPED = 0.4  # of the samples have words of other clips: 750 sentences are soon known by heart
MOST_SWAPPED = 3
PACE = (0.88, 1.14)  # speech made faster or slower by so much
STILL_SEEN = 0.3  # of the gaps whose picture stands still are seen all the same
LOST = 0.15  # of the samples miss their pictures for a while
NOTHING_SAID = 0.06  # of the samples
MOST_HINTS = 4  # true words among the words shown


@dataclass(frozen=True)
class Sample:
    """One row of a training batch."""

    samples: NDArray[np.float32]  # [ticks * TICK_SAMPLES]
    crops: NDArray[np.uint8]  # [ticks, height, width]
    tokens: NDArray[np.int64]  # [ticks, MAX_TOKENS]
    mask: NDArray[np.float32]  # [ticks, 3] text, audio, video
    labels: NDArray[np.int64]  # [ticks]


class Mixer:
    """Draws training samples from utterances.

    Parameters
    ----------
    vocabulary : sequence of str
        Words by class and by token, the empty word first.
    voices : sequence of Utterance or None
        Who babbles and speaks before and after; None for the utterances themselves.
    astray : float
        Share of the samples whose pictures are another clip's, stand still, or are black.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        vocabulary: Sequence[str],
        voices: Sequence[Utterance] | None = None,
        astray: float = 0.0,
    ) -> None:
        self.utterances = utterances
        self._astray = astray
        self._voices = utterances if voices is None else voices
        self.vocabulary = vocabulary
        self._token = {word: index for index, word in enumerate(vocabulary)}

    def plain(self, index: int) -> Sample:
        """An utterance as it is, for validation."""
        said = self.utterances[index]
        return self._sample(said, as_float(said.samples), np.zeros(MAX_TOKENS, dtype=np.int64))

    def draw(self, index: int, generator: Generator) -> Sample:
        """An utterance within silence and neighbours, degraded as the world would."""
        if generator.random() < NOTHING_SAID:
            return self._nothing(index, generator)
        said = self._stream(index, generator)
        if generator.random() < 0.5:
            said = paced(said, float(generator.uniform(*PACE)))
        astray = generator.random() < self._astray
        least_db = ASTRAY_SNR_DB if astray else SNR_DB[0]
        sound = self._noisy(as_float(said.samples), said, least_db, generator)
        sound = np.clip(sound * np.float32(10 ** generator.uniform(-0.5, 0.3)), -1, 1)
        if astray:
            said = replace(said, crops=self._wrong(said, generator))
        if generator.random() < LOST:
            first, length = generator.integers(0, said.ticks), generator.integers(2, 24)
            said.seen[first : first + length] = False
        return self._sample(said, sound, self._hints(said, generator))

    def _wrong(self, said: Utterance, generator: Generator) -> NDArray[np.uint8]:
        """Pictures that do not show what is said."""
        drawn = generator.random()
        if drawn < 0.2:
            return np.zeros_like(said.crops)
        if drawn < 0.4:
            return np.repeat(said.crops[:1], said.ticks, axis=0)
        other = self._other(generator).crops
        return np.resize(np.roll(other, int(generator.integers(-12, 13)), axis=0), said.crops.shape)

    def _nothing(self, index: int, generator: Generator) -> Sample:
        """A room where nobody speaks to us: its own noise, another's, far voices, or digital silence; a still face or none."""
        said = silence(self.utterances[index], int(generator.integers(20, 100)))
        level = np.float32(generator.choice([0.0, 1.0, 3.0]))
        sound = as_float(said.samples) * level
        drawn = generator.random()
        if drawn < 0.7:
            noise = _coloured(len(sound), generator) if drawn < 0.4 else self.babble(len(sound), generator)
            sound += noise / (np.abs(noise).max() + 1e-6) * np.float32(10 ** generator.uniform(-4, -1))
        seen = said.seen & (generator.random() < 0.6)
        return self._sample(replace(said, seen=seen), np.clip(sound, -1, 1), self._hints(said, generator))

    def _sample(self, said: Utterance, sound: NDArray[np.float32], tokens: NDArray[np.int64]) -> Sample:
        mask = np.ones((said.ticks, 3), dtype=np.float32)
        mask[:, 0] = tokens.any()
        mask[:, 2] = said.seen
        crops = said.crops * said.seen[:, None, None]
        held = np.tile(tokens, (said.ticks, 1))
        return Sample(sound, crops, held, mask, labels(said.words, said.ticks, self.vocabulary))

    def _stream(self, index: int, generator: Generator) -> Utterance:
        """Perhaps the end of another clip, perhaps silence, the clip, perhaps silence and the start of another."""
        said = self.spliced(self.utterances[index], generator)
        parts = [said]
        if generator.random() < 0.5:
            parts.insert(0, self._gap(said, int(generator.integers(1, 40)), generator))
        if generator.random() < 0.25:
            other = self._other(generator)
            parts.insert(0, part(other, int(generator.integers(other.ticks - 35, other.ticks - 3)), other.ticks))
        if generator.random() < 0.3:
            parts.append(self._gap(said, int(generator.integers(1, 25)), generator))
        if generator.random() < 0.2:
            parts.append(part(self._other(generator), int(generator.integers(0, 14)), int(generator.integers(20, 60))))
        whole = joined(parts)
        start = int(generator.integers(0, 20)) if generator.random() < 0.2 else 0
        return part(whole, start, min(whole.ticks, start + LONGEST_TICKS))

    def spliced(self, said: Utterance, generator: Generator) -> Utterance:
        """Perhaps with some words as the same speaker says what stands there in other clips."""
        if generator.random() >= SWAPPED:
            return said
        for _ in range(int(generator.integers(1, MOST_SWAPPED + 1))):
            other, place = self._other(generator), int(generator.integers(len(said.words)))
            if _speaker(other) == _speaker(said) and place < len(other.words):
                said = swapped(said, other, place)
        return said

    def _gap(self, said: Utterance, ticks: int, generator: Generator) -> Utterance:
        """Silence, mostly unseen: the service does not use pictures that stand still."""
        gap = silence(said, ticks)
        return gap if generator.random() < STILL_SEEN else replace(gap, seen=np.zeros_like(gap.seen))

    def _other(self, generator: Generator) -> Utterance:
        return self._voices[int(generator.integers(len(self._voices)))]

    def _noisy(
        self, sound: NDArray[np.float32], said: Utterance, least_db: float, generator: Generator
    ) -> NDArray[np.float32]:
        drawn = generator.random()
        if drawn < 0.15 or not said.words:
            return sound
        noise = self.babble(len(sound), generator) if drawn < 0.9 else _coloured(len(sound), generator)
        return at_snr(sound, noise, said.span, float(generator.uniform(least_db, SNR_DB[1])))

    def babble(self, length: int, generator: Generator) -> NDArray[np.float32]:
        """Voices that all speak without a pause, or whole clips with theirs."""
        total = np.zeros(length, dtype=np.float32)
        pauses = generator.random() < 0.5
        for _ in range(VOICES):
            other = self._other(generator)
            voice = as_float(other.samples if pauses else other.samples[other.span])
            voice /= np.sqrt((voice**2).mean()) + 1e-6
            total += np.roll(np.resize(voice, length), int(generator.integers(length)))
        return total

    def _hints(self, said: Utterance, generator: Generator) -> NDArray[np.int64]:
        """Words shown around the speech: some true, some not, none at all, or all wrong."""
        tokens = np.zeros(MAX_TOKENS, dtype=np.int64)
        if generator.random() < 0.5:
            return tokens
        true = [self._token[word] for word, _, _ in said.words]
        kept = 0 if not true or generator.random() < 0.35 else int(generator.integers(1, MOST_HINTS + 1))
        shown = {*generator.permutation(true)[:kept]}
        shown |= {*generator.integers(1, len(self.vocabulary), int(generator.integers(0, 6)))}
        tokens[: len(shown)] = generator.permutation(sorted(shown)) if shown else []
        return tokens


def _speaker(said: Utterance) -> str:
    """Of a clip `s1/bbal6n`, or of a sentence `synthetic-10000`."""
    return said.name.replace("-", "/").split("/")[0]


def as_float(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    """16-bit samples in [-1, 1)."""
    return np.asarray(samples, dtype=np.float32) / np.float32(32768)


def at_snr(sound: NDArray[np.float32], noise: NDArray[np.float32], span: slice, snr_db: float) -> NDArray[np.float32]:
    """Sound with noise under it, the ratio of their power over the span being `snr_db`."""
    power = float((sound[span] ** 2).mean())
    under = float((noise[span] ** 2).mean())
    factor = np.sqrt(power / max(under * 10 ** (snr_db / 10), 1e-12))
    return np.asarray(sound + noise * factor, dtype=np.float32)


def _coloured(length: int, generator: Generator) -> NDArray[np.float32]:
    """Gaussian noise whose power falls with frequency to a drawn power, 0 (white) to 2 (brown)."""
    spectrum = np.fft.rfft(generator.standard_normal(length))
    spectrum[1:] *= np.arange(1, len(spectrum)) ** (-generator.uniform(0, 2) / 2)
    return np.asarray(np.fft.irfft(spectrum, n=length), dtype=np.float32)

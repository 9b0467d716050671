"""The speech corpus as training wants it: who is trained on, who is held out, and the words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from models import language
from models.encoders import Dimensions
from models.tasks import speech
from models.tasks.speech_mix import Mixer

if TYPE_CHECKING:
    from pathlib import Path

    from models.tasks.speech import Utterance
    from stream.decode import Language

SYNTHETIC_SEEDS = range(10_000, 10_200)  # sentences of the synthetic speaker
ASTRAY = 0.15  # of the fused network's training samples show pictures that mislead


@dataclass(frozen=True)
class Corpus:
    """Clips that training learns from, clips that it chooses the best epoch by, and the vocabulary."""

    training: list[Utterance]
    validation: list[Utterance]
    vocabulary: list[str]

    @classmethod
    def load(cls, data: Path, cache: Path) -> Self:
        """Prepare what is not in `cache` yet."""
        training = speech.load(data, speech.training_names(data), cache)
        training += speech.synthesise(SYNTHETIC_SEEDS, cache)
        validation = speech.load(data, speech.held_out("validation"), cache)
        return cls(training, validation, speech.vocabulary(said.text for said in training))

    @property
    def dims(self) -> Dimensions:
        """Sizes of the network: every word may be shown and said."""
        return Dimensions(len(self.vocabulary), len(self.vocabulary))

    def language(self) -> Language:
        """What training says: its pairs of words, and how much of the time each is said."""
        ticks = [speech.labels(said.words, said.ticks, self.vocabulary) for said in self.training]
        return language.fit([said.text for said in self.training], ticks, self.vocabulary)

    def only(self, modality: str) -> Self:
        """Without pictures where they are not looked at: they are most of the work."""
        if modality != "audio":
            return self
        training, validation = ([_blind(said) for said in part] for part in (self.training, self.validation))
        return replace(self, training=training, validation=validation)

    def mixer(self, astray: float = 0.0) -> Mixer:
        """Draws training samples."""
        return Mixer(self.training, self.vocabulary, astray=astray)

    def held_out(self) -> Mixer:
        """Gives validation clips; the training clips babble."""
        return Mixer(self.validation, self.vocabulary, voices=self.training)


def _blind(said: Utterance) -> Utterance:
    return replace(said, crops=said.crops[:, :1, :1])

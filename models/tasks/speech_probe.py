"""A quick look at a network in training: word error rates of whole validation clips, in torch.

Not what is reported: `measure/report.py` measures the exported bundle by the service's own path, on the test clips.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from models.features import encoded
from models.tasks.speech_batch import collated
from models.tasks.speech_mix import Mixer, Sample, at_snr
from models.tasks.speech_score import word_error_rate
from stream.decode import spoken

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.fusion import Fusion
    from models.network import Network
    from stream.decode import Language

AT_ONCE = 25


@dataclass(frozen=True)
class Condition:
    """What is there of the clips."""

    name: str
    kept: tuple[int, int, int]  # text, audio, video
    snr_db: float | None = None
    hinted: bool = False  # one true word is shown


ALONE = {
    "audio": (Condition("a", (0, 1, 0)), Condition("a0", (0, 1, 0), 0.0), Condition("a-5", (0, 1, 0), -5.0)),
    "video": (Condition("v", (0, 0, 1)),),
}
FUSED = (
    Condition("av", (0, 1, 1)),
    Condition("a", (0, 1, 0)),
    Condition("v", (0, 0, 1)),
    Condition("av0", (0, 1, 1), 0.0),
    Condition("avt0", (1, 1, 1), 0.0, hinted=True),
    Condition("a0", (0, 1, 0), 0.0),
    Condition("av-5", (0, 1, 1), -5.0),
    Condition("a-5", (0, 1, 0), -5.0),
)


class Probe:
    """Validation clips under some conditions; each is prepared once."""

    def __init__(self, mixer: Mixer, language: Language, conditions: Sequence[Condition]) -> None:
        self._language = language
        self._texts = [said.text for said in mixer.utterances]
        self._batches = {condition.name: _prepared(mixer, condition) for condition in conditions}

    @torch.no_grad()
    def features(self, network: Network) -> dict[str, list[dict[str, Tensor]]]:
        """What the encoders make of each condition's batches; good as long as they stand still."""
        network.eval()
        return {name: [encoded(network, batch) for batch in drawn] for name, drawn in self._batches.items()}

    def errors(self, network: Network) -> dict[str, float]:
        """Word error rate of each condition in per cent."""
        return self.errors_of(network.fusion, self.features(network))

    @torch.no_grad()
    def errors_of(self, fusion: Fusion, features: Mapping[str, Sequence[Mapping[str, Tensor]]]) -> dict[str, float]:
        """The same from features that were made before."""
        fusion.eval()
        return {name: self._error(fusion, drawn) for name, drawn in features.items()}

    def _error(self, fusion: Fusion, drawn: Sequence[Mapping[str, Tensor]]) -> float:
        heard = []
        for batch in drawn:
            logits, _, _ = fusion(*(batch[name] for name in ("text", "audio", "video", "mask", "lengths")))
            for row, length in zip(logits.numpy(), batch["lengths"].tolist(), strict=True):
                heard.append(" ".join(word.word for word in spoken(row[:length], self._language)))
        return round(100 * word_error_rate(self._texts, heard), 2)


def _prepared(mixer: Mixer, condition: Condition) -> list[dict[str, Tensor]]:
    rows = [_sample(mixer, index, condition) for index in range(len(mixer.utterances))]
    drawn = [collated(rows[first : first + AT_ONCE]) for first in range(0, len(rows), AT_ONCE)]
    kept = torch.tensor(condition.kept, dtype=torch.float32)
    return [{**batch, "mask": batch["mask"] * kept} for batch in drawn]


def _sample(mixer: Mixer, index: int, condition: Condition) -> Sample:
    plain, chance = mixer.plain(index), np.random.default_rng(index)
    if condition.snr_db is not None:
        babble = mixer.babble(len(plain.samples), chance)
        noisy = at_snr(plain.samples, babble, mixer.utterances[index].span, condition.snr_db)
        plain = replace(plain, samples=np.clip(noisy, -1, 1))
    if condition.hinted:
        words = mixer.utterances[index].text.split()
        shown = mixer.vocabulary.index(words[int(chance.integers(len(words)))])
        tokens, mask = plain.tokens.copy(), plain.mask.copy()
        tokens[:, 0], mask[:, 0] = shown, 1.0
        plain = replace(plain, tokens=tokens, mask=mask)
    return plain

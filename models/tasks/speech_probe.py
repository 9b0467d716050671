"""A quick look at a network in training: word error rates of whole validation clips, in torch.

Not what is reported: `speech_report.py` measures the exported bundle by the service's own path, on the test clips.
"""

from __future__ import annotations

import numpy as np
import torch

from models.network import Network
from models.tasks.speech_batch import collated
from models.tasks.speech_mix import Mixer, Sample, at_snr
from models.tasks.speech_score import word_error_rate
from stream.decode import spoken

CONDITIONS = {  # name: (text, audio, video), babble in dB or None
    "av": ((0, 1, 1), None),
    "a": ((0, 1, 0), None),
    "v": ((0, 0, 1), None),
    "av0": ((0, 1, 1), 0.0),
    "a0": ((0, 1, 0), 0.0),
}


@torch.no_grad()
def validate(network: Network, probe: Mixer) -> dict[str, float]:
    """Word error rate in per cent of whole validation clips, a condition each."""
    network.eval()
    references = [said.text for said in probe.utterances]
    found = {}
    for name, (kept, snr_db) in CONDITIONS.items():
        rows = [_noisy(probe, index, snr_db) for index in range(len(references))]
        hypotheses: list[str] = []
        for first in range(0, len(rows), 25):
            batch = collated(rows[first : first + 25])
            batch["mask"] = batch["mask"] * torch.tensor(kept, dtype=torch.float32)
            logits = network(batch).numpy()
            for row, length in zip(logits, batch["lengths"].tolist(), strict=True):
                hypotheses.append(" ".join(word.word for word in spoken(row[:length], probe.vocabulary)))
        found[name] = round(100 * word_error_rate(references, hypotheses), 2)
    return found


def _noisy(probe: Mixer, index: int, snr_db: float | None) -> Sample:
    plain = probe.plain(index)
    if snr_db is None:
        return plain
    babble = probe.babble(len(plain.samples), np.random.default_rng(index))
    noisy = at_snr(plain.samples, babble, probe.utterances[index].span, snr_db)
    return Sample(np.clip(noisy, -1, 1), plain.crops, plain.tokens, plain.mask, plain.labels)

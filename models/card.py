"""The model card of a bundle (Mitchell et al., "Model Cards for Model Reporting", 2019), written from its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.manifest import HEARD

if TYPE_CHECKING:
    from models.manifest import Manifest

TEXT = """# Bundle `{name}` {version}

Captions for live video speech: a word or none for every {tick_ms} ms, from sound, the speaker's mouth and words shown
around the speech.

- **Path**: text, audio and video encoders ({features} features a tick) -> selected, standardised -> {fusion}, of
  rank {rank}, which holds {energy:.1%} of the training features' energy -> two streams of two bidirectional GRU layers -> {words} words
  or none.{heard}
- **Context**: a tick's features need {right_ms} ms after it and {left_ms} ms before it.
- **Trained on** 750 clips of one speaker of GRID (750 of the 900 clips of speaker 1; 100 were kept for test, 50 for
  validation, named in `models/tasks/`) and on a synthetic speaker, with babble, noise, silence, cut-off beginnings and
  ends, dropped modalities, and true and false words shown as text.
- **Good for** commands from these {words} words by speaker 1 and by the synthetic speaker; a start for other speakers.
  **Not good for** free speech: words it does not know come out as words that it knows. One speaker's face and voice
  are no sample of mankind; nothing was measured on accents, ages, beards or skin, beyond five clips of five others.
- **Privacy**: it recognises words, not persons; faces are looked for only to crop the mouth, and the model keeps
  nothing. What is sent to Kafka stays there as long as its topics hold it.
- **Licence**: {licence}.
- **Attribution**: {attribution}

## Measured at export

| figure | value | data | command |
|---|---|---|---|
{metrics}

## Vocabulary

{vocabulary}
"""

OWN_HEAD = " Where there are no pictures, the head that sound was trained with alone answers."
FUSIONS = {
    "concatenation": "one SVD of all modalities side by side",
    "average": "an SVD a modality, aligned and averaged by reliability",
    "voting": "an SVD a modality, each with layers of its own, then a vote by reliability",
    "gated": "an SVD a modality, joined by learned gates",
}


def text(manifest: Manifest) -> str:
    """The card as Markdown."""
    context = manifest.encoders.values()
    rows = [f"| {m['figure']} | {m['value']} | {m['data']} | `{m['command']}` |" for m in manifest.metrics]
    return TEXT.format(
        name=manifest.name,
        version=manifest.version,
        tick_ms=manifest.tick_ms,
        features=sum(encoder.features for encoder in context),
        fusion=FUSIONS[manifest.fusion],
        rank=manifest.svd_rank,
        energy=manifest.svd_explained_energy_ratio,
        words=len(manifest.vocabulary) - 1,
        heard=OWN_HEAD if HEARD in manifest.graphs else "",
        left_ms=max(encoder.left_ticks for encoder in context) * manifest.tick_ms,
        right_ms=max(encoder.right_ticks for encoder in context) * manifest.tick_ms,
        licence=manifest.licence,
        attribution=manifest.attribution,
        metrics="\n".join(rows) or "| not measured yet | | | |",
        vocabulary=" ".join(manifest.vocabulary[1:]),
    )

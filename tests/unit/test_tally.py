"""The demo's summary: what changed before the reader's eyes, and what was counted of it."""

import json
from pathlib import Path

import pytest

from stream.frame import Modality
from stream.publish import Prediction
from stream.results import words_changed
from stream.tally import Tally
from stream.view import gave

PAGE = Path(__file__).parents[2] / "REFERENCE.md"


def version(text: str, *, is_final: bool = False) -> Prediction:
    """The reference's example, with other words in it."""
    (example,) = (
        block for block in PAGE.read_text().split("\n\n") if block.startswith('    {"session": "kitchen", "seg')
    )
    one = Prediction.model_validate(json.loads(example))
    words = [one.words[0].model_copy(update={"word": word}) for word in text.split()]
    return one.model_copy(update={"text": text, "words": words, "is_final": is_final})


@pytest.mark.parametrize(
    ("shown", "now", "changed"),
    [
        ("", "lay", 0),
        ("lay green", "lay green by", 0),
        ("lay green", "lay blue by", 1),
        ("green by", "lay green by", 0),  # a word put in before changes none
        ("lay green by", "", 3),
        ("lay green", "green lay", 1),
    ],
)
def test_a_word_has_changed_that_the_next_version_does_not_hold(shown: str, now: str, changed: int) -> None:
    assert words_changed(shown.split(), now.split()) == changed


def test_a_caption_says_what_each_modality_gave_and_what_was_wrong_with_it() -> None:
    one = version("lay")
    assert gave(one) == "audio 44 % video 56 %"
    blind = one.modalities[Modality.VIDEO].model_copy(update={"status": "unusable", "weight": 0.0})
    assert gave(
        one.model_copy(update={"modalities": {Modality.AUDIO: one.modalities[Modality.AUDIO], Modality.VIDEO: blind}})
    ) == ("audio 44 % video 0 % (unusable)")


def test_a_tally_counts_revisions_finals_and_changed_words() -> None:
    tally = Tally("kitchen")
    for each in (version("lay"), version("lay blue"), version("lay green", is_final=True), version("at")):
        tally.add(each)
    assert (tally.revisions, len(tally.finals), tally.words_changed) == (3, 1, 1)
    assert tally.text == "lay green"
    assert sum(tally.weights().values()) == pytest.approx(1)

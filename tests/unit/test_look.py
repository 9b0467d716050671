"""What a final says where sound and pictures differ, by a predictor that reads what each of them says from letters."""

from dataclasses import dataclass, field
from typing import cast

import numpy as np
import pytest

from stream.agreement import DOUBT, sureness
from stream.decode import Language
from stream.features import Features, Fused
from stream.frame import Modality
from stream.look import believed, look
from stream.predict import Predictor
from stream.raster import MAX_TOKENS, MODALITIES
from tests.spelling import BADLY, CLEARLY, VOCABULARY, any_order
from tests.unit.test_agreement import spelt

TEXT, AUDIO, VIDEO = Modality
HEARD, ELSE = "...aaaaaabbbbbbcccccc...", "...xxxxxxyyyyyyzzzzzz..."


@dataclass
class Witness:
    """Says what is heard, or what is seen; of both, what is seen. All that is there shares alike."""

    heard: str
    seen: str
    logit: float = CLEARLY  # how surely it is heard
    language: Language = field(default_factory=lambda: any_order(VOCABULARY))
    asked: list[set[Modality]] = field(default_factory=list)

    async def fuse(self, features: Features) -> tuple[Fused, int]:
        present = {m for m in MODALITIES if features.has(m)}
        self.asked.append(present)
        said = spelt(self.seen) if VIDEO in present else spelt(self.heard, self.logit)
        return Fused(said, {m: (m in present) / len(present) for m in MODALITIES}), 1


def there(*present: Modality, shown: str = "") -> Features:
    mask = np.tile(np.array([m in present for m in MODALITIES], dtype=np.float32), (len(HEARD), 1))
    tokens = np.zeros((len(HEARD), MAX_TOKENS), dtype=np.int64)
    tokens[:, : len(shown)] = [VOCABULARY.index(letter) for letter in shown]
    return Features({m: np.zeros((len(HEARD), 1), dtype=np.float32) for m in MODALITIES}, mask, tokens)


async def last_words(witness: Witness, *present: Modality) -> tuple[str, bool, float]:
    """Of a final: its words, whether pictures were left out, and the pictures' share."""
    predictor, features = cast("Predictor", witness), there(*present)
    found = await believed(predictor, features, await look(predictor, features))
    return "".join(word.word for word in found.words), found.misled, found.fused.shares[VIDEO]


async def test_pictures_that_say_something_else_are_left_out_of_a_final() -> None:
    assert await last_words(Witness(HEARD, ELSE), AUDIO, VIDEO) == ("abc", True, 0)
    assert await last_words(Witness(HEARD, ELSE), TEXT, AUDIO, VIDEO) == ("abc", True, 0)


async def test_pictures_that_say_the_same_stay() -> None:
    witness = Witness(HEARD, HEARD)
    words, misled, weight = await last_words(witness, TEXT, AUDIO, VIDEO)
    assert (words, misled) == ("abc", False)
    assert weight == pytest.approx(1 / 3)
    assert witness.asked == [{TEXT, AUDIO, VIDEO}, {TEXT, AUDIO}, {VIDEO}]


async def test_where_the_sound_is_unsure_the_pictures_weigh_more_by_what_is_left_to_them_alone() -> None:
    unsure = Witness(HEARD, ELSE, BADLY)
    share = sureness(spelt(HEARD, BADLY), unsure.language) / DOUBT
    words, misled, weight = await last_words(unsure, AUDIO, VIDEO)
    assert (words, misled) == ("xyz", False)
    assert weight == pytest.approx(share * 1 / 2 + (1 - share))


@pytest.mark.parametrize("present", [(AUDIO,), (VIDEO,), (TEXT, AUDIO), (TEXT, VIDEO)])
async def test_where_one_of_them_is_all_that_is_there_nothing_more_is_asked(present: tuple[Modality, ...]) -> None:
    witness = Witness(HEARD, ELSE)
    await last_words(witness, *present)
    assert witness.asked == [{*present}]


@pytest.mark.parametrize(("shown", "expected"), [("", "a"), ("b", "b"), ("x", "a"), ("ab", "a")])
async def test_a_word_that_is_shown_is_preferred_to_one_that_sounds_nearly_as_likely(shown: str, expected: str) -> None:
    class Unsure(Witness):
        async def fuse(self, features: Features) -> tuple[Fused, int]:
            fused, batch = await super().fuse(features)
            fused.logits[3:7, VOCABULARY.index("b")] = fused.logits[3:7, VOCABULARY.index("a")] - 0.2
            return fused, batch

    predictor = cast("Predictor", Unsure("...aaaa" + "." * (len(HEARD) - 7), ELSE))
    found = await look(predictor, there(TEXT, AUDIO, shown=shown))
    assert "".join(word.word for word in found.words) == expected
    unread = await look(predictor, there(AUDIO, shown=shown))
    assert "".join(word.word for word in unread.words) == "a"


async def test_features_without_a_modality_are_as_if_it_had_never_been_there() -> None:
    features = there(AUDIO, VIDEO)
    alone = features.without(VIDEO)
    assert np.array_equal(alone.mask, there(AUDIO).mask)
    assert (features.has(VIDEO), alone.has(VIDEO)) == (True, False)

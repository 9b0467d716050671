import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from stream.agreement import DOUBT, agreement, sureness, weighed
from stream.decode import posteriors
from tests.spelling import BADLY, CLEARLY, VOCABULARY, any_order

LANGUAGE = any_order(VOCABULARY)
LOGITS = arrays(np.float32, st.tuples(st.integers(1, 30), st.just(4)), elements=st.floats(-9, 9, width=32))
SAID = "......aaaaabbbb..ccccc......."


def spelt(letters: str, logit: float = CLEARLY) -> NDArray[np.float32]:
    """Logits that name a letter a tick."""
    logits = np.zeros((len(letters), len(VOCABULARY)), dtype=np.float32)
    logits[np.arange(len(letters)), [VOCABULARY.index(letter.strip(".")) for letter in letters]] = logit
    return logits


def contradicts(heard: NDArray[np.float32], seen: NDArray[np.float32]) -> bool:
    return weighed(seen, heard, seen, LANGUAGE) is None


def test_pictures_of_the_same_words_do_not_contradict_and_those_of_others_do() -> None:
    assert not contradicts(spelt(SAID), spelt(SAID))
    assert contradicts(spelt(SAID), spelt(SAID.translate(str.maketrans("abc", "xyz"))))


def test_one_word_of_five_that_looks_otherwise_is_no_contradiction_and_three_are() -> None:
    said = "...aaaabbbb..ccccddddeeee..."
    assert not contradicts(spelt(said), spelt(said.replace("b", "x")))
    assert contradicts(spelt(said), spelt(said.translate(str.maketrans("bce", "xyz"))))


def test_a_sound_that_is_unsure_of_itself_contradicts_nothing() -> None:
    other = spelt(SAID.translate(str.maketrans("abc", "xyz")))
    unsure = spelt(SAID, BADLY)
    assert sureness(unsure, LANGUAGE) == pytest.approx(0.5, abs=0.1)
    assert not contradicts(unsure, other)
    assert not contradicts(spelt("." * len(SAID)), other)


@pytest.mark.parametrize("ticks", [-5, 5])
def test_pictures_out_of_step_by_200_ms_do_not_contradict(ticks: int) -> None:
    assert not contradicts(spelt(SAID), np.roll(spelt(SAID), ticks, axis=0))


def test_pictures_of_another_moment_do() -> None:
    assert contradicts(spelt("aaabbbccc" + "." * 20), spelt("." * 20 + "aaabbbccc"))


def test_what_is_said_with_pictures_that_do_not_contradict_a_sure_sound_stays_as_it_is() -> None:
    together = spelt(SAID, 5.0)
    assert weighed(together, spelt(SAID), spelt(SAID), LANGUAGE) is together


def test_where_the_sound_names_nothing_a_final_says_what_the_pictures_say_alone() -> None:
    seen = spelt(SAID)
    found = weighed(spelt(SAID.replace("b", "x")), np.zeros_like(seen), seen, LANGUAGE)
    assert found is not None
    assert np.allclose(found, posteriors(seen), atol=1e-5)


@given(st.floats(0, CLEARLY), st.floats(0, CLEARLY))
def test_the_less_sure_the_sound_the_more_a_final_leans_on_what_the_pictures_say_alone(
    one: float, other: float
) -> None:
    together, seen = spelt(SAID.replace("b", "x")), spelt(SAID)
    leans = []
    for logit in sorted((one, other)):
        heard = spelt(SAID, logit)
        share = max(0.0, 1 - sureness(heard, LANGUAGE) / DOUBT)
        found = weighed(together, heard, seen, LANGUAGE)
        assert found is not None
        leans.append(posteriors(found)[SAID.index("b"), VOCABULARY.index("b")])
        expected = share * posteriors(seen) + (1 - share) * posteriors(together)
        assert np.allclose(posteriors(found), posteriors(expected.astype(np.float32)), atol=1e-3)
    assert leans[0] >= leans[1] - 1e-4


@given(LOGITS, st.data())
def test_agreement_is_a_probability_and_the_same_from_either_side(
    one: NDArray[np.float32], data: st.DataObject
) -> None:
    other = data.draw(arrays(np.float32, one.shape, elements=st.floats(-9, 9, width=32)))
    found = agreement(one, other)
    assert 0 <= found <= 1 + 1e-9
    assert agreement(other, one) == pytest.approx(found)


@given(LOGITS)
def test_what_is_added_to_all_classes_of_a_tick_changes_nothing(logits: NDArray[np.float32]) -> None:
    moved = logits + np.linspace(-3, 3, len(logits), dtype=np.float32)[:, None]
    assert agreement(logits, moved) == pytest.approx(agreement(logits, logits), abs=1e-4)

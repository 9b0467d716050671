import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from stream.agreement import ENOUGH_TICKS, VIDEO, agreement, mixed, sureness, trust
from stream.decode import posteriors
from tests.spelling import BADLY, CLEARLY, VOCABULARY, any_order

LANGUAGE = any_order(VOCABULARY)
LOGITS = arrays(np.float32, st.tuples(st.integers(1, 30), st.just(4)), elements=st.floats(-9, 9, width=32))
SAID = "......aaaaaaabbbbbb..cccccc......."
OTHER = SAID.translate(str.maketrans("abc", "xyz"))
TOGETHER, HEARD, SEEN = [1, 0, 0], [0, 1, 0], [0, 0, 1]  # what answers alone


def spelt(letters: str, logit: float = CLEARLY) -> NDArray[np.float32]:
    """Logits that name a letter a tick."""
    logits = np.zeros((len(letters), len(VOCABULARY)), dtype=np.float32)
    logits[np.arange(len(letters)), [VOCABULARY.index(letter.strip(".")) for letter in letters]] = logit
    return logits


def trusted(
    heard: NDArray[np.float32], seen: NDArray[np.float32], pictures: slice = slice(None)
) -> NDArray[np.float64]:
    """With sound all the time, and pictures at some ticks."""
    mask = np.tile(np.array([0, 1, 0], dtype=np.float32), (len(heard), 1))
    mask[pictures, VIDEO] = 1
    return trust(heard, seen, mask, LANGUAGE)


def answers(found: NDArray[np.float64]) -> list[int]:
    """Which one answers at all ticks."""
    assert (found == found[0]).all()
    return [int(share) for share in found[0]]


def test_pictures_of_the_same_words_are_trusted_and_those_of_others_are_not() -> None:
    assert answers(trusted(spelt(SAID), spelt(SAID))) == TOGETHER
    assert answers(trusted(spelt(SAID), spelt(OTHER))) == HEARD


def test_one_word_of_five_that_looks_otherwise_is_no_contradiction_and_three_are() -> None:
    said = "...aaaabbbb..ccccddddeeee..."
    assert answers(trusted(spelt(said), spelt(said.replace("b", "x")))) == TOGETHER
    assert answers(trusted(spelt(said), spelt(said.translate(str.maketrans("bce", "xyz"))))) == HEARD


@given(st.integers(0, len(SAID)))
def test_pictures_contradict_only_where_they_are_and_by_two_words_at_least(ticks: int) -> None:
    other, there = spelt(OTHER), slice(0, ticks)
    said = len(SAID[there].replace(".", ""))
    assume(said != ENOUGH_TICKS)
    assert answers(trusted(spelt(SAID), other, there)) == (HEARD if said > ENOUGH_TICKS else TOGETHER)
    gone = spelt(SAID)
    gone[ticks:] = other[ticks:]
    assert answers(trusted(spelt(SAID), gone, there)) == TOGETHER


def test_a_sound_that_is_unsure_of_itself_contradicts_nothing() -> None:
    unsure = spelt(SAID, BADLY)
    assert sureness(unsure, LANGUAGE) == pytest.approx(0.5, abs=0.1)
    assert not trusted(unsure, spelt(OTHER))[:, 1].any()


def test_where_the_sound_names_nothing_the_pictures_alone_answer_at_the_ticks_at_which_they_are() -> None:
    found = trusted(spelt("." * len(SAID)), spelt(SAID), slice(0, 20))
    assert answers(found[:20]) == SEEN
    assert answers(found[20:]) == TOGETHER


@given(st.floats(0, CLEARLY), st.floats(0, CLEARLY))
def test_the_less_sure_the_sound_the_more_is_left_to_the_pictures_alone(one: float, other: float) -> None:
    less, more = (trusted(spelt(SAID, logit), spelt(SAID)) for logit in sorted((one, other)))
    assert np.allclose(less.sum(axis=1), 1)
    assert (less[:, 2] >= more[:, 2] - 1e-9).all()
    assert (less >= 0).all()


@given(LOGITS)
def test_an_answer_that_counts_alone_comes_out_as_it_is_and_any_with_itself(logits: NDArray[np.float32]) -> None:
    other = np.roll(logits, 1, axis=1)
    alone = np.tile([0.0, 1.0], (len(logits), 1))
    assert np.allclose(mixed([other, logits], alone), posteriors(logits), atol=1e-4)
    assert np.allclose(mixed([logits, logits], alone * 0.3 + 0.35), posteriors(logits), atol=1e-4)


@pytest.mark.parametrize("ticks", [-5, 5])
def test_pictures_out_of_step_by_200_ms_do_not_contradict(ticks: int) -> None:
    assert answers(trusted(spelt(SAID), np.roll(spelt(SAID), ticks, axis=0))) == TOGETHER


def test_pictures_of_another_moment_do() -> None:
    words, silence = "aaaaaabbbbbbcccccc", "." * 24
    assert answers(trusted(spelt(words + silence), spelt(silence + words))) == HEARD


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

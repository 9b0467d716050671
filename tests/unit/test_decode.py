from itertools import groupby, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from stream.decode import SHOWN_GAIN, Language, best_path, posteriors, spoken
from tests.spelling import any_order

WORDS = ["", "red", "green", "blue"]
PLAIN = any_order(WORDS)
LOGITS = arrays(np.float32, st.tuples(st.integers(1, 5), st.just(3)), elements=st.floats(-9, 9, width=32))
WEIGHTS = st.floats(0, 2, width=32)


def heard(classes: list[int], logit: float = 20.0) -> NDArray[np.float32]:
    """Logits that name one class a tick."""
    logits = np.zeros((len(classes), len(WORDS)), dtype=np.float32)
    logits[np.arange(len(classes)), classes] = logit
    return logits


def found(logits: NDArray[np.float32], language: Language = PLAIN) -> list[tuple[str, int, int]]:
    return [(word.word, word.first, word.last) for word in spoken(logits, language)]


def pairs_of(likely: dict[tuple[str, str], float]) -> Language:
    """A language of these pairs of words with these probabilities, all others a thousandth as likely."""
    follows = np.full((len(WORDS), len(WORDS)), 1e-3)
    for (before, after), probability in likely.items():
        follows[WORDS.index(before), WORDS.index(after)] = probability
    return Language(WORDS, PLAIN.prior, np.log(follows).astype(np.float32))


@st.composite
def languages(draw: st.DrawFn) -> Language:
    """Any language of three classes, weighed anyhow."""
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    prior = np.log(generator.dirichlet(np.ones(3)) + 1e-9).astype(np.float32)
    follows = np.log(generator.dirichlet(np.full(3, 0.3), size=3) + 1e-9).astype(np.float32)
    return Language(["", "red", "green"], prior, follows, draw(WEIGHTS), draw(WEIGHTS), draw(WEIGHTS))


def worth(path: tuple[int, ...], logits: NDArray[np.float32], language: Language) -> float:
    """What a way is worth, run by run; -inf if a word is too short."""
    total = float(np.array([row[kind] - row[0] for row, kind in zip(logits, path, strict=True)], dtype=float).sum())
    at, before = 0, 0
    for kind, run in groupby(path):
        ticks = len(list(run))
        at += ticks
        total -= ticks * language.prior_weight * float(language.prior[kind] - language.prior[0])
        if kind:
            if ticks == 1 and at < len(path):
                return -np.inf
            directly, anew = language.follows[before, kind], language.follows[before, 0] + language.follows[0, kind]
            total += language.language_weight * float(max(directly, anew)) - language.word_cost
            before = kind
    return total


def shown_gain(shown: list[int]) -> NDArray[np.float64]:
    """What beginning each word is worth more, once these are shown, whatever was said before."""
    gains = PLAIN.favouring(shown).entry[1:] - PLAIN.entry[1:]
    assert np.allclose(gains, gains[:, :1])
    return np.asarray(gains[:, 0])


def test_a_word_that_is_shown_is_likelier_and_all_others_less_so() -> None:
    gains = shown_gain([2])
    assert gains[1] - gains[0] == pytest.approx(SHOWN_GAIN)
    assert gains[1] > 0 > gains[0] == gains[2]


@given(st.sets(st.integers(1, 3)))
def test_shown_words_do_not_make_words_likelier_on_average(shown: set[int]) -> None:
    assert np.exp(shown_gain(sorted(shown))).mean() == pytest.approx(1)


def test_where_all_words_are_shown_it_is_as_if_none_was() -> None:
    assert np.allclose(shown_gain([1, 2, 3]), 0)
    assert PLAIN.favouring([]) is PLAIN


def test_a_shown_word_decides_between_two_that_are_about_as_likely_and_not_against_what_is_heard() -> None:
    close = heard([0, 1, 1, 1, 0])
    close[1:4, 2] = 19.7
    assert found(close) == [("red", 1, 4)]
    assert found(close, PLAIN.favouring([2])) == [("green", 1, 4)]
    assert found(heard([0, 1, 1, 1, 0]), PLAIN.favouring([2])) == [("red", 1, 4)]


@given(LOGITS)
def test_posteriors_are_the_logarithms_of_probabilities(logits: NDArray[np.float32]) -> None:
    probabilities = np.exp(posteriors(logits))
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.allclose(np.diff(posteriors(logits), axis=1), np.diff(logits.astype(np.float64), axis=1), atol=1e-5)


def test_logits_of_any_size_give_finite_posteriors() -> None:
    assert np.isfinite(posteriors(np.array([[3e4, -3e4, 0]], dtype=np.float32))).all()


@given(LOGITS, languages())
@settings(max_examples=60)
def test_no_way_is_worth_more_than_the_best(logits: NDArray[np.float32], language: Language) -> None:
    best = worth(tuple(best_path(logits, language).tolist()), logits, language)
    every = (worth(path, logits, language) for path in product(range(3), repeat=len(logits)))
    assert best == pytest.approx(max(every), abs=1e-4)


@given(LOGITS, languages(), st.floats(0, 9))
@settings(max_examples=60)
def test_without_weights_every_word_costs_the_same_whatever_training_said(
    logits: NDArray[np.float32], language: Language, cost: float
) -> None:
    weightless = Language(language.vocabulary, language.prior, language.follows, 0, 0, cost)
    even = Language(language.vocabulary, np.zeros(3, np.float32), np.zeros((3, 3), np.float32), word_cost=cost)
    assert best_path(logits, weightless).tolist() == best_path(logits, even).tolist()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(2, 9)), min_size=1, max_size=12))
def test_words_are_the_runs_of_what_is_clearly_heard(runs: list[tuple[int, int]]) -> None:
    classes = [kind for kind, ticks in runs for _ in range(ticks)]
    expected, first = [], 0
    for kind, run in groupby(classes):
        last = first + len(list(run))
        if kind:
            expected.append((WORDS[kind], first, last))
        first = last
    assert found(heard(classes)) == expected


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.integers(1, 20), st.integers(1, 20))
def test_silence_around_what_was_said_moves_its_words_and_changes_none(
    kinds: list[int], before: int, after: int
) -> None:
    classes = [kind for kind in kinds for _ in range(2)]
    around = found(heard([0] * before + classes + [0] * after))
    assert [(word, first - before, last - before) for word, first, last in around] == found(heard(classes))


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20), st.data())
def test_words_that_were_said_before_a_silence_stay_whatever_follows(kinds: list[int], data: st.DataObject) -> None:
    classes = [kind for kind in kinds for _ in range(2)] + [0, 0]
    more = data.draw(st.lists(st.integers(0, 3), max_size=20))
    assert found(heard(classes + more))[: len(found(heard(classes)))] == found(heard(classes))


def test_of_two_words_that_sound_alike_the_one_that_follows_in_training_is_found() -> None:
    doubtful = heard([1, 1, 1, 2, 2, 2])
    doubtful[3:, 3] = doubtful[3:, 2]
    assert [word for word, _, _ in found(doubtful, pairs_of({("red", "green"): 0.9}))] == ["red", "green"]
    assert [word for word, _, _ in found(doubtful, pairs_of({("red", "blue"): 0.9}))] == ["red", "blue"]


def test_a_word_may_begin_the_next_sentence_where_it_follows_nothing() -> None:
    doubtful = heard([1, 1, 1, 2, 2, 2])
    doubtful[3:, 3] = doubtful[3:, 2]
    sentences = pairs_of({("red", ""): 0.9, ("", "blue"): 0.9, ("red", "green"): 0.1})
    assert [word for word, _, _ in found(doubtful, sentences)] == ["red", "blue"]


def test_a_pair_that_training_never_had_is_found_when_it_is_clearly_heard() -> None:
    strange = pairs_of({("", "red"): 0.9, ("red", "green"): 0.9})
    assert found(heard([3, 3, 1, 1, 3, 3]), strange) == [("blue", 0, 2), ("red", 2, 4), ("blue", 4, 6)]


def test_of_two_classes_as_likely_the_one_that_training_labelled_less_is_found() -> None:
    doubtful = heard([0, 0, 0, 0])
    doubtful[:, [2, 3]] = 20.0
    rare_blue = Language(WORDS, np.log(np.array([0.4, 0.2, 0.3, 0.1], dtype=np.float32)), PLAIN.follows)
    assert found(doubtful, rare_blue) == [("blue", 0, 4)]


def test_a_word_said_twice_is_two_words_if_a_tick_of_none_parts_them() -> None:
    assert found(heard([1, 1, 0, 1, 1])) == [("red", 0, 2), ("red", 3, 5)]


def test_a_word_lasts_two_ticks_unless_the_view_ends_on_its_first() -> None:
    assert found(heard([0, 1, 0, 2])) == [("green", 3, 4)]


def test_a_tick_that_is_doubtful_breaks_no_word() -> None:
    logits = heard([1, 1, 1, 1, 1])
    logits[2] = [0, 0, 1, 0]
    assert found(logits) == [("red", 0, 5)]


def test_a_word_that_is_hardly_heard_is_none() -> None:
    assert found(heard([0, 0, 1, 0, 0], logit=1.5)) == []


def test_confidence_is_the_mean_probability_over_the_words_ticks() -> None:
    logits = np.log(np.array([[0.1, 0.9], [0.2, 0.8]], dtype=np.float32))
    (word,) = spoken(logits, any_order(["", "red"]))
    assert word.confidence == pytest.approx(0.85)


@given(LOGITS, languages())
def test_confidences_are_probabilities(logits: NDArray[np.float32], language: Language) -> None:
    assert all(0 <= word.confidence <= 1 for word in spoken(logits, language))


@given(LOGITS, languages(), st.integers(-100, 100))
def test_adding_a_constant_to_all_logits_changes_no_word(
    logits: NDArray[np.float32], language: Language, constant: int
) -> None:
    rounded = np.round(logits)
    assert found(rounded + np.float32(constant), language) == found(rounded, language)


def test_no_ticks_hold_no_words() -> None:
    assert spoken(np.zeros((0, 4), dtype=np.float32), PLAIN) == []

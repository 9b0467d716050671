from itertools import groupby, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from stream.decode import SWITCH_COST, best_path, posteriors, spoken

WORDS = ["", "red", "green", "blue"]
LOGITS = arrays(np.float32, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(-9, 9, width=32))


def heard(classes: list[int], logit: float = 20.0) -> NDArray[np.float32]:
    """Logits that name one class a tick."""
    logits = np.zeros((len(classes), len(WORDS)), dtype=np.float32)
    logits[np.arange(len(classes)), classes] = logit
    return logits


def found(logits: NDArray[np.float32]) -> list[tuple[str, int, int]]:
    return [(word.word, word.first, word.last) for word in spoken(logits, WORDS)]


@given(LOGITS)
def test_posteriors_are_the_logarithms_of_probabilities(logits: NDArray[np.float32]) -> None:
    probabilities = np.exp(posteriors(logits))
    assert np.allclose(probabilities.sum(axis=1), 1)
    assert np.allclose(np.diff(posteriors(logits), axis=1), np.diff(logits.astype(np.float64), axis=1), atol=1e-5)


def test_logits_of_any_size_give_finite_posteriors() -> None:
    assert np.isfinite(posteriors(np.array([[3e4, -3e4, 0]], dtype=np.float32))).all()


@given(LOGITS)
@settings(max_examples=50)
def test_no_path_is_better_than_the_best_when_every_change_costs(logits: NDArray[np.float32]) -> None:
    log_probabilities = posteriors(logits)
    ticks, classes = logits.shape

    def score(path: tuple[int, ...]) -> float:
        changes = sum(one != other for one, other in pairwise(path))
        return float(log_probabilities[np.arange(ticks), list(path)].sum() - SWITCH_COST * changes)

    best = score(tuple(best_path(log_probabilities).tolist()))
    assert best == pytest.approx(max(score(path) for path in product(range(classes), repeat=ticks)))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_words_are_the_runs_of_what_is_clearly_heard(classes: list[int]) -> None:
    expected, first = [], 0
    for kind, run in groupby(classes):
        last = first + len(list(run))
        if kind:
            expected.append((WORDS[kind], first, last))
        first = last
    assert found(heard(classes)) == expected


def test_a_word_said_twice_is_two_words_if_a_tick_of_none_parts_them() -> None:
    assert found(heard([1, 1, 0, 1])) == [("red", 0, 2), ("red", 3, 4)]


def test_a_tick_that_is_doubtful_breaks_no_word() -> None:
    logits = heard([1, 1, 1, 1, 1])
    logits[2] = [0, 0, 1, 0]
    assert found(logits) == [("red", 0, 5)]


def test_a_word_that_is_hardly_heard_is_none() -> None:
    assert found(heard([0, 0, 1, 0, 0], logit=1.5)) == []


def test_confidence_is_the_mean_probability_over_the_words_ticks() -> None:
    logits = np.log(np.array([[0.1, 0.9], [0.3, 0.7]], dtype=np.float32))
    (word,) = spoken(logits, ["", "red"])
    assert word.confidence == pytest.approx(0.8)


@given(LOGITS)
def test_confidences_are_probabilities(logits: NDArray[np.float32]) -> None:
    assert all(0 <= word.confidence <= 1 for word in spoken(logits, WORDS))


@given(LOGITS, st.floats(-100, 100, width=32))
def test_adding_a_constant_to_all_logits_changes_no_word(logits: NDArray[np.float32], constant: float) -> None:
    rounded = np.round(logits)
    assert found(rounded + np.float32(round(constant))) == found(rounded)


def test_no_ticks_hold_no_words() -> None:
    assert spoken(np.zeros((0, 4), dtype=np.float32), WORDS) == []

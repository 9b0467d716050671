import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.language import fit, follows, prior

WORDS = ["", "bin", "lay", "red", "blue"]
SENTENCES = st.lists(st.lists(st.sampled_from(WORDS[1:]), min_size=1, max_size=6).map(" ".join), max_size=12)


def probability(sentences: list[str], before: str, after: str) -> float:
    return float(np.exp(follows(sentences, WORDS)[WORDS.index(before), WORDS.index(after)]))


@given(SENTENCES)
def test_what_may_follow_a_word_has_probabilities_that_sum_to_one(sentences: list[str]) -> None:
    table = follows(sentences, WORDS)
    assert table.dtype == np.float32
    assert np.isfinite(table).all()
    assert np.allclose(np.exp(table.astype(np.float64)).sum(axis=1), 1, atol=1e-5)


@given(st.lists(st.lists(st.integers(0, 4), max_size=30), max_size=6))
def test_the_prior_sums_to_one_and_leaves_no_class_out(labels: list[list[int]]) -> None:
    shares = np.exp(prior([np.array(ticks, dtype=np.int64) for ticks in labels], 5).astype(np.float64))
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert (shares > 0).all()


def test_the_prior_is_the_share_of_the_labelled_ticks() -> None:
    shares = np.exp(prior([np.array([0, 1, 1]), np.array([2])], 3))
    assert shares == pytest.approx(np.array([2, 3, 2]) / 7)


def test_a_pair_is_smoothed_toward_the_word_alone_as_witten_and_bell_do() -> None:
    # After "bin" come "red" twice and "blue" once: 3 times, 2 followers. Single words and ends, each once more than
    # they occur: "" 4, bin 4, lay 1, red 3, blue 2 of 14.
    sentences = ["bin red", "bin red", "bin blue"]
    assert probability(sentences, "bin", "red") == pytest.approx((2 + 2 * 3 / 14) / 5)
    assert probability(sentences, "bin", "lay") == pytest.approx((0 + 2 * 1 / 14) / 5)


def test_sentences_begin_in_row_0_and_end_in_column_0() -> None:
    sentences = ["bin red", "bin blue", "bin red blue"]
    assert probability(sentences, "", "bin") > 0.7
    assert probability(sentences, "blue", "") > 0.7
    assert probability(sentences, "red", "") < 0.5


@given(SENTENCES)
def test_a_word_that_nothing_followed_may_be_followed_by_anything(sentences: list[str]) -> None:
    table = follows([*sentences, "bin"], [*WORDS, "never"])
    counts = np.exp(table[WORDS.index("bin")])
    assert (np.exp(table[-1]) > 0).all()
    assert counts[0] > np.exp(table[-1, -1])


def test_a_word_with_one_follower_expects_others_less_than_a_word_with_many() -> None:
    strict, loose = ["bin red"] * 8, ["lay red", "lay blue", "lay bin", "lay lay"] * 2
    assert probability(strict + loose, "bin", "blue") < probability(strict + loose, "lay", "blue") / 2


def test_a_word_outside_the_vocabulary_is_named() -> None:
    with pytest.raises(ValueError, match="has place, not in the vocabulary"):
        follows(["place red"], WORDS)


def test_a_fit_is_both_for_the_vocabulary() -> None:
    language = fit(["bin red"], [np.array([0, 1, 1, 3])], WORDS)
    assert list(language.vocabulary) == WORDS
    assert language.prior.shape == (5,)
    assert language.follows.shape == (5, 5)

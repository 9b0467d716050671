import tracemalloc
from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.cooccurrence import CHUNK_WORDS, Cooccurrence, Corpus, most_frequent, word_vectors

WORDS = ["", *"abcdef"]
LINES = st.lists(st.text("abcdefgh", max_size=12).map(" ".join), max_size=12)  # g and h are in no vocabulary
WINDOWS = st.integers(1, 6)


def counted(lines: list[str], window: int = 2) -> NDArray[np.int64]:
    return np.asarray(Cooccurrence(WORDS, window).fit(lines).counts_.toarray())


def counted_by_hand(lines: list[str], window: int) -> NDArray[np.int64]:
    """Each place beside each other place of its line, as the definition has it."""
    counts = np.zeros((len(WORDS), len(WORDS)), dtype=np.int64)
    for words in (line.split() for line in lines):
        for here, word in enumerate(words):
            for there, other in enumerate(words):
                if here != there and abs(here - there) <= window and word in WORDS and other in WORDS:
                    counts[WORDS.index(word), WORDS.index(other)] += 1
    return counts


def ppmi_by_hand(counts: NDArray[np.int64], smoothing: float, shift: float) -> NDArray[np.float64]:
    """max(0, log(P(w, c) / P(w) P_a(c)) - log shift) on a dense matrix, probability by probability."""
    together = counts / max(counts.sum(), 1)
    word = together.sum(axis=1)
    context = counts.sum(axis=0) ** smoothing / max((counts.sum(axis=0) ** smoothing).sum(), 1)
    result = np.zeros(counts.shape)
    for row, column in zip(*np.nonzero(counts), strict=True):
        result[row, column] = max(0, np.log(together[row, column] / (word[row] * context[column])) - np.log(shift))
    return result


def sentences(count: int, seed: int = 0) -> Iterator[str]:
    """Commands of six words, one of each slot."""
    slots = [
        "bin lay place set",
        "blue green red white",
        "at by in with",
        "a b c d e f g h",
        "one two three four",
        "now soon",
    ]
    generator = np.random.default_rng(seed)
    for _ in range(count):
        yield " ".join(generator.choice(slot.split()) for slot in slots)


def test_pairs_within_the_window_are_counted_from_both_ends() -> None:
    counts = Cooccurrence(["", "a", "b", "c"], window=1).fit(["a b c", "b a"]).counts_.toarray()
    assert counts.tolist() == [[0, 0, 0, 0], [0, 0, 2, 0], [0, 2, 0, 1], [0, 0, 1, 0]]


@given(LINES, WINDOWS)
def test_counts_are_those_of_the_definition(lines: list[str], window: int) -> None:
    assert np.array_equal(counted(lines, window), counted_by_hand(lines, window))


@given(LINES, WINDOWS)
def test_counts_are_symmetric_and_a_word_that_is_not_there_has_none(lines: list[str], window: int) -> None:
    counts = counted(lines, window)
    assert np.array_equal(counts, counts.T)
    assert not counts[0].any()
    assert (np.diag(counts) % 2 == 0).all()


@given(LINES, WINDOWS)
def test_reading_every_line_backwards_or_the_lines_in_another_order_changes_nothing(
    lines: list[str], window: int
) -> None:
    assert np.array_equal(counted([line[::-1] for line in lines], window), counted(lines, window))
    assert np.array_equal(counted(lines[::-1], window), counted(lines, window))


@given(LINES, st.lists(st.integers(0, 12), max_size=4))
def test_lines_in_any_parts_add_up_to_the_whole(lines: list[str], cuts: list[int]) -> None:
    parts = Cooccurrence(WORDS, 2)
    edges = [0, *sorted(cuts), len(lines)]
    for start, end in pairwise(edges):
        parts.partial_fit(lines[start:end])
    assert np.array_equal(parts.counts_.toarray(), counted(lines))


def test_words_pair_with_none_of_the_next_line_however_many_lines_a_chunk_has() -> None:
    lines = 3 * CHUNK_WORDS // 2
    counts = Cooccurrence(["a", "b"], window=5).fit("a" if line % 2 else "b a" for line in range(lines)).counts_
    assert counts.toarray().tolist() == [[0, lines // 2], [lines // 2, 0]]


def test_fitting_again_forgets_what_was_counted_before() -> None:
    fitted = Cooccurrence(WORDS).fit(["a b c"])
    assert fitted.fit(["e f"]).counts_.sum() == 2


@given(LINES, st.sampled_from([0.5, 0.75, 1.0]), st.sampled_from([1.0, 2.0, 5.0]))
def test_ppmi_is_that_of_the_dense_formula(lines: list[str], smoothing: float, shift: float) -> None:
    fitted = Cooccurrence(WORDS, 2).fit(lines)
    expected = ppmi_by_hand(fitted.counts_.toarray(), smoothing, shift)
    assert np.allclose(fitted.ppmi(smoothing, shift).toarray(), expected, atol=1e-12)


@given(LINES)
def test_plain_ppmi_is_symmetric_and_never_negative_and_a_shift_only_lowers_it(lines: list[str]) -> None:
    fitted = Cooccurrence(WORDS, 2).fit(lines)
    plain = fitted.ppmi(smoothing=1).toarray()
    assert np.allclose(plain, plain.T)
    assert plain.min() >= 0
    assert (fitted.ppmi(smoothing=1, shift=3).toarray() <= plain).all()


@given(LINES, st.integers(2, 5))
def test_a_corpus_read_several_times_over_tells_no_more(lines: list[str], times: int) -> None:
    once, again = Cooccurrence(WORDS, 2).fit(lines), Cooccurrence(WORDS, 2).fit(lines * times)
    assert np.allclose(once.ppmi(smoothing=1).toarray(), again.ppmi(smoothing=1).toarray())


def test_words_that_stand_together_by_chance_alone_have_no_information_on_each_other() -> None:
    lines = [f"{one} {other}" for one in "abc" for other in "def"]
    cross = Cooccurrence(WORDS, 1).fit(lines).ppmi(smoothing=1).toarray()[1:4, 4:]
    assert np.allclose(cross, np.log(2))  # only that one is of the first kind and the other of the second: one bit


def test_a_file_is_read_line_by_line_and_as_often_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "corpus.txt"
    path.write_text("a b\n\nc é\n", encoding="utf-8")
    corpus = Corpus(path)
    assert list(corpus) == list(corpus) == ["a b", "", "c é"]
    assert Cooccurrence(most_frequent(corpus)).fit(corpus).counts_.sum() == 4


def peak_bytes(words: int, tmp_path: Path) -> int:
    path = tmp_path / f"{words}.txt"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{sentence}\n" for sentence in islice(_cheap_sentences(), words // 6))
    fitted = Cooccurrence(["", *(f"w{word}" for word in range(50))])
    tracemalloc.start()
    fitted.fit(Corpus(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fitted.counts_.nnz <= 50 * 50
    return peak


def _cheap_sentences() -> Iterator[str]:
    line = 0
    while True:
        yield " ".join(f"w{(line * (place + 1) + place) % 50}" for place in range(6))
        line += 1


def test_a_corpus_four_times_as_long_takes_no_more_memory(tmp_path: Path) -> None:
    short, long = peak_bytes(2 * CHUNK_WORDS, tmp_path), peak_bytes(8 * CHUNK_WORDS, tmp_path)
    assert long < 1.1 * short


def test_the_vocabulary_found_is_the_most_frequent_words_in_order() -> None:
    assert most_frequent(["b a b", "c a b", "d"], most=3) == ["", "b", "a", "c"]
    assert most_frequent([]) == [""]


@given(st.lists(st.text("abcdefgh", max_size=6).map(" ".join), max_size=8))
def test_a_vocabulary_that_can_be_held_whole_is_exact(lines: list[str]) -> None:
    words = " ".join(lines).split()
    assert most_frequent(lines, held=8) == ["", *sorted({*words}, key=lambda word: (-words.count(word), word))]


def test_a_word_that_is_often_there_is_found_among_more_rare_ones_than_can_be_held() -> None:
    rare = (f"often rare{line} rare{line}again" for line in range(3 * CHUNK_WORDS))
    assert most_frequent(rare, most=1, held=1_000) == ["", "often"]


def test_words_of_one_slot_lie_nearer_to_each_other_than_to_words_of_others() -> None:
    vocabulary = ["", "red", "green", "now", "soon"]
    lines = [
        *(f"the {colour} car" for colour in ("red", "green")),
        *(f"come {when} please" for when in ("now", "soon")),
    ]
    known = [*vocabulary, "the", "car", "come", "please"]
    red, green, now, soon = word_vectors(lines, known, 4, power=1)[1:5]
    assert red @ green > red @ now + 1
    assert now @ soon > green @ soon + 1


def test_every_word_that_was_said_gets_a_row_of_an_embedding_s_size_and_no_two_are_alike() -> None:
    vocabulary = most_frequent(sentences(500))
    vectors = word_vectors(sentences(500), vocabulary, 16)
    assert vectors.shape == (len(vocabulary), 16)
    assert vectors.dtype == np.float32
    assert np.allclose((vectors[1:] ** 2).mean(axis=1), 1, atol=1e-4)
    cosines = vectors[1:] @ vectors[1:].T / 16 - np.eye(len(vocabulary) - 1)
    assert cosines.max() < 0.999


def test_the_empty_word_and_a_word_never_said_or_said_alone_are_zero() -> None:
    vectors = word_vectors(["a b", "b c", "alone"], ["", "a", "b", "c", "alone", "never"], 4)
    assert not vectors[[0, 4, 5]].any()
    assert vectors[1:4].any(axis=1).all()
    assert not word_vectors([], WORDS, 4).any()


def test_columns_beyond_the_rank_are_zero() -> None:
    vectors = word_vectors(["a b c"], ["", "a", "b", "c"], 8)
    assert vectors.shape == (4, 8)
    assert vectors[1:, :2].any(axis=0).all()
    assert not vectors[:, 3:].any()


def test_the_same_sentences_give_the_same_vectors_in_whatever_order_they_come() -> None:
    said = list(sentences(300))
    vocabulary = most_frequent(said)
    one = word_vectors(said, vocabulary, 8)
    assert np.array_equal(one, word_vectors(iter(said), vocabulary, 8))
    assert np.array_equal(one, word_vectors(said[::-1], vocabulary, 8))


@given(st.permutations(range(1, 7)))
@settings(max_examples=20)
def test_a_vocabulary_in_another_order_gives_words_the_same_angles(order: list[int]) -> None:
    lines = ["a b c d", "b d e", "f a c", "e f b a"]
    vectors = word_vectors(lines, WORDS, 3)
    other = word_vectors(lines, ["", *(WORDS[place] for place in order)], 3)[1:]
    assert np.allclose(other @ other.T, (vectors @ vectors.T)[np.ix_(order, order)], atol=1e-4)


def test_a_window_of_nothing_and_a_word_named_twice_are_refused() -> None:
    with pytest.raises(ValueError, match="window of 0"):
        Cooccurrence(WORDS, window=0)
    with pytest.raises(ValueError, match="'a' more than once"):
        Cooccurrence(["", "a", "b", "a"])

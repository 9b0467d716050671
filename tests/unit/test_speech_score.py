import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tasks.speech_score import errors, normalised, word_error_rate

SPELLINGS = {
    "Bin blue at L6 now.": "bin blue at l six now",
    "bin blue at l six now": "bin blue at l six now",
    "Set white with E-0, again!": "set white with e zero again",
    " Lay  green by\nX 42 soon ": "lay green by x four two soon",
    "Place red in T9 please": "place red in t nine please",
    "to too two": "to too two",
    "don't don\u2019t": "dont dont",
    "\uff22in \u00b2_\u00e9": "bin two \u00e9",
    "... ": "",
}

SAID = ["bin", "blue", "at", "l", "six", "now"]
HEARD = ["bin", "red", "at", "l"]


@pytest.mark.parametrize("written", SPELLINGS)
def test_what_differs_only_in_its_writing_becomes_the_same(written: str) -> None:
    assert normalised(written) == SPELLINGS[written]


@given(st.text())
def test_what_is_normalised_stays_as_it_is(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(st.lists(st.sampled_from(SAID)), st.lists(st.sampled_from(HEARD)))
def test_errors_are_between_the_difference_and_the_greater_of_both_lengths(said: list[str], heard: list[str]) -> None:
    edits, words = errors(" ".join(said), " ".join(heard))
    assert words == len(said)
    assert abs(len(said) - len(heard)) <= edits <= max(len(said), len(heard))
    assert (edits == 0) == (said == heard)


def test_each_kind_of_error_counts_one() -> None:
    assert errors("bin blue now", "bin red now") == (1, 3)
    assert errors("bin blue now", "bin now") == (1, 3)
    assert errors("bin blue now", "bin blue blue now") == (1, 3)
    assert errors("bin blue at l six now", "Bin blue at L6, now.") == (0, 6)


def test_the_word_error_rate_counts_errors_over_words() -> None:
    assert word_error_rate(["red now", "blue"], ["red now", "green"]) == pytest.approx(1 / 3)
    assert word_error_rate(["red"], ["red now now"]) == pytest.approx(2)
    assert word_error_rate(["", "red"], ["now", ""]) == pytest.approx(2)


def test_sentences_that_do_not_pair_up_and_references_without_words_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        word_error_rate(["red", "now"], ["red"])
    with pytest.raises(ValueError, match="0 references hold no word"):
        word_error_rate([], [])

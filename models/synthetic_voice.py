"""The synthetic speaker's voice: words in, sound with exact word and phoneme times out.

espeak-ng does the speaking. Its library and data come in at install with the package `espeakng-loader`; it is
GPL-3.0-or-later and no part of this project, which only calls it, in this one file. It is used where synthetic clips
are made and nowhere else: never by the service.

Knows nothing about faces, pictures or files.
"""

from __future__ import annotations

import _ctypes
import ctypes
import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import espeakng_loader
import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from stream.errors import JobError

RATE_HZ = 16_000

# Names and numbers of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2  # hand the samples back, from within espeak_Synth
_PHONEME_EVENTS, _NO_EXIT = 0x0001, 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4  # words a minute; 0 to 100; 0 to 100
_BY_CHARACTER, _UTF8 = 1, 1
_WORD, _PHONEME = 1, 7

# What must be written otherwise to be heard as the word: the letter, not the article.
_SPELLING = {"a": "eigh"}
_LANGUAGES = (
    "en",
    "en-gb-scotland",
    "en-gb-x-rp",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-us",
    "en-us-nyc",
    "en-029",
)
_VARIANTS = (
    "",
    *(f"+m{n}" for n in range(1, 9)),
    *(f"+f{n}" for n in range(1, 6)),
    "+adam",
    "+linda",
    "+steph",
)

# One library a process, and all of its state is global.
_lock = threading.Lock()


class Span(NamedTuple):
    """A word or a phoneme, and when it is heard."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Voice:
    """Who speaks: an accent and a timbre by espeak-ng's names, and how fast, how high and how lively."""

    name: str
    words_per_minute: int
    pitch: int
    pitch_range: int

    @classmethod
    def draw(cls, random: np.random.Generator) -> Voice:
        """One of many voices."""
        name = str(random.choice(_LANGUAGES)) + str(random.choice(_VARIANTS))
        rate, pitch, pitch_range = random.integers((125, 30, 30), (185, 65, 70)).tolist()
        return cls(name, rate, pitch, pitch_range)


@dataclass(frozen=True)
class Speech:
    """One sentence as it sounds; times count from the first sample."""

    samples: NDArray[np.float32]  # [n] at 16 kHz, within -1 to 1
    words: list[Span]
    phonemes: list[Span]  # end to end; a stop's closure belongs to the stop


class _Identity(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class _Take(NamedTuple):
    """What came back from one synthesis: samples, and events as (type, sample, phoneme)."""

    samples: NDArray[np.int16]
    events: list[tuple[int, int, str]]
    rate_hz: int


def say(words: Sequence[str], voice: Voice) -> Speech:
    """Speak the words in one breath. The same words and voice give the same samples, always.

    Raises
    ------
    JobError
        espeak-ng does not know the voice, or joined words so that their times are lost.
    """
    take = _synthesise(" ".join(_SPELLING.get(word, word) for word in words), voice)
    phonemes = _phonemes(take)
    starts = [sample / take.rate_hz for kind, sample, _ in take.events if kind == _WORD]
    if len(starts) != len(words) or not phonemes:
        raise JobError(
            f"espeak-ng spoke {len(starts)} words of {len(words)} in {words!r}; choose words that stay apart"
        )
    ends = [*starts[1:], phonemes[-1].end_s]
    spans = [Span(*span) for span in zip(words, starts, ends, strict=True)]
    wave = take.samples[: round(ends[-1] * take.rate_hz)].astype(np.float32) / 32_768
    shared = math.gcd(RATE_HZ, take.rate_hz)
    samples = resample_poly(wave, RATE_HZ // shared, take.rate_hz // shared).astype(np.float32)
    return Speech(samples, spans, phonemes)


def _phonemes(take: _Take) -> list[Span]:
    """Phonemes end to end: what is silent between a word's start and its first phoneme is that phoneme's closure."""
    spans: list[Span] = []
    begun_s: float | None = None  # a word began and its first phoneme is still to come
    name, start_s = "", 0.0
    for kind, sample, phoneme in take.events:
        time_s = sample / take.rate_hz
        if kind == _PHONEME:
            cut_s = time_s if begun_s is None else begun_s
            if name and cut_s > start_s:
                spans.append(Span(name, start_s, cut_s))
            name, start_s, begun_s = phoneme, cut_s, None
            if phoneme.startswith("_"):  # the pause that ends the sentence
                break
        elif kind == _WORD:
            begun_s = time_s
    return spans


def _synthesise(text: str, voice: Voice) -> _Take:
    chunks: list[NDArray[np.int16]] = []
    events: list[tuple[int, int, str]] = []

    def receive(
        samples: ctypes._Pointer[ctypes.c_short],
        count: int,
        event: ctypes._Pointer[_Event],
    ) -> int:
        if count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for each in _until_terminated(event):
            phoneme = bytes(each.id.string).decode() if each.type == _PHONEME else ""
            events.append((each.type, each.sample, phoneme.lstrip("',%=")))
        return 0

    with _espeak() as (library, rate_hz):
        callback = _Callback(receive)
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.name.encode()) != 0:
            raise JobError(f"espeak-ng has no voice {voice.name!r}; install espeakng-loader 0.2.4 again")
        settings = {
            _RATE: voice.words_per_minute,
            _PITCH: voice.pitch,
            _RANGE: voice.pitch_range,
        }
        for parameter, value in settings.items():
            library.espeak_SetParameter(parameter, value, 0)
        encoded = text.encode()
        library.espeak_Synth(encoded, len(encoded) + 1, 0, _BY_CHARACTER, 0, _UTF8, None, None)
    return _Take(np.concatenate(chunks), events, rate_hz)


def _until_terminated(event: ctypes._Pointer[_Event]) -> Iterator[_Event]:
    index = 0
    while event[index].type != 0:
        yield event[index]
        index += 1


@contextmanager
def _espeak() -> Iterator[tuple[ctypes.CDLL, int]]:
    """The library as newly loaded, and its sample rate.

    Loaded and unloaded for each sentence (3 ms): its random numbers and oscillators run on from sentence to sentence,
    no call resets them, and the same seed must give the same samples.
    """
    with _lock:
        path = str(espeakng_loader.get_library_path())
        handle = _ctypes.dlopen(path, 0)
        try:
            library = ctypes.CDLL(path, handle=handle)
            data = str(espeakng_loader.get_data_path()).encode()
            rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, data, _PHONEME_EVENTS | _NO_EXIT)
            if rate_hz <= 0:
                raise JobError(
                    f"espeak-ng did not start with the data in {data.decode()}; install espeakng-loader again"
                )
            library.espeak_ng_SetRandSeed(ctypes.c_long(1))
            yield library, rate_hz
            library.espeak_Terminate()
        finally:
            _ctypes.dlclose(handle)

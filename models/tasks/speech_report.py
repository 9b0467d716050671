"""What the task speech is measured by: word error rates of the service's own path on clips that training never saw."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from models.tasks import speech
from models.tasks.speech_score import word_error_rate
from stream.config import Settings
from stream.frame import Modality
from stream.noise import Noise, random_for
from stream.predict import Predictor
from stream.publish import Prediction, SessionRecord
from stream.recognize import recognize_one
from stream.replay import Source, sources
from stream.scene import Scene

AT_ONCE = 4  # sessions recognised side by side
JOINED_CLIPS = 20
WRONG_WORDS = 4
JOINED_GAP_MS = (1000, 3000)
SPEAKERS = ("s2", "s5", "s20", "s23", "s26")


@dataclass(frozen=True)
class Condition:
    """What is heard and seen of each clip."""

    name: str
    scene: Scene


def _without(*modalities: Modality) -> frozenset[Modality]:
    return frozenset(modalities)


A, V = _without(Modality.VIDEO), _without(Modality.AUDIO)
CONDITIONS = (
    Condition("audio + video, clean", Scene()),
    Condition("audio, clean", Scene(without=A)),
    Condition("video", Scene(without=V)),
    Condition("audio + video, babble at 0 dB", Scene(snr_db=0, noise=Noise.BABBLE)),
    Condition("audio, babble at 0 dB", Scene(snr_db=0, noise=Noise.BABBLE, without=A)),
    Condition("audio + video, babble at -5 dB", Scene(snr_db=-5, noise=Noise.BABBLE)),
    Condition("audio, babble at -5 dB", Scene(snr_db=-5, noise=Noise.BABBLE, without=A)),
)


@dataclass
class Heard:
    """What came of one session."""

    start_ms: float = 0.0
    finals: list[Prediction] = field(default_factory=list)

    def keep(self, message: Prediction | SessionRecord) -> None:
        """Take a result."""
        if isinstance(message, SessionRecord):
            self.start_ms = message.start_ms
        elif message.is_final:
            self.finals.append(message)

    @property
    def text(self) -> str:
        """All finals' words."""
        return " ".join(final.text for final in self.finals)


@dataclass
class Listener:
    """Recognises sessions side by side with one predictor."""

    settings: Settings
    predictor: Predictor
    bar: Progress
    task: TaskID
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def hear(self, source: Source, scene: Scene) -> Heard:
        """Recognise one session."""
        heard = Heard()
        async with self.gate:
            await recognize_one(self.settings, self.predictor, source, scene, heard.keep)
        self.bar.advance(self.task, len(source.laid))
        return heard


async def report(data: Path, bundle: str, clips: int | None = None) -> list[dict[str, Any]]:
    """Every figure as a row: figure, value, data, command; `clips` takes only so many, for a quick look."""
    names = speech.held_out("test")[:clips]
    settings = Settings(bundle=bundle)
    predictor = Predictor.load(settings)
    said = speech.transcripts(data)
    others = [name for name in said if name.split("/")[0] in SPEAKERS]
    rows = []
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("Evaluating", total=len(names) * (len(CONDITIONS) + 3) + len(others))
        listener = Listener(settings, predictor, bar, task)
        for condition in CONDITIONS:
            value = await error_rate(listener, data, names, said, [condition.scene] * len(names))
            rows.append(
                _row(f"word error rate, {condition.name}", f"{value:.1%}", f"{len(names)} test clips of GRID s1")
            )
        rows += await _joined(listener, data, names, said)
        rows += await _misled(listener, data, names, said)
        value = await error_rate(listener, data, others, said, [Scene()] * len(others))
        rows.append(
            _row("word error rate, audio + video, clean", f"{value:.1%}", f"{len(others)} clips of other speakers")
        )
    predictor.close()
    return rows


def _row(figure: str, value: str, data: str) -> dict[str, Any]:
    return {"figure": figure, "value": value, "data": data, "command": "python -m models evaluate speech"}


async def error_rate(
    listener: Listener, data: Path, names: Sequence[str], said: dict[str, str], scenes: Sequence[Scene]
) -> float:
    """Word error rate of single clips, each a session in a scene of its own."""
    played = [sources([data / f"{name}.mp4"], scene)[0] for name, scene in zip(names, scenes, strict=True)]
    heard = await asyncio.gather(*(listener.hear(*each) for each in zip(played, scenes, strict=True)))
    return word_error_rate([said[name] for name in names], [session.text for session in heard])


async def _misled(listener: Listener, data: Path, names: Sequence[str], said: dict[str, str]) -> list[dict[str, Any]]:
    """Clear utterances while words that are not said are shown as text."""
    words = sorted({word for name in names for word in said[name].split()})
    rows = []
    with TemporaryDirectory() as folder:
        shown = [_wrong_hint(Path(folder), name, words, said[name]) for name in names]
        for what, without in (("audio + video", frozenset[Modality]()), ("audio", A)):
            scenes = [Scene(text=text, without=without) for text in shown]
            value = await error_rate(listener, data, names, said, scenes)
            figure = f"word error rate, {what}, clean, {WRONG_WORDS} wrong words shown"
            rows.append(_row(figure, f"{value:.1%}", f"{len(names)} test clips of GRID s1"))
    return rows


def _wrong_hint(folder: Path, name: str, words: Sequence[str], sentence: str) -> Path:
    """A WebVTT file with words of the vocabulary that the sentence has not, drawn by the clip's name."""
    others = [word for word in words if word not in sentence.split()]
    drawn = random_for(0, name, "hint").choice(others, WRONG_WORDS, replace=False)
    path = folder / f"{name.replace('/', '-')}.vtt"
    path.write_text(f"WEBVTT\n\n00:00.000 --> 00:03.000\n{' '.join(drawn)}\n")
    return path


async def _joined(listener: Listener, data: Path, names: Sequence[str], said: dict[str, str]) -> list[dict[str, Any]]:
    """Sessions of many clips one after another: whether each sentence is exactly one final."""
    groups = [names[first : first + JOINED_CLIPS] for first in range(0, len(names), JOINED_CLIPS)]
    scene = Scene(gap_ms=JOINED_GAP_MS)
    played = [sources([data / f"{name}.mp4" for name in group], scene, join=True)[0] for group in groups]
    heard = await asyncio.gather(*(listener.hear(source, scene) for source in played))
    words = speech.word_times(data)
    single = []
    for source, group, session in zip(played, groups, heard, strict=True):
        offsets_ms = [session.start_ms + take.start_ns / 1e6 for take in source.laid]
        single += exactly_one(session.finals, [_span_ms(words[n], at) for n, at in zip(group, offsets_ms, strict=True)])
    texts = [" ".join(said[name] for name in group) for group in groups]
    errors = word_error_rate(texts, [session.text for session in heard])
    what = f"{len(groups)} sessions of {JOINED_CLIPS} test clips, 1 to 3 s of room noise between"
    return [
        _row("sentences that are exactly one final", f"{mean(single):.1%}", what),
        _row("word error rate, joined sessions", f"{errors:.1%}", what),
    ]


def _span_ms(words: Sequence[speech.Word], start_ms: float) -> tuple[float, float]:
    return start_ms + 1000 * words[0][1], start_ms + 1000 * words[-1][2]


def exactly_one(finals: Sequence[Prediction], spans_ms: Sequence[tuple[float, float]]) -> list[bool]:
    """For each sentence whether one final has words in it, and that one has words in no other sentence."""
    touched = [
        {
            place
            for place, (first_ms, last_ms) in enumerate(spans_ms)
            if final.words[0].start_ms < last_ms and final.words[-1].end_ms > first_ms
        }
        for final in finals
    ]
    return [[found for found in touched if place in found] == [{place}] for place in range(len(spans_ms))]

"""Clips through the service's whole path but Kafka: what `recognize` would print, as words with times.

    Play -> records -> lane -> finals -> Heard

`counts.py` measures many more conditions by a shorter way; this one says whether the short way can be believed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

from models import bundle as bundles
from models.measure.cells import SETS, Cell
from models.measure.processes import in_processes
from stream.config import Settings
from stream.frame import Modality
from stream.noise import Noise
from stream.predict import Predictor
from stream.provider import Models
from stream.publish import Prediction, SessionRecord
from stream.recognize import recognize_one
from stream.replay import sources
from stream.scene import Scene


class TimedWord(NamedTuple):
    """A word, in ms from its session's start."""

    word: str
    start_ms: float
    end_ms: float


Final = tuple[TimedWord, ...]


@dataclass(frozen=True)
class Play:
    """Clips that are one session, and what is done to them."""

    paths: tuple[Path, ...]
    scene: Scene


@dataclass(frozen=True)
class Heard:
    """What came of one session.

    Attributes
    ----------
    starts_ms : tuple of float
        Where each clip begins in the session.
    """

    finals: tuple[Final, ...]
    starts_ms: tuple[float, ...]

    @property
    def words(self) -> list[TimedWord]:
        """All finals' words."""
        return [word for final in self.finals for word in final]

    @property
    def text(self) -> str:
        """The same without times."""
        return " ".join(word.word for word in self.words)


def scene(cell: Cell, seed: int = 0, text: Path | None = None) -> Scene:
    """A cell as the service's scene; where it has text, `text` is the file that is shown."""
    used = SETS[cell.modalities]
    return Scene(
        snr_db=cell.air.snr_db,
        noise=cell.air.noise or Noise.BABBLE,
        text=text if Modality.TEXT in used else None,
        skew_ms={Modality.VIDEO: float(cell.skew_ms)},
        drop=dict.fromkeys((Modality.AUDIO, Modality.VIDEO), cell.loss),
        without=frozenset({Modality.AUDIO, Modality.VIDEO}) - used,
        seed=seed,
    )


def hear(plays: Sequence[Play], bundle: str, done: Callable[[], None] = lambda: None) -> list[Heard]:
    """Recognise sessions, each by itself; `done` is called after each."""
    return in_processes(partial(_heard, bundle=bundle), plays, done)


def _heard(play: Play, bundle: str) -> Heard:
    runner, settings, predictor = _loaded(bundle)
    source = sources(play.paths, play.scene, join=len(play.paths) > 1)[0]
    results: list[Prediction | SessionRecord] = []
    runner.run(recognize_one(settings, predictor, source, play.scene, results.append))
    start_ms = next((each.start_ms for each in results if isinstance(each, SessionRecord)), 0.0)
    finals = [each for each in results if isinstance(each, Prediction) and each.is_final]
    timed = tuple(
        tuple(TimedWord(word.word, word.start_ms - start_ms, word.end_ms - start_ms) for word in final.words)
        for final in finals
    )
    return Heard(timed, tuple(take.start_ns / 1e6 for take in source.laid))


@cache
def _loaded(bundle: str) -> tuple[asyncio.Runner, Settings, Predictor]:
    """Once a process; nothing is warmed, since nobody waits for a single answer."""
    settings, loaded = Settings(bundle=bundle), bundles.load(bundle)
    return asyncio.Runner(), settings, Predictor(loaded, Models(loaded, "cpu"), threads=1)


def exactly_one(finals: Sequence[Final], spans_ms: Sequence[tuple[float, float]]) -> list[bool]:
    """For each sentence whether one final has words in it, and that one has words in no other sentence."""
    touched = [
        {place for place, (first, last) in enumerate(spans_ms) if final[0].start_ms < last and final[-1].end_ms > first}
        for final in finals
        if final
    ]
    return [[found for found in touched if place in found] == [{place}] for place in range(len(spans_ms))]


def time_errors_ms(said: Sequence[TimedWord], heard: Sequence[TimedWord]) -> list[tuple[float, float]]:
    """How far start and end are off (found less true), of each word that was recognised rightly (jiwer's alignment)."""
    import jiwer

    if not said or not heard:
        return []
    reference, hypothesis = (" ".join(word.word for word in words) for words in (said, heard))
    aligned = jiwer.process_words(reference, hypothesis).alignments[0]
    pairs = [
        (said[chunk.ref_start_idx + step], heard[chunk.hyp_start_idx + step])
        for chunk in aligned
        if chunk.type == "equal"
        for step in range(chunk.ref_end_idx - chunk.ref_start_idx)
    ]
    return [(found.start_ms - true.start_ms, found.end_ms - true.end_ms) for true, found in pairs]

"""What the benchmarks play: GRID's test clips where they are, else the synthetic speaker; with the times of all words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from models import synthetic
from models.tasks import speech
from stream.noise import grid_folder
from tests.benchmarks.report import progress


@dataclass(frozen=True)
class Word:
    """A word as it is said; seconds from the clip's start."""

    word: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Clip:
    """A media file and what is said in it."""

    path: Path
    words: tuple[Word, ...]


def take(count: int, folder: Path, first: int = 0) -> list[Clip]:
    """So many of the test clips, from the one numbered `first` on, round and round; or synthetic ones, into `folder`."""
    grid = grid_folder()
    if not grid.is_dir():
        progress(f"no clips at {grid}: {count} of the synthetic speaker are made")
        return [_synthetic(folder, seed) for seed in range(first, first + count)]
    names, words = speech.held_out("test"), speech.word_times(grid)
    chosen = [names[number % len(names)] for number in range(first, first + count)]
    return [Clip(grid / f"{name}.mp4", tuple(Word(*word) for word in words[name])) for name in chosen]


def source() -> str:
    """Whose clips they are, as the report says it."""
    return "GRID speaker 1, test clips" if grid_folder().is_dir() else "synthetic speaker"


def _synthetic(folder: Path, seed: int) -> Clip:
    spoken = synthetic.speak(seed)
    path = folder / f"synthetic-{seed}.mp4"
    if not path.exists():
        synthetic.write_clip(path, spoken)
    return Clip(path, tuple(Word(span.name, span.start_s, span.end_s) for span in spoken.words))

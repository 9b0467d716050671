"""The task speech: clips of people saying sentences, a word or none for every tick.

Reads the GRID audio-visual sentences (Cooke et al., 2006, CC BY 4.0) and the synthetic speaker, by the same code that
serves: `stream/clip.py` hears and sees, `stream/raster.py` places and crops.
"""

from __future__ import annotations

import csv
import hashlib
import inspect
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

from models import synthetic
from models.preprocess import CROP_HEIGHT_PX, CROP_WIDTH_PX, HOP_TICKS, RATE_HZ, TICK_MS, TICK_SAMPLES
from stream import clip, face, media, mouth, raster, upright
from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.mouth import Mouth
from stream.raster import Raster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

TICK_NS = TICK_MS * 1_000_000
HOP_NS = HOP_TICKS * TICK_NS
SHORTEST_WORD_TICKS = 2
TASK_DIR = Path(__file__).parent

Job = TypeVar("Job", str, int)
Word = tuple[str, float, float]  # word, start and end in seconds


@dataclass(frozen=True)
class Utterance:
    """One clip as the model meets it."""

    name: str
    samples: NDArray[np.int16]  # [ticks * TICK_SAMPLES]
    crops: NDArray[np.uint8]  # [ticks, CROP_HEIGHT_PX, CROP_WIDTH_PX]
    seen: NDArray[np.bool_]  # [ticks], a mouth was found
    words: tuple[Word, ...]

    @property
    def ticks(self) -> int:
        """Length on the tick grid."""
        return len(self.crops)

    @property
    def text(self) -> str:
        """What is said."""
        return " ".join(word for word, _, _ in self.words)

    @property
    def span(self) -> slice:
        """The samples from the first word's start to the last word's end."""
        first, last = (round(time_s * RATE_HZ) for time_s in (self.words[0][1], self.words[-1][2]))
        return slice(max(first, 0), min(last, len(self.samples)))


def held_out(split: str) -> list[str]:
    """Names of the GRID clips of speaker 1 kept for `test` or `validation`, like `s1/bbal6n`."""
    return (TASK_DIR / f"grid_{split}.txt").read_text().split()


def training_names(data: Path) -> list[str]:
    """Speaker 1's clips that are in neither list."""
    kept = {*held_out("test"), *held_out("validation")}
    names = sorted(f"s1/{path.stem}" for path in (data / "s1").glob("*.mp4"))
    return [name for name in names if name not in kept]


def transcripts(data: Path) -> dict[str, str]:
    """Every clip's words, by name."""
    with (data / "transcripts.tsv").open() as file:
        return {row["clip"].removesuffix(".mp4"): row["transcript"] for row in csv.DictReader(file, delimiter="\t")}


def word_times(data: Path) -> dict[str, tuple[Word, ...]]:
    """Every clip's words with their times, by name."""
    words: dict[str, list[Word]] = defaultdict(list)
    with (data / "words.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t"):
            word = (row["word"], float(row["start_s"]), float(row["end_s"]))
            words[row["clip"].removesuffix(".mp4")].append(word)
    return {name: tuple(said) for name, said in words.items()}


def vocabulary(sentences: Iterable[str]) -> list[str]:
    """Words in order, after the empty word that stands for none."""
    return ["", *sorted({word for sentence in sentences for word in sentence.split()})]


def labels(words: Sequence[Word], ticks: int, known: Sequence[str]) -> NDArray[np.int64]:
    """The word at each tick, 0 for none, shape [ticks].

    A word shorter than SHORTEST_WORD_TICKS takes what it lacks from its neighbours; a tick of none parts two equal words.
    """
    index = {word: place for place, word in enumerate(known)}
    found = np.zeros(ticks, dtype=np.int64)
    spans = [_tick_span(start, end) for _, start, end in words]
    for place in sorted(range(len(words)), key=lambda i: spans[i][0] - spans[i][1]):
        first, last = spans[place]
        found[max(first, 0) : max(last, 0)] = index[words[place][0]]
    for before, after, (first, _) in zip(words, words[1:], spans[1:], strict=False):
        if before[0] == after[0] and 0 <= first < ticks:
            found[first] = 0
    return found


def _tick_span(start_s: float, end_s: float) -> tuple[int, int]:
    first, last = round(start_s * 1000 / TICK_MS), round(end_s * 1000 / TICK_MS)
    if last - first < SHORTEST_WORD_TICKS:
        first = round((start_s + end_s) * 500 / TICK_MS - SHORTEST_WORD_TICKS / 2)
        last = first + SHORTEST_WORD_TICKS
    return first, last


def load(data: Path, names: Sequence[str], cache: Path) -> list[Utterance]:
    """Clips of the corpus as utterances; what was prepared before is read from `cache`."""
    return _in_processes(partial(_prepared, words=word_times(data), data=data, cache=cache), names, "clips")


def preparation() -> str:
    """Names the code that hears and sees clips: by it, what is in a cache is that of another version or not."""
    sources = [Path(inspect.getfile(part)).read_bytes() for part in (clip, face, media, mouth, raster, upright)]
    return hashlib.sha256(b"".join(sources)).hexdigest()[:12]


def synthesise(seeds: Sequence[int], cache: Path) -> list[Utterance]:
    """Sentences of the synthetic speaker, one a seed."""
    return _in_processes(partial(_synthesised, cache=cache), seeds, "synthetic sentences")


def _in_processes(work: Callable[[Job], Utterance], jobs: Sequence[Job], what: str) -> list[Utterance]:
    with ProcessPoolExecutor() as pool:
        results = pool.map(work, jobs, chunksize=8)
        return list(track(results, total=len(jobs), description=f"Preparing {what}", console=Console(stderr=True)))


def _prepared(name: str, words: Mapping[str, tuple[Word, ...]], data: Path, cache: Path) -> Utterance:
    said = words.get(name, ())
    stored = cache / f"{name.replace('/', '-')}.npz"
    if not stored.exists():
        _store(stored, read(data / f"{name}.mp4", name, said))
    return _stored(stored, name, said)


def _store(stored: Path, said: Utterance) -> None:
    stored.parent.mkdir(parents=True, exist_ok=True)
    np.savez(stored, samples=said.samples, crops=said.crops, seen=said.seen)


def _stored(stored: Path, name: str, words: tuple[Word, ...]) -> Utterance:
    with np.load(stored) as arrays:
        return Utterance(name, arrays["samples"], arrays["crops"], arrays["seen"], words)


def _synthesised(seed: int, cache: Path) -> Utterance:
    said = synthetic.speak(seed)
    clip_path = cache / f"synthetic-{seed}.mp4"
    stored = clip_path.with_suffix(".npz")
    if not stored.exists():
        cache.mkdir(parents=True, exist_ok=True)
        synthetic.write_clip(clip_path, said)
        _store(stored, read(clip_path, clip_path.stem, ()))
        clip_path.unlink()
    return _stored(stored, stored.stem, tuple((span.name, span.start_s, span.end_s) for span in said.words))


def read(path: Path, name: str, words: tuple[Word, ...]) -> Utterance:
    """Hear and see one clip as the service would."""
    raster = Raster(TICK_NS, RATE_HZ, [""], Mouth(FaceFinder(), CROP_HEIGHT_PX, CROP_WIDTH_PX))
    sound, pictures = clip.samples(path), list(clip.pictures(path))
    end_ns = max(len(sound) * TICK_NS // TICK_SAMPLES, pictures[-1].time_ns + pictures[-1].duration_ns)
    frames = [
        Frame(name, Modality.VIDEO, shown.time_ns, shown.duration_ns, shown.jpeg, "image/jpeg") for shown in pictures
    ]
    crops, seen = [], []
    for start_ns in range(0, end_ns, HOP_NS):
        inside = [frame for frame in frames if start_ns - 2 * TICK_NS < frame.time_ns < start_ns + HOP_NS]
        held = [frame for frame in inside if frame.time_ns + (frame.duration_ns or 0) > start_ns]
        hop = raster.hop({Modality.VIDEO: held}, start_ns, start_ns + HOP_NS)
        crops.append(hop.crops)
        seen.append(hop.mask[:, 2] > 0)
    ticks = -(-end_ns // TICK_NS)
    samples = np.zeros(ticks * TICK_SAMPLES, dtype=np.int16)
    samples[: len(sound)] = sound[: len(samples)]
    return Utterance(name, samples, np.concatenate(crops)[:ticks], np.concatenate(seen)[:ticks], words)

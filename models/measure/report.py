"""What the service's whole path makes of clips that training never saw, as rows.

Single clips beside the short way of `counts.py`, joined sessions, wrong words on the screen, when words were said,
other speakers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from models.measure.cells import CLEAN, Air, Cell
from models.measure.features import true_word
from models.measure.hearing import Heard, Play, TimedWord, exactly_one, hear, scene, time_errors_ms
from models.measure.rows import Row, Scored, conditions, named, percent, row
from models.measure.statistics import Bootstrap
from models.tasks import speech
from models.tasks.speech_score import errors
from stream.noise import Noise, random_for
from stream.scene import Scene

JOINED_CLIPS = 20
WRONG_WORDS = 4
JOINED_GAP_MS = (1000, 3000)
BABBLE_0, BABBLE_5, BABBLE_LOUD = (Air(Noise.BABBLE, snr_db) for snr_db in (0.0, 5.0, -5.0))
CELLS = (
    *(Cell(modalities, air) for air in (CLEAN, BABBLE_0, BABBLE_LOUD) for modalities in ("A+V", "A")),
    Cell("V"),
    Cell("A+V+T", BABBLE_0),
    Cell("A+V", BABBLE_0, skew_ms=160),
    Cell("A+V", BABBLE_0, loss=0.2),
)
TIMED = (Cell("A+V"), Cell("A"), Cell("V"), Cell("A+V", BABBLE_0))
JOINED = (Cell("A+V"), Cell("A+V", BABBLE_5), Cell("A", BABBLE_5))
MISLED = (Cell("A+V"), Cell("A"))
OTHERS = (Cell("A+V"), Cell("A"), Cell("V"))


@dataclass(frozen=True)
class Corpus:
    """Clips to be played, with what is said in each."""

    data: Path
    sentences: Mapping[str, str]  # by the clip's name
    words: Mapping[str, Sequence[speech.Word]]  # with their times
    shown: Path  # folder for the texts that are shown

    def play(self, name: str, done_to_it: Scene) -> Play:
        """One clip as a session."""
        return Play((self.data / f"{name}.mp4",), done_to_it)

    def hinted(self, name: str, cell: Cell) -> Play:
        """One clip in a cell, with a true word on the screen if it has text."""
        word = true_word(Path(name).stem, self.sentences[name], 0)
        return self.play(name, scene(cell, text=self._text(name, "true", word)))

    def misled(self, name: str, cell: Cell) -> Play:
        """One clip while words of the vocabulary that are not said are shown, drawn by its name."""
        known = sorted({word for sentence in self.sentences.values() for word in sentence.split()})
        others = [word for word in known if word not in self.sentences[name].split()]
        drawn = random_for(0, name, "hint").choice(others, WRONG_WORDS, replace=False)
        text = self._text(name, "wrong", " ".join(drawn))
        return self.play(name, scene(Cell(f"{cell.modalities}+T", cell.air), text=text))

    def _text(self, name: str, kind: str, words: str) -> Path:
        path = self.shown / f"{name.replace('/', '-')}-{kind}.vtt"
        path.write_text(f"WEBVTT\n\n00:00.000 --> 00:03.000\n{words}\n")
        return path

    def said_ms(self, name: str, from_ms: float = 0.0) -> list[TimedWord]:
        """A clip's true words, of a clip that begins there."""
        return [TimedWord(w, from_ms + 1000 * start, from_ms + 1000 * end) for w, start, end in self.words[name]]

    def edits(self, names: Sequence[str], heard: Sequence[Heard]) -> np.ndarray:
        """Errors [1, clips]."""
        pairs = zip(names, heard, strict=True)
        return np.array([[errors(self.sentences[name], session.text)[0] for name, session in pairs]])


def report(
    data: Path, bundle: str, sentences: Mapping[str, str], scored: Scored, stage: Callable[[int], Callable[[], None]]
) -> list[Row]:
    """Rows of the whole path; `scored` is what the short way gave for the same clips.

    `stage` is told the number of sessions and gives what is to be called after each.
    """
    told = speech.transcripts(data)
    others = [name for name in told if not name.startswith("s1/")]
    names = list(sentences)
    groups = [names[first : first + JOINED_CLIPS] for first in range(0, len(names), JOINED_CLIPS)]
    with TemporaryDirectory() as folder:
        corpus = Corpus(data, told, speech.word_times(data), Path(folder))
        plays = {
            "joined": [_joined(corpus, group, cell) for cell in JOINED for group in groups],
            "single": [corpus.hinted(name, cell) for cell in CELLS for name in names],
            "misled": [corpus.misled(name, cell) for cell in MISLED for name in names],
            "others": [corpus.play(name, scene(cell)) for cell in OTHERS for name in others],
        }
        flat = [play for each in plays.values() for play in each]
        results = iter(hear(flat, bundle, stage(len(flat))))
    heard = {what: [next(results) for _ in each] for what, each in plays.items()}
    return [
        *_single_rows(corpus, names, heard["single"], scored),
        *_joined_rows(corpus, groups, heard["joined"], scored),
        *_plain_rows(corpus, names, MISLED, heard["misled"], f"{WRONG_WORDS} wrong words shown", "misled"),
        *_plain_rows(corpus, others, OTHERS, heard["others"], "other speakers", "others"),
    ]


def _joined(corpus: Corpus, group: Sequence[str], cell: Cell) -> Play:
    once = scene(cell)
    whole = Scene(snr_db=once.snr_db, noise=once.noise, without=once.without, gap_ms=JOINED_GAP_MS)
    return Play(tuple(corpus.data / f"{name}.mp4" for name in group), whole)


def _single_rows(corpus: Corpus, names: Sequence[str], heard: Sequence[Heard], scored: Scored) -> list[Row]:
    bootstrap, data = Bootstrap(scored.counts.words, 1), f"{len(names)} test clips of GRID s1, noise of seed 0"
    rows = []
    for place, cell in enumerate(CELLS):
        sessions = heard[place * len(names) : (place + 1) * len(names)]
        edits, short = corpus.edits(names, sessions), scored.counts.of(cell)[:1]
        more = {
            "short_value": percent(bootstrap.rate(short)).value,
            "clips_that_differ": int((edits != short).sum()),
        }
        figure = f"word error rate by the service's whole path, {named(cell)}"
        rows.append(row("path", figure, percent(bootstrap.rate(edits)), "%", data, **conditions(cell), **more))
        if cell in TIMED:
            rows += _time_rows(corpus, names, sessions, cell, data)
    return rows


def _time_rows(corpus: Corpus, names: Sequence[str], sessions: Sequence[Heard], cell: Cell, data: str) -> list[Row]:
    """How far words' starts and ends are off, of those recognised rightly."""
    pairs = zip(names, sessions, strict=True)
    off = [each for name, session in pairs for each in time_errors_ms(corpus.said_ms(name), session.words)]
    sizes = np.abs(np.array(off, dtype=np.float64)).reshape(-1, 2)
    rows: list[Row] = []
    for edge, column in (("start", 0), ("end", 1)) if len(sizes) else ():
        for share in (50, 95):
            value = round(float(np.percentile(sizes[:, column], share)), 1)
            figure = f"word {edge}, absolute error, {share}th percentile, {named(cell)}"
            more = {"edge": edge, "percentile": share, "words": len(sizes)}
            rows.append(row("times", figure, value, "ms", data, **conditions(cell), **more))
    return rows


def _joined_rows(corpus: Corpus, groups: Sequence[Sequence[str]], heard: Sequence[Heard], scored: Scored) -> list[Row]:
    rows = []
    for place, cell in enumerate(JOINED):
        sessions = heard[place * len(groups) : (place + 1) * len(groups)]
        data = f"{len(groups)} sessions of {len(groups[0])} test clips, 1 to 3 s of room noise between"
        texts = [" ".join(corpus.sentences[name] for name in group) for group in groups]
        counted = np.array([errors(text, each.text) for text, each in zip(texts, sessions, strict=True)])
        wer = Bootstrap(counted[:, 1], 1).rate(counted[None, :, 0])
        whole = [one for group, each in zip(groups, sessions, strict=True) for one in _whole(corpus, group, each)]
        share = Bootstrap(np.ones(len(whole), dtype=np.int64), 1).rate(np.array([whole], dtype=np.int64))
        more = {**conditions(cell), "single_value": percent(scored.rate(cell)).value}
        figure = f"sentences that are exactly one final, joined sessions, {named(cell)}"
        rows.append(row("joined", figure, percent(share), "%", data, **more, what="finals"))
        figure = f"word error rate, joined sessions, {named(cell)}"
        rows.append(row("joined", figure, percent(wer), "%", data, **more, what="errors"))
    return rows


def _whole(corpus: Corpus, group: Sequence[str], heard: Heard) -> list[bool]:
    said = [corpus.said_ms(name, at_ms) for name, at_ms in zip(group, heard.starts_ms, strict=True)]
    return exactly_one(heard.finals, [(words[0].start_ms, words[-1].end_ms) for words in said])


def _plain_rows(
    corpus: Corpus, names: Sequence[str], cells: Sequence[Cell], heard: Sequence[Heard], what: str, table: str
) -> list[Row]:
    rows = []
    words = np.array([errors(corpus.sentences[name], "")[1] for name in names])
    for place, cell in enumerate(cells):
        edits = corpus.edits(names, heard[place * len(names) : (place + 1) * len(names)])
        found = percent(Bootstrap(words, 1).rate(edits))
        data = f"{len(names)} clips of other speakers" if table == "others" else f"{len(names)} test clips of GRID s1"
        rows.append(row(table, f"word error rate, {named(cell)}, {what}", found, "%", data, **conditions(cell)))
    return rows

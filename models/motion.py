"""Fits the template by which `stream/motion.py` reads off a crop how far a mouth is open, and measures what offset is left.

    training clips -> [python -m models.motion] -> TEMPLATE, to be put there by hand

Ridge regression (Hoerl and Kennard, 1970) of the sound's energy on the cells of the mouth's crop at the same tick, both
less their mean around, on two thirds of the training clips. The offset is the median lag that is measured on the other
third. Real clips alone: with drawn mouths among them five other real speakers were measured wrongly. Clips that are held
out for test or validation are never read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from numpy.typing import NDArray

from models.__main__ import RUNS
from models.preprocess import HOP_TICKS
from models.tasks import speech
from models.tasks.speech import HOP_NS, TICK_NS, Utterance
from stream.motion import COLUMNS, ROWS, Signals, Track, cells, loudness, swing
from stream.noise import grid_folder

RIDGE = 0.1  # of the cells' mean square
JOINED = 16  # clips that are one session where the offset is measured
GAP_HOPS = 3  # between them


def main(data: Annotated[Path | None, typer.Option(help="The GRID clips.")] = None) -> None:
    """Print the template and the offset as JSON.

    Example: python -m models.motion
    """
    folder = data or grid_folder()
    cache = RUNS / "speech-data" / speech.preparation()
    clips = speech.load(folder, speech.training_names(folder), cache)
    template = fit([said for place, said in enumerate(clips) if place % 3])
    lags_ms = np.array(list(lags_ns(clips[::3], template))) / 1e6
    found = {
        "template": np.round(template.reshape(ROWS, COLUMNS), 3).tolist(),
        "offset_ms": round(float(np.median(lags_ms)), 1),
        "lags": len(lags_ms),
        "within_40_ms": round(float((np.abs(lags_ms - np.median(lags_ms)) <= 40).mean()), 4),
    }
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def fit(clips: Sequence[Utterance]) -> NDArray[np.float64]:
    """The template [cells], its length 1."""
    pairs = []
    for said in clips:
        mouth = swing(cells(said.crops), said.seen, TICK_NS)[said.seen]
        pairs.append((mouth, swing(_loudness(said), np.ones(said.ticks, dtype=np.bool_), TICK_NS)[said.seen]))
    mouths, sounds = (np.concatenate(part).astype(np.float64) for part in zip(*pairs, strict=True))
    size = mouths.std(axis=0)
    mouths /= size
    square = mouths.T @ mouths + RIDGE * len(mouths) * np.eye(len(size))
    solved = np.linalg.solve(square, mouths.T @ sounds) / size
    return np.asarray(solved / np.linalg.norm(solved))


def lags_ns(clips: Sequence[Utterance], template: NDArray[np.float64]) -> Iterator[int]:
    """What is measured after every hop of sessions of some clips each, where anything is."""
    for joined in (clips[at : at + JOINED] for at in range(0, len(clips), JOINED)):
        track, start_ns = Track(TICK_NS, HOP_NS), 0
        for said in joined:
            for hop in _hops(said, template):
                track.put(start_ns, hop)
                start_ns += HOP_NS
                lag_ns = track.lag_ns()
                if lag_ns is not None:
                    yield lag_ns
            start_ns += GAP_HOPS * HOP_NS


def _hops(said: Utterance, template: NDArray[np.float64]) -> Iterator[Signals]:
    """The clip hop by hop, without its last, partial one."""
    mouth, sound = (cells(said.crops) @ template).astype(np.float32), _loudness(said)
    for first in range(0, said.ticks - HOP_TICKS + 1, HOP_TICKS):
        part = slice(first, first + HOP_TICKS)
        yield Signals(mouth[part], said.seen[part], sound[part], np.ones(HOP_TICKS, dtype=np.bool_))


def _loudness(said: Utterance) -> NDArray[np.float32]:
    return loudness((said.samples / 32768).astype(np.float32), said.ticks)


if __name__ == "__main__":
    typer.run(main)

"""Other recognisers on the same clips under the same noise, scored by the same function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from models.processes import in_processes
from models.statistics import Bootstrap
from models.tasks.speech_cells import AIRS, Cell, Segment, distinct_segments
from models.tasks.speech_features import Clip
from models.tasks.speech_rows import Row, conditions, named, percent, row
from models.tasks.speech_score import errors

if TYPE_CHECKING:
    from models.peers import Peer

CELLS = [Cell("A", air) for air in AIRS]


def peer_rows(
    data: Path, sentences: Mapping[str, str], seeds: int, stage: Callable[[int], Callable[[], None]]
) -> list[Row]:
    """A row a peer and noise; `stage` is told the number of clips and gives what is to be called after each."""
    work = partial(_count_clip, data=data, seeds=seeds)
    clips = in_processes(work, list(sentences.items()), stage(len(sentences)))
    words = np.array([errors(text, "")[1] for text in sentences.values()], dtype=np.int64)
    bootstrap = Bootstrap(words, seeds)
    places = {segment: place for place, segment in enumerate(distinct_segments(CELLS, seeds))}
    what = f"{len(words)} test clips of GRID s1, noise of {seeds} seeds"
    rows = []
    for peer, licence in _described().items():
        edits = np.stack([clip[peer] for clip in clips], axis=1)
        for cell in CELLS:
            found = percent(bootstrap.rate(edits[[places[segment] for segment in cell.segments(seeds)]]))
            figure = f"word error rate, {peer}, {named(cell)}"
            rows.append(row("peers", figure, found, "%", what, **conditions(cell), peer=peer, licence=licence))
    return rows


def _described() -> dict[str, str]:
    return {peer.name: peer.licence for peer in _peers()}


def _count_clip(job: tuple[str, str], data: Path, seeds: int) -> dict[str, np.ndarray]:
    """Errors [segments] by peer."""
    name, sentence = job
    source = Clip(data / f"{name}.mp4", sentence)
    segments = distinct_segments(CELLS, seeds)
    return {peer.name: np.array([_edits(peer, source, sentence, each) for each in segments]) for peer in _peers()}


def _edits(peer: Peer, source: Clip, sentence: str, segment: Segment) -> int:
    if segment.sound is None:
        raise ValueError(f"{segment} has no sound, which is all that {peer.name} knows.")
    return errors(sentence, peer.transcribe(source.samples(segment.sound)))[0]


@cache
def _peers() -> list[Peer]:
    """Once a process."""
    from models.peers import peers

    return peers()

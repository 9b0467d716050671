"""Other recognisers on the same clips under the same noise, scored by the same function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from models.measure.cells import AIRS, Cell, distinct_segments
from models.measure.features import Clip
from models.measure.processes import in_processes
from models.measure.rows import Row, conditions, named, percent, row
from models.measure.statistics import Bootstrap
from models.tasks.speech_score import errors

if TYPE_CHECKING:
    from models.measure.peers import Peer

CELLS = [Cell("A", air) for air in AIRS]


def peer_rows(
    data: Path,
    sentences: Mapping[str, str],
    seeds: int,
    stage: Callable[[int], Callable[[], None]],
    peers: Callable[[], Sequence[Peer]] | None = None,
) -> list[Row]:
    """A row a peer and noise; `stage` is told the number of clips and gives what is to be called after each.

    `peers` gives who is measured, by default all that are installed; it is asked in each process.
    """
    asked = peers or _installed
    described = {peer.name: peer.licence for peer in asked()}
    work = partial(_count_clip, data=data, seeds=seeds, peers=asked)
    clips = in_processes(work, list(sentences.items()), stage(len(sentences)))
    words = np.array([errors(text, "")[1] for text in sentences.values()], dtype=np.int64)
    bootstrap = Bootstrap(words, seeds)
    places = {segment: place for place, segment in enumerate(distinct_segments(CELLS, seeds))}
    what = f"{len(words)} test clips of GRID s1, noise of {seeds} seed{'s' if seeds > 1 else ''}"
    rows = []
    for peer, licence in described.items():
        edits = np.stack([clip[peer] for clip in clips], axis=1)
        for cell in CELLS:
            found = percent(bootstrap.rate(edits[[places[segment] for segment in cell.segments(seeds)]]))
            figure = f"word error rate, {peer}, {named(cell)}"
            rows.append(row("peers", figure, found, "%", what, **conditions(cell), peer=peer, licence=licence))
    return rows


def _count_clip(
    job: tuple[str, str], data: Path, seeds: int, peers: Callable[[], Sequence[Peer]]
) -> dict[str, NDArray[np.int64]]:
    """Errors [segments] by peer."""
    name, sentence = job
    source = Clip(data / f"{name}.mp4", sentence)
    sounds = [segment.sound for segment in distinct_segments(CELLS, seeds) if segment.sound]
    heard = [source.samples(sound) for sound in sounds]
    return {
        peer.name: np.array([errors(sentence, peer.transcribe(samples))[0] for samples in heard]) for peer in peers()
    }


@cache
def _installed() -> Sequence[Peer]:
    """Once a process."""
    from models.measure.peers import peers

    return peers()

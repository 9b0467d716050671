"""What real conditions cost, and that video which tells nothing costs nothing: rows of the whole path.

    clips -> transformed clips -> sessions -> rows

Looks are measured beside the plain clips; faults of the video against sound alone, clean and in babble.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.measure.cells import CLEAN, Air, Cell
from models.measure.hearing import Play, hear, scene
from models.measure.looks import FAULTS
from models.measure.processes import in_processes
from models.measure.rows import Row, conditions, named, not_worse, percent, row
from models.measure.staged import CONDITIONS, PLAIN, staged
from models.measure.statistics import Bootstrap
from models.tasks.speech_score import errors
from stream.frame import Modality
from stream.noise import Noise
from stream.scene import Scene

LOOKED_AT = (Cell("A+V"), Cell("V"))
FAULT_AIRS = (CLEAN, *(Air(Noise.BABBLE, snr_db) for snr_db in (5.0, 0.0)))
LATE_MS = 1500.0
LATE, LOST = f"video {LATE_MS:g} ms late", "video lost on its way"

Stage = Callable[[int], Callable[[], None]]  # told how many things there are to do, gives what to call after each


class Job(NamedTuple):
    """All clips in one cell, their video under one condition."""

    condition: str
    cell: Cell

    @property
    def scene(self) -> Scene:
        """What is done beside what the clips' files show."""
        plain = scene(self.cell)
        if self.condition == LATE:
            return replace(plain, delay_ms={Modality.VIDEO: LATE_MS})
        return replace(plain, drop={Modality.VIDEO: 1.0}) if self.condition == LOST else plain


class Measured(NamedTuple):
    """Errors of each job [1, clips], and how to weigh them."""

    edits: dict[Job, NDArray[np.int64]]
    bootstrap: Bootstrap
    data: str


def look_rows(data: Path, bundle: str, sentences: Mapping[str, str], stage: Stage) -> list[Row]:
    """The table `looks`: word error rate under each condition, with that of the plain clips as `plain_value`."""
    jobs = [Job(condition, cell) for condition, cell in product((PLAIN, *CONDITIONS), LOOKED_AT)]
    found = measure(data, bundle, sentences, jobs, stage)
    return [_look_row(job, found) for job in jobs]


def fault_rows(
    data: Path, bundle: str, sentences: Mapping[str, str], stage: Stage, airs: Sequence[Air] = FAULT_AIRS
) -> list[Row]:
    """The table `faults`: how many more errors than sound alone each fault of the video brings, paired."""
    jobs = [Job(fault, Cell("A+V", air)) for fault, air in product((*FAULTS, LATE, LOST), airs)]
    found = measure(data, bundle, sentences, [*(Job(PLAIN, Cell("A", air)) for air in airs), *jobs], stage)
    return [_fault_row(job, found) for job in jobs]


def measure(data: Path, bundle: str, sentences: Mapping[str, str], jobs: Sequence[Job], stage: Stage) -> Measured:
    """Recognise the clips named by `sentences` in every job."""
    paths = [data / f"{name}.mp4" for name in sentences]
    with TemporaryDirectory() as folder:
        files = _files(paths, [job.condition for job in jobs], Path(folder), stage)
        plays = [Play((path,), job.scene) for job in jobs for path in files[job.condition]]
        heard = hear(plays, bundle, stage(len(plays)))
    pairs = zip([*sentences.values()] * len(jobs), heard, strict=True)
    counted = np.array([errors(text, session.text) for text, session in pairs]).reshape(len(jobs), len(paths), 2)
    edits = {job: counted[place : place + 1, :, 0] for place, job in enumerate(jobs)}
    return Measured(edits, Bootstrap(counted[0, :, 1], 1), f"{len(paths)} clips of GRID s1, noise of seed 0")


def _files(paths: Sequence[Path], wanted: Sequence[str], folder: Path, stage: Stage) -> dict[str, Sequence[Path]]:
    """The clips by condition, transformed where that is a matter of what they show."""
    files: dict[str, Sequence[Path]] = dict.fromkeys(wanted, paths)
    shown = [condition for condition in files if condition in {*CONDITIONS, *FAULTS}]
    work = [(path, condition) for condition in shown for path in paths]
    made = in_processes(partial(_made, folder=folder), work, stage(len(work)))
    files.update((condition, made[place * len(paths) :][: len(paths)]) for place, condition in enumerate(shown))
    return files


def _made(work: tuple[Path, str], folder: Path) -> Path:
    path, condition = work
    return staged(path, condition, folder / condition.replace(" ", "-"))


def _look_row(job: Job, found: Measured) -> Row:
    plain, value = (percent(found.bootstrap.rate(found.edits[each])) for each in (Job(PLAIN, job.cell), job))
    figure = f"word error rate, {named(job.cell)}, {job.condition}"
    more = {**conditions(job.cell), "condition": job.condition, "plain_value": plain.value}
    return row("looks", figure, value, "%", found.data, **more)


def _fault_row(job: Job, found: Measured) -> Row:
    alone = found.edits[Job(PLAIN, replace(job.cell, modalities="A"))]
    difference = percent(found.bootstrap.difference(found.edits[job], alone))
    more = {
        **conditions(job.cell),
        "condition": job.condition,
        "against": "A",
        "against_value": percent(found.bootstrap.rate(alone)).value,
        "reached": not_worse(difference),
    }
    figure = f"more errors than sound alone, {named(job.cell)}, {job.condition}"
    return row("faults", figure, difference, "points", found.data, **more)

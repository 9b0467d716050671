"""Bundles side by side on the same clips: kinds of fusion, ranks, networks that know one modality only.

    {name: bundle} -> errors in the cells of `comparison()`, time of the fusion, rank, energy -> rows

Where encoders are the same files, the bundles get the very same features.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from statistics import median

import numpy as np

from models import bundle as bundles
from models.bundle import MANIFEST, Bundle
from models.tasks.speech_cells import AIRS, Cell, comparison
from models.tasks.speech_counts import Counts, Plan
from models.tasks.speech_rows import Row, Scored, conditions, named, not_worse, percent, row
from stream.errors import ConfigError
from stream.provider import Arrays, Models

TICKS = 75  # of a segment that is timed
RUNS = 200
WARM_RUNS = 20
SOUND_ALONE = "audio-only"
FULL_TO_LOW_RANK = 4


def found_in(folder: Path) -> dict[str, Path]:
    """Bundles by the name of their folder.

    Raises
    ------
    ConfigError
        If there is none.
    """
    found = {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{MANIFEST}"))}
    if not found:
        raise ConfigError(f"{folder} holds no bundles ({folder}/NAME/{MANIFEST}): export some there.")
    return found


def plans(compared: Mapping[str, Path], seeds: int) -> list[Plan]:
    """What is to be counted for each, in order."""
    return [Plan(str(path), tuple(comparison()), seeds) for path in compared.values()]


def compare(compared: Mapping[str, Path], counts: Mapping[str, Counts], own: Scored) -> list[Row]:
    """Rows of bundles whose errors were counted; `own` is the bundle that all is about, measured on the same clips."""
    loaded = {name: bundles.load(str(path)) for name, path in compared.items()}
    rows: list[Row] = []
    for name, bundle in loaded.items():
        rows += _bundle_rows(name, bundle, Scored(counts[name], own.bootstrap, own.data))
    if SOUND_ALONE in counts:
        rows += _sound_rows(own, counts[SOUND_ALONE])
    return rows + _rank_rows(loaded, counts, own)


def _about(name: str, bundle: Bundle) -> Row:
    """What a bundle is, as keys of a row."""
    manifest = bundle.manifest
    return {
        "bundle": name,
        "fusion": kind(bundle),
        "rank": manifest.svd_rank,
        "features": sum(encoder.features for encoder in manifest.encoders.values()),
    }


def kind(bundle: Bundle) -> str:
    """How it fuses."""
    return str(getattr(bundle.manifest, "fusion", "concatenation"))


def _bundle_rows(name: str, bundle: Bundle, scored: Scored) -> list[Row]:
    about = _about(name, bundle)
    rows = [
        row("bundles", f"word error rate, {name}, {named(cell)}", found, "%", scored.data, **about, **conditions(cell))
        for cell in comparison()
        for found in [percent(scored.rate(cell))]
    ]
    microseconds = fusion_microseconds(bundle)
    energy = round(100 * bundle.manifest.svd_explained_energy_ratio, 2)
    segment = f"one segment of {TICKS} ticks, one thread, median of {RUNS} runs"
    rows.append(row("fusion", f"time of the fusion, {name}", microseconds, "us", segment, **about, what="time"))
    rows.append(row("fusion", f"explained energy, {name}", energy, "%", "training features", **about, what="energy"))
    return rows


def fusion_microseconds(bundle: Bundle) -> float:
    """Median time of one call of the fusion's graph."""
    models, inputs = Models(bundle, "cpu"), _segment(bundle)
    taken_ns = []
    for _ in range(WARM_RUNS + RUNS):
        started_ns = time.perf_counter_ns()
        models.run("fusion", inputs)
        taken_ns.append(time.perf_counter_ns() - started_ns)
    return round(median(taken_ns[WARM_RUNS:]) / 1000, 1)


def _segment(bundle: Bundle) -> Arrays:
    """Features of no meaning, of the bundle's widths, with everything there."""
    random = np.random.default_rng(0)
    inputs: Arrays = {
        name: random.standard_normal((1, TICKS, encoder.features)).astype(np.float32)
        for name, encoder in bundle.manifest.encoders.items()
    }
    return inputs | {"mask": np.ones((1, TICKS, 3), dtype=np.float32), "lengths": np.array([TICKS], dtype=np.int64)}


def _sound_rows(own: Scored, alone: Counts) -> list[Row]:
    """Sound alone, by the bundle and by the same encoder trained on sound only."""
    rows = []
    for air in AIRS:
        cell = Cell("A", air)
        found = percent(own.difference(cell, alone.of(cell)))
        figure = f"more errors than the same encoder trained on sound only, {named(cell)}"
        more = {**conditions(cell), "against": SOUND_ALONE, "reached": not_worse(found)}
        rows.append(row("sound-alone", figure, found, "points", own.data, **more))
    return rows


def _rank_rows(loaded: Mapping[str, Bundle], counts: Mapping[str, Counts], own: Scored) -> list[Row]:
    """The concatenations of at most a quarter of the features' rank against the one of the highest."""
    ranks = {name: bundle.manifest.svd_rank for name, bundle in loaded.items() if name.startswith("concatenation")}
    if len(ranks) < 2:
        return []
    full = max(ranks, key=lambda name: ranks[name])
    low = [name for name, rank in ranks.items() if rank * FULL_TO_LOW_RANK <= ranks[full]]
    cells = [cell for cell in comparison() if cell.modalities != "A" or cell in _heard_with_pictures()]
    rows = []
    for name, cell in product(low, cells):
        scored = Scored(counts[name], own.bootstrap, own.data)
        found = percent(scored.difference(cell, counts[full].of(cell)))
        figure = f"more errors of {name} than of {full}, {named(cell)}"
        more = {**_about(name, loaded[name]), **conditions(cell), "against": full, "reached": not_worse(found)}
        rows.append(row("rank", figure, found, "points", own.data, **more))
    return rows


def _heard_with_pictures() -> list[Cell]:
    """Sound alone in the noises in which sets with pictures are compared too."""
    return [Cell("A", cell.air) for cell in comparison() if cell.modalities == "A+V"]

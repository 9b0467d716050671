"""Bundles side by side on the same clips: kinds of fusion, ranks, networks that know one modality only.

    {name: bundle} -> errors in the cells of `comparison()`, time of the fusion, rank, energy -> rows

Where encoders are the same files, the bundles get the very same features.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np

from models import bundle as bundles
from models.bundle import MANIFEST, Bundle
from models.manifest import Manifest
from models.measure.cells import AIRS, Cell, comparison
from models.measure.counts import Counts, Plan
from models.measure.rows import Row, Scored, conditions, named, not_worse, percent, row
from stream.errors import ConfigError
from stream.provider import Arrays, Models

TICKS = 75  # of a segment that is timed
RUNS = 200
WARM_RUNS = 20
SINGLE = {"audio": "A", "video": "V"}  # bundles whose networks know one modality only, and what they are measured on
FULL_TO_LOW_RANK = 4


@dataclass(frozen=True)
class About:
    """What a bundle is."""

    bundle: str  # its name
    fusion: str
    rank: int
    features: int  # a tick, of all modalities

    @classmethod
    def of(cls, name: str, manifest: Manifest) -> About:
        """Read off its manifest."""
        features = sum(encoder.features for encoder in manifest.encoders.values())
        return cls(name, manifest.fusion, manifest.svd_rank, features)


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


def cells(name: str) -> tuple[Cell, ...]:
    """What the bundle of that name is measured in."""
    known = SINGLE.get(name)
    return tuple(cell for cell in comparison() if known in {None, cell.modalities})


def plans(compared: Mapping[str, Path], seeds: int) -> list[Plan]:
    """What is to be counted for each, in order."""
    return [Plan(str(path), cells(name), seeds) for name, path in compared.items()]


def compare(compared: Mapping[str, Path], counts: Mapping[str, Counts], own: Scored) -> list[Row]:
    """Rows of bundles whose errors were counted; `own` is the bundle that all is about, measured on the same clips."""
    about = {}
    rows: list[Row] = []
    for name, path in compared.items():
        bundle = bundles.load(str(path))
        about[name] = About.of(name, bundle.manifest)
        rows += error_rows(about[name], counts[name], own) + _fusion_rows(about[name], bundle)
    return rows + sound_rows(counts, own) + rank_rows(about, counts, own)


def error_rows(about: About, counts: Counts, own: Scored) -> list[Row]:
    """Word error rates of one bundle."""
    scored = Scored(counts, own.bootstrap, own.data)
    rows = []
    for cell in cells(about.bundle):
        figure, found = f"word error rate, {about.bundle}, {named(cell)}", percent(scored.rate(cell))
        rows.append(row("bundles", figure, found, "%", own.data, **asdict(about), **conditions(cell)))
    return rows


def _fusion_rows(about: About, bundle: Bundle) -> list[Row]:
    """What the fusion costs, and what its basis keeps."""
    segment = f"one segment of {TICKS} ticks, one thread, median of {RUNS} runs"
    microseconds = fusion_microseconds(bundle)
    energy = round(100 * bundle.manifest.svd_explained_energy_ratio, 2)
    name, more = about.bundle, asdict(about)
    return [
        row("fusion", f"time of the fusion, {name}", microseconds, "us", segment, **more, what="time"),
        row("fusion", f"explained energy, {name}", energy, "%", "training features", **more, what="energy"),
    ]


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


def sound_rows(counts: Mapping[str, Counts], own: Scored) -> list[Row]:
    """Sound alone, by the bundle and by the same encoder trained on sound only, if that was counted."""
    rows = []
    for name, cell in [(name, Cell("A", air)) for name in counts if SINGLE.get(name) == "A" for air in AIRS]:
        found = percent(own.difference(cell, counts[name].of(cell)))
        figure = f"more errors than the same encoder trained on sound only, {named(cell)}"
        more = {**conditions(cell), "against": name, "reached": not_worse(found)}
        rows.append(row("sound-alone", figure, found, "points", own.data, **more))
    return rows


def rank_rows(about: Mapping[str, About], counts: Mapping[str, Counts], own: Scored) -> list[Row]:
    """The largest concatenation of at most a quarter of the features' rank against the one of full rank."""
    ranks = {name: each.rank for name, each in about.items() if name not in SINGLE and each.fusion == "concatenation"}
    full = [name for name, rank in ranks.items() if rank == max(ranks.values())]
    low = [name for name, rank in ranks.items() if rank * FULL_TO_LOW_RANK <= about[name].features]
    if not low or ranks[low[0]] == ranks[full[0]]:
        return []
    name = max(low, key=lambda each: ranks[each])
    scored, rows = Scored(counts[name], own.bootstrap, own.data), []
    for cell in _in_few_noises():
        found = percent(scored.difference(cell, counts[full[0]].of(cell)))
        figure = f"more errors of {name} than of {full[0]}, {named(cell)}"
        more = {**asdict(about[name]), **conditions(cell), "against": full[0], "reached": not_worse(found)}
        rows.append(row("rank", figure, found, "points", own.data, **more))
    return rows


def _in_few_noises() -> list[Cell]:
    """The cells of the comparison whose noise is heard in all of its sets."""
    airs = {cell.air for cell in comparison() if cell.modalities == "A+V"}
    return [cell for cell in comparison() if cell.air in airs]

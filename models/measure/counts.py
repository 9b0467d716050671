"""Errors of bundles on clips under many conditions: features once, fused many times.

    clip -> parts -> segments in batches -> logits -> words -> edits [segments]

A process a core takes clip after clip. Bundles whose encoders are the same files share the features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models import bundle as bundles
from models.bundle import Bundle
from models.manifest import ENCODERS
from models.measure.cells import Cell, Segment, distinct_segments
from models.measure.features import Clip, Encoding, Key, Part
from models.measure.processes import in_processes
from models.tasks.speech_score import errors
from stream.agreement import mixed, trust
from stream.decode import spoken
from stream.features import answering
from stream.frame import Modality
from stream.predict import padded_ticks
from stream.provider import Models
from stream.raster import MODALITIES

FUSED_AT_ONCE = 64
Inputs = dict[str, NDArray[np.float32]]  # of the fusion, of one segment


@dataclass(frozen=True)
class Plan:
    """A bundle's directory, or a shipped one's name, and the cells that it is measured in."""

    bundle: str
    cells: tuple[Cell, ...]
    seeds: int


@dataclass(frozen=True)
class Counts:
    """Errors by cell, and the words of each clip.

    Attributes
    ----------
    edits : mapping of Cell to array of int [seeds or 1, clips]
        By `Cell.distinct`.
    words : array of int [clips]
    """

    edits: Mapping[Cell, NDArray[np.int64]]
    words: NDArray[np.int64]

    def of(self, cell: Cell) -> NDArray[np.int64]:
        """Errors [seeds or 1, clips] of any cell of the full product."""
        return self.edits[cell.distinct]


class Stretch(NamedTuple):
    """A segment, and how many ticks of it are looked at."""

    segment: Segment
    ticks: int


class Fusing:
    """Recognises segments whole with one bundle's fusion and decoder."""

    def __init__(self, bundle: Bundle, models: Models) -> None:
        self._models, self._language = models, bundle.language()
        self._graphs, self._hop_ticks = bundle.manifest.graphs, bundle.manifest.hop_ticks
        self._widths = {m: bundle.manifest.encoders[m].features for m in MODALITIES}

    def texts(self, segments: Sequence[Segment], parts: Mapping[Key, Part]) -> list[str]:
        """What is said in each, at last, as `stream/look.py` has it."""
        whole = {each: self.stretch(each, parts) for each in segments}
        apart = {each: _apart(whole[each]) for each in segments if each.sound and each.sight}
        said = self._said(dict.fromkeys([*whole.values(), *(one for pair in apart.values() for one in pair)]), parts)
        found = []
        for segment in segments:
            logits = said[whole[segment]]
            if segment in apart:
                heard, seen = (said[one] for one in apart[segment])
                trusted = trust(heard, seen, self.inputs(whole[segment], parts)["mask"], self._language)
                logits = mixed([logits, heard, seen], trusted)
            shown = parts[segment.hint].shown if segment.hint is not None else ()
            found.append(" ".join(word.word for word in spoken(logits, self._language.favouring(shown))))
        return found

    def stretch(self, segment: Segment, parts: Mapping[Key, Part]) -> Stretch:
        """The segment with its length: it grows by whole hops to hold pictures that stand later."""
        used = self._used(segment, parts)
        ends = [_shift(segment, m) + int(part.present.nonzero()[0].max(initial=-1)) + 1 for m, part in used.items()]
        whole = (-(-end // self._hop_ticks) * self._hop_ticks for end in ends)
        return Stretch(segment, max([*(len(part.present) for part in used.values()), *whole]))

    def _said(self, stretches: Iterable[Stretch], parts: Mapping[Key, Part]) -> dict[Stretch, NDArray[np.float32]]:
        """Logits of each."""
        listed = [*stretches]
        found: dict[Stretch, NDArray[np.float32]] = {}
        for first in range(0, len(listed), FUSED_AT_ONCE):
            answered: dict[str, dict[Stretch, Inputs]] = {}
            for each in listed[first : first + FUSED_AT_ONCE]:
                inputs = self.inputs(each, parts)
                answered.setdefault(answering(inputs["mask"], self._graphs), {})[each] = inputs
            for graph, rows in answered.items():
                found.update(zip(rows, self._logits(graph, [*rows.values()]), strict=True))
        return found

    def inputs(self, stretch: Stretch, parts: Mapping[Key, Part]) -> Inputs:
        """Features of each modality [ticks, features] and `mask` [ticks, 3], zeros where nothing is.

        The pictures' features and mask stand the skew later.
        """
        segment, ticks = stretch
        found = {str(m): np.zeros((ticks, width), dtype=np.float32) for m, width in self._widths.items()}
        mask = found["mask"] = np.zeros((ticks, len(MODALITIES)), dtype=np.float32)
        for modality, part in self._used(segment, parts).items():
            first = _shift(segment, modality)
            there = part.present[: ticks - first]
            found[modality][first : first + len(there)] = part.features[: len(there)]
            mask[first : first + len(there), MODALITIES.index(modality)] = there
        return found

    def _used(self, segment: Segment, parts: Mapping[Key, Part]) -> dict[Modality, Part]:
        keys = {Modality.TEXT: segment.hint, Modality.AUDIO: segment.sound, Modality.VIDEO: segment.sight}
        return {m: parts[key] for m, key in keys.items() if key is not None}

    def _logits(self, graph: str, rows: Sequence[Inputs]) -> list[NDArray[np.float32]]:
        lengths = np.array([len(row["mask"]) for row in rows], dtype=np.int64)
        longest = padded_ticks(int(lengths.max()))
        inputs: dict[str, NDArray[np.float32] | NDArray[np.int64]] = {"lengths": lengths}
        for name in rows[0]:
            stacked = inputs[name] = np.zeros((len(rows), longest, rows[0][name].shape[1]), dtype=np.float32)
            for place, row in enumerate(rows):
                stacked[place, : len(row[name])] = row[name]
        logits = self._models.run(graph, inputs, ("logits",))["logits"]
        return [row[:length] for row, length in zip(logits, lengths, strict=True)]


def _apart(stretch: Stretch) -> tuple[Stretch, Stretch]:
    """Without the pictures, and without all else; many share either."""
    segment, ticks = stretch
    heard, seen = replace(segment, sight=None, skew_ticks=0), replace(segment, sound=None, hint=None)
    return Stretch(heard, ticks), Stretch(seen, ticks)


def _shift(segment: Segment, modality: Modality) -> int:
    return segment.skew_ticks if modality is Modality.VIDEO else 0


def count(
    plans: Sequence[Plan], data: Path, sentences: Mapping[str, str], done: Callable[[], None] = lambda: None
) -> list[Counts]:
    """Measure each plan's bundle on the clips named by `sentences`; `done` is called after each clip."""
    work = partial(_count_clip, plans=tuple(plans), data=data)
    clips = in_processes(work, list(sentences.items()), done)
    words = np.array([errors(text, "")[1] for text in sentences.values()], dtype=np.int64)
    return [
        Counts(_by_cell(plan, np.stack([clip[place] for clip in clips], axis=1)), words)
        for place, plan in enumerate(plans)
    ]


def _by_cell(plan: Plan, edits: NDArray[np.int64]) -> dict[Cell, NDArray[np.int64]]:
    """`edits` is [segments, clips] in the plan's order of distinct segments."""
    places = {segment: place for place, segment in enumerate(distinct_segments(plan.cells, plan.seeds))}
    cells = dict.fromkeys(cell.distinct for cell in plan.cells)
    return {cell: edits[[places[segment] for segment in cell.segments(plan.seeds)]] for cell in cells}


def _count_clip(job: tuple[str, str], plans: tuple[Plan, ...], data: Path) -> list[NDArray[np.int64]]:
    """For each plan the errors in each of its segments."""
    name, sentence = job
    source = Clip(data / f"{name}.mp4", sentence)
    wanted = {plan: distinct_segments(plan.cells, plan.seeds) for plan in plans}
    texts: dict[Plan, list[str]] = {}
    for alike in _alike(plans):
        segments = dict.fromkeys(segment for plan in alike for segment in wanted[plan])
        parts = _encoding(alike[0].bundle).parts(source, list(segments))
        texts.update((plan, _fusing(plan.bundle).texts(wanted[plan], parts)) for plan in alike)
    scored = cache(partial(_edits, sentence))
    return [np.array([scored(text) for text in texts[plan]], dtype=np.int64) for plan in plans]


def _edits(sentence: str, text: str) -> int:
    return errors(sentence, text)[0]


def _alike(plans: Sequence[Plan]) -> list[list[Plan]]:
    """Plans by the digests of their bundles' encoders."""
    groups: dict[tuple[str, ...], list[Plan]] = {}
    for plan in plans:
        files = _models(plan.bundle).bundle.manifest.files
        groups.setdefault(tuple(files[f"{name}.onnx"] for name in ENCODERS), []).append(plan)
    return list(groups.values())


@cache
def _models(bundle: str) -> Models:
    """Once a process."""
    return Models(bundles.load(bundle), "cpu")


@cache
def _encoding(bundle: str) -> Encoding:
    return Encoding(_models(bundle).bundle, _models(bundle))


@cache
def _fusing(bundle: str) -> Fusing:
    return Fusing(_models(bundle).bundle, _models(bundle))

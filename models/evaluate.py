"""Measures a task's bundle on data that training never saw, beside its alternatives and its peers.

bundle -> degradation table, whole path, other bundles, peers -> rows -> JSON, a table, the report page
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from models.measure import bars, compare, conditions, page, peer_rows, report
from models.measure.cells import CLEAN, SEEDS, Air, Cell, degradation
from models.measure.counts import Plan, count
from models.measure.rows import Row, Scored, degradation_rows, find, hint_rows, member_rows, one
from models.tasks import speech
from stream.noise import Noise

DOCS = Path(__file__).parents[1] / "docs"
CAMERA_CLIPS = 30  # each is transformed and recognised in some twenty conditions
PEER_SEEDS = 1  # whisper takes a second a clip
MAIN_AIRS = (CLEAN, *(Air(Noise.BABBLE, snr_db) for snr_db in (0.0, -5.0)))
MAIN_CELLS = (*(Cell(modalities, air) for air in MAIN_AIRS for modalities in ("A+V+T", "A+V", "A")), Cell("V"))
MAIN_TABLES = ("joined", "misled", "others")


def evaluate(
    data: Path,
    bundle: str,
    clips: int | None = None,
    *,
    seeds: int = SEEDS,
    compared: Path | None = None,
    peers: bool = False,
) -> list[Row]:
    """Every figure as a row.

    Parameters
    ----------
    clips : int or None
        Only so many of the test clips, for a quick look.
    seeds : int
        Draws of noise, losses and hints.
    compared : Path or None
        A folder with bundles that are measured too.
    peers : bool
        Whether other recognisers are measured too.
    """
    told = speech.transcripts(data)
    sentences = {name: told[name] for name in speech.held_out("test")[:clips]}
    others = compare.found_in(compared) if compared else {}
    plans = [Plan(bundle, tuple(degradation()), seeds), *compare.plans(others, seeds)]
    with _progress() as bar:
        stage = partial(_stage, bar)
        own, *rest = count(plans, data, sentences, stage("Conditions", len(sentences)))
        scored = Scored.of(own, seeds, "test clips of GRID s1")
        rows = degradation_rows(scored) + member_rows(scored) + hint_rows(scored)
        rows += compare.compare(others, dict(zip(others, rest, strict=True)), scored)
        rows += report.report(data, bundle, sentences, scored, partial(stage, "Whole path"))
        few = dict(list(sentences.items())[:CAMERA_CLIPS])
        for camera in (conditions.look_rows, conditions.fault_rows):
            rows += camera(data, bundle, few, partial(stage, "Camera"))
        if peers:
            rows += peer_rows.peer_rows(data, sentences, min(seeds, PEER_SEEDS), partial(stage, "Peers"))
    return rows


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))


def _stage(bar: Progress, what: str, total: int) -> Callable[[], None]:
    return partial(bar.advance, bar.add_task(what, total=total))


def main_figures(rows: Sequence[Row]) -> list[Row]:
    """The rows that a reader wants first."""
    cells = [one(rows, "degradation", cell) for cell in MAIN_CELLS]
    more = [each for table in MAIN_TABLES for each in find(rows, table=table)]
    return [each for each in cells if each] + more + find(rows, table="times", modalities="A+V", noise=None)


def card(rows: Sequence[Row]) -> list[dict[str, str]]:
    """The main figures as a model card has them: figure, value as text, data, command."""
    return [
        {"figure": each["figure"], "value": bars.text(each), "data": each["data"], "command": each["command"]}
        for each in main_figures(rows)
    ]


def write_report(rows: Sequence[Row], folder: Path = DOCS) -> list[Path]:
    """Write the report page, its plots and the table of all cells; what was written."""
    return page.write(rows, folder)


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """The main figures as a table for people, or all rows as one JSON array."""
    if as_json:
        sys.stdout.write(json.dumps(list(rows)) + "\n")
        return
    table = Table("figure", "value", "data")
    for each in card([dict(each) for each in rows]):
        table.add_row(each["figure"], each["value"], each["data"])
    Console().print(table)

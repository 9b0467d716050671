"""The report page, from rows to Markdown, with its plots and a CSV of all cells beside it.

Nothing on the page is typed by hand but its sentences: each number is a row's.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from models.measure import plots
from models.measure.bars import bars, text
from models.measure.camera import camera_section
from models.measure.cells import AIRS, CLEAN, LOSSES, SETS, SKEWS_MS, Air, Cell
from models.measure.rows import Row, find, one
from models.measure.sections import brief, bundle_section, path_section, peer_section, table
from stream.noise import Noise

PAGE = "hearing-and-seeing.md"
CSV = "degradation.csv"
COLUMNS = ("modalities", "noise", "snr_db", "skew_ms", "loss", "value", "low", "high")
BABBLE_0 = Air(Noise.BABBLE, 0.0)
MOVED = (("A+V", CLEAN), ("A+V", BABBLE_0), ("A+V+T", CLEAN), ("A+V+T", BABBLE_0))
LOST = tuple((name, air) for air in (CLEAN, BABBLE_0) for name in ("A", "V", "A+V", "A+V+T"))

INTRODUCTION = """# Hearing and seeing

What sound (A), pictures (V) and text (T) are worth to the speech bundle, alone and together, in noise, out of step and
with frames lost. T is one true word of the sentence's six, shown all the time.

Measured on {data}. Training never saw these clips, and neither epochs nor thresholds were chosen by them; but what earlier
versions missed on them said what to work on next, so they are no longer as strange as new ones. The page is written by

    python -m models evaluate speech --report

and each number in it is one of that command's. Rates are word error rates in per cent, with 95 % intervals in brackets:
bootstrap over clips, and over noise seeds within each. Differences are paired: the same clips, noise and losses.
"""
DEGRADATION = """## In noise

Babble is six voices of the training clips at equal loudness without their pauses; the ratio is taken over the spoken
span. V does not hear the noise.

![Word error rate against the ratio of speech to noise](degradation.svg)
"""
MEMBERS = """## Against the best single member

More errors of a set than of the best of its members in the same noise, in points, beside that member. The best is chosen
on these very clips, which favours it. Held: not surely worse, and by no more than one point.
"""
STEP = """## Out of step, and with frames lost

Pictures stamped later than they were taken, while the sound's stamps are right; and the same share of sound frames (20 ms)
and pictures lost at random. All combinations with every noise are in [{csv}]({csv}).

![Word error rate against skew, and against loss](skew-and-loss.svg)
"""


def write(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Write the page, the plots and the CSV; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PAGE).write_text(page(rows))
    with (folder / CSV).open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(find(rows, table="degradation"))
    return [folder / PAGE, folder / CSV, *plots.draw(rows, folder)]


def page(rows: Sequence[Row]) -> str:
    """The whole page."""
    data = find(rows, table="degradation")[0]["data"]
    sections = [
        INTRODUCTION.format(data=data),
        _bars(rows),
        DEGRADATION,
        *(_in_noise(rows, noise) for noise in Noise),
        MEMBERS,
        _members(rows),
        STEP.format(csv=CSV),
        _out_of_step(rows),
        _with_losses(rows),
        bundle_section(rows),
        camera_section(rows),
        path_section(rows),
        peer_section(rows),
    ]
    return "\n".join(section for section in sections if section)


def _bars(rows: Sequence[Row]) -> str:
    lines = [(bar.figure, bar.bar, bar.value, bar.verdict) for bar in bars(rows)]
    return "## What it must reach\n\n" + table(("figure", "bar", "value", "verdict"), lines)


def _in_noise(rows: Sequence[Row], noise: Noise) -> str:
    airs = [air for air in AIRS if air.noise in {None, noise}]
    heads = ["clean" if air.snr_db is None else f"{air.snr_db:g} dB" for air in airs]
    lines = [(name, *(_cell(rows, Cell(name, air)) for air in airs)) for name in SETS]
    return table((str(noise), *heads), lines)


def _cell(rows: Sequence[Row], cell: Cell) -> str:
    return brief(one(rows, "degradation", cell))


def _members(rows: Sequence[Row]) -> str:
    lines = [
        (
            each["modalities"],
            "clean" if each["noise"] is None else f"{each['noise']} at {each['snr_db']:g} dB",
            f"{each['against']}: {each['against_value']:.1f}",
            text(each),
            "held" if each["reached"] else "**not held**",
        )
        for each in [*find(rows, table="members"), *find(rows, table="hint")]
    ]
    return table(("set", "noise", "against", "more errors", ""), lines)


def _out_of_step(rows: Sequence[Row]) -> str:
    heads = ["pictures late by", *(f"{skew_ms} ms" for skew_ms in SKEWS_MS)]
    lines: Iterable[Sequence[str]] = [
        (f"{name}, {air}", *(_cell(rows, Cell(name, air, skew_ms=skew_ms)) for skew_ms in SKEWS_MS))
        for name, air in MOVED
    ]
    return table(heads, lines)


def _with_losses(rows: Sequence[Row]) -> str:
    heads = ["frames lost", *(f"{loss:.0%}" for loss in LOSSES)]
    return table(
        heads, [(f"{name}, {air}", *(_cell(rows, Cell(name, air, loss=loss)) for loss in LOSSES)) for name, air in LOST]
    )

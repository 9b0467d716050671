"""Figures as rows: what was measured, its value with the interval, of which data, by which command.

    Counts -> [row, ...], which the page, the card and `--json` are made of

A row is a flat mapping, so that it is JSON as it stands. Rates are in per cent, differences in points of a per cent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.measure.cells import AIRS, SETS, Air, Cell, degradation
from models.measure.counts import Counts
from models.measure.statistics import Bootstrap, Estimate
from stream.noise import Noise

COMMAND = "python -m models evaluate speech"
MAY_BE_WORSE_POINTS = 1.0
MEMBERS = ("T", "A", "V")

Row = dict[str, Any]


@dataclass(frozen=True)
class Scored:
    """Counts with the draws that say how sure they are, and what they are counts of."""

    counts: Counts
    bootstrap: Bootstrap
    data: str

    @classmethod
    def of(cls, counts: Counts, seeds: int, clips: str) -> Scored:
        """`clips` is what the data are called, without their number."""
        number = len(counts.words)
        return cls(
            counts, Bootstrap(counts.words, seeds), f"{number} {clips}, noise of {seeds} seed{'s' if seeds > 1 else ''}"
        )

    def rate(self, cell: Cell) -> Estimate:
        """Word error rate of a cell."""
        return self.bootstrap.rate(self.counts.of(cell))

    def difference(self, cell: Cell, against: NDArray[np.int64]) -> Estimate:
        """How much more a cell errs than other counts on the same clips and seeds."""
        return self.bootstrap.difference(self.counts.of(cell), against)


def row(table: str, figure: str, found: Estimate | float, unit: str, data: str, **conditions: Any) -> Row:
    """One figure; `table` says where on the page it belongs, the conditions are keys of their own."""
    estimate = found if isinstance(found, Estimate) else None
    return {
        "table": table,
        "figure": figure,
        "value": found.value if isinstance(found, Estimate) else found,
        "low": estimate.low if estimate else None,
        "high": estimate.high if estimate else None,
        "unit": unit,
        "data": data,
        "command": COMMAND,
        **conditions,
    }


def percent(found: Estimate) -> Estimate:
    """A rate, or a difference of rates, times a hundred."""
    return Estimate(*(round(100 * value, 3) + 0.0 for value in (found.value, found.low, found.high)))


def conditions(cell: Cell) -> Row:
    """A cell as keys of a row."""
    noise = None if cell.air.noise is None else str(cell.air.noise)
    return {
        "modalities": cell.modalities,
        "noise": noise,
        "snr_db": cell.air.snr_db,
        "skew_ms": cell.skew_ms,
        "loss": cell.loss,
    }


def named(cell: Cell) -> str:
    """A cell in words."""
    parts = [cell.modalities, str(cell.air)]
    parts += [f"pictures {cell.skew_ms} ms late"] if cell.skew_ms else []
    parts += [f"{cell.loss:.0%} of frames lost"] if cell.loss else []
    return ", ".join(parts)


def degradation_rows(scored: Scored) -> list[Row]:
    """The full product, a row a cell; cells that cannot differ are alike."""
    rates = {cell: percent(scored.rate(cell)) for cell in dict.fromkeys(each.distinct for each in degradation())}
    return [
        row(
            "degradation", f"word error rate, {named(cell)}", rates[cell.distinct], "%", scored.data, **conditions(cell)
        )
        for cell in degradation()
    ]


def member_rows(scored: Scored) -> list[Row]:
    """Every set against its best single member in the same noise, and what the bar says of it."""
    joint = [name for name in SETS if "+" in name]
    found = [_against_best(scored, Cell(name, air)) for name, air in product(joint, AIRS)]
    return [each for each in found if each["noise"] is None or "A" in each["modalities"]]


def _against_best(scored: Scored, cell: Cell) -> Row:
    members = [Cell(name, cell.air) for name in MEMBERS if SETS[name] <= SETS[cell.modalities]]
    best = min(members, key=lambda member: int(scored.counts.of(member).sum()) / len(scored.counts.of(member)))
    found = percent(scored.difference(cell, scored.counts.of(best)))
    figure = f"more errors than the best single member, {named(cell)}"
    return row(
        "members",
        figure,
        found,
        "points",
        scored.data,
        **conditions(cell),
        against=best.modalities,
        against_value=percent(scored.rate(best)).value,
        reached=not_worse(found),
    )


def not_worse(difference: Estimate) -> bool:
    """Whether a difference in points is neither surely above nothing nor above what is allowed."""
    return difference.low <= 0 and difference.value <= MAY_BE_WORSE_POINTS


def hint_rows(scored: Scored) -> list[Row]:
    """What one true word of six adds to sound and pictures; reached where there are fewer errors."""
    found = []
    for air in (Air(Noise.BABBLE, 0.0), Air(Noise.WHITE, 0.0)):
        cell, without = Cell("A+V+T", air), Cell("A+V", air)
        difference = percent(scored.difference(cell, scored.counts.of(without)))
        figure = f"more errors than A+V, {named(cell)}"
        more = {**conditions(cell), "against": "A+V", "against_value": percent(scored.rate(without)).value}
        found.append(row("hint", figure, difference, "points", scored.data, **more, reached=difference.value < 0))
    return found


def find(rows: Iterable[Mapping[str, Any]], **wanted: Any) -> list[Row]:
    """The rows that have all these keys and values."""
    return [dict(each) for each in rows if all(each.get(key) == value for key, value in wanted.items())]


def one(rows: Sequence[Mapping[str, Any]], table: str, cell: Cell, **wanted: Any) -> Row | None:
    """The row of a cell in a table, if it was measured."""
    found = find(rows, table=table, **conditions(cell), **wanted)
    return found[0] if found else None


def by_rank(rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Of rows about bundles those of concatenations of all modalities, the lowest rank first."""
    joint = [dict(each) for each in rows if each["fusion"] == "concatenation" == str(each["bundle"]).partition("-")[0]]
    return sorted(joint, key=lambda each: int(each["rank"]))

"""What the figures must reach, and whether they do.

    rows -> [Bar, ...]

A bar is held against the value itself over all noise seeds, not against its interval; beside it stands what the service's
whole path gave with one of them. Where it is a difference, the rows say how it was judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from models.measure.cells import CLEAN, Air, Cell
from models.measure.rows import Row, find, named, one
from stream.noise import Noise

BABBLE_0, BABBLE_5, BABBLE_LOUD = (Air(Noise.BABBLE, snr_db) for snr_db in (0.0, 5.0, -5.0))
CEILINGS = (
    (Cell("A+V", CLEAN), 2.0),
    (Cell("V"), 8.0),
    (Cell("A+V", BABBLE_0), 3.0),
    (Cell("A", BABBLE_0), 20.0),
    (Cell("A+V", BABBLE_LOUD), 5.0),
    (Cell("A", BABBLE_LOUD), 55.0),
)
WHOLE_SENTENCES = 97.0


@dataclass(frozen=True)
class Bar:
    """One figure with what it must reach.

    Attributes
    ----------
    reached : bool or None
        None if it was not measured.
    """

    figure: str
    bar: str
    value: str
    reached: bool | None

    @property
    def verdict(self) -> str:
        """In words."""
        return "not measured" if self.reached is None else "reached" if self.reached else "**missed**"


def text(row: Row) -> str:
    """A row's value with its unit and interval."""
    value, unit = row["value"], row["unit"]
    if unit == "points":
        return f"{value:+.1f} points ({row['low']:+.1f} to {row['high']:+.1f})"
    if row["low"] is None:
        return f"{value:.0f} {unit}"
    return f"{value:.1f} {unit} ({row['low']:.1f} to {row['high']:.1f})"


def bars(rows: Sequence[Row]) -> Iterator[Bar]:
    """All bars in order."""
    for cell, most in CEILINGS:
        found = one(rows, "degradation", cell)
        figure = f"word error rate, {'lips only' if cell.modalities == 'V' else named(cell)}"
        bar = _bar(figure, f"≤ {most:g} %", found, reached=found is not None and found["value"] <= most)
        path = one(rows, "path", cell)
        yield replace(bar, value=f"{bar.value}; whole path, seed 0: {path['value']:.1f} %") if path else bar
    yield _all_of(
        "A alone, any noise, against the same encoder trained on sound only (whose head answers where there are no pictures)",
        "not worse at 95 %, nor by more than 1 point",
        find(rows, table="sound-alone"),
    )
    hint = one(rows, "hint", Cell("A+V+T", BABBLE_0))
    figure = "A+V+T with one true word of six, against A+V, babble at 0 dB"
    yield _bar(figure, "lower", hint, reached=hint is not None and hint["reached"])
    yield _all_of(
        "any set of modalities, any noise, against its best single member",
        "not worse at 95 %, nor by more than 1 point",
        find(rows, table="members"),
    )
    yield _all_of(
        "SVD rank at most a quarter of the features, against full rank",
        "not worse at 95 %, nor by more than 1 point",
        find(rows, table="rank"),
    )
    finals = one(rows, "joined", Cell("A+V", BABBLE_5), what="finals")
    figure = "sentences that are exactly one final, joined sessions, A+V, babble at 5 dB"
    yield _bar(
        figure, f"≥ {WHOLE_SENTENCES:g} %", finals, reached=finals is not None and finals["value"] >= WHOLE_SENTENCES
    )


def _bar(figure: str, bar: str, row: Row | None, *, reached: bool) -> Bar:
    return Bar(figure, bar, text(row) if row else "", reached if row else None)


def _all_of(figure: str, bar: str, rows: Sequence[Row]) -> Bar:
    """Reached if every comparison is; the worst is shown."""
    if not rows:
        return Bar(figure, bar, "", None)
    worst = max(rows, key=lambda each: (not each["reached"], each["value"]))
    held = sum(each["reached"] for each in rows)
    what = worst["figure"].partition(", ")[2]
    value = f"{held} of {len(rows)} comparisons; worst: {text(worst)}, {what}"
    return Bar(figure, bar, value, held == len(rows))

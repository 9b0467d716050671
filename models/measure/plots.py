"""The report's plots, from rows to SVG. matplotlib; the same rows give the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.measure.cells import AIRS, CLEAN, LOSSES, SETS, SKEWS_MS, Air, Cell
from models.measure.rows import Row, by_rank, conditions, find, one
from stream.noise import Noise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart
COLOURS = dict(zip(SETS, ("#999999", "#D55E00", "#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7"), strict=True))
MARKS = dict(zip(SETS, "x^vosdP", strict=True))
PERCENT_TICKS = (0, 1, 2, 5, 10, 20, 50, 100)
MOVED = (("A+V", CLEAN), ("A+V", Air(Noise.BABBLE, 0.0)), ("A+V+T", Air(Noise.BABBLE, 0.0)))
LOST = (("A", CLEAN), ("V", CLEAN), ("A+V", CLEAN), ("A", Air(Noise.BABBLE, 0.0)), ("A+V", Air(Noise.BABBLE, 0.0)))


def draw(rows: Sequence[Row], folder: Path) -> list[Path]:
    """Every plot that the rows have figures for."""
    made = [_saved(_degradation(rows), folder / "degradation.svg")]
    made.append(_saved(_skew_and_loss(rows), folder / "skew-and-loss.svg"))
    if by_rank(find(rows, table="fusion", what="time")):
        made.append(_saved(_rank(rows), folder / "rank.svg"))
    return made


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "trivium", "font.size": 9})
    figure = Figure(figsize=(4.6 * count, 3.6), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _saved(figure: Figure, path: Path) -> Path:
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")
    return path


def _degradation(rows: Sequence[Row]) -> Figure:
    """Word error rate against the ratio of speech to noise, a line a set, a panel a noise."""
    figure, panels = _panels(2)
    for axes, noise in zip(panels, Noise, strict=True):
        airs = [air for air in AIRS if air.noise in {None, noise}]
        for name in SETS:
            _line(axes, rows, [Cell(name, air) for air in airs], name)
        names = ["clean" if air.snr_db is None else f"{air.snr_db:g}" for air in airs]
        axes.set_xticks(range(len(airs)), names)
        axes.set_title(str(noise))
        _percent_axis(axes, "speech to noise, dB")
    panels[0].legend(fontsize=7)
    return figure


def _skew_and_loss(rows: Sequence[Row]) -> Figure:
    figure, (moved, lost) = _panels(2)
    _family(moved, rows, MOVED, SKEWS_MS, lambda name, air, skew_ms: Cell(name, air, skew_ms=int(skew_ms)))
    _family(lost, rows, LOST, LOSSES, lambda name, air, loss: Cell(name, air, loss=loss))
    moved.set_xticks(range(len(SKEWS_MS)), [str(skew_ms) for skew_ms in SKEWS_MS])
    lost.set_xticks(range(len(LOSSES)), [f"{loss:.0%}" for loss in LOSSES])
    _percent_axis(moved, "pictures stamped late, ms")
    _percent_axis(lost, "frames lost")
    return figure


def _family(
    axes: Axes,
    rows: Sequence[Row],
    lines: Sequence[tuple[str, Air]],
    values: Sequence[float],
    cell: Callable[[str, Air, float], Cell],
) -> None:
    for name, air in lines:
        style = "-" if air == CLEAN else "--"
        _line(axes, rows, [cell(name, air, value) for value in values], f"{name}, {air}", style)
    axes.legend(fontsize=7)


def _line(axes: Axes, rows: Sequence[Row], cells: Sequence[Cell], label: str, style: str = "-") -> None:
    """Values with their intervals as a band; what was not measured is left out."""
    found = [(place, one(rows, "degradation", cell)) for place, cell in enumerate(cells)]
    points = [(place, row) for place, row in found if row]
    places = [place for place, _ in points]
    name = cells[0].modalities
    look: dict[str, Any] = {"color": COLOURS[name], "marker": MARKS[name], "markersize": 4, "linestyle": style}
    axes.plot(places, [row["value"] for _, row in points], label=label, **look)
    lows, highs = ([row[edge] for _, row in points] for edge in ("low", "high"))
    axes.fill_between(places, lows, highs, color=COLOURS[name], alpha=0.18, linewidth=0)


def _percent_axis(axes: Axes, what: str) -> None:
    axes.set_yscale("symlog", linthresh=2, linscale=0.6)
    axes.set_yticks(PERCENT_TICKS, [str(tick) for tick in PERCENT_TICKS])
    axes.set_ylim(0, 130)
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.set_xlabel(what)
    axes.set_ylabel("word error rate, %")


def _rank(rows: Sequence[Row]) -> Figure:
    """Word error rate and time of the fusion against the SVD's rank."""
    figure, (errors, times) = _panels(2)
    for name, air in (("A+V", CLEAN), ("A+V", Air(Noise.BABBLE, 0.0)), ("A+V", Air(Noise.BABBLE, -5.0)), ("V", CLEAN)):
        wanted = conditions(Cell(name, air))
        found = by_rank(find(rows, table="bundles", **wanted))
        style = "-" if air == CLEAN else "--" if air.snr_db == 0 else ":"
        ranks = [row["rank"] for row in found]
        look: dict[str, Any] = {"color": COLOURS[name], "marker": MARKS[name], "markersize": 4, "linestyle": style}
        errors.plot(ranks, [row["value"] for row in found], label=f"{name}, {air}", **look)
        lows, highs = ([row[edge] for row in found] for edge in ("low", "high"))
        errors.fill_between(ranks, lows, highs, color=COLOURS[name], alpha=0.12, linewidth=0)
    taken = by_rank(find(rows, table="fusion", what="time"))
    times.plot([row["rank"] for row in taken], [row["value"] for row in taken], marker="o", color="#000000")
    times.set_ylim(bottom=0)
    times.set_ylabel("microseconds a segment of 75 ticks")
    times.grid(alpha=0.25)
    errors.legend(fontsize=7)
    _percent_axis(errors, "rank")
    for axes in (errors, times):
        axes.set_xlabel("rank of the SVD")
    return figure

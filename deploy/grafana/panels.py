"""How a panel looks: lines over time, or one figure. Knows no metric."""

from __future__ import annotations

from typing import TypeVar

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DynamicConfigValue, Threshold, ThresholdsMode
from grafana_foundation_sdk.models.units import BytesIEC, BytesPerSecondIEC, PercentUnit, Seconds, Short

__all__ = ["BYTES", "BYTES_PER_SECOND", "COUNT", "PER_SECOND", "RATIO", "SECONDS", "figure", "lines"]

COUNT, RATIO, SECONDS, BYTES, BYTES_PER_SECOND = Short, PercentUnit, Seconds, BytesIEC, BytesPerSecondIEC
PER_SECOND = "suffix:/s"

SOURCE = DataSourceRef(type_val="prometheus", uid="${source}")
# A modality has one colour, whatever else a panel shows.
COLORS = {"audio": "blue", "video": "orange", "text": "green"}
LINES_HEIGHT, FIGURE_HEIGHT = 8, 4
COLUMNS = 24

Panel = timeseries.Panel | stat.Panel
_Panel = TypeVar("_Panel", timeseries.Panel, stat.Panel)


def lines(
    title: str,
    meaning: str,
    unit: str,
    *queries: tuple[str, str],
    beside: int = 3,
    bar: float | None = None,
    stacked: bool = False,
) -> timeseries.Panel:
    """Each query with its legend over time, so many panels side by side; a dashed line at `bar`, which is not to be passed."""
    panel = _panel(timeseries.Panel(), title, meaning, unit, *queries)
    panel = panel.height(LINES_HEIGHT).span(COLUMNS // beside).min(0)
    panel = panel.legend(_legend()).tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    for name, color in COLORS.items():
        fixed = {"mode": "fixed", "fixedColor": color}
        panel = panel.override_by_name(name, [DynamicConfigValue(id_val="color", value=fixed)])
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL)).fill_opacity(30)
    if bar is not None:
        style = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_red_from(bar)).thresholds_style(style)
    return panel


def figure(
    title: str,
    meaning: str,
    unit: str,
    query: tuple[str, str],
    *,
    beside: int = 6,
    red_from: float | None = None,
    named: bool = False,
) -> stat.Panel:
    """One query's last value, or its legend where that is what it tells; red from a value on."""
    panel = _panel(stat.Panel(), title, meaning, unit, query).height(FIGURE_HEIGHT).span(COLUMNS // beside)
    panel = panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
    panel = panel.graph_mode(BigValueGraphMode.NONE if named else BigValueGraphMode.AREA)
    if named:
        panel = panel.text_mode(BigValueTextMode.NAME)
    if red_from is None:
        return panel.color_mode(BigValueColorMode.NONE)
    return panel.thresholds(_red_from(red_from)).color_mode(BigValueColorMode.VALUE)


def _panel(panel: _Panel, title: str, meaning: str, unit: str, *queries: tuple[str, str]) -> _Panel:
    panel = panel.title(title).description(meaning).unit(unit).datasource(SOURCE)
    for letter, (query, legend) in zip("ABCDEF", queries, strict=False):
        panel = panel.with_target(prometheus.Dataquery().expr(query).legend_format(legend).ref_id(letter))
    return panel


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(show_legend=True).calcs(["lastNotNull", "max"])
    return legend.display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)


def _red_from(value: float) -> dashboard.ThresholdsConfig:
    steps = [Threshold(color="green"), Threshold(color="red", value=value)]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)

"""PromQL for the panels: what a counter, a gauge or a histogram shows of the processes chosen above the dashboard.

Each takes the metric's name, the labels to show it by, and those that it must have.
"""

from __future__ import annotations

CHOSEN = 'job="$job", instance=~"$instance"'
WINDOW = "$__rate_interval"


def series(metric: str, **labels: str) -> str:
    """The series themselves; a value that begins with ! is one that they must not have."""
    more = [f'{name}{"!=" if value[0] == "!" else "="}"{value.lstrip("!")}"' for name, value in labels.items()]
    return f"{metric}{{{', '.join([CHOSEN, *more])}}}"


def per_second(counter: str, *by: str, **labels: str) -> str:
    """How fast a counter grows."""
    return _sum(f"rate({series(counter, **labels)}[{WINDOW}])", by)


def total(gauge: str, *by: str) -> str:
    """A gauge, summed."""
    return _sum(series(gauge), by)


def most(gauge: str, *by: str) -> str:
    """The largest of a gauge."""
    return f"max{_by(by)} ({series(gauge)})"


def quantile(share: float, histogram: str, *by: str) -> str:
    """The value below which this share of what was observed lies."""
    return f"histogram_quantile({share}, {per_second(f'{histogram}_bucket', 'le', *by)})"


def percentiles(histogram: str) -> list[tuple[str, str]]:
    """Half, nearly all, all but the worst of what was observed; each query with its legend."""
    return [(quantile(share, histogram), legend) for share, legend in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))]


def mean(histogram: str, *by: str) -> str:
    """What was observed, on average."""
    return f"{per_second(f'{histogram}_sum', *by)} / {per_second(f'{histogram}_count', *by)}"


def share_above(histogram: str, bound: float) -> str:
    """How much of what was observed lies above one of the histogram's own bounds."""
    return f"1 - {per_second(f'{histogram}_bucket', le=str(bound))} / {per_second(f'{histogram}_count')}"


def _sum(what: str, by: tuple[str, ...]) -> str:
    return f"sum{_by(by)} ({what})"


def _by(labels: tuple[str, ...]) -> str:
    return f" by ({', '.join(labels)})" if labels else ""

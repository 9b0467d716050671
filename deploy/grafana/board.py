"""The rows as one dashboard, for one job and any of its processes; its JSON is what Grafana is provisioned with."""

from __future__ import annotations

import json
from itertools import count

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableOption, VariableRefresh, VariableSort

from deploy.grafana import around, path, watching
from deploy.grafana.panels import SOURCE

ROWS = {
    "At a glance": around.at_a_glance,
    "Records in": path.records_in,
    "Alignment": path.alignment,
    "Inference": path.inference,
    "Captions": path.captions,
    "The Kafka side": path.kafka_side,
    "Watching": watching.watching,
    "Resources": around.resources,
}
ALL = VariableOption(text="All", value="$__all", selected=True)


def board() -> dashboard.Dashboard:
    """All of it."""
    made = dashboard.Dashboard("Trivium").uid("trivium").description("Whether captions are on time, and if not, where.")
    made = made.time("now-1h", "now").refresh("15s").timezone("browser").tooltip(DashboardCursorSync.CROSSHAIR)
    made = made.readonly().with_variable(_source()).with_variable(_chosen("job", "trivium_ready"))
    instances = _chosen("instance", 'trivium_ready{job="$job"}').multi(multi=True).include_all(include_all=True)
    made = made.with_variable(instances.all_value(".*").current(ALL))
    numbers = count(1)
    for title, panels in ROWS.items():
        made = made.with_row(dashboard.Row(title).id(next(numbers)))
        for panel in panels():
            made = made.with_panel(panel.id(next(numbers)))
    return made


def as_json() -> str:
    """What Grafana reads, the same for the same code."""
    return json.dumps(board().build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def _source() -> dashboard.DatasourceVariable:
    return dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus")


def _chosen(label: str, of: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(label).datasource(SOURCE).query(f"label_values({of}, {label})")
    return variable.refresh(VariableRefresh.ON_TIME_RANGE_CHANGED).sort(VariableSort.ALPHABETICAL_ASC)

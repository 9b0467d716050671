"""The dashboard: its JSON is what the code makes, and a person finds their way on it."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from deploy.grafana.__main__ import PAGE
from deploy.grafana.board import ROWS, as_json

PATH = ["At a glance", "Records in", "Alignment", "Inference", "Captions", "The Kafka side", "Watching", "Resources"]


def panels() -> list[dict[str, Any]]:
    """Rows and panels, as Grafana reads them."""
    found: list[dict[str, Any]] = json.loads(PAGE.read_text())["panels"]
    return found


def test_what_grafana_is_provisioned_with_is_what_the_code_makes() -> None:
    assert PAGE.read_text() == as_json(), "run python -m deploy.grafana"


def test_the_rows_follow_the_path_of_the_data() -> None:
    assert [panel["title"] for panel in panels() if panel["type"] == "row"] == PATH == list(ROWS)


def test_every_panel_has_a_number_of_its_own_and_says_what_it_means_and_in_which_unit() -> None:
    assert len({panel["id"] for panel in panels()}) == len(panels())
    for panel in panels():
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["description"].endswith(".")
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert all(target["expr"] for target in panel["targets"])


def test_panels_fill_their_lines_one_after_another() -> None:
    places = [tuple(panel["gridPos"][side] for side in "yxwh") for panel in panels()]
    for (y, x, w, h), (next_y, next_x, _, _) in pairwise(places):
        assert (next_y, next_x) in {(y, x + w), (y + h, 0)}
        assert x + w <= 24


def test_every_query_keeps_to_the_job_and_the_processes_that_were_chosen() -> None:
    for panel in panels():
        for target in panel.get("targets", ()):
            chosen = target["expr"].count('{job="$job", instance=~"$instance"')
            assert chosen == target["expr"].count("{") - target["expr"].count("ALERTS{")

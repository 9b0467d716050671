"""The service as Prometheus sees it: a real one scrapes it, evaluates the rules and answers what the dashboard asks."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from deploy.grafana.__main__ import PAGE
from tests.benchmarks.processes import TRIVIUM, Service, Stage, finish, running, serving
from tests.prometheus import Prometheus, promtool, scraping, until
from tests.synthetic_clips import SyntheticClip

LETTERS = 20  # more than an alert lets pass


@dataclass(frozen=True)
class Watched:
    """A service that has heard one clip, and who watches it."""

    stage: Stage
    service: Service
    prometheus: Prometheus

    def page(self) -> str:
        """Its /metrics."""
        return httpx.get(f"http://{self.service.address}/metrics", timeout=60).text


@pytest.fixture(scope="module")
def watched(broker: str, synthetic_clip: SyntheticClip, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    prefix = f"test-{uuid.uuid4().hex[:8]}-"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
    named = {"KAFKA_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": prefix, "TRIVIUM_PARTITIONS": "2"}
    stage = Stage(broker, prefix, tmp_path_factory.mktemp("monitoring"), kept | named)
    try:
        with (
            serving(stage, "--decoders", "1", "--max-batch", "1") as service,
            scraping(stage, service.address) as prometheus,
        ):
            until(lambda: prometheus.query("trivium_ready == 1"), "it is scraped before anybody speaks")
            play(stage, synthetic_clip)
            service.wait_until_ended(1, 60)
            until(lambda: prometheus.query("sum(trivium_sessions_ended_total) == 1"), "it is scraped afterwards")
            yield Watched(stage, service, prometheus)
    finally:
        stage.remove_topics()


def play(stage: Stage, clip: SyntheticClip) -> None:
    with running(stage, [*TRIVIUM, "replay", str(clip.path), "--speed", "0"], "replay.log") as playing:
        finish(playing, "trivium replay", stage.folder / "replay.log", 60)


def queries() -> list[str]:
    """All that the dashboard asks, for every process of the job."""
    targets = [target for panel in json.loads(PAGE.read_text())["panels"] for target in panel.get("targets", ())]
    chosen = {"$job": "trivium", "$instance": ".*", "$__rate_interval": "5m"}
    return [re.sub("|".join(map(re.escape, chosen)), lambda found: chosen[found[0]], each["expr"]) for each in targets]


def metrics_in(expressions: list[str]) -> set[str]:
    """Names of the service's own metrics; those that rules record have a colon."""
    return set(re.findall(r"(?<![\w:])(?:trivium|process|python)_\w+(?![\w:])", "\n".join(expressions)))


def test_every_figure_that_is_recorded_has_a_value(watched: Watched) -> None:
    names = {rule["name"] for rule in watched.prometheus.rules("record")}
    assert names
    until(lambda: all(watched.prometheus.query(name) for name in names), f"each of {names} has a value")


def test_every_rule_is_evaluated_without_an_error(watched: Watched) -> None:
    def judged() -> list[dict[str, Any]]:
        return watched.prometheus.rules("alert") + watched.prometheus.rules("record")

    until(lambda: all(rule["health"] != "unknown" for rule in judged()), "every rule has been evaluated")
    assert [rule["name"] for rule in judged() if rule["health"] != "ok"] == []


def test_every_metric_of_the_rules_and_of_the_dashboard_is_one_of_the_service(watched: Watched) -> None:
    families = text_string_to_metric_families(watched.page())
    there = {sample.name for family in families for sample in family.samples}
    rules = [rule["query"] for kind in ("alert", "record") for rule in watched.prometheus.rules(kind)]
    assert metrics_in(queries()) - there == set()
    assert metrics_in(rules) - there == set()
    assert len(metrics_in(queries())) > len(metrics_in(rules)) > 0


def test_every_figure_that_an_alert_judges_is_recorded(watched: Watched) -> None:
    recorded = {rule["name"] for rule in watched.prometheus.rules("record")}
    judged = " ".join(rule["query"] for rule in watched.prometheus.rules("alert"))
    assert set(re.findall(r"\b\w+:\w+:\w+\b", judged)) == recorded


def test_every_query_of_the_dashboard_has_something_to_show(watched: Watched) -> None:
    assert [query for query in queries() if not watched.prometheus.query(query)] == []


def test_promtool_finds_nothing_wrong_with_the_metrics(watched: Watched) -> None:
    promtool("check", "metrics", given=watched.page())


async def test_records_that_nobody_can_read_raise_their_alert_and_no_other(watched: Watched) -> None:
    assert watched.prometheus.firing() == set()
    async with AIOKafkaProducer(bootstrap_servers=watched.stage.address) as producer:
        for _ in range(LETTERS):
            await producer.send_and_wait(f"{watched.stage.prefix}audio", b"nobody's", partition=0)
    until(watched.prometheus.firing, "an alert fires")
    assert watched.prometheus.firing() == {"TriviumDeadLetters"}

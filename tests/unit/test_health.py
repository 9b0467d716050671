"""Health and metrics over HTTP, by the pages alone."""

from __future__ import annotations

import httpx

from stream import web
from stream.config import Settings
from stream.health import ALIVE_SECONDS, Health

SETTINGS = Settings()


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def get(health: Health, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(web.app(SETTINGS, health))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path, headers=headers)


async def test_a_service_that_starts_is_alive_but_not_ready() -> None:
    health = Health()
    assert (await get(health, "/livez")).status_code == 200
    answer = await get(health, "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": {"start": "the service is starting"}}


async def test_a_service_without_reasons_against_it_is_ready() -> None:
    health = Health()
    health.clear("start")
    answer = await get(health, "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": {}})


async def test_every_reason_is_told_until_it_is_cleared() -> None:
    health = Health()
    health.clear("start")
    health.block("broker", "Kafka does not answer")
    health.block("lane 3", "taking over")
    assert set((await get(health, "/readyz")).json()["reasons"]) == {"broker", "lane 3"}
    health.clear("broker")
    health.clear("lane 3")
    health.clear("never there")
    assert (await get(health, "/readyz")).status_code == 200


async def test_a_main_loop_that_stops_beating_is_neither_alive_nor_ready() -> None:
    clock = Clock()
    health = Health(clock)
    health.clear("start")
    health.beat()
    clock.seconds += ALIVE_SECONDS
    for path in ("/livez", "/readyz"):
        answer = await get(health, path)
        assert answer.status_code == 503
        assert answer.json()["reasons"] == {"loop": "the main loop has not turned for 10 s, expected at most 10"}


async def test_a_main_loop_that_beats_again_is_alive_again() -> None:
    clock = Clock()
    health = Health(clock)
    health.beat()
    clock.seconds += ALIVE_SECONDS * 2
    health.beat()
    assert (await get(health, "/livez")).status_code == 200


async def test_a_long_start_is_not_taken_for_a_loop_that_hangs() -> None:
    clock = Clock()
    health = Health(clock)
    clock.seconds += 3600
    assert (await get(health, "/livez")).status_code == 200


async def test_metrics_come_in_the_text_format_of_prometheus() -> None:
    answer = await get(Health(), "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE trivium_sessions_active gauge" in answer.text


async def test_metrics_come_as_openmetrics_to_who_asks_for_it() -> None:
    answer = await get(Health(), "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_metrics_tell_whether_the_service_is_ready() -> None:
    health = Health()
    assert "\ntrivium_ready 0.0\n" in (await get(health, "/metrics")).text
    health.clear("start")
    assert "\ntrivium_ready 1.0\n" in (await get(health, "/metrics")).text


async def test_a_page_that_is_not_there_is_a_short_404() -> None:
    answer = await get(Health(), "/nothing")
    assert (answer.status_code, answer.text) == (404, "Not Found")


async def test_a_method_that_is_not_read_is_a_short_405() -> None:
    transport = httpx.ASGITransport(web.app(SETTINGS, Health()))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.post("/readyz")
    assert (answer.status_code, answer.text) == (405, "Method Not Allowed")

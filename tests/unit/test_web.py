"""Health and metrics over HTTP, by the pages alone and by the server that the service runs."""

from __future__ import annotations

import asyncio
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from stream import web
from stream.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def get(health: web.Health, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(web.app(health))
    async with httpx.AsyncClient(transport=transport, base_url="http://trivium") as client:
        return await client.get(path, headers=headers)


@asynccontextmanager
async def served(health: web.Health) -> AsyncIterator[str]:
    with web.listen("127.0.0.1:0") as listener:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(web.serve(web.app(health), listener))
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            serving.cancel()


async def test_a_service_that_starts_is_alive_but_not_ready() -> None:
    health = web.Health()
    assert (await get(health, "/livez")).status_code == 200
    answer = await get(health, "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": {"start": "the service is starting"}}


async def test_a_service_without_reasons_against_it_is_ready() -> None:
    health = web.Health()
    health.clear("start")
    answer = await get(health, "/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "reasons": {}})


async def test_every_reason_is_told_until_it_is_cleared() -> None:
    health = web.Health()
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
    health = web.Health(clock)
    health.clear("start")
    health.beat()
    clock.seconds += web.ALIVE_SECONDS
    for path in ("/livez", "/readyz"):
        answer = await get(health, path)
        assert answer.status_code == 503
        assert answer.json()["reasons"] == {"loop": "the main loop has not turned for 10 s, expected at most 10"}


async def test_a_main_loop_that_beats_again_is_alive_again() -> None:
    clock = Clock()
    health = web.Health(clock)
    health.beat()
    clock.seconds += web.ALIVE_SECONDS * 2
    health.beat()
    assert (await get(health, "/livez")).status_code == 200


async def test_a_long_start_is_not_taken_for_a_loop_that_hangs() -> None:
    clock = Clock()
    health = web.Health(clock)
    clock.seconds += 3600
    assert (await get(health, "/livez")).status_code == 200


async def test_metrics_come_in_the_text_format_of_prometheus() -> None:
    answer = await get(web.Health(), "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "# TYPE trivium_sessions_active gauge" in answer.text


async def test_metrics_come_as_openmetrics_to_who_asks_for_it() -> None:
    answer = await get(web.Health(), "/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


async def test_metrics_tell_whether_the_service_is_ready() -> None:
    health = web.Health()
    assert "\ntrivium_ready 0.0\n" in (await get(health, "/metrics")).text
    health.clear("start")
    assert "\ntrivium_ready 1.0\n" in (await get(health, "/metrics")).text


async def test_a_page_that_is_not_there_is_a_short_404() -> None:
    answer = await get(web.Health(), "/events")
    assert (answer.status_code, answer.text) == (404, "Not Found")


async def test_a_method_that_is_not_read_is_a_short_405() -> None:
    transport = httpx.ASGITransport(web.app(web.Health()))
    async with httpx.AsyncClient(transport=transport, base_url="http://trivium") as client:
        answer = await client.post("/readyz")
    assert (answer.status_code, answer.text) == (405, "Method Not Allowed")


async def test_the_server_answers_until_its_task_is_cancelled() -> None:
    async with served(web.Health()) as url, httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/livez")).status_code == 200
    async with httpx.AsyncClient(base_url=url) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("/livez")


async def test_a_server_that_stops_leaves_its_address_to_the_next() -> None:
    async with served(web.Health()) as url, httpx.AsyncClient(base_url=url) as client:
        await client.get("/livez")
    web.listen(url.removeprefix("http://")).close()


async def test_the_server_leaves_signals_to_the_service() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    async with served(web.Health()) as url, httpx.AsyncClient(base_url=url) as client:
        await client.get("/livez")
        assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_an_address_that_is_taken_is_told_in_one_line() -> None:
    with web.listen("127.0.0.1:0") as listener:
        taken = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ConfigError) as raised:
            web.listen(taken)
    assert str(raised.value) == (
        f"http: cannot listen on {taken} (Address already in use): stop what listens there, or set another"
    )


def test_a_host_that_is_not_this_machine_is_told_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"http: cannot listen on host\.invalid:80 "):
        web.listen("host.invalid:80")

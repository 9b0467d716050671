"""Sessions and captions over HTTP, and `trivium watch --url`, on a real broker."""

from __future__ import annotations

import asyncio
import re
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import orjson

from tests.command import line_with, trivium
from tests.command import started as started_command
from tests.command import until as until_so
from tests.echo_service import settings_of
from tests.watching import ended, final, prediction, publishing, started, watched

README = Path(__file__).parents[2] / "README.md"
CAPTIONS = """WEBVTT

00:00:00.000 --> 00:00:01.000
<v a/b &amp; c>lay &lt;b&gt;green&lt;/b&gt;

00:00:02.000 --> 00:00:03.000
<v a/b &amp; c>now
"""


async def test_sessions_are_listed_with_their_last_words(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with publishing(settings) as publisher:
        await publisher.publish(started("a"), final("a", 0), prediction("a", 1, "open"))
        await publisher.publish(started("b"), ended("b", 0), partition=1)
        async with watched(settings) as site, httpx.AsyncClient(base_url=site.url) as client:
            answer = await client.get("/sessions")
    one, other = answer.json()["sessions"]
    assert (one["session"], one["state"], one["text"], one["is_final"], one["finals"]) == (
        "a",
        "live",
        "open",
        False,
        1,
    )
    assert one["modalities"] == {"text": "present", "audio": "present", "video": "present"}
    assert (other["session"], other["state"], other["reason"], other["partition"]) == ("b", "ended", "end", 1)


async def test_captions_are_the_finals_of_the_last_session_of_that_name(broker: str, topic_prefix: str) -> None:
    name = "a/b & c"
    for buffer_bytes in (4_000, 1 << 20):  # whether memory has them or not
        prefix = f"{topic_prefix}{buffer_bytes}-"
        settings = settings_of(broker, prefix, events_buffer_bytes=buffer_bytes)
        async with publishing(settings) as publisher:
            await publisher.publish(started(name, 0), final(name, -9, "old"), ended(name, 1, 0))
            await publisher.publish(started(name), prediction(name, 0, "lay"), final(name, 0, "lay <b>green</b>"))
            await publisher.publish(final("other", 0), final(name, 1, "now"))
            await publisher.publish(*(final("other", number) for number in range(1, 9)))
            async with watched(settings) as site, httpx.AsyncClient(base_url=site.url) as client:
                answer = await client.get("/sessions/a%2Fb%20%26%20c/captions.vtt")
                unknown = await client.get("/sessions/nobody/captions.vtt")
        assert answer.headers["content-type"] == "text/vtt; charset=utf-8"
        assert answer.text == CAPTIONS
        assert unknown.status_code == 404


async def test_watch_by_url_prints_what_watch_prints(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    kafka = {"TRIVIUM_BOOTSTRAP_SERVERS": broker, "TRIVIUM_TOPIC_PREFIX": topic_prefix}
    words = ["watch", "--json", "--from-beginning", "--until-ended", "2", "--timeout", "60"]
    async with publishing(settings) as publisher, watched(settings) as site:
        await publisher.publish(started("a"), prediction("a", 0, "x"), final("a", 0), ended("a", 1))
        await publisher.publish(started("b"), final("b", 0), ended("b", 1))
        by_url = await trivium(*words, "--url", site.url)
        by_kafka = await trivium(*words, **kafka)
    assert (by_url.code, by_url.errors) == (0, "")
    shown = [orjson.loads(line) for line in by_url.output.splitlines()]
    expected = [orjson.loads(line) for line in by_kafka.output.splitlines()]
    assert [one for one in expected if one.get("is_final") is not False] == shown  # the interim was overtaken


async def test_watch_by_url_goes_on_where_it_was_when_the_service_comes_back(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(publishing(settings))
        async with watched(settings) as site:
            words = ["watch", "--json", "--session", "a", "--url", site.url]
            process = await stack.enter_async_context(started_command(*words))
            await until_so(lambda: site.audience.count == 1)
            await publisher.publish(final("a", 0))
            assert '"a 0"' in await line_with(process.stdout, "text")
        await publisher.publish(final("a", 1))
        async with watched(settings, address=site.url.removeprefix("http://")):
            assert '"a 1"' in await line_with(process.stdout, "text")


async def test_the_client_in_the_readme_loses_nothing_over_a_restart(
    broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "client.py").write_text(readme_client())
    settings = settings_of(broker, topic_prefix)
    async with AsyncExitStack() as stack:
        publisher = await stack.enter_async_context(publishing(settings))
        async with watched(settings) as site:
            process = await stack.enter_async_context(client(tmp_path / "client.py", f"{site.url}/events"))
            await until_so(lambda: site.audience.count == 1)
            await publisher.publish(prediction("a", 0, "?"), final("a", 0))
            assert await line_with(process.stdout, "") == "a a 0\n"
        await publisher.publish(final("a", 1))
        async with watched(settings, address=site.url.removeprefix("http://")):
            await publisher.publish(final("a", 2))
            assert [await line_with(process.stdout, "") for _ in "12"] == ["a a 1\n", "a a 2\n"]


@asynccontextmanager
async def client(path: Path, url: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(sys.executable, path, url, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


def readme_client() -> str:
    """The program that the README shows."""
    (program,) = re.findall(r"^```python\n(.+?)^```", README.read_text(), re.DOTALL | re.MULTILINE)
    assert len(program.splitlines()) <= 31
    return str(program)


async def test_watch_by_url_says_in_one_line_what_is_wrong(broker: str, topic_prefix: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("0123456789abcdef")
    settings = settings_of(broker, topic_prefix, http_token_file=tmp_path / "token")
    async with watched(settings) as site:
        without = await trivium("watch", "--url", site.url)
        nobody = await trivium("watch", "--url", "http://127.0.0.1:1")
    assert (without.code, without.errors.count("\n"), "set http_token_file" in without.errors) == (2, 1, True)
    assert (nobody.code, nobody.errors.count("\n"), "see that trivium serve runs" in nobody.errors) == (1, 1, True)

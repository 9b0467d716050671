"""The pages for everybody: screen readers, keyboards, phones, the dark; and whatever a prediction says is text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from stream import clients, topics
from stream.config import Settings
from stream.publish import Prediction, SessionRecord, prediction_record, session_record
from stream.structured import SUBPROTOCOL
from tests.browsing import WINDOWS, Complaints, Service, barriers, browser, lines, pages
from tests.talking import now_ms, prediction, served

MARKUP = '<img src=x onerror="document.title=1">'
MOST_BYTES = 150_000


async def publish(settings: Settings, *messages: Prediction | SessionRecord) -> None:
    """Write results as the service does."""
    await topics.prepare(settings)
    name = settings.topic_prefix + topics.PREDICTIONS
    async with clients.producer(settings) as producer:
        for message in messages:
            make: Callable[..., Any] = prediction_record if isinstance(message, Prediction) else session_record
            record = make(message, name, 0, "/trivium/test")
            await producer.send_and_wait(name, record.value, record.key, headers=list(record.headers))


@asynccontextmanager
async def opened(service: Service, path: str, complaints: Complaints, window: str = "wide") -> AsyncIterator[Page]:
    async with browser() as started, pages(started, complaints, **WINDOWS[window]) as context:
        page = await context.new_page()
        await page.goto(f"{service.url}{path}")
        yield page


async def test_a_session_of_any_producer_is_listed_and_followed_and_its_markup_is_text(
    service: Service, settings: Settings
) -> None:
    session, complaints = "any <b>one", Complaints()
    start_ms = now_ms()
    await publish(
        settings,
        SessionRecord(session=session, state="started", start_ms=start_ms),
        prediction(session, start_ms, f"first {MARKUP}", final=True),
        prediction(session, start_ms + 2_000, f"second {MARKUP}", final=False),
    )
    async with opened(service, "/", complaints) as page:
        await page.get_by_role("link", name=session).click()
        await expect(page.locator("#interims li")).to_be_visible()
        assert await lines(page) == [f"first {MARKUP}"]
        assert await lines(page, "interims") == [f"second {MARKUP}"]
        await publish(settings, prediction(session, start_ms + 2_000, f"third {MARKUP}", final=True))
        await expect(page.locator("#finals li").nth(1)).to_be_visible()
        assert await lines(page) == [f"first {MARKUP}", f"third {MARKUP}"]
        assert await lines(page, "interims") == []
        assert await page.locator("main img, main b").count() == 0
        assert "Trivium" in await page.title()
    assert complaints.texts == []


@pytest.mark.parametrize("window", list(WINDOWS))
@pytest.mark.parametrize("path", ["/", "/live", "/sessions/read"])
async def test_axe_finds_nothing_serious_and_nothing_is_wider_than_the_window(
    service: Service, settings: Settings, path: str, window: str
) -> None:
    complaints, start_ms = Complaints(), now_ms()
    shown = prediction("read", start_ms, "place red at j zero now", final=True)
    await publish(settings, shown, prediction("read", start_ms + 3_000, "set blue", final=False))
    async with opened(service, path, complaints, window) as page:
        await expect(page.locator("#connection")).to_have_attribute("data-state", "open")
        if path != "/live":
            await expect(page.get_by_text("set blue")).to_be_visible()
        if path == "/sessions/read":
            await page.get_by_label("Show how sure each word is").check()
        assert await barriers(page) == []
    assert complaints.texts == []


async def test_everything_is_reached_by_the_keyboard_in_the_order_in_which_it_is_seen(service: Service) -> None:
    complaints = Complaints()
    async with opened(service, "/live?session=keys", complaints) as page:
        seen = []
        for _ in range(9):
            await page.keyboard.press("Tab")
            seen.append(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
    assert seen == ["To the captions", "Trivium", "Sessions", "Live", "session", "vtt", "start", "file", "confidence"]
    assert complaints.texts == []


@pytest.mark.parametrize(("path", "count"), [("/live", 5), ("/sessions/quiet", 2)])
async def test_what_will_be_announced_is_there_before_it_has_a_text(service: Service, path: str, count: int) -> None:
    complaints = Complaints()
    async with opened(service, path, complaints) as page:
        await expect(page.get_by_role("status")).to_have_count(count)
        await expect(page.get_by_role("alert")).to_have_count(1 if path == "/live" else 0)
        await expect(page.get_by_role("log")).to_have_count(1)
        assert await page.locator("#news").evaluate("(news) => news.offsetHeight") == 0
    assert complaints.texts == []


async def test_captions_are_announced_from_the_first_that_comes_after_the_history(
    service: Service, settings: Settings
) -> None:
    session, complaints = "announced", Complaints()
    start_ms = now_ms()
    await publish(settings, prediction(session, start_ms, "long ago", final=True))
    async with opened(service, f"/sessions/{session}", complaints) as page:
        await page.evaluate(ANNOUNCED)
        await expect(page.locator("#finals li")).to_have_count(1)
        await expect(page.get_by_role("log")).to_have_attribute("aria-live", "polite")
        await publish(settings, prediction(session, start_ms + 2_000, "just now", final=True))
        await expect(page.locator("#finals li")).to_have_count(2)
        assert await page.evaluate("window.announced_") == ["just now"]
    assert complaints.texts == []


# Notes the words of each final that is added while the log is announced.
ANNOUNCED = """() => {
  window.announced_ = [];
  const log = document.getElementById('log');
  const note = () => log.ariaLive === 'off' || window.announced_.push(log.querySelector('li:last-child .words').textContent);
  new MutationObserver(note).observe(log.querySelector('ol'), { childList: true });
}"""


async def test_a_list_whose_server_hangs_does_not_stay_live(service: Service) -> None:
    complaints = Complaints()
    async with opened(service, "/", complaints) as page:
        await expect(page.locator("#connection")).to_have_attribute("data-state", "open")
        await page.route("**/sessions", lambda _: None)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "waiting")


async def test_a_list_that_nobody_sees_asks_again_when_somebody_does(service: Service) -> None:
    complaints = Complaints()
    async with opened(service, "/", complaints) as page:
        await page.clock.install()
        await page.reload()
        await expect(page.locator("#connection")).to_have_attribute("data-state", "open")
        await page.evaluate(SEEN, False)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for _ in range(10):
            await page.clock.run_for(1_000)
            await page.evaluate("async () => (await fetch('/clock')).text()")  # time for an answer to come
        hidden = sum(url.endswith("/sessions") for url in asked)
        async with page.expect_request("**/sessions"):
            await page.evaluate(SEEN, True)
    assert hidden <= 1  # it may have been about to ask
    assert complaints.texts == []


SEEN = """(isSeen) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => !isSeen });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@pytest.mark.parametrize("path", ["/", "/live", "/sessions/weighed"])
async def test_a_page_and_all_that_it_needs_weighs_little(service: Service, path: str) -> None:
    complaints, weights = Complaints(), {}
    async with browser() as started, pages(started, complaints) as context:
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        session.on("Network.loadingFinished", lambda one: weights.update({one["requestId"]: one["encodedDataLength"]}))
        await session.send("Network.enable")
        await page.goto(f"{service.url}{path}")
        await page.wait_for_load_state("load")
        if path == "/live":  # what is loaded once the microphone is on
            for name in ("worklet.js", "resample.js"):
                await page.evaluate("async (name) => (await fetch(`/assets/${name}`)).text()", name)
        await expect(page.locator("#connection")).to_have_attribute("data-state", "open")
    assert 0 < sum(weights.values()) <= MOST_BYTES
    assert complaints.texts == []


async def test_beyond_a_login_page_and_websocket_are_open(tmp_path: Path) -> None:
    token, complaints = tmp_path / "token", Complaints()
    token.write_text("a-token-of-this-test\n")
    async with served(Settings(http_token_file=token)) as (_, address), browser() as started:
        async with pages(started, complaints) as context:
            page = await context.new_page()
            await page.goto(f"http://{address}/live")
            await page.get_by_label("Token").fill("a-token-of-this-test")
            await page.keyboard.press("Enter")
            await page.get_by_role("button", name="Start").click()
            await expect(page.locator("#problem")).to_have_text("The server says: the service is starting or stopping")
            for path, onward in (("/?a=b", "%2F%3Fa%3Db"), ("/live?session=a", "%2Flive%3Fsession%3Da")):
                await page.goto(f"http://{address}{path}")
                kept = await context.cookies()
                await context.clear_cookies()  # as when it is over
                await expect(page).to_have_url(f"http://{address}/login?next={onward}")
                await context.add_cookies(
                    [{"name": one["name"], "value": one["value"], "url": f"http://{address}"} for one in kept]
                )
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://{address}/sessions/a/frames", subprotocols=[Subprotocol(SUBPROTOCOL)])
    assert refused.value.response.status_code == 403


async def test_a_slow_connection_loses_pictures_before_sound_and_says_so(service: Service) -> None:
    complaints = Complaints()
    async with opened(service, "/live?session=slow", complaints) as page:
        sent = await page.evaluate(SLOW, "slow")
    assert sent["level"] == "none"
    assert sent["audio"] == 50
    assert sent["video"] < 50
    assert sent["left_out"] == 50 - sent["video"]


SLOW = """async (session) => {
  const { Clock, pageNow } = await import('/assets/clock.js');
  const { Source } = await import('/assets/source.js');
  const source = new Source(session, new Clock(), () => {});
  await source.wanted;
  const picture = new Uint8Array(100_000);
  for (let n = 0; n < 50; n += 1) {
    source.send('audio', 'audio/L16;rate=16000;channels=1', new Uint8Array(1280), pageNow());
    source.send('video', 'image/jpeg', picture, pageNow());
  }
  const { audio, video } = source.sent;
  return { level: source.level, audio, video, left_out: source.leftOut };
}"""

"""The page with its own camera, as somebody uses it: they start it, speak, see their words, and stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from PIL import Image
from playwright.async_api import Page, expect

from stream import clients, topics
from stream.config import Settings
from stream.publish import Prediction, SessionRecord, read_result
from tests.browsing import WINDOWS, Complaints, Fake, Service, barriers, browser, lines, pages

# Notes every state that the captions were in: the segments of open lines, and the text of every final when it came and later.
WATCH = """
() => {
  const history = (window.history_ = { doubled: [], overlapping: [], changed: [], revisions: 0 });
  const first = new Map();
  const segments = (id) => [...document.querySelectorAll(`#${id} > li`)].map((line) => line.dataset.segment);
  new MutationObserver((records) => {
    const [finals, interims] = [segments('finals'), segments('interims')];
    history.revisions += records.some((one) => one.target.closest?.('#interims')) ? 1 : 0;
    if (new Set(interims).size < interims.length) history.doubled.push(interims);
    history.overlapping.push(...interims.filter((segment) => finals.includes(segment)));
    for (const line of document.querySelectorAll('#finals > li')) {
      const text = line.querySelector('.words').textContent;
      const { segment } = line.dataset;
      if (first.has(segment) && first.get(segment) !== text) history.changed.push([first.get(segment), text]);
      first.set(segment, text);
    }
  }).observe(document.getElementById('captions'), { subtree: true, childList: true, characterData: true });
}
"""

# Lets the file that an input holds fall on the page.
DROP = """
() => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(document.getElementById('hand').files[0]);
  document.getElementById('stage').dispatchEvent(new DragEvent('drop', { dataTransfer, bubbles: true, cancelable: true }));
}
"""


@asynccontextmanager
async def live(service: Service, fake: Fake | None, complaints: Complaints, session: str) -> AsyncIterator[Page]:
    """Open the page."""
    async with browser(fake) as started, pages(started, complaints) as context:
        page = await context.new_page()
        await page.goto(f"{service.url}/live?session={session}")
        yield page


async def drop(page: Page, clip: Path) -> None:
    """Let a clip fall on the page."""
    await page.evaluate(
        "document.body.append(Object.assign(document.createElement('input'), {type: 'file', id: 'hand'}))"
    )
    await page.set_input_files("#hand", clip)
    await page.evaluate(DROP)


async def finals(settings: Settings, session: str) -> list[str]:
    """What Kafka has of a session by now."""
    topic = settings.topic_prefix + topics.PREDICTIONS
    partitions = [TopicPartition(topic, number) for number in range(settings.partitions)]
    reader = AIOKafkaConsumer(**settings.client_options(), isolation_level="read_committed")
    messages: list[Prediction | SessionRecord] = []
    async with asyncio.timeout(60), reader:
        reader.assign(partitions)
        await reader.seek_to_beginning()
        for partition, end in (await reader.end_offsets(partitions)).items():
            while await reader.position(partition) < end:
                fetched = await reader.getmany(partition, timeout_ms=200)
                messages += [read_result(clients.fetched(one)) for one in fetched.get(partition, [])]
    return [one.text for one in messages if isinstance(one, Prediction) and one.session == session and one.is_final]


async def test_the_words_on_the_page_are_those_of_the_finals_and_a_revision_replaces_what_it_revises(
    service: Service, settings: Settings, fake: Fake
) -> None:
    complaints = Complaints()
    async with live(service, fake, complaints, "spoken") as page:
        await page.evaluate(WATCH)
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#sending")).to_have_text("sending")
        await expect(page.locator("#finals li").nth(1)).to_be_visible()
        await expect(page.locator("#modalities tr").first.locator(".status")).to_have_text("present")
        latency_ms = float(await page.inner_text("#latency-now"))
        offset = await page.inner_text("#offset")
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#news")).to_have_text("The session has ended.")
        shown, left = await lines(page), await lines(page, "interims")
        history: dict[str, Any] = await page.evaluate("window.history_")
    assert shown == await finals(settings, "spoken")
    assert left == []
    assert history["revisions"] > 0
    assert (history["doubled"], history["overlapping"], history["changed"]) == ([], [], [])
    assert latency_ms > 0
    assert "ms ±" in offset
    assert complaints.texts == []


async def test_a_service_that_is_killed_and_started_again_loses_no_final_on_the_page(
    service: Service, settings: Settings, fake: Fake
) -> None:
    complaints = Complaints()
    async with live(service, fake, complaints, "interrupted") as page:
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#finals li").first).to_be_visible()
        service.kill()
        await expect(page.locator("#connection")).to_have_attribute("data-state", "waiting")
        await asyncio.to_thread(service.start)
        before = len(await lines(page))
        await expect(page.locator("#sending")).to_have_text("sending")
        await expect(page.locator("#finals li").nth(before + 1)).to_be_visible()
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#news")).to_have_text("The session has ended.")
        shown = await lines(page)
    assert shown == await finals(settings, "interrupted")
    assert complaints.but_for_restarts() == []


@pytest.mark.parametrize("way", ["chosen", "dropped"])
async def test_a_clip_is_played_in_place_of_a_camera(
    service: Service, settings: Settings, spoken: Path, way: str
) -> None:
    complaints, session = Complaints(), f"clip-{way}"
    async with live(service, None, complaints, session) as page:
        if way == "chosen":
            await page.set_input_files("#file", spoken)
        else:
            await drop(page, spoken)
        await expect(page.locator("#news")).to_have_text("The session has ended.")
        shown = await lines(page)
        audio = await page.locator("#modalities tr").nth(0).locator(".status").inner_text()
    assert shown == await finals(settings, session)
    assert shown
    assert audio == "present"
    assert complaints.texts == []


async def test_typed_words_are_shown_to_the_recogniser_and_others_follow_the_session(
    service: Service, drawn: Fake, settings: Settings, pictures: Path
) -> None:
    complaints = Complaints()
    async with browser(drawn) as started, pages(started, complaints, **WINDOWS["wide"]) as context:
        page = await context.new_page()
        await page.goto(f"{service.url}/live?session=hinted")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#sending")).to_have_text("sending")
        await page.get_by_label("Words on screen, as a hint").fill("<b>red</b>")
        await page.keyboard.press("Enter")
        await expect(page.locator("#hint-shown")).to_have_text("Shown to the recogniser: <b>red</b>")
        assert await page.locator("#hint-shown b").count() == 0
        await page.get_by_label("Words on screen, as a hint").fill("lay")
        await page.keyboard.press("Enter")
        await expect(page.locator("#modalities tr").nth(2).locator(".status")).to_have_text("present")
        await expect(page.locator("#finals li").nth(2)).to_be_visible()
        await expect(page.locator("#interims li").first).to_be_visible()
        await screenshot(page, pictures / "live.png")
        assert await barriers(page) == []
        async with pages(started, complaints, **WINDOWS["phone"], color_scheme="dark") as elsewhere:
            phone = await elsewhere.new_page()
            await phone.goto(f"{service.url}/sessions/hinted")
            await expect(phone.locator("#finals li").nth(2)).to_be_visible()
            await screenshot(phone, pictures / "session.png")
            assert await barriers(phone) == []
        await page.get_by_role("button", name="Stop").click()
        await expect(page.locator("#news")).to_have_text("The session has ended.")
        shown = await lines(page)
    assert shown == await finals(settings, "hinted")
    assert complaints.texts == []


async def screenshot(page: Page, path: Path) -> None:
    """Take a small picture of what is seen."""
    taken = Image.open(BytesIO(await page.screenshot()))
    taken.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


async def test_the_focus_goes_from_start_to_stop_and_back_and_a_clip_that_comes_between_is_refused_aloud(
    service: Service, drawn: Fake, spoken: Path
) -> None:
    complaints = Complaints()
    async with live(service, drawn, complaints, "focused") as page:
        await page.get_by_role("button", name="Start").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Stop")).to_be_focused()
        await expect(page.locator("#sending")).to_have_text("sending")
        await drop(page, spoken)
        await expect(page.get_by_role("alert")).to_contain_text("The clip was not taken")
        await expect(page.get_by_role("button", name="Stop")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Start")).to_be_focused()
        await expect(page.locator("#sending")).to_have_text("ended")
    assert complaints.texts == []


async def test_a_page_without_camera_and_microphone_says_what_to_do(service: Service) -> None:
    complaints = Complaints()
    async with browser() as started, pages(started, complaints) as context:
        page = await context.new_page()
        await page.goto(f"{service.url}/live")
        await page.get_by_role("button", name="Start").click()
        await expect(page.locator("#problem")).to_contain_text("choose a clip")
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
    assert complaints.texts == []

"""How soon a word is on the screen of somebody who speaks into the page, in a real browser at real-time speed.

`trivium serve` runs; Chromium opens `/live` with clips, joined with 1 to 3 s of room noise between, as its camera and
microphone, sends them and shows the captions. All times are of one clock, this machine's.

word_p50_ms, word_p95_ms
    From the end of a word to the first interim on the screen that holds it and keeps it until the final (see `live.py`
    for what holding is). On the screen is the second animation frame after the page's text has changed: the first one
    draws it. Where the words lie is known exactly: the sound that is in Kafka is found in the clips by correlation.
skew_ms
    How far the page's stamps put sound and pictures apart, as the finals measured it: least, median, most.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from aiokafka import AIOKafkaConsumer
from numpy.typing import NDArray
from playwright.async_api import Page, expect
from scipy.signal import correlate

from stream import clients, clip
from stream.config import Settings
from stream.frame import Frame, Modality, parse
from stream.publish import Prediction
from stream.scene import Scene, takes, timed
from stream.times import NS_PER_MS, NS_PER_SECOND
from stream.watch import following
from tests.benchmarks import clips
from tests.benchmarks.captions import Said, said, turns
from tests.benchmarks.processes import Service, Stage, serving, stage
from tests.benchmarks.report import benchmark_parser, percentile, progress, report, spread
from tests.browsing import Complaints, Fake, browser, pages, write_pictures, write_sound

GAP_MS = (1000, 3000)
BAR_MS = 1_000.0
AFTER_SECONDS = 6.0  # what comes after the last clip: its final, and the beginning of the next round
FOUND_SECONDS = 8  # of sound that is looked for in the clips
MS_A_SAMPLE = 1000 / clip.RATE_HZ
WATCH = """() => {
  window.shown = [];
  const now = () => performance.timeOrigin + performance.now();
  const state = (id) => [...document.querySelectorAll(`#${id} > li`)].map(
    (line) => [Number(line.dataset.segment), line.querySelector('.words').textContent, id === 'finals']);
  new MutationObserver(() => {
    const lines = [...state('finals').slice(-3), ...state('interims')];
    requestAnimationFrame(() => requestAnimationFrame(() => window.shown.push([now(), lines])));
  }).observe(document.getElementById('captions'), { subtree: true, childList: true, characterData: true });
}"""


@dataclass(frozen=True)
class Spoken:
    """What the browser is given, and what is said in it."""

    fake: Fake
    samples: NDArray[np.int16]
    words: tuple[clips.Word, ...]  # from the beginning of the samples


@dataclass(frozen=True)
class Run:
    """What one session came to."""

    words: tuple[Said, ...]
    skews_ms: tuple[float, ...]
    said_words: int


def main() -> None:
    """Speak, watch, report."""
    parser = benchmark_parser(__doc__)
    parser.add_argument("--runs", type=int, default=3, help="sessions, one after another")
    parser.add_argument("--clips", type=int, default=10, help="of each session")
    given = parser.parse_args()
    with stage() as found, serving(found) as service:
        runs = [asyncio.run(spoken_into(found, service, number, given.clips)) for number in range(given.runs)]
        report("page", {**figures(runs), "clips": clips.source()})


async def spoken_into(found: Stage, service: Service, number: int, count: int) -> Run:
    """One session in a browser of its own."""
    spoken = prepared(found.folder, number, count)
    name, seconds = f"page-{number + 1}", len(spoken.samples) / clip.RATE_HZ
    progress(f"{name}: {count} clips, {seconds:.0f} s")
    complaints = Complaints()
    async with browser(spoken.fake) as started, pages(started, complaints) as context:
        page = await context.new_page()
        await page.goto(f"http://{service.address}/live?session={name}")
        shown = await watched(page, seconds)
    if complaints.texts:
        raise RuntimeError(f"The browser complains, expected silence: {complaints.texts[0]}")
    results = await predictions(found.settings(), name)
    start_ms = await began_ms(found.settings(), name, spoken.samples)
    whole = [word for word in spoken.words if word.end_s * 1000 > first_ms(results) - start_ms]
    words = said(turns(on_screen(results, shown)), whole, start_ms)
    skews_ms = tuple(one.skew_ms for one in results if one.is_final and one.skew_ms is not None)
    progress(f"{name}: {len(words)} of {len(whole)} words")
    return Run(tuple(words), skews_ms, len(whole))


def prepared(folder: Path, number: int, count: int) -> Spoken:
    """Clips joined as `replay --join` joins them, as Chromium's camera and microphone."""
    chosen = clips.take(count, folder, number * count)
    scene = Scene(gap_ms=GAP_MS, seed=number)
    laid = takes([one.path for one in chosen], scene)
    frames = [one.item for one in timed(laid, scene) if isinstance(one.item, Frame)]
    samples = np.frombuffer(b"".join(one.payload for one in frames if one.modality is Modality.AUDIO), ">i2")
    fake = Fake(folder / f"page-{number}.mjpeg", folder / f"page-{number}.wav")
    write_sound(fake.sound, samples.astype(np.int16))
    pictures = [one.payload for one in frames if one.modality is Modality.VIDEO]
    write_pictures(fake.pictures, pictures, len(samples) / clip.RATE_HZ)
    starts_s = [take.start_ns / NS_PER_SECOND for take in laid]
    words = [
        clips.Word(word.word, start_s + word.start_s, start_s + word.end_s)
        for start_s, one in zip(starts_s, chosen, strict=True)
        for word in one.words
    ]
    return Spoken(fake, samples.astype(np.int16), tuple(words))


async def watched(page: Page, seconds: float) -> list[Any]:
    """Let the page send all of it once; what its captions were, and when."""
    await page.evaluate(WATCH)
    await page.get_by_role("button", name="Start").click()
    await expect(page.locator("#sending")).to_have_text("sending")
    await asyncio.sleep(seconds + AFTER_SECONDS)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.locator("#news")).to_have_text("The session has ended.")
    shown: list[Any] = await page.evaluate("window.shown")
    return shown


async def predictions(settings: Settings, session: str) -> list[Prediction]:
    """All results of a session that has ended."""
    found: list[Prediction] = []
    async with asyncio.timeout(60), following(settings, from_beginning=True) as news:
        async for message in news:
            if message.session == session and isinstance(message, Prediction):
                found.append(message)
            elif message.session == session and getattr(message, "state", "") == "ended":
                break
    return found


async def began_ms(settings: Settings, session: str, samples: NDArray[np.int16]) -> float:
    """When the clips' time 0 was, by the page's stamps: where the first sound in Kafka lies in them."""
    frames = await sound(settings, session)
    heard = np.concatenate([np.frombuffer(one.payload, ">i2") for one in frames]).astype(np.float64)
    alike = correlate(samples.astype(np.float64), heard[: FOUND_SECONDS * clip.RATE_HZ], mode="valid", method="fft")
    return frames[0].time_ns / NS_PER_MS - float(np.argmax(alike)) * MS_A_SAMPLE


async def sound(settings: Settings, session: str) -> list[Frame]:
    """The session's first frames of sound."""
    topic, found = settings.topic_prefix + Modality.AUDIO, list[Frame]()
    reader = AIOKafkaConsumer(topic, **settings.client_options(), auto_offset_reset="earliest")
    async with asyncio.timeout(60), reader:
        async for record in reader:
            item = parse(clients.fetched(record), Modality.AUDIO, {}, settings.max_record_bytes)
            if item.session == session and isinstance(item, Frame):
                found.append(item)
                if (item.time_ns - found[0].time_ns) / NS_PER_SECOND > FOUND_SECONDS:
                    break
    return found


def first_ms(results: Sequence[Prediction]) -> float:
    """Where the first result begins: nobody can have heard what was said before the page began to send."""
    return min(one.start_ms for one in results)


def on_screen(results: Sequence[Prediction], shown: Sequence[Any]) -> list[Prediction]:
    """Results with the moment at which they were on the screen; those that never were are left out."""
    first: dict[tuple[float, str, bool], float] = {}
    for at_ms, lines in shown:
        for segment, text, is_final in lines:
            first.setdefault((segment, text, is_final), at_ms)
    seen: list[Prediction] = []
    for one in results:
        at_ms = first.get((one.segment, one.text, one.is_final))
        if at_ms is not None:
            seen.append(one.model_copy(update={"times": one.times.model_copy(update={"published_ms": at_ms})}))
    return seen


def figures(runs: Sequence[Run]) -> dict[str, object]:
    """The figures over all runs, how far these lie apart, and what they rest on."""
    latencies = [[word.latency_ms for word in run.words] for run in runs]
    together = [latency_ms for run in latencies for latency_ms in run]
    skews_ms = [skew_ms for run in runs for skew_ms in run.skews_ms]
    p95_ms = percentile(together, 0.95)
    return {
        "word_p50_ms": round(percentile(together, 0.5), 1),
        "word_p95_ms": round(p95_ms, 1),
        "bar_ms": BAR_MS,
        "passes": p95_ms <= BAR_MS,
        "spread": spread([percentile(one, 0.95) for one in latencies]),
        "skew_ms": [min(skews_ms), statistics.median(skews_ms), max(skews_ms)] if skews_ms else None,
        "words_said": sum(run.said_words for run in runs),
        "words_measured": len(together),
        "words_only_in_finals": sum(not word.in_interim for run in runs for word in run.words),
    }


if __name__ == "__main__":
    main()

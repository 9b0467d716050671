"""Parts of the pages by themselves, in the browser that runs them: clock, stamps, pressure, resampler, event stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.browsing import Complaints, Service, browser, pages

pytestmark = pytest.mark.asyncio(loop_scope="module")


CLOCK = """async () => {
  const { Clock } = await import('/assets/clock.js');
  const clock = new Clock();
  const used = [];
  // A server 1000 ms ahead; each answer but the third is held up on its way back.
  [40, 80, 0, 120].forEach((late, n) => clock.add(n * 100, n * 100 + 1005, n * 100 + 1005, n * 100 + 10 + late));
  used.push(clock.toServer(410));
  // Now it is 1010 ms ahead, and the page follows slowly.
  for (let n = 5; n < 14; n += 1) clock.add(n * 1000, n * 1000 + 1015, n * 1000 + 1015, n * 1000 + 10);
  const steps = [13_010, 13_510, 14_010].map((time) => clock.toServer(time) - time);
  return { used, steps, offset: clock.offset, delay: clock.delay, settled: clock.settled };
}"""

STAMPS = """async () => {
  const { Stamps } = await import('/assets/stamps.js');
  const stamps = new Stamps(5);
  let random = 1;
  const jitter = () => (random = (random * 16807) % 2147483647) / 2147483647 * 30;
  const off = [];
  for (let n = 1; n <= 500; n += 1) {
    const end = n * 40;
    const time = stamps.at(end, 7_000 + end + (n % 7 ? jitter() : 0));
    if (n > 100) off.push(time - (7_000 + end - 5));
  }
  // The device sleeps for a minute: its clock stands still, the page's does not.
  const later = [];
  for (let n = 501; n <= 560; n += 1) later.push(stamps.at(n * 40, 67_000 + n * 40) - (67_000 + n * 40 - 5));
  return { most: Math.max(...off.map(Math.abs)), later: later.at(-1) };
}"""

PRESSURE = """async () => {
  const { Pressure } = await import('/assets/pressure.js');
  const pressure = new Pressure();
  const sent = (bytes, from, count) =>
    Array.from({ length: count }, (_, n) => (pressure.look(bytes, from + n * 40), pressure.takes(n))).filter(Boolean).length;
  return [
    sent(10_000, 0, 100),
    sent(400_000, 4_000, 100),
    sent(2_000_000, 8_000, 100),
    sent(300_000, 12_000, 100),
    sent(0, 16_000, 100),
    sent(0, 20_000, 100),
  ];
}"""

RESAMPLER = """async (fromHz) => {
  const { Resampler } = await import('/assets/resample.js');
  const tone = (hz, rate, length) => Float32Array.from({ length }, (_, n) => Math.sin((2 * Math.PI * hz * n) / rate));
  const through = (hz) => {
    const resampler = new Resampler(fromHz, 16_000);
    const sound = tone(hz, fromHz, fromHz);
    const made = [];
    for (let at = 0; at < sound.length; at += 128) made.push(...resampler.push(sound.subarray(at, at + 128)));
    return made.slice(500, 15_000);
  };
  const power = (values) => values.reduce((sum, value) => sum + value * value, 0) / values.length;
  const heard = through(1_000);
  const wanted = [...tone(1_000, 16_000, 16_000)].slice(500, 15_000);
  const error = heard.map((value, n) => value - wanted[n]);
  return { count: heard.length, error: power(error), alias: power(through(11_000)) };
}"""

EVENTS = """async (size) => {
  const { events } = await import('/assets/follow.js');
  const text = ': hello\\n\\nid: p:0=1\\nevent: a\\ndata: {"x":\\ndata: "ü"}\\n\\r\\nid: p:0=2\\r\\ndata:second\\r\\n\\r\\nevent: lost\\ndata: never';
  const bytes = new TextEncoder().encode(text);
  const body = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
  const found = [];
  for await (const event of events(body)) if (event.data) found.push([event.type, event.id, event.data]);
  return found;
}"""

FOLLOW = """async () => {
  const { follow } = await import('/assets/follow.js');
  const [asked, heard, leaving] = [[], [], new AbortController()];
  const stream = 'retry: 400\\nid: p:0=1\\n\\ndata: word\\n\\n';
  const answers = [new Response(stream), new Response('unknown id', { status: 400 }), new Response(stream)];
  const own = window.fetch;
  window.fetch = async (url, options) => {
    if (url !== '/followed') return own(url, options); // the page's own
    const { headers } = options;
    asked.push([headers['last-event-id'] ?? null, performance.now()]);
    return answers.shift();
  };
  const state = () => answers.length === 0 && asked.length === 3 && setTimeout(() => leaving.abort(), 50);
  try {
    await follow('/followed', { heard: ({ data }) => heard.push(data), state, signal: leaving.signal });
  } finally {
    window.fetch = own;
  }
  return { ids: asked.map(([id]) => id), waited: asked[1][1] - asked[0][1], heard };
}"""

CLIPS = """async () => {
  const { play } = await import('/assets/clip.js');
  const preview = document.createElement('video');
  preview.play = async () => {};
  const wanted = { rate_hz: 16_000, tick_ms: 40 };
  const ends = [];
  const clip = (name) => play(new File([], name), preview, wanted, { heard() {}, seen() {}, ended: () => ends.push(name) });
  const stop = await clip('first');
  stop();
  const stopSecond = await clip('second');
  preview.dispatchEvent(new Event('ended'));
  stopSecond();
  return ends;
}"""

CAMERA = """async () => {
  const { capture } = await import('/assets/camera.js');
  const stream = document.createElement('canvas').captureStream();
  const preview = document.createElement('video');
  preview.play = async () => { throw new Error('no play'); };
  const told = await capture(stream, preview, { tick_ms: 40 }, {}).catch((error) => error.message);
  return [told, stream.getTracks().map((track) => track.readyState), preview.srcObject];
}"""

LAST_WORDS = """async () => {
  const { Clock, pageNow } = await import('/assets/clock.js');
  const { Source } = await import('/assets/source.js');
  const own = window.WebSocket;
  const sockets = [];
  window.WebSocket = class extends EventTarget {
    static OPEN = 1;
    static CLOSED = 3;
    readyState = 1;
    bufferedAmount = 0;
    sent = [];
    constructor() {
      super();
      sockets.push(this);
      setTimeout(() => this.dispatchEvent(new MessageEvent('message', { data: '{"type": "trivium.wanted.v1", "data": {}}' })));
    }
    send(message) {
      this.sent.push(JSON.parse(message).type);
    }
    close() {
      this.readyState = 3;
      this.dispatchEvent(new CloseEvent('close'));
    }
  };
  try {
    const source = new Source('away', new Clock(), () => {});
    await source.wanted;
    sockets[0].close();
    source.send('audio', 'audio/L16;rate=16000;channels=1', new Uint8Array(2), pageNow());
    await source.end();
    return sockets.map(({ sent }) => sent.filter((type) => !type.includes('clock')).length);
  } finally {
    window.WebSocket = own;
  }
}"""

READING = """async () => {
  const { Reading } = await import('/assets/reading.js');
  const reading = new Reading();
  const interim = (segment, epoch, revision) => reading.isNews({ segment, epoch, revision, is_final: false });
  const final = (segment) => reading.isNews({ segment, epoch: 1, revision: 9, is_final: true });
  return [
    interim(10, 1, 1), interim(10, 1, 1), interim(10, 1, 3), interim(10, 1, 2),
    final(10), final(10), interim(10, 2, 1), interim(20, 1, 1), final(20),
    reading.begins({ state: 'started', start_ms: 5 }), final(10),
  ];
}"""

TIMES = """async () => {
  const { rfc3339 } = await import('/assets/frames.js');
  return [0, 1_795_514_270_009.25, 999.9999].map(rfc3339);
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def evaluated(service: Service) -> AsyncIterator[Callable[..., Any]]:
    """Give a function that runs a piece of script in a page of the service."""
    complaints = Complaints()
    async with browser() as started, pages(started, complaints) as context:
        page = await context.new_page()
        await page.goto(f"{service.url}/")
        yield page.evaluate
    assert complaints.texts == []


async def test_the_clock_believes_the_quickest_exchange_and_never_steps_back(evaluated: Callable[..., Any]) -> None:
    found = await evaluated(CLOCK)
    assert found["used"] == [1410]  # the third exchange, which was not held up: (1005 - 0 + 1005 - 10) / 2
    assert (found["offset"], found["delay"], found["settled"]) == (1010, 10, True)
    first, second, third = found["steps"]
    assert 1000 < first <= 1010
    assert first <= second <= third <= first + 0.5


async def test_stamps_of_sound_are_steady_while_the_page_is_busy_and_recover_from_sleep(
    evaluated: Callable[..., Any],
) -> None:
    found = await evaluated(STAMPS)
    assert found["most"] < 1
    assert abs(found["later"]) < 2


async def test_pictures_are_given_up_before_sound_and_come_back_by_themselves(evaluated: Callable[..., Any]) -> None:
    everything, half, none, still_none, coming, back = await evaluated(PRESSURE)
    assert (everything, half, none) == (100, 50, 0)
    assert still_none < 100
    assert coming > 0
    assert back == 100


@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
async def test_sound_is_brought_to_the_models_rate_without_what_lies_above_it(
    evaluated: Callable[..., Any], rate_hz: int
) -> None:
    found = await evaluated(RESAMPLER, rate_hz)
    assert found["count"] == 14_500
    assert found["error"] < 1e-5
    assert found["alias"] < 1e-4


@pytest.mark.parametrize("size", [1, 7, 1_000])
async def test_an_event_stream_is_read_however_it_is_cut(evaluated: Callable[..., Any], size: int) -> None:
    assert await evaluated(EVENTS, size) == [
        ["a", "p:0=1", '{"x":\n"ü"}'],
        ["message", "p:0=2", "second"],
    ]


async def test_an_id_that_is_not_understood_is_forgotten_and_the_server_says_when_to_come_again(
    evaluated: Callable[..., Any],
) -> None:
    found = await evaluated(FOLLOW)
    assert found["ids"] == [None, "p:0=1", None]
    assert found["waited"] >= 400
    assert found["heard"] == ["word", "word"]


async def test_the_end_of_a_clip_is_not_that_of_one_that_was_stopped_before(evaluated: Callable[..., Any]) -> None:
    assert await evaluated(CLIPS) == ["second"]


async def test_a_camera_that_cannot_be_shown_is_let_go(evaluated: Callable[..., Any]) -> None:
    assert await evaluated(CAMERA) == ["no play", ["ended"], None]


async def test_a_source_that_is_stopped_while_it_is_away_comes_back_for_its_last_words(
    evaluated: Callable[..., Any],
) -> None:
    assert await evaluated(LAST_WORDS) == [0, 4]  # what was kept, and an end of each modality


async def test_finals_are_news_once_and_interims_while_they_are_newer(evaluated: Callable[..., Any]) -> None:
    assert await evaluated(READING) == [
        *(True, False, True, False),
        *(True, False, False, True, True),
        *(True, True),
    ]


async def test_times_have_microseconds(evaluated: Callable[..., Any]) -> None:
    assert await evaluated(TIMES) == [
        "1970-01-01T00:00:00.000000Z",
        "2026-11-24T09:57:50.009250Z",
        "1970-01-01T00:00:00.999999Z",
    ]

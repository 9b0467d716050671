"""A real browser in front of the real service: Chromium with a clip as its camera and microphone, and what it complains of."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright, expect
from scipy.signal import resample_poly

from stream import clip

FAKE_PICTURES_HZ = 30  # what Chromium plays MJPEG at
FAKE_SOUND_HZ = 48_000
READY_SECONDS = 120.0
STOP_SECONDS = 30.0
PATIENCE_MS = 90_000.0
SERIOUS = frozenset({"serious", "critical"})
RESTARTING = (
    "ERR_CONNECTION",
    "ERR_INCOMPLETE_CHUNKED",
    "ERR_EMPTY_RESPONSE",
    "status of 503",
    "WebSocket connection to",
)
WINDOWS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 860}},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True},
}

expect.set_options(timeout=PATIENCE_MS)


@dataclass(frozen=True)
class Fake:
    """Files that Chromium plays as camera and microphone, again and again."""

    pictures: Path
    sound: Path

    @property
    def arguments(self) -> list[str]:
        """Chromium's flags."""
        return [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={self.pictures}",
            f"--use-file-for-fake-audio-capture={self.sound}",
        ]


def fake_of(path: Path, folder: Path) -> Fake:
    """Write a clip as Chromium wants it."""
    fake = Fake(folder / f"{path.stem}.mjpeg", folder / f"{path.stem}.wav")
    samples = clip.samples(path)
    write_sound(fake.sound, samples)
    write_pictures(fake.pictures, [picture.jpeg for picture in clip.pictures(path)], len(samples) / clip.RATE_HZ)
    return fake


def write_pictures(path: Path, jpegs: list[bytes], seconds: float) -> None:
    """Write pictures of 25 a second so that 30 a second of them take as long."""
    count = round(seconds * FAKE_PICTURES_HZ)
    chosen = [min(len(jpegs) - 1, number * clip.MAX_PICTURES_HZ // FAKE_PICTURES_HZ) for number in range(count)]
    path.write_bytes(b"".join(jpegs[number] for number in chosen))


def write_sound(path: Path, samples: np.ndarray[tuple[int], np.dtype[np.int16]]) -> None:
    """Write samples at 16 kHz as a microphone of 48 kHz would give them."""
    finer = resample_poly(samples.astype(np.float64), FAKE_SOUND_HZ // clip.RATE_HZ, 1)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(FAKE_SOUND_HZ)
        file.writeframes(np.clip(np.rint(finer), -32_768, 32_767).astype("<i2").tobytes())


class Service:
    """`trivium serve` at an address that stays its own over a restart."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{self.address}"
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        command = [sys.executable, "-m", "stream", "serve", "--http", self.address]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env=self._environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        until = time.monotonic() + READY_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"trivium serve did not become ready: {self._log.read_text()[-2000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, whatever it does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """End it as an operator does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False


@dataclass
class Complaints:
    """What the browser's console says that it should not; policy violations are among it."""

    texts: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Note a page's complaints from now on."""
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.texts.append(f"{error}"))

    def but_for_restarts(self) -> list[str]:
        """What is left without the lost connections that the browser itself reports."""
        return [text for text in self.texts if not any(known in text for known in RESTARTING)]

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.texts.append(message.text)


def chromium() -> str:
    """Where it is."""
    found = shutil.which("chromium")
    if found is None:
        raise FileNotFoundError("chromium is not on the PATH: apt-get install chromium, or run tests/run as root")
    return found


@asynccontextmanager
async def browser(fake: Fake | None = None) -> AsyncIterator[Browser]:
    """Start Chromium."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium(), args=[] if fake is None else fake.arguments
        )
        yield started
        await started.close()


@asynccontextmanager
async def pages(started: Browser, complaints: Complaints, **options: Any) -> AsyncIterator[BrowserContext]:
    """Open a window of its own, with camera and microphone allowed."""
    context = await started.new_context(permissions=["camera", "microphone"], **options)
    context.on("page", complaints.listen)
    yield context
    await context.close()


async def lines(page: Page, of: str = "finals") -> list[str]:
    """Texts of the captions that the page shows."""
    found: list[str] = await page.eval_on_selector_all(f"#{of} .words", "all => all.map((one) => one.textContent)")
    return found


async def barriers(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds serious or critical, with the elements, and whether the page is wider than its window."""
    found = await Axe().run(page)
    serious = [one for one in found.response["violations"] if one["impact"] in SERIOUS]
    wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    named = [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious]
    return named + [("wider than the window", [])] * await page.evaluate(wider)

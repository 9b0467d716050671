"""A page's part of the conversation, by a program: sockets to a real server whose frames go to a real Kafka."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from stream import pages, server, topics, web
from stream.config import Settings
from stream.conversation import Limits, Wanted
from stream.frame import Modality
from stream.health import Health
from stream.ingress import Ingress
from stream.publish import Counts, ModalityResult, Model, Prediction, Times, Word
from stream.server import PatientSocket
from stream.structured import SUBPROTOCOL
from stream.times import format_rfc3339

WAIT_SECONDS = 60.0
WANTED = Wanted(tick_ms=40.0, rate_hz=16_000)


@asynccontextmanager
async def served(
    settings: Settings, limits: Limits | None = None, socket_protocol: type[PatientSocket] = PatientSocket
) -> AsyncIterator[tuple[Ingress, str]]:
    """Serve the application; pages are let in by `ingress.open`. The address has no scheme."""
    ingress = Ingress(settings, limits)
    app = web.app(settings, Health(), [ingress.routes(), pages.routes()])
    with server.listen("127.0.0.1:0") as listener:
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.serve(app, listener, settings, socket_protocol=socket_protocol))
            yield ingress, f"127.0.0.1:{listener.getsockname()[1]}"
            serving.cancel()


@asynccontextmanager
async def letting_in(settings: Settings) -> AsyncIterator[str]:
    """Serve it, with Kafka behind."""
    await topics.prepare(settings)
    async with served(settings) as (ingress, address), ingress.open(WANTED):
        yield address


@asynccontextmanager
async def page(address: str, session: str = "somebody", max_queue: int = 16) -> AsyncIterator[ClientConnection]:
    """Connect as a page does."""
    url = f"ws://{address}/sessions/{session}/frames"
    async with connect(url, subprotocols=[Subprotocol(SUBPROTOCOL)], compression=None, max_queue=max_queue) as socket:
        yield socket


async def heard(socket: ClientConnection, kind: str) -> dict[str, Any]:
    """The data of the next event of that kind; others are passed over."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            event = json.loads(await socket.recv())
            if event["type"] == f"trivium.{kind}.v1":
                data: dict[str, Any] = event["data"]
                return data


def sound(number: int, **change: object) -> str:
    """One frame of sound as a message; `change` replaces attributes."""
    event = {
        "specversion": "1.0",
        "id": f"audio-{number}",
        "source": "/live",
        "type": "trivium.frame.v1",
        "time": format_rfc3339(time.time_ns()),
        "sequence": f"{number:010}",
        "datacontenttype": "audio/L16;rate=16000;channels=1",
        "data_base64": base64.b64encode(number.to_bytes(2, "big") * 640).decode(),
    }
    return json.dumps({**event, **change})


def clock(origin_ms: object) -> str:
    """Ask for the time."""
    event = {"specversion": "1.0", "id": "clock", "source": "/live", "type": "trivium.clock.v1"}
    return json.dumps({**event, "data": {"origin_ms": origin_ms}})


def now_ms() -> float:
    """The time, as results have it."""
    return round(time.time_ns() / 1e6, 3)


def prediction(session: str, start_ms: float, text: str, *, final: bool) -> Prediction:
    """A result as the service would publish it now."""
    words = text.split()
    gave = ModalityResult(status="present", counts=Counts(present=3), weight=0.5, frames=40, late=0, lost=0)
    idle = ModalityResult(status="idle", counts=Counts(idle=3), weight=0, frames=0, late=0, lost=0)
    return Prediction(
        session=session,
        segment=start_ms,
        revision=1,
        epoch=1,
        is_final=final,
        stability=1.0,
        start_ms=start_ms,
        end_ms=start_ms + 300 * len(words),
        task="speech",
        text=text,
        words=[
            Word(
                word=word, start_ms=start_ms + 300 * place, end_ms=start_ms + 300 * place + 250, confidence=sure(place)
            )
            for place, word in enumerate(words)
        ],
        confidence=0.9,
        modalities={Modality.AUDIO: gave, Modality.VIDEO: gave, Modality.TEXT: idle},
        skew_ms=-12.0,
        model=Model(name="speech", version="1.3.0", digest="sha256:0"),
        provider="cpu",
        batch=1,
        times=Times(**dict.fromkeys(Times.model_fields, now_ms())),
        inputs=[],
    )


def sure(place: int) -> float:
    """Every third word is doubtful."""
    return 0.4 if place % 3 == 2 else 0.97

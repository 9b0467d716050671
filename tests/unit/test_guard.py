"""Who may come in over HTTP: by host, by origin, by token and by cookie; and what answers tell browsers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

from stream import web
from stream.config import Settings
from stream.errors import ConfigError
from stream.guard import Guard
from stream.health import Health
from stream.secret import COOKIE_SECONDS, Secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from starlette.requests import Request
    from starlette.websockets import WebSocket

TOKEN = "0123456789abcdef0123"  # noqa: S105 - a test's own
LOOPBACK = "127.0.0.1:8383"
ANYWHERE = "0.0.0.0:8383"


async def page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("a page")


async def frames(socket: WebSocket) -> None:
    await socket.accept()
    await socket.send_text("welcome")
    await socket.close()


PARTS = [[Route("/page", page, methods=["GET", "POST"]), WebSocketRoute("/frames", frames)]]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def guarded(**settings: object) -> Guard:
    return web.app(Settings.load(None, {}, **settings), Health(), PARTS)


def client(host: str = "localhost:8383", **settings: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(guarded(**settings)), base_url=f"http://{host}")


async def said_by_socket(app: Guard, **headers: str) -> list[str]:
    """What a WebSocket is told, its close at the end."""
    told: list[Any] = []
    scope = {
        "type": "websocket",
        "path": "/frames",
        "raw_path": b"/frames",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in {"host": "localhost:8383", **headers}.items()],
        "subprotocols": [],
        "state": {},
    }

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        told.append(message)

    await app(scope, receive, send)
    return [message.get("text") or message["type"].removeprefix("websocket.") for message in told]


async def test_on_loopback_nobody_is_asked_for_a_token() -> None:
    assert (await client().get("/page")).text == "a page"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8383", "[::1]:8383", "LOCALHOST:1"])
async def test_on_loopback_every_name_of_loopback_is_served(host: str) -> None:
    assert (await client().get("/page", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:8383", "10.0.0.1", "[::2]:8383", ""])
async def test_on_loopback_a_foreign_name_that_points_here_is_refused(host: str) -> None:
    assert (await client().get("/page", headers={"host": host})).status_code == 421


async def test_a_name_that_is_set_is_served_on_loopback_too() -> None:
    proxied = client(http_hosts="captions.example, other.example")
    assert (await proxied.get("/page", headers={"host": "captions.example"})).status_code == 200


async def test_probes_are_answered_under_any_name_and_without_a_token(token_file: Path) -> None:
    probed = client("10.0.0.7", http=ANYWHERE, http_token_file=token_file, http_hosts="captions.example")
    assert (await probed.get("/livez")).status_code == 200
    assert (await probed.get("/readyz")).status_code == 503


@pytest.mark.parametrize("path", ["/page", "/metrics", "/nothing"])
async def test_where_there_is_a_token_nothing_is_told_without_it(token_file: Path, path: str) -> None:
    answer = await client(http=ANYWHERE, http_token_file=token_file).get(path)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer TOKEN" in answer.text


@pytest.mark.parametrize("given", [TOKEN[:-1], TOKEN + "0", "", "é"])
async def test_another_token_opens_nothing(token_file: Path, given: str) -> None:
    headers = [(b"authorization", f"Bearer {given}".encode())]
    assert (await client(http=ANYWHERE, http_token_file=token_file).get("/page", headers=headers)).status_code == 401


async def test_the_token_opens_every_page(token_file: Path) -> None:
    program = client(http=ANYWHERE, http_token_file=token_file)
    assert (await program.get("/page", headers={"authorization": f"Bearer {TOKEN}"})).text == "a page"


async def test_a_browser_without_the_token_is_led_to_the_form_and_back(token_file: Path) -> None:
    browser = client(http=ANYWHERE, http_token_file=token_file)
    away = await browser.get("/page?a=b", headers={"accept": "text/html,*/*"})
    assert (away.status_code, away.headers["location"]) == (303, "/login?next=%2Fpage%3Fa%3Db")
    assert '<form method="post" action="/login?next=/page">' in (await browser.get("/login?next=/page")).text
    back = await browser.post("/login?next=/page", data={"token": TOKEN})
    assert (back.status_code, back.headers["location"]) == (303, "/page")
    assert {"HttpOnly", "SameSite=strict"} <= {*back.headers["set-cookie"].split("; ")}
    assert (await browser.get("/page")).text == "a page"


async def test_a_body_whose_length_is_not_told_is_refused(token_file: Path) -> None:
    browser = client(http=ANYWHERE, http_token_file=token_file)

    async def parts() -> AsyncIterator[bytes]:
        yield b"x"

    answer = await browser.post("/page", content=parts(), headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 411


async def test_behind_a_proxy_with_tls_the_cookie_is_for_tls_alone(token_file: Path) -> None:
    browser = client(http=ANYWHERE, http_token_file=token_file)
    answer = await browser.post(
        "/login", data={"token": TOKEN}, headers={"origin": str(browser.base_url).replace("http:", "https:")}
    )
    assert answer.status_code == 303
    assert "Secure" in answer.headers["set-cookie"].split("; ")


async def test_an_origin_that_is_no_address_is_another(token_file: Path) -> None:
    browser = client(http=ANYWHERE, http_token_file=token_file)
    headers = {"origin": "http://[", "authorization": f"Bearer {TOKEN}"}
    assert (await browser.get("/page", headers=headers)).status_code == 403


async def test_a_wrong_token_in_the_form_sets_no_cookie(token_file: Path) -> None:
    browser = client(http=ANYWHERE, http_token_file=token_file)
    answer = await browser.post("/login", data={"token": "wrong"})
    assert (answer.status_code, answer.headers.get("set-cookie")) == (403, None)


@pytest.mark.parametrize("onward", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a%0d%0ab"])
async def test_the_form_leads_to_pages_of_ours_only(token_file: Path, onward: str) -> None:
    browser = client(http=ANYWHERE, http_token_file=token_file)
    assert (await browser.post(f"/login?next={onward}", data={"token": TOKEN})).headers["location"] == "/"


async def test_what_leads_on_from_the_form_is_written_as_text(token_file: Path) -> None:
    answer = await client(http=ANYWHERE, http_token_file=token_file).get('/login?next=/"><script>')
    assert "<script>" not in answer.text


async def test_a_form_that_is_too_long_is_refused(token_file: Path) -> None:
    program = client(http=ANYWHERE, http_token_file=token_file)
    assert (await program.post("/login", data={"token": "x" * 5000})).status_code == 403
    assert (await program.post("/login", data={"token": "x" * 70_000})).status_code == 413


def test_a_cookie_holds_for_its_time_and_no_longer() -> None:
    cookie = Secret(TOKEN).cookie(1000)
    assert Secret(TOKEN).is_cookie(cookie, 1000 + COOKIE_SECONDS - 1)
    assert not Secret(TOKEN).is_cookie(cookie, 1000 + COOKIE_SECONDS)


@pytest.mark.parametrize("forged", ["", ".", "9999999999.", "9999999999.00", "x.y"])
def test_a_cookie_that_is_not_signed_opens_nothing(forged: str) -> None:
    assert not Secret(TOKEN).is_cookie(forged, time.time())


def test_a_cookie_of_another_token_opens_nothing() -> None:
    assert not Secret(TOKEN).is_cookie(Secret("another" * 3).cookie(0), 1)


@pytest.mark.parametrize("content", ["", "short", "with space 0123456789", "é" * 20])
def test_a_file_that_holds_no_token_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(ConfigError, match="http_token_file: ") as raised:
        Secret.read(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:1", "", "http://localhost:8383.evil"]
)
async def test_a_page_of_another_origin_reaches_neither_pages_nor_sockets(origin: str) -> None:
    foreign = client()
    assert (await foreign.get("/page", headers={"origin": origin})).status_code == 403
    assert (await foreign.post("/page", headers={"origin": origin})).status_code == 403
    assert await said_by_socket(guarded(), origin=origin) == ["close"]


async def test_a_page_of_ours_reaches_its_socket() -> None:
    assert await said_by_socket(guarded(), origin="http://localhost:8383") == ["accept", "welcome", "close"]


async def test_a_program_reaches_a_socket_without_an_origin_but_not_without_the_token(token_file: Path) -> None:
    app = guarded(http=ANYWHERE, http_token_file=token_file)
    assert await said_by_socket(app) == ["close"]
    assert await said_by_socket(app, authorization=f"Bearer {TOKEN}") == ["accept", "welcome", "close"]


async def test_a_page_that_is_logged_in_reaches_its_socket_by_cookie(token_file: Path) -> None:
    app = guarded(http=ANYWHERE, http_token_file=token_file)
    cookie = f"trivium={Secret(TOKEN).cookie(time.time())}"
    assert await said_by_socket(app, origin="http://localhost:8383", cookie=cookie) == ["accept", "welcome", "close"]


@pytest.mark.parametrize("path", ["/page", "/livez", "/login", "/nothing"])
async def test_every_answer_forbids_what_the_pages_do_not_need(token_file: Path, path: str) -> None:
    for answer in (await client().get(path), await client(http=ANYWHERE, http_token_file=token_file).get(path)):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"

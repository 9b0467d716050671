"""The pages as files: all that they name is there, nothing makes HTML of a string, and nothing else is served."""

from __future__ import annotations

import re
import time
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette

from stream import pages

HTML = sorted(pages.FOLDER.glob("*.html"))
SCRIPTS = sorted((pages.FOLDER / "assets").glob("*.js"))
MAKES_HTML = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function")


async def get(path: str) -> httpx.Response:
    transport = httpx.ASGITransport(Starlette(routes=pages.routes()))
    async with httpx.AsyncClient(transport=transport, base_url="http://trivium") as client:
        return await client.get(path)


def named_in(page: Path) -> list[str]:
    return re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.read_text())


@pytest.mark.parametrize("path", ["/", "/live", "/sessions/kitchen", "/sessions/with%2Fa%2Fslash"])
async def test_each_page_is_html_that_is_asked_for_anew(path: str) -> None:
    answer = await get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("page", HTML, ids=lambda path: path.name)
async def test_all_that_a_page_names_is_served_as_what_it_is(page: Path) -> None:
    kinds = {".js": "javascript", ".css": "text/css", ".svg": "image/svg+xml"}
    named = named_in(page)
    assert named
    for path in named:
        answer = await get(path)
        assert answer.status_code == 200
        assert kinds[Path(path).suffix] in answer.headers["content-type"]
        assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("page", HTML, ids=lambda path: path.name)
def test_no_page_has_scripts_styles_or_handlers_in_its_text(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"<script\b[^>]*>([^<]*)</script>", text) == [""]
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_makes_html_of_a_string_and_all_that_it_imports_is_there(script: Path) -> None:
    text = script.read_text()
    assert not MAKES_HTML.search(text)
    for name in re.findall(r"from '([^']+)'", text):
        assert (script.parent / name).is_file()


@pytest.mark.parametrize("path", ["/assets/../live.html", "/assets/%2e%2e/live.html", "/assets/nothing.js", "/assets/"])
async def test_nothing_but_the_pages_own_files_is_served(path: str) -> None:
    assert (await get(path)).status_code in {404, 405}


async def test_the_clock_tells_when_it_was_asked_and_when_it_answers() -> None:
    before_ms = time.time_ns() / 1e6
    told = (await get("/clock")).json()
    assert before_ms - 0.001 <= told["receive_ms"] <= told["transmit_ms"] <= time.time_ns() / 1e6 + 0.001

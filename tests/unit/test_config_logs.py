"""The log's two formats: what people read, what programs read."""

from __future__ import annotations

import io
import json
import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from stream import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def logged(log_format: Literal["text", "json"]) -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    output = io.StringIO()
    logs.set_up(log_format, output)
    try:
        yield output
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)


def test_text_says_when_how_grave_who_what_and_with_which_values() -> None:
    with logged("text") as output:
        logging.getLogger("stream.lane").info("took over from %s", "worker 1", extra={"lane": 3})
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO stream\.lane: took over from worker 1 lane=3\n",
        output.getvalue(),
    )


def test_json_is_one_object_a_line_with_the_values_beside_the_message() -> None:
    with logged("json") as output:
        logging.getLogger("stream.lane").warning("slow\nbroker", extra={"lane": 3})
    (line,) = output.getvalue().splitlines()
    said = json.loads(line)
    assert said.pop("time").endswith("Z")
    assert said == {"level": "warning", "logger": "stream.lane", "message": "slow\nbroker", "lane": 3}


def test_json_holds_a_traceback_in_the_same_line() -> None:
    with logged("json") as output:
        try:
            int("odd")
        except ValueError:
            logging.getLogger("stream.lane").exception("failed")
    (line,) = output.getvalue().splitlines()
    assert "ValueError: invalid" in json.loads(line)["exception"]


def test_other_libraries_are_heard_from_warning_on() -> None:
    with logged("text") as output:
        logging.getLogger("aiokafka.conn").info("chatter")
        logging.getLogger("aiokafka.conn").warning("trouble")
    assert "chatter" not in output.getvalue()
    assert "WARNING aiokafka.conn: trouble" in output.getvalue()

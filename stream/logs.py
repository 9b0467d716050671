"""The log: one line an event on standard error, for people (`text`) or for programs (`json`)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal, TextIO

import orjson

OURS = ("stream", "models")  # told from INFO on; everybody else from WARNING on
SELDOM_SECONDS = 60.0
STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def set_up(log_format: Literal["text", "json"], output: TextIO | None = None) -> None:
    """Send all logging to `output`, standard error unless given; what was set up before is replaced."""
    handler = logging.StreamHandler(output or sys.stderr)
    handler.setFormatter(JsonLine() if log_format == "json" else TextLine())
    handler.addFilter(Seldom())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)


class Seldom(logging.Filter):
    """Lets what another library says pass once a minute: a client that tries again says so at every attempt."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._told: dict[str, float] = {}  # by the message before its arguments are put in

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is ours, or news."""
        if record.name.startswith(OURS):
            return True
        now, template = self._clock(), str(record.msg)
        told = self._told.get(template)
        if told is not None and now - told < SELDOM_SECONDS:
            return False
        self._told[template] = now
        return True


class TextLine(logging.Formatter):
    """`2026-11-24T12:00:00.000Z INFO stream.service: ready lane=3`, a traceback below where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        """Put time, level and logger before the message, and what `extra=` gave behind."""
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        return f"{_time(record)} {record.levelname} {record.name}: {record.getMessage()}{extra}"


class JsonLine(logging.Formatter):
    """An object with `time`, `level`, `logger`, `message`, what `extra=` gave, and `exception` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one object on one line, a traceback inside."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        } | _extra(record)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extra(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in STANDARD}

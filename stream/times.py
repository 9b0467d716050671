"""RFC 3339 and milliseconds on the outside, integer nanoseconds since the Unix epoch inside.

The standard library cuts nine digits to six and refuses lower-case letters, so this is written out.
Each second is parsed once: the frames of a live session differ in their fractions only. Times as `format_rfc3339` writes
them are a lookup and nine digits; any other goes the long way, which alone knows the rules.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

NS_PER_SECOND = 1_000_000_000
NS_PER_MS = 1_000_000
MAX_NS = 2**63 - 1  # 2262-04-11T23:47:16.854775807Z

_SECONDS_PER_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UP_TO_SECONDS = re.compile(rb"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)")
_OFFSET = re.compile(rb"([+-])([01]\d|2[0-3]):([0-5]\d)")
_SECONDS_END = len("1970-01-01T00:00:00")
_OFFSET_LENGTH = len("+00:00")
_FRACTION_AT = len("1970-01-01T00:00:00.")
_Z_AT = len("1970-01-01T00:00:00.123456789")
_FULL = _Z_AT + len("Z")
_Z = ord("Z")
_SHORTEST = _SECONDS_END + len("Z")
_LONGEST = _SECONDS_END + len(".123456789") + _OFFSET_LENGTH


def parse_rfc3339(text: bytes) -> int:
    """Nanoseconds since the epoch; may lie before it or beyond 64 bits.

    A leap second, 23:59:60 UTC at a month's end, is read as POSIX does: as the first second of the next day.

    Raises
    ------
    ValueError
        For whatever RFC 3339 does not allow, and for more than nine digits of a second.
    """
    if len(text) == _FULL and text[_Z_AT] == _Z:
        begun_ns, digits = _begun_ns(text[:_FRACTION_AT]), text[_FRACTION_AT:_Z_AT]
        if begun_ns is not None and digits.isdigit():
            return begun_ns + int(digits)
    return _any_ns(text)


def _any_ns(text: bytes) -> int:
    """A time in any spelling."""
    if not _SHORTEST <= len(text) <= _LONGEST:
        raise ValueError(f"{text[:_LONGEST]!r} has {len(text)} bytes, {_SHORTEST} to {_LONGEST} are possible")
    seconds = _seconds(text[:_SECONDS_END])
    if text[-1] in b"Zz":
        fraction = text[_SECONDS_END:-1]
    else:
        seconds -= _offset_seconds(text[-_OFFSET_LENGTH:])
        fraction = text[_SECONDS_END:-_OFFSET_LENGTH]
    if text[17:19] == b"60":
        _check_leap_second(seconds)
    return seconds * NS_PER_SECOND + (_fraction_ns(fraction) if fraction else 0)


def format_rfc3339(time_ns: int) -> str:
    """UTC with nine digits, so that equal times are equal bytes; from 1970 to the end of 64 bits."""
    seconds, fraction_ns = divmod(time_ns, NS_PER_SECOND)
    return f"{_second_text(seconds)}.{fraction_ns:09d}Z"


def to_ms(time_ns: int) -> float:
    """Milliseconds with at most three decimals, which a JSON number holds exactly enough to come back."""
    return (time_ns + 500) // 1000 / 1000


def from_ms(time_ms: float) -> int:
    """Nanoseconds of what `to_ms` gave, to the microsecond."""
    return round(time_ms * 1000) * 1000


@lru_cache(maxsize=4096)
def _begun_ns(text: bytes) -> int | None:
    """When the second began whose fraction would follow on `text`; None if none can."""
    with suppress(ValueError):
        return _any_ns(text + b"0Z")
    return None


@lru_cache(maxsize=4096)
def _seconds(text: bytes) -> int:
    found = _UP_TO_SECONDS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not of the form YYYY-MM-DDTHH:MM:SS")
    year, month, day, hour, minute, second = map(int, found.groups())
    # The 60th second of a minute is the 59th and one more: the calendar knows no leap seconds.
    leap = second == 60
    moment = datetime(year, month, day, hour, minute, 59 if leap else second, tzinfo=UTC) - _EPOCH
    return moment.days * _SECONDS_PER_DAY + moment.seconds + leap


@lru_cache(maxsize=256)
def _offset_seconds(text: bytes) -> int:
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise ValueError(f"it ends in {text!r}, neither Z nor an offset of the form +HH:MM")
    sign, hours, minutes = found.groups()
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if sign == b"-" else seconds


def _fraction_ns(text: bytes) -> int:
    digits = text[1:]
    if text[0] != ord(".") or not digits.isdigit() or len(digits) > 9:
        raise ValueError(f"{text!r} stands for a second's fraction, a point and 1 to 9 digits were expected")
    return int(digits.ljust(9, b"0"))


def _check_leap_second(seconds: int) -> None:
    days, past_midnight = divmod(seconds, _SECONDS_PER_DAY)
    if past_midnight or date.fromordinal(_EPOCH.toordinal() + days).day != 1:
        raise ValueError("second 60 exists only at 23:59:60 UTC on a month's last day")


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")

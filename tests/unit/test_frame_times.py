from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.times import MAX_NS, NS_PER_SECOND, format_rfc3339, from_ms, parse_rfc3339, to_ms

NOON_2026 = 1_772_366_400 * NS_PER_SECOND  # 2026-03-01T12:00:00Z
YEAR_2200_NS = 7_258_118_400 * NS_PER_SECOND

ODD_BUT_VALID = {
    b"2026-03-01T12:00:00Z": NOON_2026,
    b"2026-03-01t12:00:00z": NOON_2026,
    b"2026-03-01T12:00:00.5Z": NOON_2026 + 500_000_000,
    b"2026-03-01T12:00:00.000000001Z": NOON_2026 + 1,
    b"2026-03-01T12:00:00.999999999z": NOON_2026 + 999_999_999,
    b"2026-03-01T12:00:00-00:00": NOON_2026,
    b"2026-03-01T17:45:00.25+05:45": NOON_2026 + 250_000_000,
    b"2026-02-28T12:01:00-23:59": NOON_2026,
    b"2026-03-02T11:59:00.123456789+23:59": NOON_2026 + 123_456_789,
    b"2024-02-29T00:00:00Z": 1_709_164_800 * NS_PER_SECOND,
    b"1970-01-01T00:00:00Z": 0,
    b"1969-12-31T23:00:00-01:00": 0,
    b"2262-04-11T23:47:16.854775807Z": MAX_NS,
    b"2016-12-31T23:59:60Z": 1_483_228_800 * NS_PER_SECOND,
    b"2016-12-31T23:59:60.123456789Z": 1_483_228_800 * NS_PER_SECOND + 123_456_789,
    b"2016-12-31T23:59:60.75Z": 1_483_228_800 * NS_PER_SECOND + 750_000_000,
    b"1990-12-31T15:59:60-08:00": 662_688_000 * NS_PER_SECOND,
    b"2017-01-01T05:29:60+05:30": 1_483_228_800 * NS_PER_SECOND,
}

MALFORMED = [
    b"",
    b"yesterday",
    b"1772366400",
    b"2026-03-01",
    b"2026-03-01T12:00:00",
    b"2026-03-01 12:00:00Z",
    b"2026-03-01T12:00Z",
    b"2026-03-01T12:00:00,5Z",
    b"2026-03-01T12:00:00.Z",
    b"2026-03-01T12:00:00.1234567890Z",
    b"2026-03-01T12:00:00.12x4Z",
    b"2026-03-01T12:00:00.-5Z",
    b"2026-03-01T12:00:00.1_0Z",
    b"2026-03-01T12:00:00 Z",
    b" 2026-03-01T12:00:00Z",
    b"2026-03-01T12:00:00Z\n",
    b"2026-03-01T12:00:00ZZ",
    b"2026-03-01T12:00:00Z+01:00",
    b"2026-03-01T12:00:00+0100",
    b"2026-03-01T12:00:00+01",
    b"2026-03-01T12:00:00+24:00",
    b"2026-03-01T12:00:00+01:60",
    b"2026-03-01T12:00:00~01:00",
    b"2026-03-01T24:00:00Z",
    b"2026-03-01T12:60:00Z",
    b"2026-03-01T12:00:61Z",
    b"2026-02-29T12:00:00Z",
    b"2026-13-01T12:00:00Z",
    b"2026-00-01T12:00:00Z",
    b"0000-01-01T00:00:00Z",
    b"+026-03-01T12:00:00Z",
    b"2026-3-01T12:00:00.0Z",
    "2026-03-01T12:00:0\u0663Z".encode(),
    b"2026-03-01T12:00:00.\xff\xffZ",
    b"2026-03-01 12:00:00.123456789Z",
    b"2026-03-01T12:00:00,123456789Z",
    b"2026-03-01T12:00:00+123456789Z",
    b"2026-03-01T12:00:00.+12345678Z",
    b"2026-03-01T12:00:00.1234_6789Z",
    b"2026-03-01T12:00:00.12345678 Z",
    b"2026-03-01T12:00:61.123456789Z",
    b"2026-02-29T12:00:00.123456789Z",
    b"2016-12-30T23:59:60.123456789Z",
    b"2016-12-31T12:00:60Z",
    b"2016-12-30T23:59:60Z",
    b"2016-12-31T23:59:60+01:00",
    b"9999-12-31T23:59:60Z",
    b"0001-01-01T00:00:60+00:02",
]


@pytest.mark.parametrize(("text", "expected_ns"), ODD_BUT_VALID.items())
def test_an_odd_but_valid_time_is_read_to_the_nanosecond(text: bytes, expected_ns: int) -> None:
    assert parse_rfc3339(text) == expected_ns


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_time_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_rfc3339(text)


def test_a_time_that_is_nearly_as_we_write_it_is_refused_for_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match=r"12345678x.* stands for a second's fraction"):
        parse_rfc3339(b"2026-03-01T12:00:00.12345678xZ")
    with pytest.raises(ValueError, match=r"'2026-03-01 12:00:00' is not of the form"):
        parse_rfc3339(b"2026-03-01 12:00:00.123456789Z")


@given(st.integers(0, MAX_NS))
def test_every_time_that_is_written_is_read_as_the_same(time_ns: int) -> None:
    assert parse_rfc3339(format_rfc3339(time_ns).encode()) == time_ns


@given(
    st.datetimes(datetime(1970, 1, 3), datetime(2262, 1, 1)),  # noqa: DTZ001
    st.integers(-1439, 1439),
)
def test_any_offset_names_the_instant_that_the_calendar_says(local: datetime, offset_minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset_minutes)))
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    assert parse_rfc3339(moment.isoformat().encode()) == since_epoch // timedelta(microseconds=1) * 1000


@given(st.binary(max_size=40))
def test_any_bytes_are_a_time_or_refused(text: bytes) -> None:
    with suppress(ValueError):
        assert isinstance(parse_rfc3339(text), int)


def test_a_time_before_the_epoch_is_read_as_negative() -> None:
    assert parse_rfc3339(b"1969-12-31T23:59:59.999999999Z") == -1


def test_equal_times_are_written_with_equal_bytes() -> None:
    assert format_rfc3339(NOON_2026) == "2026-03-01T12:00:00.000000000Z"


@given(st.integers(0, YEAR_2200_NS))
def test_milliseconds_keep_the_microsecond_and_have_at_most_three_decimals(time_ns: int) -> None:
    time_ms = to_ms(time_ns)
    assert abs(from_ms(time_ms) - time_ns) <= 500
    assert len(repr(time_ms).partition(".")[2]) <= 3

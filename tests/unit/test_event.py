"""A record as subscribers get it."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from stream.event import Event, Kind, event_of, notice
from stream.publish import Prediction, SessionRecord, prediction_record, session_record
from tests.watching import final, prediction, started

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def made(message: Prediction | SessionRecord, traceparent: str | None = None) -> Event:
    if isinstance(message, Prediction):
        record = prediction_record(message, "predictions", 3, "/trivium/test", traceparent)
    else:
        record = session_record(message, "predictions", 3, "/trivium/test", traceparent)
    record.offset = 17
    return event_of(record, message, 5.0)


def test_a_prediction_is_one_cloud_event_on_one_line() -> None:
    event = made(final("kitchen", 0, "lay green"), TRACE)
    first, second, rest = event.body.split(b"\n")
    assert (first, rest) == (b"event: trivium.prediction.v1", b"")
    cloud_event = orjson.loads(second.removeprefix(b"data: "))
    assert cloud_event.pop("data") == final("kitchen", 0, "lay green").model_dump(mode="json")
    assert len(cloud_event.pop("id")) == 32
    assert cloud_event == {
        "specversion": "1.0",
        "source": "/trivium/test",
        "type": "trivium.prediction.v1",
        "time": "2026-11-24T09:57:50.080000000Z",
        "datacontenttype": "application/json",
        "traceparent": TRACE,
    }


def test_an_event_knows_what_it_is_and_where_it_was() -> None:
    assert [made(one).kind for one in (prediction("a", 0, "x"), final("a", 0), started("a"))] == [
        Kind.INTERIM,
        Kind.FINAL,
        Kind.SESSION,
    ]
    event = made(started("a"))
    assert (event.partition, event.offset, event.session, event.task) == (3, 17, "a", None)
    assert made(final("a", 0)).task == "speech"


@given(st.text())
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    body = made(final("a", 0, text or "x")).body
    assert body.count(b"\n") == 2
    assert b"\r" not in body
    line = body.split(b"\n")[1].removeprefix(b"data: ")
    assert orjson.loads(line)["data"]["text"] == (text or "x")


def test_a_notice_is_a_cloud_event_too() -> None:
    body = notice("trivium.gap.v1", "/trivium/test", "7", 0, {"reason": "reset"})
    assert body == (
        b"event: trivium.gap.v1\n"
        b'data: {"specversion":"1.0","id":"7","source":"/trivium/test","type":"trivium.gap.v1",'
        b'"time":"1970-01-01T00:00:00.000000000Z","datacontenttype":"application/json","data":{"reason":"reset"}}\n'
    )

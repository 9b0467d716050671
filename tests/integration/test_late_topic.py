"""Frames that come after their final, on a real broker: each is found in the topic `late`, as it was, with how late it came."""

from __future__ import annotations

from dataclasses import replace

from stream import topics
from stream.frame import Frame, Record
from tests.echo import FRAME_MS, sound, unseen
from tests.echo_service import ended, finals, read_until, results_until, running, settings_of, source

SAID = "hello.........you........."


async def test_a_late_frame_goes_to_its_topic_and_changes_no_final(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    items = [*unseen("a"), *sound("a", SAID)]
    sounds = [item for item in items if isinstance(item, Frame)][1:]
    again = [replace(frame, payload=frame.payload[:-2], sequence=place) for place, frame in enumerate(sounds[:3])]
    async with source(settings) as live:
        async with running(settings):
            await live.send(*items[:-1])
            await results_until(settings, lambda found: "h e l l o" in finals(found))
            await live.send(*again)
            late = await read_until(settings, topics.LATE, lambda found: len(found) >= len(again))
            await live.send(items[-1])
            results = await results_until(settings, lambda found: bool(ended(found)))
        async with running(settings):  # everything is committed: nothing is told again
            pass
        told = await read_until(settings, topics.LATE, lambda found: len(found) >= len(again))
    assert finals(results) == ["h e l l o", "y o u"]
    assert [one.value for one in late] == [frame.payload for frame in again]
    assert {one.key for one in late} == {b"a"}
    assert len(told) == len(late)
    assert [header(one, "trivium_offset") for one in late] == [str(len(SAID) + place) for place in range(len(again))]
    assert {(header(one, "trivium_topic"), header(one, "trivium_partition")) for one in late} == {
        (f"{topic_prefix}audio", "0")
    }
    assert [header(one, "ce_sequence") for one in late] == [f"{place:010}" for place in range(len(again))]
    for place, one in enumerate(late):
        assert int(header(one, "trivium_late_ms")) >= (len(SAID) - 1 - place) * FRAME_MS


def header(record: Record, name: str) -> str:
    return dict(record.headers)[name].decode()

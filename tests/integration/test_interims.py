"""Interims are never waited for: of what a slow broker has not acknowledged yet there is never more than a bound."""

from __future__ import annotations

from stream import clients, metrics, topics
from stream.outlet import MOST_SHOWN_BYTES, Outlet
from stream.overload import Step
from stream.publish import Prediction, read_result
from stream.results import Result
from tests.echo_service import read_until, settings_of
from tests.watching import prediction


async def test_interims_beyond_what_may_be_under_way_are_left_out_and_counted(broker: str, topic_prefix: str) -> None:
    settings = settings_of(broker, topic_prefix)
    await topics.prepare(settings)
    interims = [Result(prediction("talk", 0, "word " * 200, revision=number), 0) for number in range(1, 400)]
    before = left_out()
    async with clients.producer(settings) as producer:
        outlet = Outlet(settings, 0, producer)
        outlet.show(interims[0])
        await read_until(settings, topics.PREDICTIONS, lambda found: len(found) == 1)  # connected: nothing else waits
        for interim in interims[1:]:
            outlet.show(interim)
        shown = await read_until(
            settings, topics.PREDICTIONS, lambda found: len(found) == len(interims) - (left_out() - before)
        )
    assert left_out() > before
    assert sum(len(one.value or b"") for one in shown[1:]) <= MOST_SHOWN_BYTES
    revisions = [one.revision for one in map(read_result, shown) if isinstance(one, Prediction)]
    assert revisions == sorted(set(revisions))


def left_out() -> int:
    value = metrics.REGISTRY.get_sample_value("trivium_degraded_total", {"step": Step.INTERIMS})
    return int(value or 0)

"""Ready only while Kafka answers."""

import asyncio
from typing import Any, cast

from stream.health import Health
from stream.service import SILENT_SECONDS, Lanes


class Unanswered:
    """Stands for an owner and its inlet: how long ago a fetch of its lane was answered."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.inlet = self

    def unanswered_seconds(self) -> float | None:
        return self.seconds


def lanes_of(health: Health, *owners: Unanswered) -> Lanes:
    lanes = Lanes(cast("Any", None), cast("Any", None), cast("asyncio.TaskGroup", None), health, cast("Any", None))
    lanes._owners = cast("Any", dict(enumerate(owners)))
    health.clear("start")
    return lanes


def test_a_broker_that_answers_nobody_takes_readiness_away_and_gives_it_back() -> None:
    health, owner = Health(), Unanswered(SILENT_SECONDS + 1)
    lanes = lanes_of(health, owner)
    lanes._look_at_broker()
    assert "Kafka has answered nothing for 6 s" in health.reasons["kafka"]
    owner.seconds = 0.1
    lanes._look_at_broker()
    assert health.ready


def test_one_lane_that_is_answered_is_enough() -> None:
    health = Health()
    lanes_of(health, Unanswered(60.0), Unanswered(0.2))._look_at_broker()
    assert health.ready


def test_lanes_that_wait_for_no_answer_say_nothing_of_the_broker() -> None:
    health = Health()
    lanes_of(health, Unanswered(None))._look_at_broker()
    assert health.ready

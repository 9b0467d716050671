"""The failure drills in short: real workers are killed while real sources talk."""

from __future__ import annotations

import pytest

from tests.drilling import worker_killed
from tests.drilling.stage import Order


@pytest.mark.timeout(400)
def test_five_kills_of_a_worker_lose_double_and_change_no_final(broker: str) -> None:
    outcome = worker_killed.drill(broker, Order(kills=5, copies=2, clips=3))
    assert outcome.verdict.faults() == {}
    assert outcome.act.events == 5
    assert outcome.verdict.alike > outcome.sessions  # several finals a session

"""Ten thousand random orders of arrival within the bounds: the hops are those of the order of capture."""

from __future__ import annotations

from random import Random

import pytest

from stream.hop import Hop
from tests.orders import MOST_DELAY_MS, Script, arrived, content

SESSIONS, ORDERS = 20, 500


@pytest.mark.parametrize("seed", range(SESSIONS))
def test_ten_thousand_random_arrival_orders_give_identical_hops(seed: int) -> None:
    random = Random(seed)
    frames = Script.drawn(random).everything()
    in_order = arrived(frames, random, 0)
    assert sum(isinstance(event, Hop) for event in in_order) >= 4
    wanted = content(in_order)
    for _ in range(ORDERS):
        assert content(arrived(frames, random, MOST_DELAY_MS)) == wanted

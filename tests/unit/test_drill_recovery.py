"""How long a drill's recovery took is told where somebody had something to say, and no slow one is left out."""

from __future__ import annotations

import pytest

from stream.publish import Prediction
from tests.drilling.recovery import Recovery, recoveries
from tests.drilling.told import Told
from tests.drilling.worker import Kill
from tests.unit.test_judge import LANE, READ_MS, final, told

LANES = frozenset({LANE})


def published(start_ms: float, at_ms: float) -> Prediction:
    one = final(start_ms)
    return one.model_copy(update={"times": one.times.model_copy(update={"published_ms": at_ms})})


def killed(at_ms: float, worker: str = "a", *, fixed: bool = False) -> Kill:
    return Kill(at_ms, worker, LANES, fixed)


def recovered(kills: list[Kill], found: Told, *expected: Prediction) -> Recovery:
    [recovery] = recoveries(kills, [], found, [(LANE, one) for one in expected]).values()
    return recovery


def test_a_recovery_lasts_from_a_death_to_the_first_new_final_of_a_lane_that_died() -> None:
    said = [final(-1000), final(0), final(1000)]
    other = Kill(500, "b", frozenset({LANE + 1}), fixed=False)
    assert recovered([killed(500)], told(*said), *said) == Recovery([1.0])
    assert recovered([other], told(*said), *said) == Recovery(untold=1)


def test_a_recovery_that_the_next_death_cuts_short_took_longer_than_until_then() -> None:
    said = [published(0, 30_000)]
    assert recovered([killed(500), killed(20_500)], told(*said), *said) == Recovery([9.5], [20.0])
    assert "was not over after 20.0 s" in recovered([killed(500), killed(20_500)], told(*said), *said).faults()


def test_a_recovery_that_never_came_is_cut_short_by_the_end_of_all_reading() -> None:
    recovery = recovered([killed(500)], told(), final(0))
    assert recovery == Recovery([], [(READ_MS - 500) / 1000])
    assert recovery.faults() == ["none was measured", "was not over after 89.5 s"]


@pytest.mark.parametrize(("fixed", "found"), [(True, Recovery([19.5], untold=1)), (False, Recovery([], [15.0], 1))])
def test_only_a_death_that_holds_a_recovery_up_cuts_it_short(
    fixed: bool,  # noqa: FBT001
    found: Recovery,
) -> None:
    said = [published(0, 20_000)]
    other = Kill(15_500, "b", frozenset(), fixed)
    assert recovered([killed(500, fixed=fixed), other], told(*said), *said) == found


def test_nothing_is_told_of_a_recovery_while_nobody_has_anything_to_say() -> None:
    said = [final(0), published(30_000, 32_000)]
    assert recovered([killed(2000), killed(25_000)], told(*said), *said) == Recovery([7.0], untold=1)
    assert recovered([killed(2000)], told(*said), *said) == Recovery(untold=1)
    assert recovered([killed(2000)], told(*said), *said).faults() == ["none was measured"]


def test_after_a_pause_a_final_that_comes_late_shows_a_slow_recovery() -> None:
    said = [final(0), published(20_000, 24_500)]
    assert recovered([killed(2000)], told(*said), *said) == Recovery([22.5])
    assert recovered([killed(2000)], told(*said), *said).faults() == ["took 22.5 s, expected 15 at most"]


def test_what_another_border_of_an_earlier_final_leaves_over_is_not_owed() -> None:
    longer = final(0).model_copy(update={"end_ms": 1200})
    assert recovered([killed(2000), killed(22_000)], told(final(0)), longer) == Recovery(untold=2)


def test_the_brokers_recovery_is_timed_from_its_return_and_cut_short_by_its_next_outage() -> None:
    said = [published(0, 21_000)]
    found = recoveries([], [(100, 500), (16_500, 19_000)], told(*said), [(LANE, one) for one in said])
    assert found == {"broker": Recovery([2.0], [16.0])}

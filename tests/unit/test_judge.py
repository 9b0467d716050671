"""The judge of the failure drills finds each kind of fault, and none where there is none."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from stream.frame import Modality
from stream.publish import Counts, ModalityResult, Model, Prediction, SessionRecord, Times, Word
from tests.drilling.course import Act, recoveries
from tests.drilling.judge import Verdict, judge
from tests.drilling.told import Told
from tests.drilling.worker import Kill

SESSION = "s"
LANE = 3
FRAME = ("audio", LANE)
Result = Prediction | SessionRecord


def final(start_ms: float, text: str = "lay blue", *, epoch: int = 1, late: int = 0) -> Prediction:
    counts = Counts(present=3, late=late)
    one = ModalityResult(status="present", counts=counts, weight=0.5, frames=9, late=late, lost=0)
    words = [Word(word=word, start_ms=start_ms, end_ms=start_ms + 100, confidence=0.9) for word in text.split()]
    at = dict.fromkeys(("captured_ms", "ingested_ms", "aligned_ms", "inferred_ms", "published_ms"), start_ms + 1500)
    return Prediction(
        session=SESSION,
        segment=start_ms,
        revision=2,
        epoch=epoch,
        is_final=True,
        stability=1,
        start_ms=start_ms,
        end_ms=start_ms + 1000,
        task="speech",
        text=text,
        words=words,
        confidence=0.9,
        modalities=dict.fromkeys(Modality, one),
        model=Model(name="speech", version="1", digest="sha256:0"),
        provider="cpu",
        batch=1,
        times=Times(**at),
        inputs=[],
    )


def session(state: str, finals: int = 0) -> SessionRecord:
    return SessionRecord.model_validate({"session": SESSION, "state": state, "finals": finals, "start_ms": 0})


def told(*finals: Prediction, count: int | None = None, **more: object) -> Told:
    results: list[tuple[int, Result]] = [(LANE, session("started")), *((LANE, one) for one in finals)]
    results.append((LANE, session("ended", len(finals) if count is None else count)))
    return replace(Told(results, 0, {FRAME: 9}, {FRAME: 9}, frozenset()), **more)  # type: ignore[arg-type]


def judged(found: Told, *expected: Prediction) -> Verdict:
    return judge(found, Counter([SESSION]), [(LANE, one) for one in expected])


def kinds(verdict: Verdict) -> set[str]:
    return set(verdict.faults())


def test_what_is_as_an_uninterrupted_run_has_it_is_right() -> None:
    verdict = judged(told(final(0), final(1000, epoch=2)), final(0), final(1000))
    assert kinds(verdict) == set()
    assert (verdict.finals, verdict.alike, verdict.loose) == (2, 2, 0)


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (told(final(0)), "lost"),
        (told(final(0), final(1000), final(1000), count=3), "doubled"),
        (told(final(0), final(1000), final(1000, "lay red"), count=3), "changed"),
        (told(final(1000), final(0)), "disordered"),
        (told(final(0, epoch=2), final(1000)), "disordered"),
        (told(final(0), final(1000), final(1500)), "disordered"),
        (told(final(0), final(1000, "lay red")), "different"),
        (told(final(0), final(1000), final(2000)), "different"),
        (told(final(0), final(1000), count=3), "lost"),
        (told(final(0), final(1000), committed={FRAME: 8}), "offsets"),
        (told(final(0), final(1000), remembered=frozenset({(LANE, SESSION)})), "offsets"),
    ],
)
def test_each_kind_of_fault_is_found(found: Told, kind: str) -> None:
    assert kind in kinds(judged(found, final(0), final(1000)))


def test_a_session_that_never_ended_is_lost_and_one_that_ended_twice_is_doubled() -> None:
    whole = told(final(0))
    never, twice = (
        replace(whole, results=whole.results[:-1]),
        replace(whole, results=[*whole.results, whole.results[-1]]),
    )
    assert kinds(judged(never, final(0))) == {"lost"}
    assert "doubled" in kinds(judged(twice, final(0)))


@pytest.mark.parametrize("late", ["ours", "theirs"])
def test_where_a_deadline_had_a_part_only_once_and_in_order_are_asked_for(late: str) -> None:
    ours, theirs = final(0, "lay", late=late == "ours"), final(0, late=late == "theirs")
    verdict = judged(told(ours, final(1000)), theirs, final(1000))
    assert kinds(verdict) == set()
    assert (verdict.alike, verdict.loose) == (1, 1)
    assert kinds(judged(told(ours, ours, final(1000), count=3), theirs, final(1000))) == {"doubled"}


def test_what_was_said_while_the_broker_was_away_is_not_held_against_the_recovery() -> None:
    found, expected = told(final(0, "lay"), final(60_000)), [(LANE, final(0)), (LANE, final(60_000))]
    assert kinds(judge(found, Counter([SESSION]), expected, [(500, 900)])) == set()
    assert kinds(judge(found, Counter([SESSION]), expected, [(70_900, 80_000)])) == {"different"}


def test_a_recovery_lasts_from_a_death_to_the_first_new_final_of_a_lane_that_died() -> None:
    kill = Kill(500, "a", frozenset({LANE}), fixed=False)
    other = Kill(500, "b", frozenset({LANE + 1}), fixed=False)
    spoken = told(final(-1000), final(0), final(1000))
    assert recoveries(Act(kills=[kill]), spoken) == {"worker": [1.0]}
    assert recoveries(Act(kills=[other]), spoken) == {"worker": []}


@pytest.mark.parametrize(("fixed", "found"), [(True, [0.5]), (False, [])])
def test_a_death_before_that_final_leaves_the_recovery_unmeasured_if_it_held_it_up(
    fixed: bool,  # noqa: FBT001
    found: list[float],
) -> None:
    lanes = frozenset({LANE})
    act = Act(kills=[Kill(1000, "a", lanes, fixed), Kill(1200, "b", frozenset(), fixed)])
    assert recoveries(act, told(final(0))) == {"worker with instance_id" if fixed else "worker": found}

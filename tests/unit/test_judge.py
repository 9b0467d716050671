"""The judge of the failure drills finds each kind of fault, and none where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from stream.frame import Frame, Modality, to_record
from stream.late import LateFrame, late_record
from stream.publish import Counts, ModalityResult, Model, Prediction, SessionRecord, Times, Word
from tests.drilling.judge import Verdict, judge
from tests.drilling.told import Told, _late_frame

SESSION = "s"
LANE = 3
READ_MS = 90_000.0
FRAME = ("audio", LANE)
Result = Prediction | SessionRecord


def final(start_ms: float, text: str = "lay blue", *, epoch: int = 1, late: int = 0, shed: int = 0) -> Prediction:
    counts = Counts(present=3, late=late, shed=shed)
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
    whole = Told(results, 0, {FRAME: 9}, {FRAME: 9}, frozenset(), frozenset(), READ_MS)
    return replace(whole, **more)  # type: ignore[arg-type]


def judged(found: Told, *expected: Prediction, outages: Sequence[tuple[float, float]] = ()) -> Verdict:
    return judge(found, Counter([SESSION]), [(LANE, one) for one in expected], outages)


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


def test_where_a_deadline_had_a_part_without_interruption_only_once_and_in_order_are_asked_for() -> None:
    ours, theirs = final(0, "lay"), final(0, late=1)
    verdict = judged(told(ours, final(1000)), theirs, final(1000))
    assert kinds(verdict) == set()
    assert (verdict.alike, verdict.loose) == (1, 1)
    assert kinds(judged(told(ours, ours, final(1000), count=3), theirs, final(1000))) == {"doubled"}


def test_what_only_recovery_was_late_for_is_different_and_so_is_what_follows_from_it() -> None:
    ours = told(final(0, "lay", late=1), final(1000, "red"))
    assert len(judged(ours, final(0), final(1000)).different) == 2
    assert kinds(judged(told(final(0), final(1000), final(2000, late=1)), final(0), final(1000))) == {"different"}


def test_what_overload_took_pictures_from_is_excused_unless_it_is_missing() -> None:
    verdict = judged(told(final(0, "lay", shed=1)), final(0))
    assert (kinds(verdict), verdict.loose) == (set(), 1)
    assert kinds(judged(told(final(0, shed=1)), final(0), final(1000))) == {"lost"}


def test_what_shares_no_time_with_ours_is_lost_and_what_has_other_borders_is_not() -> None:
    longer = final(0).model_copy(update={"end_ms": 2000})
    assert kinds(judged(told(longer), final(0), final(1000))) == {"different"}
    assert kinds(judged(told(longer), final(0), final(1000), outages=[(500, 900)])) == set()
    assert kinds(judged(told(longer), final(0), final(1000), final(2000), outages=[(500, 900)])) == {"lost"}


def test_a_missing_final_is_found_even_after_one_that_a_deadline_had_a_part_in() -> None:
    verdict = judged(told(final(0, late=1)), final(0, late=1), final(1000))
    assert (len(verdict.lost), verdict.loose) == (1, 0)
    assert kinds(judged(told(), final(0, late=1))) == {"lost"}


def test_a_missing_final_is_found_even_near_an_outage() -> None:
    verdict = judged(told(final(0)), final(0), final(1000), outages=[(1500, 1900)])
    assert (len(verdict.lost), verdict.loose) == (1, 0)


@pytest.mark.parametrize(
    ("frames", "outages", "missing"),
    [(5, [(1500, 1900)], set()), (4, [(1500, 1900)], {"lost"}), (5, [], {"lost"})],
)
def test_a_missing_final_is_excused_near_an_outage_if_most_of_its_frames_came_too_late(
    frames: int, outages: list[tuple[float, float]], missing: set[str]
) -> None:
    late = frozenset((SESSION, Modality.AUDIO, 1000.0 + 20 * number) for number in range(frames))
    elsewhere = {("other", Modality.AUDIO, 1500.0), (SESSION, Modality.AUDIO, 2000.0), (SESSION, Modality.TEXT, 1500.0)}
    found = told(final(0), late=late | elsewhere)
    assert kinds(judged(found, final(0), final(1000), outages=outages)) == missing


def test_a_late_frame_is_known_by_its_session_its_modality_and_its_capture_time() -> None:
    frame = Frame(SESSION, Modality.VIDEO, 1_500_250_000, None, b"picture", "image/jpeg")
    record = late_record(LateFrame(to_record(frame, "drill-video"), 900_000_000), "drill-late", 900_000)
    assert _late_frame(record, "drill-") == (SESSION, Modality.VIDEO, 1500.25)


def test_what_was_said_while_the_broker_was_away_is_not_held_against_the_recovery() -> None:
    found, expected = told(final(0, "lay"), final(60_000)), (final(0), final(60_000))
    assert kinds(judged(found, *expected, outages=[(500, 900)])) == set()
    assert kinds(judged(found, *expected, outages=[(70_900, 80_000)])) == {"different"}


def test_one_final_in_eight_may_be_excused_and_near_an_outage_one_in_two() -> None:
    apart = [final(60_000 + 1000 * number) for number in range(8)]
    assert judged(told(*apart), *apart).most_loose() == 1
    near = [final(1000 * number) for number in range(4)]
    assert judged(told(*near, *apart), *near, *apart, outages=[(500, 900)]).most_loose() == 3

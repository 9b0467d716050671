"""`tests/drills` says which drills there are, and the one with bad input finds each kind of fault."""

from __future__ import annotations

import pytest

from stream.publish import Prediction
from tests.drilling.__main__ import DRILLS, _figures, _parser, faults, figures, passes, table
from tests.drilling.bad_input import LATE_MS, Borne, heard, verdict
from tests.drilling.course import Act, Outcome
from tests.drilling.judge import Verdict
from tests.drilling.recovery import Recovery
from tests.unit.test_judge import final

FIGURES = {
    "records": 9,
    "unaccounted": 0,
    "letters": 4,
    "dead_letters": 4,
    "unknown_reasons": [],
    "ready": 200,
    "stopped_with": 0,
    "growth_mib": 40.0,
}


def published_later(one: Prediction) -> Prediction:
    times = one.times.model_copy(update={"published_ms": one.times.ingested_ms + LATE_MS + 1})
    return one.model_copy(update={"times": times})


def borne_faults(**found: object) -> dict[str, list[str]]:
    return verdict(Borne(FIGURES | found, [heard(final(0))], {"clean-0": [final(320)]})).faults()


def outcome(found: Verdict, **recoveries: Recovery) -> Outcome:
    return Outcome("killed", Act(events=9), found, recoveries, 60.0, 1)


def test_a_drill_that_there_is_not_is_answered_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        _parser().parse_args(["nonsense"])
    told = capsys.readouterr().err
    assert f"found 'nonsense', expected one of {', '.join(DRILLS)}" in told
    assert "[]" not in told


def test_without_a_name_all_drills_run() -> None:
    assert _parser().parse_args([]).drill == []


def test_clean_finals_as_without_the_mutants_and_a_balanced_account_are_no_fault() -> None:
    assert borne_faults() == {}


@pytest.mark.parametrize(
    ("kind", "finals"),
    [
        ("lost", []),
        ("doubled", [final(0), final(1000)]),
        ("different", [final(0, "lay red")]),
        ("late", [published_later(final(0))]),
    ],
)
def test_what_is_wrong_with_a_clean_session_is_told_by_its_kind(kind: str, finals: list[Prediction]) -> None:
    found = verdict(Borne(FIGURES, [heard(final(0))], {"clean-0": finals})).faults()
    assert list(found) == [kind]
    assert found[kind][0].startswith("clean-0")


@pytest.mark.parametrize(
    ("kind", "figure"),
    [
        ("unaccounted", {"unaccounted": -1}),
        ("unaccounted", {"letters": 3}),
        ("unaccounted", {"unknown_reasons": ["odd"]}),
        ("leaks", {"ready": 503}),
        ("leaks", {"stopped_with": 1}),
        ("leaks", {"growth_mib": 900.0}),
    ],
)
def test_what_is_wrong_with_the_service_or_its_account_is_told(kind: str, figure: dict[str, object]) -> None:
    assert list(borne_faults(**figure)) == [kind]


def test_the_drill_with_bad_input_has_its_row_and_its_account() -> None:
    borne = Borne(FIGURES, [heard(final(0))], {"clean-0": [final(320)]})
    outcome = Outcome("bad input", Act(events=9), verdict(borne), {}, 60.0, 1, borne.figures)
    assert table([outcome]).row_count == 1
    told = _figures(outcome)
    assert (told["times"], told["finals"], told["alike"], told["account"]) == (9, 1, 1, FIGURES)


@pytest.mark.parametrize(("loose", "right"), [(2, True), (3, False)])
def test_a_drill_that_excuses_more_finals_than_it_may_fails(loose: int, right: bool) -> None:  # noqa: FBT001
    drilled = outcome(Verdict(expected=16, loose=loose))
    assert passes(drilled) is right
    assert faults(drilled) == ({} if right else {"by deadline": ["3 of 16 finals, expected 2 at most"]})


@pytest.mark.parametrize(
    ("recovery", "right"),
    [
        (Recovery([9.0, 14.0], [12.0], 3), True),
        (Recovery([9.0, 15.5]), False),
        (Recovery([9.0], [15.5]), False),
        (Recovery(untold=3), False),
        (Recovery([], [12.0]), False),
    ],
    ids=["in time", "slow", "slow when cut short", "none measured", "none that was not cut short"],
)
def test_a_drill_fails_where_a_recovery_was_slow_or_none_was_measured(recovery: Recovery, right: bool) -> None:  # noqa: FBT001
    drilled = outcome(Verdict(), worker=recovery)
    assert passes(drilled) is right
    assert list(faults(drilled)) == ([] if right else ["recovery"])


def test_recoveries_that_were_cut_short_are_reported() -> None:
    drilled = outcome(Verdict(), worker=Recovery([9.0, 14.0, 3.0], [20.0, 4.0], 1))
    spread = {"times": 3, "median": 9.0, "most": 14.0, "cut_short": 2, "cut_short_after_most": 20.0, "untold": 1}
    assert _figures(drilled)["recovery_seconds"] == {"worker": spread}
    assert figures([drilled])["recovery_seconds_most"] == 20.0
    assert [list(column.cells) for column in table([drilled]).columns if column.header == "cut short"] == [["2"]]

"""Reading results: finals once each, no interim after its final, whatever order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from stream.publish import Model, Prediction, SessionRecord, Times
from stream.reading import Reading
from stream.view import clock

MODEL = Model(name="speech", version="1", digest="sha256:00")
TIMES = Times(captured_ms=0, ingested_ms=0, aligned_ms=0, inferred_ms=0, published_ms=0)


def result(segment: float, revision: int, *, final: bool = False, epoch: int = 1, session: str = "s") -> Prediction:
    return Prediction(
        session=session,
        segment=segment,
        revision=revision,
        epoch=epoch,
        is_final=final,
        stability=1.0,
        start_ms=segment,
        end_ms=segment + 1,
        task="speech",
        text="",
        words=[],
        confidence=1.0,
        modalities={},
        model=MODEL,
        provider="cpu",
        batch=1,
        times=TIMES,
        inputs=[],
    )


def started(at_ms: float) -> SessionRecord:
    return SessionRecord(session="s", state="started", start_ms=at_ms)


def ended(at_ms: float) -> SessionRecord:
    return SessionRecord(session="s", state="ended", reason="end", start_ms=at_ms, end_ms=at_ms + 1)


def test_interims_are_news_while_they_are_newer() -> None:
    reading = Reading()
    given_and_seen = [(1, True), (3, True), (2, False), (3, False), (4, True)]
    assert [reading.is_news(result(10, revision)) for revision, _ in given_and_seen] == [
        seen for _, seen in given_and_seen
    ]


def test_a_new_owners_interims_are_newer_than_all_of_the_last_ones() -> None:
    reading = Reading()
    assert reading.is_news(result(10, 7, epoch=1))
    assert reading.is_news(result(10, 1, epoch=2))
    assert not reading.is_news(result(10, 8, epoch=1))


def test_no_interim_is_news_after_its_final() -> None:
    reading = Reading()
    assert reading.is_news(result(10, 3, final=True))
    assert not reading.is_news(result(10, 9, epoch=5))
    assert reading.is_news(result(20, 1))


def test_a_final_is_news_once_even_when_the_next_segments_interims_overtook_it() -> None:
    reading = Reading()
    assert reading.is_news(result(20, 1))
    assert reading.is_news(result(10, 3, final=True))
    assert not reading.is_news(result(10, 3, final=True))


def test_sessions_do_not_mix() -> None:
    reading = Reading()
    assert reading.is_news(result(10, 1, final=True, session="a"))
    assert reading.is_news(result(10, 1, final=True, session="b"))


def test_a_name_that_is_used_again_starts_afresh_even_with_older_stamps() -> None:
    reading = Reading()
    first: list[Prediction | SessionRecord] = [started(100), result(100, 1, final=True), ended(100)]
    again: list[Prediction | SessionRecord] = [started(50), result(50, 1), result(50, 2, final=True), ended(50)]
    assert all(reading.is_news(message) for message in first)
    assert not reading.is_news(ended(100))
    assert all(reading.is_news(message) for message in again)


@given(st.permutations([(segment, revision) for segment in (10, 20) for revision in (1, 2, 3)]))
def test_whatever_the_order_each_final_is_shown_once_and_nothing_of_its_segment_after_it(
    order: list[tuple[int, int]],
) -> None:
    reading = Reading()
    shown = [key for key in order if reading.is_news(result(key[0], key[1], final=key[1] == 3))]
    finals = [key for key in order if key[1] == 3]
    in_order = finals == sorted(finals)
    assert [key for key in shown if key[1] == 3] == (finals if in_order else finals[:1])
    for segment in (10, 20):
        its = [revision for at, revision in shown if at == segment]
        assert its == sorted(its)


def test_a_cues_time_is_written_as_webvtt_has_it() -> None:
    assert clock(0) == "00:00:00.000"
    assert clock(3_723_004.4) == "01:02:03.004"

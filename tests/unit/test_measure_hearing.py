import pytest

from models.measure.cells import Air, Cell
from models.measure.hearing import TimedWord, exactly_one, scene, time_errors_ms
from stream.frame import Modality
from stream.noise import Noise


def final(first_ms: float, last_ms: float) -> tuple[TimedWord, ...]:
    middle_ms = (first_ms + last_ms) / 2
    return TimedWord("a", first_ms, middle_ms), TimedWord("b", middle_ms, last_ms)


SPANS_MS = [(1000.0, 3000.0), (5000.0, 7000.0)]


def test_a_sentence_is_whole_if_one_final_has_it_and_no_other() -> None:
    assert exactly_one([final(1000, 3000), final(5040, 6900)], SPANS_MS) == [True, True]


def test_a_sentence_in_two_finals_and_two_in_one_are_not_whole() -> None:
    assert exactly_one([final(1000, 1900), final(2000, 3000), final(5000, 7000)], SPANS_MS) == [False, True]
    assert exactly_one([final(1000, 7000)], SPANS_MS) == [False, False]


def test_a_sentence_that_nothing_was_heard_of_is_not_whole_and_words_between_harm_none() -> None:
    assert exactly_one([final(3500, 4500), final(5000, 7000)], SPANS_MS) == [False, True]


def test_times_are_compared_for_words_that_were_recognised_rightly() -> None:
    said = [TimedWord("bin", 0, 200), TimedWord("blue", 200, 400), TimedWord("now", 400, 600)]
    heard = [TimedWord("bin", 40, 180), TimedWord("red", 180, 400), TimedWord("now", 380, 640)]
    assert time_errors_ms(said, heard) == [(40, -20), (-20, 40)]
    assert time_errors_ms(said, heard[1:]) == [(-20, 40)]
    assert time_errors_ms(said, []) == []


def test_a_cell_is_the_scene_that_the_service_knows() -> None:
    asked = scene(Cell("A", Air(Noise.WHITE, -5.0), loss=0.05), seed=3)
    assert (asked.noise, asked.snr_db, asked.seed) == (Noise.WHITE, -5, 3)
    assert asked.without == {Modality.VIDEO}
    assert asked.drop[Modality.AUDIO] == pytest.approx(0.05)
    assert scene(Cell("A+V", skew_ms=160)).skew_ms[Modality.VIDEO] == 160

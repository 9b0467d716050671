import numpy as np
import pytest

from models.synthetic import Session, speak
from models.synthetic_face import Floats
from models.synthetic_look import Look
from models.synthetic_mouth import BILABIALS, VOWELS, shapes, visemes
from models.synthetic_picture import mouth_px, pictures
from models.synthetic_voice import Span

LOOK = Look.draw(np.random.default_rng(0))
STILL = np.zeros((1, 2), np.float32)


def openings(session: Session, names: frozenset[str], longer_than_s: float) -> Floats:
    """How far the mouth is open in the middle of each of these sounds."""
    spans = [span for span in session.phonemes if span.name in names and span.end_s - span.start_s > longer_than_s]
    middles_s = [(span.start_s + span.end_s) / 2 for span in spans]
    return shapes(session.phonemes, np.array(middles_s))[:, 0] if spans else np.empty(0)


def lips_px(phoneme: str) -> tuple[float, float]:
    """The height and the width of what is drawn in the mouth's place: where it differs from a closed, narrow mouth."""
    shape = np.array([visemes(phoneme)[0]], np.float32)
    picture = next(pictures(LOOK, shape, STILL, np.zeros(1, np.intp))).astype(int)
    x, y = mouth_px(LOOK, STILL)[0].astype(int)
    inside = picture[y - 4 : y + 30, x - 30 : x + 30].sum(axis=2) < 200  # the dark of the mouth
    return float(inside.sum(axis=0).max()), float(inside.sum(axis=1).max())


def test_the_lips_meet_in_m_b_and_p() -> None:
    closed = np.concatenate([openings(speak(seed), BILABIALS, 0.03) for seed in range(20)])
    assert len(closed) >= 10
    assert closed.max() < 0.03


def test_the_mouth_is_open_in_vowels() -> None:
    opened = np.concatenate([openings(speak(seed), VOWELS, 0.08) for seed in range(20)])
    assert len(opened) >= 50
    assert opened.min() > 0.2


def test_the_mouth_is_shut_before_and_after_the_speech() -> None:
    mouths = speak(1).mouths
    assert np.abs(mouths[[0, -1]]).max() == pytest.approx(0, abs=1e-6)


def test_a_picture_shows_a_closed_mouth_in_p_and_an_open_one_in_ah() -> None:
    assert lips_px("p")[0] <= 2
    assert lips_px("A:")[0] >= 8


def test_a_picture_shows_a_narrow_mouth_in_w_and_a_broader_one_in_ah() -> None:
    assert lips_px("w")[1] < lips_px("A:")[1]


def test_a_sound_that_is_not_in_the_table_looks_like_its_first_letter() -> None:
    assert visemes("m-") == visemes("m")


def test_a_mouth_shape_depends_on_the_time_and_not_on_what_else_is_asked_for() -> None:
    spans = [Span("m", 0.0, 0.1), Span("aI", 0.1, 0.4)]
    times_s = np.arange(0, 0.4, 0.04, dtype=np.float64)
    assert shapes(spans, times_s)[4:] == pytest.approx(shapes(spans, times_s[4:]), abs=0.05)

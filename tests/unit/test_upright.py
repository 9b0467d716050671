import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.face import Face
from stream.upright import REACH_EYES, TILTED_DEGREES, upright

LEVEL = np.array([[-20, -40], [20, -40], [0, -18], [-14, 0], [14, 0]], dtype=np.float32)  # about the mouth


def face(degrees: float, mouth_px: tuple[float, float] = (160.0, 140.0)) -> Face:
    """A face that leans clockwise."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return Face(0.9, (0, 0, 1, 1), np.asarray(LEVEL @ turn + mouth_px, dtype=np.float32))


def spots(of: Face, height_px: int = 288, width_px: int = 360) -> NDArray[np.uint8]:
    """A picture with a soft bright spot at each landmark."""
    y, x = np.mgrid[:height_px, :width_px]
    bright = [np.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in of.landmarks]
    return np.asarray(np.rint(200 * np.sum(bright, axis=0)), dtype=np.uint8)


@given(st.floats(-80, 80))
def test_a_face_leans_as_far_as_it_was_turned(degrees: float) -> None:
    assert face(degrees).tilt_degrees == pytest.approx(degrees, abs=0.01)


@given(st.floats(-TILTED_DEGREES + 0.1, TILTED_DEGREES - 0.1))
def test_a_head_that_leans_a_little_is_left_as_it_is(degrees: float) -> None:
    leaning, pictures = face(degrees), [np.zeros((288, 360), dtype=np.uint8)]
    same, unchanged = upright(pictures, leaning)
    assert same is pictures
    assert unchanged is leaning


@pytest.mark.parametrize("degrees", [-60, -25, -11, 11, 25, 60])
def test_a_tilted_face_becomes_level_and_its_landmarks_lie_where_the_pictures_show_them(degrees: float) -> None:
    leaning = face(degrees)
    (turned,), level = upright([spots(leaning)], leaning)
    assert level.tilt_degrees == pytest.approx(0, abs=0.01)
    assert level.landmarks - level.mouth == pytest.approx(LEVEL - LEVEL[3:].mean(axis=0), abs=0.01)
    assert level.eye_distance_px == pytest.approx(leaning.eye_distance_px, abs=0.01)
    expected = spots(level, *turned.shape).astype(float)
    assert np.abs(turned - expected).max() < 25  # of 200; one pixel off is 40


@pytest.mark.parametrize("mouth_px", [(2.0, 3.0), (357.0, 285.0), (160.0, 140.0)])
def test_what_is_turned_is_the_part_of_the_picture_around_the_mouth(mouth_px: tuple[float, float]) -> None:
    leaning = face(30, mouth_px)
    (turned,), level = upright([spots(leaning)], leaning)
    reach = 2 * REACH_EYES * leaning.eye_distance_px + 2
    assert turned.shape[0] <= min(288, reach)
    assert turned.shape[1] <= min(360, reach)
    assert (level.mouth >= 0).all()
    assert (level.mouth <= turned.shape[::-1]).all()

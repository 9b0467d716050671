from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import islice

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from models.measure.looks import FAULTS, LOOKS, SMALL_FACE_PX, TILT_DEGREES, Look, Shot
from models.synthetic import speak
from stream.face import Face, FaceFinder

COUNT = 20
ALL: Mapping[str, Look] = {**LOOKS, **FAULTS}


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def shot(finder: FaceFinder) -> Shot:
    """A second of the synthetic speaker, and of two more sentences."""
    return Shot(
        pictures(2, COUNT), found(finder, pictures(2, COUNT)[10]), partial(pictures, 4, 12), partial(pictures, 5, 40)
    )


def pictures(seed: int, count: int) -> NDArray[np.uint8]:
    return np.stack(list(islice(speak(seed).pictures(), count)))


def found(finder: FaceFinder, pixels: NDArray[np.uint8]) -> Face:
    face = finder.find(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24"))
    assert face is not None
    return face


def width(face: Face) -> float:
    return face.box[2] - face.box[0]


@pytest.mark.parametrize("name", ALL)
def test_every_look_gives_as_many_pictures_of_one_size_and_leaves_the_clips_own_alone(name: str, shot: Shot) -> None:
    before = shot.pictures.copy()
    made = ALL[name](shot)
    assert made.dtype == np.uint8
    assert len(made) == COUNT
    assert made.shape[1] == shot.pictures.shape[1]
    assert made.shape[2] >= shot.pictures.shape[2]
    assert np.array_equal(shot.pictures, before)
    assert not np.array_equal(made, before)


def test_a_tilted_head_leans_as_far_as_said(shot: Shot, finder: FaceFinder) -> None:
    face = found(finder, LOOKS["head tilted 20 degrees"](shot)[10])
    assert face.tilt_degrees - shot.face.tilt_degrees == pytest.approx(TILT_DEGREES, abs=4)


def test_a_turned_head_is_narrower_on_the_far_side_of_the_nose_and_below_the_chin_all_is_as_it_was(shot: Shot) -> None:
    made = LOOKS["head turned 30 degrees"](shot)
    left, right = (int(x) for x in shot.face.landmarks[:2, 0])
    nose = int(shot.face.landmarks[2, 0])
    marked = np.zeros_like(shot.pictures[:1])
    marked[:, :, [left, nose, right]] = 255
    bright = LOOKS["head turned 30 degrees"](replace(shot, pictures=marked))[0, int(shot.face.eyes[1]), :, 0]
    places = [
        part.mean()
        for part in np.split(np.flatnonzero(bright > 60), np.flatnonzero(np.diff(np.flatnonzero(bright > 60)) > 1) + 1)
    ]
    assert len(places) == 3
    assert places[1] - nose > 10
    assert places[2] - places[1] < 0.8 * (right - nose) < right - nose < places[1] - places[0] + 4
    chin = int(shot.face.box[3] + 0.5 * (shot.face.box[3] - shot.face.box[1]))
    assert np.array_equal(made[:, chin:], shot.pictures[:, chin:])


def test_a_swaying_head_goes_to_either_side(shot: Shot, finder: FaceFinder) -> None:
    swaying = LOOKS["head swaying"](
        Shot(np.repeat(shot.pictures[:1], 50, axis=0), shot.face, shot.other, shot.otherwise)
    )
    places = [found(finder, pixels).mouth[0] for pixels in swaying[::4]]
    assert max(places) - shot.face.mouth[0] > 10
    assert shot.face.mouth[0] - min(places) > 10


def test_a_small_face_is_as_wide_as_said_and_a_large_one_fills_the_picture(shot: Shot, finder: FaceFinder) -> None:
    small, large = (found(finder, LOOKS[name](shot)[10]) for name in ("face 60 px wide", "face fills the picture"))
    assert width(small) == pytest.approx(SMALL_FACE_PX, abs=10)
    assert large.box[3] - large.box[1] > 0.75 * shot.pictures.shape[1]


def test_half_the_light_halves_every_value_and_one_side_of_a_half_lit_face_is_dark(shot: Shot) -> None:
    assert np.abs(LOOKS["half the light"](shot).astype(float) * 2 - shot.pictures).max() <= 1
    share = LOOKS["one side dark"](shot).mean(axis=(0, 1, 3)) / shot.pictures.mean(axis=(0, 1, 3))
    nose, away = int(shot.face.landmarks[2, 0]), int(width(shot.face) / 2)
    assert share[nose - away] > 0.9
    assert share[nose + away] < 0.35


@pytest.mark.parametrize("name", ["second face, half as large", "second face, as large"])
def test_beside_a_second_face_the_speakers_is_the_one_that_is_found(name: str, shot: Shot, finder: FaceFinder) -> None:
    both = LOOKS[name](shot)[10]
    side = found(finder, both[:, shot.pictures.shape[2] :])
    assert side.score > 0.5
    assert np.abs(found(finder, both).mouth - shot.face.mouth).max() < 8


def test_a_hand_covers_the_mouth_for_a_part_of_the_clip_and_nothing_else(shot: Shot) -> None:
    changed = (LOOKS["hand before the mouth"](shot).astype(int) != shot.pictures).any(axis=-1)
    x, y = shot.face.mouth.astype(int)
    assert changed.any(axis=(1, 2)).tolist() == [6 <= place < 12 for place in range(COUNT)]
    assert changed[6:12, y - 8 : y + 8, x - 12 : x + 12].mean() > 0.9
    assert not changed[:, : int(shot.face.eyes[1]) - 20].any()


def test_faults_show_nothing_new_nothing_at_all_or_what_others_say(shot: Shot) -> None:
    frozen, stopped, black = (FAULTS[name](shot) for name in ("frozen video", "video that stops", "black video"))
    assert (frozen == frozen[0]).all()
    assert np.array_equal(stopped[: COUNT // 2], shot.pictures[: COUNT // 2])
    assert (stopped[COUNT // 2 :] == stopped[COUNT // 2]).all()
    assert not black.any()
    assert np.array_equal(FAULTS["foreign video"](shot), shot.otherwise()[:COUNT])
    stranger = FAULTS["video of a stranger"](shot)
    assert np.array_equal(stranger[:12], shot.other())
    assert (stranger[12:] == stranger[11]).all()

import av
import numpy as np
import pytest

from models.synthetic import speak
from models.synthetic_face import LIDS
from models.synthetic_look import HEIGHT_PX, WIDTH_PX, Look
from models.synthetic_mouth import REST, visemes
from models.synthetic_picture import mouth_px, pictures
from stream.face import FaceFinder


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.mark.parametrize("seed", range(20))
def test_the_face_finder_sees_the_face_and_its_mouth(finder: FaceFinder, seed: int) -> None:
    look = Look.draw(np.random.default_rng(seed))
    mouths = np.array([REST, visemes("A:")[0], visemes("i:")[0]], np.float32)
    path_px = np.array([(0, 0), (2.4, -1.3), (-2.1, 1.7)], np.float32)
    drawn = mouth_px(look, path_px)
    for picture, mouth in zip(pictures(look, mouths, path_px, np.array([0, 0, 2])), drawn, strict=True):
        face = finder.find(av.VideoFrame.from_ndarray(picture, format="rgb24"))
        assert face is not None
        assert face.score > 0.5
        assert np.linalg.norm(face.mouth - mouth) < 0.25 * look.eye_distance_px
        assert np.linalg.norm(face.eyes - (mouth - (0, 1.18 * look.eye_distance_px))) < 0.2 * look.eye_distance_px


def test_a_picture_has_the_size_of_the_real_clips() -> None:
    picture = next(speak(0).pictures())
    assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3) == (288, 360, 3)
    assert picture.dtype == np.uint8


def test_the_head_moves_with_its_path_and_the_wall_stays() -> None:
    look = Look.draw(np.random.default_rng(1))
    still = np.zeros((1, 4), np.float32)
    awake = np.zeros(1, np.intp)
    here = next(pictures(look, still, np.zeros((1, 2), np.float32), awake)).astype(int)
    there = next(pictures(look, still, np.full((1, 2), 3, np.float32), awake)).astype(int)
    x, y = int(look.x_px), int(look.y_px)
    assert np.abs(there[y - 17 : y + 23, x - 27 : x + 33] - here[y - 20 : y + 20, x - 30 : x + 30]).max() <= 1
    assert np.array_equal(here[:20, :20], there[:20, :20])


def test_a_blink_shuts_the_eyes() -> None:
    look = Look.draw(np.random.default_rng(2))
    lids = np.arange(len(LIDS))
    shown = list(pictures(look, np.zeros((len(LIDS), 4), np.float32), np.zeros((len(LIDS), 2), np.float32), lids))
    x, y, unit = int(look.x_px), int(look.y_px), look.eye_distance_px
    eye = np.s_[y - int(0.08 * unit) : y + int(0.06 * unit), x + int(0.35 * unit) : x + int(0.65 * unit)]
    contrast = [float(picture[eye].astype(int).sum(axis=2).std()) for picture in shown]
    assert contrast[2] < 0.7 * contrast[0]

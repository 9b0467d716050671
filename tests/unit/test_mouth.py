from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import rotate

from models.preprocess import CROP_HEIGHT_PX, CROP_WIDTH_PX
from models.synthetic import speak
from stream import clip
from stream.errors import BundleError
from stream.face import Face, FaceFinder
from stream.frame import Frame, Modality
from stream.media import picture
from stream.mouth import Mouth, resample, still_pictures

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def finder() -> FaceFinder:
    return FaceFinder()


@pytest.fixture(scope="module")
def mouth(finder: FaceFinder) -> Mouth:
    return Mouth(finder, CROP_HEIGHT_PX, CROP_WIDTH_PX)


@pytest.fixture(scope="module")
def speaker() -> list[Pixels]:
    """Pictures of the synthetic speaker in the middle of a sentence, [288, 360, 3]."""
    return list(islice(speak(2).pictures(), 20, 28))


@pytest.fixture(scope="module")
def person(grid: Path) -> list[Pixels]:
    """Eight pictures of a real speaker, [288, 360, 3]."""
    shown = islice(clip.pictures(grid / "s1" / "bbaf2n.mp4"), 20, 28)
    frames = [Frame("", Modality.VIDEO, one.time_ns, one.duration_ns, one.jpeg, "image/jpeg") for one in shown]
    decoded = [picture(frame, 1_000_000).to_ndarray(format="rgb24") for frame in frames]
    return [np.asarray(pixels, dtype=np.uint8) for pixels in decoded]


def image(pixels: Pixels) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")


def found(finder: FaceFinder, pixels: Pixels) -> Face:
    face = finder.find(image(pixels))
    assert face is not None
    return face


def difference(one: Pixels | None, other: Pixels | None) -> float:
    assert one is not None
    assert other is not None
    return float(np.abs(one.astype(float) - other).mean())


def tilted(pixels: Pixels, degrees: float) -> Pixels:
    """A picture turned about its middle."""
    turned = rotate(pixels, -degrees, axes=(0, 1), reshape=False, order=1, mode="nearest")
    return np.asarray(turned, dtype=np.uint8)


def seen(crops: Sequence[Pixels | None]) -> list[bool]:
    return [crop is not None for crop in crops]


def moving(pixels: Pixels, right_px: int, down_px: int) -> list[av.VideoFrame]:
    """One picture eight times, shifted further each time."""
    return [image(np.roll(pixels, (step * down_px, step * right_px), (0, 1))) for step in range(8)]


def test_the_synthetic_mouth_is_found_where_it_was_drawn(finder: FaceFinder) -> None:
    for seed in (1, 2, 3):
        session = speak(seed)
        face = found(finder, next(session.pictures()))
        assert np.abs(face.mouth - session.mouth_px[0]).max() < CROP_HEIGHT_PX / 4


def test_a_real_mouth_is_found_below_the_eyes_and_within_the_face(finder: FaceFinder, person: list[Pixels]) -> None:
    for pixels in person[::4]:
        face = found(finder, pixels)
        left, top, right, bottom = face.box
        assert left < face.mouth[0] < right
        assert (top + bottom) / 2 < face.mouth[1] < bottom
        assert face.eyes[1] + face.eye_distance_px / 2 < face.mouth[1]


def test_every_picture_of_a_real_speaker_gives_a_crop_of_the_bundles_size(mouth: Mouth, person: list[Pixels]) -> None:
    for crop in mouth.crops([image(pixels) for pixels in person]):
        assert crop is not None
        assert crop.shape == (CROP_HEIGHT_PX, CROP_WIDTH_PX)
        assert crop.dtype == np.uint8


def test_following_a_mouth_through_a_hop_crops_what_finding_it_anew_would(mouth: Mouth, person: list[Pixels]) -> None:
    followed = mouth.crops([image(pixels) for pixels in person])
    anew = [mouth.crops([image(pixels)])[0] for pixels in person]
    assert max(difference(one, other) for one, other in zip(followed, anew, strict=True)) < 6


@pytest.mark.parametrize(("right_px", "down_px"), [(3, 1), (-2, -3), (5, 0)])
def test_the_crop_goes_along_with_a_head_that_moves(
    mouth: Mouth, person: list[Pixels], right_px: int, down_px: int
) -> None:
    first, *rest = mouth.crops(moving(person[0], right_px, down_px))
    assert max(difference(first, crop) for crop in rest) < 2.5


def test_the_crop_shows_the_lips_move(mouth: Mouth, speaker: list[Pixels]) -> None:
    crops = mouth.crops([image(pixels) for pixels in speaker])
    assert max(difference(crops[0], crop) for crop in crops[1:]) > 4


def test_crops_depend_on_the_pictures_of_their_hop_alone(mouth: Mouth, speaker: list[Pixels]) -> None:
    before = mouth.crops([image(pixels) for pixels in speaker])
    mouth.crops(moving(speaker[0], 7, 7))
    after = mouth.crops([image(pixels) for pixels in speaker])
    assert all(difference(one, other) == 0 for one, other in zip(before, after, strict=True))


def test_without_a_face_there_is_no_crop(mouth: Mouth) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (288, 360, 3), dtype=np.uint8)
    assert mouth.crops([image(noise), image(np.full_like(noise, 90))]) == [None, None]
    assert mouth.crops([]) == []


def test_crops_begin_with_the_first_picture_that_has_a_face(mouth: Mouth, speaker: list[Pixels]) -> None:
    wall = np.full_like(speaker[0], 90)
    crops = mouth.crops([image(wall), image(wall), image(speaker[0])])
    assert crops[:2] == [None, None]
    assert difference(crops[2], mouth.crops([image(speaker[0])])[0]) == 0


def test_a_mouth_half_outside_the_picture_gives_no_crop(mouth: Mouth, finder: FaceFinder, person: list[Pixels]) -> None:
    x, _ = found(finder, person[0]).mouth.astype(int)
    assert mouth.crops([image(person[0][:, x:])]) == [None]
    assert mouth.crops([image(person[0][:, :x])]) == [None]


@pytest.mark.parametrize("only_the_mouth", [True, False])
def test_a_covered_face_or_mouth_gives_no_crop(
    mouth: Mouth, finder: FaceFinder, person: list[Pixels], *, only_the_mouth: bool
) -> None:
    face = found(finder, person[0])
    left, top, right, bottom = (int(side) for side in face.box)
    covered = person[0].copy()
    covered[int(face.eyes[1]) + 15 if only_the_mouth else top - 10 : bottom + 30, left - 20 : right + 20] = 128
    assert mouth.crops([image(covered)]) == [None]


@pytest.mark.parametrize("mirrored", [False, True])
def test_of_two_faces_the_larger_is_taken(finder: FaceFinder, person: list[Pixels], *, mirrored: bool) -> None:
    alone = found(finder, person[0]).mouth
    both = np.full((288, 640, 3), 100, dtype=np.uint8)
    both[:, :360] = person[0]
    both[70:214, 420:600] = person[0][::2, ::2]
    assert found(finder, both[70:214, 400:620]).score > 0.5  # the smaller one is a face as well
    mouth_px = found(finder, both[:, ::-1] if mirrored else both).mouth
    assert np.abs(mouth_px - [640 - alone[0] if mirrored else alone[0], alone[1]]).max() < 6


@pytest.mark.parametrize("mirrored", [False, True])
def test_of_faces_about_as_large_the_most_central_is_taken(
    finder: FaceFinder, person: list[Pixels], *, mirrored: bool
) -> None:
    alone = found(finder, person[0]).mouth
    both = np.concatenate([person[0], person[4][:, 90:270]], axis=1)
    assert found(finder, both[:, 360:]).score > 0.5  # the one at the side is a face as well
    mouth_px = found(finder, both[:, ::-1] if mirrored else both).mouth
    assert np.abs(mouth_px - [540 - alone[0] if mirrored else alone[0], alone[1]]).max() < 6


@pytest.mark.parametrize("degrees", [-30, -20, 20, 30])
def test_a_tilted_heads_mouth_is_cropped_level(mouth: Mouth, person: list[Pixels], degrees: float) -> None:
    level = mouth.crops([image(pixels) for pixels in person])
    tipped = mouth.crops([image(tilted(pixels, degrees)) for pixels in person])
    assert max(difference(one, other) for one, other in zip(level, tipped, strict=True)) < 12  # left tilted: 16


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_camera_that_stands_still_gives_no_crop(mouth: Mouth, person: list[Pixels], count: int) -> None:
    assert mouth.crops([image(person[0])] * count) == [None] * count


def test_a_single_picture_may_be_of_a_live_camera(mouth: Mouth, person: list[Pixels]) -> None:
    assert seen(mouth.crops([image(person[0])])) == [True]


def test_a_difference_of_one_grey_level_anywhere_is_no_life_and_one_of_two_is() -> None:
    picture = np.random.default_rng(0).integers(0, 200, (100, 120), dtype=np.uint8)
    brighter, touched = picture + np.uint8(1), picture.copy()
    touched[53, 77] += 2
    assert still_pictures([picture, brighter] * 4).all()
    assert not still_pictures([picture, touched] * 4).any()


def test_a_cameras_noise_before_a_face_that_keeps_still_is_life(mouth: Mouth, person: list[Pixels]) -> None:
    noise = np.random.default_rng(0).integers(-3, 4, (8, *person[0].shape))
    live = np.clip(person[0] + noise, 0, 255).astype(np.uint8)
    assert all(seen(mouth.crops([image(pixels) for pixels in live])))


def test_of_a_camera_that_stops_within_a_hop_what_came_before_is_cropped(mouth: Mouth, person: list[Pixels]) -> None:
    stopped = [*person[:4], *[person[3]] * 4]
    assert seen(mouth.crops([image(pixels) for pixels in stopped])) == [True] * 3 + [False] * 5


@pytest.mark.parametrize("times", [2, 3])
def test_a_slow_cameras_pictures_that_come_several_times_are_all_cropped(
    mouth: Mouth, person: list[Pixels], times: int
) -> None:
    slow = [pixels for pixels in person for _ in range(times)][:8]
    assert all(seen(mouth.crops([image(pixels) for pixels in slow])))


def test_black_pictures_give_no_crop(mouth: Mouth) -> None:
    black = image(np.zeros((288, 360, 3), dtype=np.uint8))
    assert mouth.crops([black] * 8) == [None] * 8
    assert mouth.wholes([black] * 8) == [None] * 8


def test_mouths_cropped_before_are_left_out_where_they_stand_still_or_are_plain(
    mouth: Mouth, finder: FaceFinder, person: list[Pixels]
) -> None:
    x, y = found(finder, person[0]).mouth.astype(int)
    mouths = [pixels[y - 25 : y + 25, x - 35 : x + 35] for pixels in person]
    assert all(seen(mouth.wholes([image(pixels) for pixels in mouths])))
    assert mouth.wholes([image(mouths[0])] * 8) == [None] * 8
    plain = [np.full_like(mouths[0], 100 + 5 * place) for place in range(8)]
    assert mouth.wholes([image(pixels) for pixels in plain]) == [None] * 8


@pytest.mark.parametrize(("height_px", "width_px"), [(1, 1), (1, 500), (500, 1), (16, 16), (33, 7)])
def test_a_picture_of_any_shape_can_be_looked_at(mouth: Mouth, height_px: int, width_px: int) -> None:
    odd = image(np.full((height_px, width_px, 3), 120, dtype=np.uint8))
    assert mouth.crops([odd]) == [None]
    assert (mouth.whole(odd) == mouth.whole(odd)[0, 0]).all()


def test_a_picture_that_is_a_mouth_already_is_scaled_whole(mouth: Mouth) -> None:
    ramp = np.repeat(np.linspace(0, 255, 112).astype(np.uint8)[None, :, None], 80, axis=0).repeat(3, axis=2)
    crop = mouth.whole(image(ramp))
    assert crop.shape == (CROP_HEIGHT_PX, CROP_WIDTH_PX)
    assert np.abs(crop[0] - ramp[0].reshape(CROP_WIDTH_PX, 2, 3).mean(axis=(1, 2))).max() <= 2


def test_weights_that_are_not_the_bundles_are_refused_with_what_was_found_and_expected() -> None:
    with pytest.raises(BundleError, match=r"centerface\.onnx is sha256:[0-9a-f]{64}, the bundle wants sha256:0"):
        FaceFinder("sha256:0")


@given(st.integers(1, 60), st.floats(-20, 80), st.floats(0.1, 12), st.integers(1, 60))
def test_sampling_keeps_a_plain_line_plain_and_lies_within_its_values(
    size: int, centre: float, step: float, count: int
) -> None:
    weights = resample(size, centre, step, count)
    assert weights.shape == (count, size)
    assert weights.min() >= 0
    assert np.allclose(weights.sum(axis=1), 1, atol=1e-5)


@given(st.integers(8, 60), st.integers(1, 4))
def test_sampling_at_every_pixel_gives_the_line_back(count: int, shrunk: int) -> None:
    line = np.linspace(0, 1, count * shrunk, dtype=np.float32)
    found_line = resample(len(line), len(line) / 2, shrunk, count) @ line
    inner = slice(1, -1)
    assert np.allclose(found_line[inner], line.reshape(count, shrunk).mean(axis=1)[inner], atol=1e-5)

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.measure.looks import FAULTS
from models.measure.staged import CONDITIONS, LOW_QUALITY, PLAIN, staged
from models.synthetic import speak, write_clip
from stream import clip
from stream.errors import ConfigError
from stream.frame import Frame, Modality
from stream.media import luma, picture


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of one speaker and one of another."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, seed in (("one/a", 3), ("one/b", 4), ("two/c", 5)):
        path = folder / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_clip(path, speak(seed))
    return folder


def seen(path: Path) -> NDArray[np.float64]:
    """What the service sees of a clip, [pictures, height, width]."""
    frames = [Frame("", Modality.VIDEO, one.time_ns, 0, one.jpeg, "image/jpeg") for one in clip.pictures(path)]
    return np.stack([luma(picture(frame, 4_000_000)) for frame in frames]).astype(np.float64)


@pytest.mark.parametrize("condition", [PLAIN, LOW_QUALITY, "head swaying", "frozen video"])
def test_a_staged_clip_sounds_as_before_and_shows_its_pictures_when_it_did(
    corpus: Path, tmp_path: Path, condition: str
) -> None:
    path = corpus / "one" / "a.mp4"
    made = staged(path, condition, tmp_path)
    assert made == tmp_path / "a.mkv"
    assert np.array_equal(clip.samples(made), clip.samples(path))
    assert [one.time_ns for one in clip.pictures(made)] == [one.time_ns for one in clip.pictures(path)]


def test_a_plain_clip_is_seen_as_it_was_and_one_of_low_quality_is_not(corpus: Path, tmp_path: Path) -> None:
    path = corpus / "one" / "a.mp4"
    plain, before, coarse = (
        seen(staged(path, PLAIN, tmp_path / "p")),
        seen(path),
        seen(staged(path, LOW_QUALITY, tmp_path)),
    )
    assert np.abs(plain - before).mean() < 3  # of colours that RGB cannot hold, most of it
    error = ((coarse - plain) ** 2).mean()
    assert 30 < 10 * np.log10(255**2 / error) < 45


def test_a_frozen_clip_is_seen_as_one_picture_to_the_bit(corpus: Path, tmp_path: Path) -> None:
    shown = list(clip.pictures(staged(corpus / "one" / "a.mp4", "frozen video", tmp_path)))
    assert len({one.jpeg for one in shown}) == 1


def test_foreign_pictures_are_another_clips_of_the_speaker_and_a_strangers_of_another_speaker(
    corpus: Path, tmp_path: Path
) -> None:
    path = corpus / "one" / "a.mp4"
    for condition, source in (("foreign video", "one/b"), ("video of a stranger", "two/c")):
        made, other = seen(staged(path, condition, tmp_path / condition)), seen(corpus / f"{source}.mp4")
        assert np.abs(made[5] - other[5]).mean() < 3


def test_what_needs_another_clip_says_so_where_there_is_none(synthetic_clip_alone: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no other clip beside"):
        staged(synthetic_clip_alone, "foreign video", tmp_path)


@pytest.fixture
def synthetic_clip_alone(corpus: Path, tmp_path: Path) -> Path:
    path = tmp_path / "alone" / "speaker" / "a.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes((corpus / "one" / "a.mp4").read_bytes())
    return path


def test_a_clip_without_a_face_or_pictures_says_so(corpus: Path, tmp_path: Path) -> None:
    blind = staged(corpus / "one" / "a.mp4", "black video", tmp_path)
    with pytest.raises(ConfigError, match="shows no face"):
        staged(blind, "head swaying", tmp_path / "again")


def test_no_condition_is_called_as_another() -> None:
    names = [PLAIN, *CONDITIONS, *FAULTS]
    assert len(names) == len({*names})

"""Video and text that tell nothing, or something wrong, cost nothing against sound alone.

Held against the shipped bundle, on clips that no training saw, by the service's whole path but Kafka.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.measure.cells import CLEAN, Air, Cell
from models.measure.conditions import LATE, LOST, fault_rows
from models.measure.hearing import Play, hear, scene
from models.measure.looks import FAULTS
from models.measure.rows import Row
from models.measure.staged import staged
from models.tasks import speech
from models.tasks.speech_score import errors
from stream.frame import Modality
from stream.noise import Noise
from stream.publish import ModalityResult, Prediction
from tests.benchmarks.processes import TRIVIUM

BABBLE = Air(Noise.BABBLE, 5.0)
A_WORD = 100 / 30  # points that one word more of five clips' thirty is
# Mouths that say something else: where they share words with what is said, or the noise is loud, they still cost some.
OTHERS = ("foreign video", "video of a stranger")


@pytest.fixture(scope="module")
def sentences(grid: Path) -> dict[str, str]:
    told = speech.transcripts(grid)
    return {name: told[name] for name in speech.held_out("validation")[::10]}


@pytest.fixture(scope="module")
def rows(grid: Path, sentences: dict[str, str]) -> list[Row]:
    return fault_rows(grid, "speech", sentences, lambda _: lambda: None, airs=[BABBLE])


@pytest.mark.parametrize("fault", [fault for fault in (*FAULTS, LATE, LOST) if fault not in OTHERS])
def test_bad_video_costs_no_more_than_a_word_against_sound_alone(rows: list[Row], fault: str) -> None:
    (found,) = [each for each in rows if each["condition"] == fault]
    assert found["value"] <= A_WORD + 0.01


@pytest.mark.parametrize("fault", OTHERS)
def test_a_mouth_that_says_something_else_costs_two_words_at_most(rows: list[Row], fault: str) -> None:
    (found,) = [each for each in rows if each["condition"] == fault]
    assert found["value"] <= 2 * A_WORD + 0.01


def test_finals_say_that_a_mouth_that_says_something_else_was_of_no_use(
    grid: Path, sentences: dict[str, str], tmp_path: Path
) -> None:
    paths = [grid / f"{name}.mp4" for name in sentences]
    own, others = pictures_of(paths), pictures_of([staged(path, "foreign video", tmp_path) for path in paths])
    assert len(own) == len(others) == len(paths)
    assert {(gave.status, gave.weight > 0) for gave in own} == {("present", True)}
    assert sum((gave.status, gave.weight) == ("unusable", 0) for gave in others) >= len(others) - 1


@pytest.mark.parametrize("fault", ["frozen video", "black video", LOST])
def test_video_that_shows_nothing_leaves_every_clip_as_sound_alone_has_it(rows: list[Row], fault: str) -> None:
    (found,) = [each for each in rows if each["condition"] == fault]
    assert (found["low"], found["value"], found["high"]) == (0, 0, 0)


@pytest.mark.parametrize("modalities", ["A", "A+V"])
def test_wrong_words_on_the_screen_cost_a_word_at_most(
    grid: Path, sentences: dict[str, str], tmp_path: Path, modalities: str
) -> None:
    paths = [grid / f"{name}.mp4" for name in sentences]
    shown = [_wrong_words(sentence, sentences, tmp_path) for sentence in sentences.values()]
    plain = [Play((path,), scene(Cell(modalities, CLEAN))) for path in paths]
    misled = [
        Play((path,), scene(Cell(f"{modalities}+T", CLEAN), text=text)) for path, text in zip(paths, shown, strict=True)
    ]
    heard = hear([*plain, *misled], "speech")
    found = [errors(said, each.text)[0] for said, each in zip([*sentences.values()] * 2, heard, strict=True)]
    assert sum(found[len(paths) :]) <= sum(found[: len(paths)]) + 1


def pictures_of(paths: Sequence[Path]) -> list[ModalityResult]:
    """What the pictures gave to each final of these clips, by `trivium recognize`."""
    told = subprocess.run([*TRIVIUM, "recognize", "--json", *paths], check=True, capture_output=True).stdout
    said = [Prediction.model_validate_json(line) for line in told.splitlines()]
    return [one.modalities[Modality.VIDEO] for one in said if one.is_final]


def _wrong_words(sentence: str, sentences: dict[str, str], folder: Path) -> Path:
    """A file that shows four words of other sentences throughout."""
    known = {word for said in sentences.values() for word in said.split()}
    wrong = sorted(known - {*sentence.split()}, key=lambda word: word[::-1])[:4]
    path = folder / f"{sentence.replace(' ', '-')}.vtt"
    path.write_text(f"WEBVTT\n\n00:00.000 --> 00:03.000\n{' '.join(wrong)}\n")
    return path

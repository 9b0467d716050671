import numpy as np
import pytest

from models.measure.cells import CLEAN, Air, Cell
from models.measure.conditions import LATE, LATE_MS, LOST, Job, Measured, _fault_row, _look_row
from models.measure.hearing import scene
from models.measure.looks import FAULTS
from models.measure.staged import CONDITIONS, PLAIN
from models.measure.statistics import Bootstrap
from stream.frame import Modality
from stream.noise import Noise

BABBLE = Air(Noise.BABBLE, 5.0)
ALONE, BOTH, BLIND = (
    Job(PLAIN, Cell("A", BABBLE)),
    Job("black video", Cell("A+V", BABBLE)),
    Job(LOST, Cell("A+V", BABBLE)),
)


def measured(edits: dict[Job, list[int]]) -> Measured:
    """Errors in clips of six words."""
    clips = len(next(iter(edits.values())))
    arrays = {job: np.array([each], dtype=np.int64) for job, each in edits.items()}
    return Measured(arrays, Bootstrap(np.full(clips, 6), 1), "some clips")


@pytest.mark.parametrize("condition", [PLAIN, *CONDITIONS, *FAULTS])
def test_what_is_a_matter_of_the_pictures_leaves_the_scene_as_the_cell_has_it(condition: str) -> None:
    cell = Cell("A+V", BABBLE)
    assert Job(condition, cell).scene == scene(cell)


def test_late_and_lost_video_are_done_on_the_way() -> None:
    assert Job(LATE, Cell("A+V")).scene.delay_ms == {Modality.VIDEO: LATE_MS}
    assert Job(LOST, Cell("A+V")).scene.drop == {Modality.VIDEO: 1.0}
    assert Job(LOST, Cell("A+V", BABBLE)).scene.snr_db == 5.0


def test_a_looks_row_has_its_own_rate_and_that_of_the_plain_clips() -> None:
    plain, turned = (Job(name, Cell("V", CLEAN)) for name in (PLAIN, "head tilted 20 degrees"))
    row = _look_row(turned, measured({plain: [0, 0, 0, 3], turned: [1, 2, 0, 3]}))
    assert (row["table"], row["value"], row["plain_value"], row["unit"]) == ("looks", 25.0, 12.5, "%")
    assert row["low"] <= row["value"] <= row["high"]
    assert (row["condition"], row["modalities"], row["snr_db"]) == ("head tilted 20 degrees", "V", None)


def test_a_faults_row_is_the_paired_difference_from_sound_alone() -> None:
    found = measured({ALONE: [1, 0, 2, 0], BOTH: [1, 0, 2, 0], BLIND: [3, 2, 4, 2]})
    same, worse = (_fault_row(job, found) for job in (BOTH, BLIND))
    assert (same["table"], same["unit"], same["against"]) == ("faults", "points", "A")
    assert (same["value"], same["low"], same["high"], same["against_value"]) == (0.0, 0.0, 0.0, 12.5)
    assert same["reached"]
    assert worse["value"] == pytest.approx(33.333, abs=0.001)
    assert not worse["reached"]

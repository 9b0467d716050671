import itertools
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from models.synthetic import WORDS, Session, speak
from stream import clip
from stream.cues import cues
from tests.synthetic_clips import SyntheticClip

WINDOW = 160  # 10 ms


def heard(session: Session) -> NDArray[np.bool_]:
    """Which windows of 10 ms are louder than the room."""
    windows = session.samples.astype(np.float64).reshape(-1, WINDOW)
    loudness = np.sqrt((windows**2).mean(axis=1))
    louder: NDArray[np.bool_] = loudness > 3 * loudness[:40].mean()
    return louder


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = speak(5), speak(5)
    assert first.samples.tobytes() == second.samples.tobytes()
    for one, other in itertools.islice(zip(first.pictures(), second.pictures(), strict=True), 30):
        assert one.tobytes() == other.tobytes()
    assert (first.words, first.cues) == (second.words, second.cues)


def test_another_seed_gives_another_speaker_and_other_words() -> None:
    assert speak(5).look != speak(6).look
    assert speak(5).transcript != speak(6).transcript


@pytest.mark.parametrize("seed", range(8))
def test_word_times_agree_with_the_energy_of_the_sound(seed: int) -> None:
    session = speak(seed)
    windows = np.flatnonzero(heard(session)) * 0.01
    assert windows[0] == pytest.approx(session.words[0].start_s, abs=0.1)
    assert windows[-1] == pytest.approx(session.words[-1].end_s, abs=0.1)
    for word in session.words:
        assert ((windows >= word.start_s - 0.01) & (windows < word.end_s)).any()


def test_the_room_is_quiet_between_sentences() -> None:
    session = speak(2, sentences=3, gap_ms=(800, 900))
    louder = heard(session)
    gaps = [(a.end_s, b.start_s) for a, b in itertools.pairwise(session.words) if b.start_s > a.end_s + 0.1]
    assert len(gaps) == 2
    for begin_s, end_s in gaps:
        assert 0.8 <= end_s - begin_s <= 0.9
        assert not louder[int(begin_s * 100) + 5 : int(end_s * 100) - 1].any()


def test_half_a_second_comes_before_the_first_word_and_one_after_the_last() -> None:
    session = speak(4)
    assert session.words[0].start_s == 0.5
    assert 1.0 <= session.duration_s - session.words[-1].end_s < 1.05


def test_there_is_a_picture_for_every_40_ms_of_sound() -> None:
    session = speak(4, sentences=2)
    assert session.frames * 640 == len(session.samples)
    assert sum(1 for _ in session.pictures()) == session.frames


def test_every_word_comes_from_the_list_and_any_may_follow_any() -> None:
    words = [word.name for seed in range(60) for word in speak(seed).words]
    assert set(words) == set(WORDS)
    assert len(WORDS) == len(set(WORDS)) == 51


def test_a_sentence_has_four_to_seven_words() -> None:
    assert {len(speak(seed).words) for seed in range(40)} == {4, 5, 6, 7}


def test_a_cue_shows_words_of_its_sentence_and_is_there_before_it() -> None:
    session = speak(7, sentences=3)
    assert len(session.cues) == 3
    for cue in session.cues:
        said = [word.name for word in session.words if cue.start_s < word.start_s < cue.end_s]
        assert cue.start_s == pytest.approx(session.words[0].start_s - 0.3) or cue.start_s > session.words[0].end_s
        assert len(cue.name.split()) >= 2
        assert set(cue.name.split()) <= set(said)


def test_no_sentence_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="0 sentences"):
        speak(1, sentences=0)


def test_a_clip_gives_its_sound_back_where_it_was(synthetic_clip: SyntheticClip) -> None:
    written, read = synthetic_clip.session.samples.astype(float), clip.samples(synthetic_clip.path).astype(float)
    assert abs(len(read) - len(written)) <= 1024  # AAC ends on its own grid
    length = min(len(read), len(written))
    spectrum = np.fft.rfft(read[:length]) * np.conj(np.fft.rfft(written[:length]))
    lag = int(np.fft.irfft(spectrum, length).argmax())
    assert min(lag, length - lag) <= 16  # 1 ms


def test_a_clip_gives_its_pictures_back_in_step_with_the_sound(synthetic_clip: SyntheticClip) -> None:
    with av.open(str(synthetic_clip.path)) as container:
        assert "synthetic" in container.metadata["title"].casefold()
        shown = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [time_s for time_s, _ in shown] == pytest.approx(np.arange(synthetic_clip.session.frames) * 0.04)
    session = synthetic_clip.session
    x, y = session.mouth_px.mean(axis=0).astype(int)
    mouth = np.s_[y - 20 : y + 30, x - 30 : x + 30]
    drawn = np.stack([picture[mouth].mean(axis=2) for picture in session.pictures()])
    decoded = np.stack([picture[mouth].mean(axis=2) for _, picture in shown])
    change = np.abs(np.diff(session.mouths[:, 0])) > 0.05
    moving = np.flatnonzero(change[:-1] & change[1:]) + 1  # unlike the picture before and the one after
    difference = np.array([[np.abs(decoded[at] - drawn[at + by]).mean() for by in (-1, 0, 1)] for at in moving])
    assert len(moving) > 10
    assert (difference.argmin(axis=1) == 1).all()


def test_the_cues_of_a_clip_lie_beside_it(synthetic_clip: SyntheticClip) -> None:
    read = [(cue.text, cue.time_ns) for cue in cues(synthetic_clip.path.with_suffix(".vtt"))]
    written = [(cue.name, round(cue.start_s * 1000) * 1_000_000) for cue in synthetic_clip.session.cues]
    assert read == written


def test_the_command_writes_a_clip_and_prints_what_is_said_in_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models.synthetic", str(tmp_path / "one.mp4"), "--seed", "3"]
    done = subprocess.run(command, capture_output=True, check=True)
    truth = orjson.loads(done.stdout)
    assert (tmp_path / "one.mp4").stat().st_size > 10_000
    assert truth["synthetic"] is True
    assert truth["transcript"] == speak(3).transcript == " ".join(word["word"] for word in truth["words"])

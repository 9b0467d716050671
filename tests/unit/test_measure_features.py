"""The short way to many error rates, held against the long one that the service goes."""

from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from models import bundle as bundles
from models.measure.cells import CLEAN, Air, Cell, Segment, Sight, Sound
from models.measure.counts import Counts, Fusing, Plan, count
from models.measure.features import Clip, Encoding, Key, Part
from models.measure.hearing import Play, hear, scene
from models.measure.peer_rows import peer_rows
from models.tasks import speech
from models.tasks.speech_score import errors
from stream.blocks import Blocks
from stream.features import Features
from stream.frame import Frame, Modality
from stream.look import believed, look
from stream.noise import Noise
from stream.predict import Predictor
from stream.provider import Models
from stream.raster import MAX_TOKENS, MODALITIES
from stream.scene import Scene, takes, timed
from tests.synthetic_clips import SyntheticClip

NOISY = Air(Noise.WHITE, 0.0)
SPEECH = bundles.load("speech")
SENTENCE = "bin blue at l six now"


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(SPEECH, "cpu")


@pytest.fixture(scope="module")
def source(synthetic_clip: SyntheticClip) -> Clip:
    return Clip(synthetic_clip.path, SENTENCE)


@pytest.mark.parametrize(("air", "loss"), [(CLEAN, 0.0), (NOISY, 0.2)])
def test_frames_are_those_that_the_scene_sends(
    source: Clip, synthetic_clip: SyntheticClip, air: Air, loss: float
) -> None:
    there = scene(Cell("A+V", air, loss=loss), seed=3)
    sent = [each.item for each in timed(takes([synthetic_clip.path], Scene()), there) if isinstance(each.item, Frame)]
    for modality, found in (
        (Modality.AUDIO, source.heard(Sound(air, loss, 3))),
        (Modality.VIDEO, source.seen(Sight(loss, 3))),
    ):
        expected = [frame for frame in sent if frame.modality is modality]
        assert [(frame.time_ns, frame.payload) for frame in found] == [(f.time_ns, f.payload) for f in expected]


def test_a_hint_is_a_word_of_the_sentence_shown_from_end_to_end(source: Clip) -> None:
    hints = [source.read(seed) for seed in range(8)]
    assert {frame.payload.decode() for (frame,) in hints} <= {*SENTENCE.split()}
    assert len({frame.payload for (frame,) in hints}) > 1
    assert all((frame.time_ns, frame.duration_ns) == (0, source.span_ns) for (frame,) in hints)


async def test_features_are_those_of_the_services_blocks(source: Clip, models: Models) -> None:
    predictor = Predictor(SPEECH, models, threads=1)
    blocks = Blocks(predictor)
    frames = {
        Modality.TEXT: source.read(1),
        Modality.AUDIO: source.heard(Sound(NOISY, 0.2, 1)),
        Modality.VIDEO: source.seen(Sight(0.2, 1)),
    }
    ends_ns = range(SPEECH.hop_ns, source.span_ns + SPEECH.hop_ns, SPEECH.hop_ns)
    for end_ns in ends_ns:
        start_ns = end_ns - SPEECH.hop_ns
        inside = {
            modality: [f for f in each if f.time_ns < end_ns and f.time_ns + (f.duration_ns or 0) > start_ns]
            for modality, each in frames.items()
        }
        blocks.put(start_ns, predictor.raster.hop(inside, start_ns, end_ns))
    await blocks.encode(0, nothing_follows=True)
    expected = blocks.features(0, ends_ns[-1])
    predictor.close()

    keys: dict[Modality, Key] = {
        Modality.TEXT: 1,
        Modality.AUDIO: Sound(NOISY, 0.2, 1),
        Modality.VIDEO: Sight(0.2, 1),
    }
    segment = Segment(cast("Sound", keys[Modality.AUDIO]), cast("Sight", keys[Modality.VIDEO]), 0, 1)
    parts = Encoding(SPEECH, models).parts(source, [segment])
    for place, modality in enumerate(MODALITIES):
        part = parts[keys[modality]]
        there = expected.mask[:, place] > 0
        assert np.array_equal(part.present, expected.mask[:, place])
        assert there.any()
        assert np.abs(part.features[there] - expected.parts[modality][there]).max() < 1e-4


def part(width: int, ticks: int, seen: int) -> Part:
    """Features that tell their tick, in the first `seen` ticks."""
    features = np.repeat(np.arange(1, ticks + 1, dtype=np.float32)[:, None], width, axis=1)
    return Part(features, (np.arange(ticks) < seen).astype(np.float32))


def test_pictures_out_of_step_stand_later_and_the_segment_grows_to_hold_them(models: Models) -> None:
    widths = {m: SPEECH.manifest.encoders[m].features for m in MODALITIES}
    sound, sight = Sound(CLEAN, 0.0, 0), Sight(0.0, 0)
    parts: dict[Key, Part] = {sound: part(widths[Modality.AUDIO], 80, 75), sight: part(widths[Modality.VIDEO], 80, 75)}
    fusing = Fusing(SPEECH, models)
    stretches = (fusing.stretch(Segment(sound, sight, skew, None), parts) for skew in (0, 8))
    plain, late = (fusing.inputs(each, parts) for each in stretches)
    assert (len(plain["mask"]), len(late["mask"])) == (80, 88)
    assert late["mask"][:, 2].nonzero()[0].tolist() == [*range(8, 83)]
    assert late["video"][8:83, 0].tolist() == [*range(1, 76)]
    assert np.array_equal(late["audio"][:80], plain["audio"])
    assert not plain["mask"][:, 0].any()


LOUD, LOUDER = Air(Noise.WHITE, -5.0), Air(Noise.BABBLE, -10.0)
TOLD = {  # sound, sight, hint, what befalls the pictures: what a final says by
    "sound alone": (Sound(NOISY, 0.0, 0), None, None, ""),
    "sound and a word": (Sound(LOUD, 0.0, 0), None, 1, ""),
    "pictures and a word": (None, Sight(0.0, 0), 1, ""),
    "all": (Sound(CLEAN, 0.0, 0), Sight(0.0, 0), 1, ""),
    "a sound that is unsure": (Sound(LOUDER, 0.0, 0), Sight(0.0, 0), None, ""),
    "pictures for a while, a sound that is unsure": (Sound(LOUDER, 0.0, 0), Sight(0.0, 0), 0, "gone"),
    "pictures of other words": (Sound(CLEAN, 0.0, 0), Sight(0.0, 0), None, "turned"),
}


@pytest.mark.parametrize("case", TOLD)
async def test_a_clip_as_one_segment_reads_as_the_services_last_look_at_it(
    source: Clip, models: Models, case: str
) -> None:
    sound, sight, hint, befallen = TOLD[case]
    segment = Segment(sound, sight, 0, hint)
    parts = Encoding(SPEECH, models).parts(source, [segment])
    if sight is not None and befallen:
        plain = parts[sight]
        turned = Part(plain.features[::-1], plain.present[::-1])  # words said backwards are other words
        gone = Part(plain.features, plain.present * (np.arange(len(plain.present)) < len(plain.present) // 2))
        parts[sight] = {"turned": turned, "gone": gone}[befallen]
    fusing = Fusing(SPEECH, models)
    inputs = fusing.inputs(fusing.stretch(segment, parts), parts)
    tokens = np.zeros((len(inputs["mask"]), MAX_TOKENS), dtype=np.int64)
    tokens[:, : 0 if hint is None else 1] = [*parts[hint].shown] if hint is not None else []
    features = Features({m: inputs[m] for m in MODALITIES}, inputs["mask"], tokens)
    predictor = Predictor(SPEECH, models, threads=1)
    first = await look(predictor, features)
    last = await believed(predictor, features, first)
    predictor.close()
    assert fusing.texts([segment], parts) == [" ".join(word.word for word in last.words)]
    assert last.misled == (befallen == "turned")
    assert (last is first) == ("unsure" not in case and not last.misled)


CELLS = (Cell("A+V"), Cell("A", NOISY), Cell("V", loss=0.2), Cell("T"), Cell("A+V+T", NOISY, 80, 0.2))


@pytest.fixture(scope="module")
def counted(synthetic_clip: SyntheticClip) -> list[Counts]:
    """Two plans for the same bundle, on one clip."""
    plans = [Plan("speech", cells, 2) for cells in (CELLS, CELLS[:2])]
    return count(plans, synthetic_clip.path.parent, {synthetic_clip.path.stem: said(synthetic_clip)})


def said(clip: SyntheticClip) -> str:
    return " ".join(span.name for span in clip.session.words)


def test_errors_come_by_cell_and_seed_and_not_by_who_else_was_measured(
    counted: list[Counts], synthetic_clip: SyntheticClip
) -> None:
    whole, some = counted
    assert [whole.of(cell).shape for cell in CELLS] == [(1, 1), (2, 1), (2, 1), (2, 1), (2, 1)]
    assert all(np.array_equal(some.of(cell), whole.of(cell)) for cell in CELLS[:2])
    assert np.array_equal(whole.of(Cell("V", NOISY, 160, 0.2)), whole.of(Cell("V", loss=0.2)))
    assert whole.words.tolist() == [len(said(synthetic_clip).split())]
    assert whole.of(Cell("T")).min() > 0  # one word is no sentence


def test_the_whole_path_finds_the_same_words(grid: Path) -> None:
    name, cell = speech.held_out("validation")[0], Cell("A+V")
    sentence = speech.transcripts(grid)[name]
    (short,) = count([Plan("speech", (cell,), 1)], grid, {name: sentence})
    (heard,) = hear([Play((grid / f"{name}.mp4",), scene(cell))], "speech")
    assert short.of(cell).tolist() == [[errors(sentence, heard.text)[0]]]
    assert all(word.start_ms < word.end_ms for word in heard.words)
    assert heard.starts_ms == (0,)


class Parrot:
    """Says the same whatever it hears, and keeps what it heard."""

    name = "parrot"
    licence = "none"
    modules: tuple[str, ...] = ()

    def __init__(self, text: str) -> None:
        self.text = text
        self.heard: list[NDArray[np.int16]] = []

    def transcribe(self, samples: NDArray[np.int16]) -> str:
        self.heard.append(samples)
        return self.text


def test_peers_hear_each_noise_once_and_are_counted_like_us(synthetic_clip: SyntheticClip) -> None:
    sentence = said(synthetic_clip)
    parrot = Parrot(sentence)
    done: list[int] = []
    folder: Path = synthetic_clip.path.parent
    rows = peer_rows(
        folder, {synthetic_clip.path.stem: sentence}, 1, lambda total: lambda: done.append(total), lambda: [parrot]
    )
    assert len(parrot.heard) == len(rows) == 11
    assert all(each["value"] == 0 for each in rows)
    assert done == [1]
    assert len({samples.tobytes() for samples in parrot.heard}) == 11

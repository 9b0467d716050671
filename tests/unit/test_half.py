from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models import bundle, half
from models.bundle import HALF
from models.manifest import FUSION
from models.preprocess import HOP_TICKS, TICK_SAMPLES
from stream.config import Settings
from stream.decode import spoken
from stream.features import Features, Window
from stream.predict import Predictor
from stream.provider import HALF_TOLERANCE, Models
from stream.publish import Prediction, SessionRecord
from stream.recognize import recognize_one
from stream.replay import sources
from stream.scene import Scene
from tests.synthetic_clips import SyntheticClip

SPEECH = bundle.load("speech")
WINDOW_TICKS = SPEECH.left_ticks + HOP_TICKS + SPEECH.right_ticks
WEIGHTS = np.eye(4, dtype=np.float32)


@pytest.fixture(scope="module")
def full() -> Models:
    return Models(SPEECH, "cpu")


@pytest.fixture(scope="module")
def halved() -> Models:
    return Models(SPEECH, "cpu", "fp16")


@pytest.fixture
def converted(tmp_path: Path) -> onnx.ModelProto:
    """Log energies and a matrix product of them, in half precision."""
    nodes = [
        helper.make_node("Mul", ["x", "x"], ["energy"], "square"),
        helper.make_node("Log", ["energy"], ["level"], "log"),
        helper.make_node("MatMul", ["level", "weights"], ["y"], "product"),
    ]
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "levels", ports[:1], ports[1:], [numpy_helper.from_array(WEIGHTS, "weights")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "x.onnx")
    half.write(tmp_path / "x.onnx", tmp_path / "x.fp16.onnx")
    return onnx.load(tmp_path / "x.fp16.onnx")


def features(models: Models, graph: str, values: NDArray[np.generic]) -> NDArray[np.float32]:
    (port,) = SPEECH.manifest.graphs[graph].inputs
    return models.run(graph, {port: values})["features"]


def ports(path: Path) -> list[tuple[str, int, int]]:
    """Name, type and number of dimensions of each input and output."""
    graph = onnx.load(path).graph
    return [
        (port.name, port.type.tensor_type.elem_type, len(port.type.tensor_type.shape.dim))
        for port in (*graph.input, *graph.output)
    ]


def test_what_a_logarithm_is_taken_of_keeps_its_range_and_what_follows_is_half(converted: onnx.ModelProto) -> None:
    session = ort.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    loud_and_quiet = np.array([[3e4, 1e3, 1e-5, 1e-9]], dtype=np.float32)  # squared, none of them fits in float16
    (found,) = session.run(None, {"x": loud_and_quiet})
    assert found.dtype == np.float32
    assert np.abs(found - 2 * np.log(loud_and_quiet)).max() < 0.02
    assert [entry.data_type for entry in converted.graph.initializer] == [TensorProto.FLOAT16]


@pytest.mark.parametrize("graph", HALF)
def test_half_precision_does_not_show_at_inputs_and_outputs(graph: str) -> None:
    assert ports(SPEECH.graph(graph, "fp16")) == ports(SPEECH.graph(graph))


@pytest.mark.parametrize("graph", HALF)
def test_every_learnt_weight_is_half(graph: str) -> None:
    weights = [entry for entry in onnx.load(SPEECH.graph(graph, "fp16")).graph.initializer if len(entry.dims) > 1]
    wide = {entry.name for entry in weights if entry.data_type == TensorProto.FLOAT}
    assert wide == ({"spectra.basis", "spectra.filters"} if graph == "audio" else set())
    assert len(weights) >= len(wide) + 5


@given(st.floats(-5, 0), st.sampled_from(["noise", "tone"]), st.integers(0, 99))
@settings(max_examples=15)
def test_sound_of_any_loudness_has_about_the_same_features(
    full: Models, halved: Models, loudness: float, kind: str, seed: int
) -> None:
    generator, count = np.random.default_rng(seed), WINDOW_TICKS * TICK_SAMPLES
    tone = np.sin(np.arange(count) * generator.uniform(0.02, 2))
    sound = (10**loudness * (generator.uniform(-1, 1, count) if kind == "noise" else tone)).astype(np.float32)[None]
    assert np.abs(features(full, "audio", sound) - features(halved, "audio", sound)).max() < HALF_TOLERANCE


@given(st.sampled_from([1, 2, 20, 256]), st.integers(0, 99))
@settings(max_examples=10)
def test_pictures_of_any_contrast_have_about_the_same_features(
    full: Models, halved: Models, levels: int, seed: int
) -> None:
    manifest = SPEECH.manifest
    shape = (1, WINDOW_TICKS, manifest.crop_height_px, manifest.crop_width_px)
    crops = (np.random.default_rng(seed).integers(0, levels, shape) * (255 // levels)).astype(np.uint8)
    assert np.abs(features(full, "video", crops) - features(halved, "video", crops)).max() < HALF_TOLERANCE


class Listening(Predictor):
    """Notes the windows that it encodes."""

    def __init__(self, models: Models) -> None:
        super().__init__(SPEECH, models, threads=1)
        self.windows: list[Window] = []

    async def encode(self, window: Window) -> Features:
        self.windows.append(window)
        return await super().encode(window)

    async def hear(self, path: Path) -> list[str]:
        """Every final's words of a clip."""
        said: list[str] = []

        def note(message: Prediction | SessionRecord) -> None:
            if isinstance(message, Prediction) and message.is_final:
                said.append(message.text)

        await recognize_one(Settings.load(environ={}), self, sources([path], Scene())[0], Scene(), note)
        return said


async def test_a_clip_reads_the_same_and_its_ticks_choose_the_same_word_but_for_near_ties(
    full: Models, halved: Models, synthetic_clip: SyntheticClip
) -> None:
    exact, rough = Listening(full), Listening(halved)
    heard = await exact.hear(synthetic_clip.path)
    assert heard
    assert heard == await rough.hear(synthetic_clip.path)
    precise, near = (
        one._fuse(FUSION, [Features.joined(one._encode(exact.windows))])[0].logits for one in (exact, rough)
    )
    first, second = np.sort(precise, axis=1)[:, -1], np.sort(precise, axis=1)[:, -2]
    otherwise = precise.argmax(axis=1) != near.argmax(axis=1)
    assert 0 < np.abs(precise - near).max() < 0.3
    assert (first - second)[otherwise].max(initial=0) < 0.3
    assert [word.word for word in spoken(precise, SPEECH.language())] == [
        word.word for word in spoken(near, SPEECH.language())
    ]
    for one in (exact, rough):
        one.close()

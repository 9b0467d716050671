from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models import bundle
from models.bundle import Bundle
from models.encoders import Dimensions, VideoEncoder
from models.export import TOLERANCE, WINDOW_TICKS, _compared, export, pieces
from models.manifest import ENCODERS, FUSION, HEARD
from models.network import Network
from models.preprocess import CROP_HEIGHT_PX, CROP_WIDTH_PX, HOP_TICKS, TICK_SAMPLES
from stream.errors import BundleError
from stream.provider import Arrays, Models
from stream.raster import MAX_TOKENS
from tests.fusing import recomputed

VOCABULARY = ["", "blue", "green", "now", "red"]
DIMS = Dimensions(len(VOCABULARY), len(VOCABULARY))
SIZES = {"text": DIMS.text, "audio": DIMS.audio, "video": DIMS.video}


@dataclass(frozen=True)
class Exported:
    """A network drawn at random, one of the same encoder that knows sound alone, and what their bundle runs."""

    network: Network
    alone: Network
    bundle: Bundle
    models: Models

    def differences(self, graph: str, inputs: Arrays) -> Iterator[float]:
        """The largest difference between ONNX Runtime and torch, an output each."""
        module: nn.Module = getattr(self.network, graph)
        with torch.no_grad():
            wanted = module(*(torch.from_numpy(value) for value in inputs.values()))
        found = self.models.run(graph, inputs)
        tensors: tuple[Tensor, ...] = wanted if isinstance(wanted, tuple) else (wanted,)
        for ours, theirs in zip(found.values(), tensors, strict=True):
            assert ours.shape == theirs.shape
            yield float(np.abs(ours - theirs.numpy()).max())


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Export a small vocabulary's network once; its batch norms are as if they had seen data."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("export")
    network = Network(DIMS, "average").eval()
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.get_buffer("running_mean").normal_(0, 0.1)
            norm.get_buffer("running_var").uniform_(0.5, 2)
    network.fusion.mean.normal_()
    network.fusion.scale.uniform_(0.5, 2)
    network.fusion.weights.uniform_(0.2, 1)
    svd = {"explained_energy_ratio": 0.5, "singular_values": [3.0, 2.0]}
    words = {"vocabulary": VOCABULARY, "prior": torch.zeros(5), "follows": torch.arange(25.0).reshape(5, 5)}
    sizes = {"dims": asdict(DIMS), "fusion": "average"}
    torch.save({"network": network.state_dict(), "svd": svd, **sizes, **words}, folder / "model.pt")
    alone = Network(replace(DIMS, rank=4, streams=1)).eval()
    alone.audio.load_state_dict(network.audio.state_dict())
    sizes = {"dims": asdict(alone.dims), "fusion": "concatenation"}
    torch.save({"network": alone.state_dict(), "svd": svd, **sizes}, folder / "audio.pt")
    metrics = [{"figure": "word error rate", "value": "1 %", "data": "none", "command": "none"}]
    made = export(folder / "model.pt", folder / "bundle", "9.9", metrics, folder / "audio.pt")
    return Exported(network, alone, made, Models(made, "cpu"))


def drawn(graph: str, batch: int, seed: int) -> Arrays:
    """Random input of an encoder's window."""
    generator = np.random.default_rng(seed)
    if graph == "text":
        return {"tokens": generator.integers(0, len(VOCABULARY), (batch, HOP_TICKS, MAX_TOKENS))}
    if graph == "audio":
        sound = generator.uniform(-1, 1, (batch, WINDOW_TICKS * TICK_SAMPLES)) * generator.choice([0, 1e-3, 1])
        return {"samples": sound.astype(np.float32)}
    shape = (batch, WINDOW_TICKS, CROP_HEIGHT_PX, CROP_WIDTH_PX)
    return {"crops": generator.integers(0, generator.choice([1, 20, 256]), shape, dtype=np.uint8)}


def segments(lengths: list[int], padding: int, seed: int) -> Arrays:
    """Random features of open segments."""
    generator = np.random.default_rng(seed)
    batch, ticks = len(lengths), max(lengths) + padding
    features: Arrays = {
        name: generator.standard_normal((batch, ticks, size)).astype(np.float32) for name, size in SIZES.items()
    }
    mask = generator.integers(0, 2, (batch, ticks, 3)).astype(np.float32)
    return features | {"mask": mask, "lengths": np.array(lengths, dtype=np.int64)}


@pytest.mark.parametrize("graph", ENCODERS)
@given(batch=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=6)
def test_an_encoders_graph_agrees_with_torch_on_any_batch(
    exported: Exported, graph: str, batch: int, seed: int
) -> None:
    assert max(exported.differences(graph, drawn(graph, batch, seed))) < TOLERANCE


@given(st.lists(st.integers(1, 60), min_size=1, max_size=4), st.integers(0, 40), st.integers(0, 99))
@settings(max_examples=12)
def test_the_fusions_graph_agrees_with_torch_on_any_lengths_padding_and_batch(
    exported: Exported, lengths: list[int], padding: int, seed: int
) -> None:
    assert max(exported.differences("fusion", segments(lengths, padding, seed))) < TOLERANCE


def test_sounds_own_head_comes_along_as_a_graph_of_the_fusions_ports_and_heeds_nothing_else(exported: Exported) -> None:
    inputs = segments([9, 5], 3, 0)
    sound = {**inputs, "mask": inputs["mask"] * np.array([0, 1, 0], dtype=np.float32)}
    with torch.no_grad():
        wanted, *_ = exported.alone.fusion(*(torch.from_numpy(value) for value in sound.values()))
    for given_ in (inputs, sound):
        assert np.abs(exported.models.run(HEARD, given_)["logits"] - wanted.numpy()).max() < TOLERANCE
    graphs = exported.bundle.manifest.graphs
    assert graphs[HEARD].inputs == graphs[FUSION].inputs


def test_sounds_own_head_is_refused_if_it_goes_with_another_encoder(exported: Exported, tmp_path: Path) -> None:
    folder = exported.bundle.directory.parent
    other = torch.load(folder / "audio.pt", weights_only=True)
    other["network"]["audio.front.0.weight"] += 1e-3
    torch.save(other, tmp_path / "other.pt")
    with pytest.raises(BundleError, match=r"other\.pt has another encoder of sound"):
        export(folder / "model.pt", tmp_path / "bundle", "9.9", [], tmp_path / "other.pt")


def test_projected_can_be_computed_anew_from_the_features_and_the_bundles_svd(exported: Exported) -> None:
    inputs, svd = segments([9, 5], 3, 0), exported.bundle.svd()
    kind, features = exported.bundle.manifest.fusion, [inputs[name] for name in ENCODERS]
    projected = recomputed(kind, svd, features, inputs["mask"])
    assert np.abs(exported.models.run("fusion", inputs)["projected"] - projected).max() < TOLERANCE
    sound = inputs["mask"] * np.array([0, 1, 0], dtype=np.float32)
    projected = recomputed("concatenation", exported.bundle.svd(HEARD), features, sound)
    assert np.abs(exported.models.run(HEARD, inputs)["projected"] - projected).max() < TOLERANCE
    assert exported.bundle.svd(HEARD)["singular_values"].tolist() == [3, 2]


def test_the_manifest_tells_contexts_sizes_ports_and_what_was_measured(exported: Exported) -> None:
    manifest = exported.bundle.manifest
    assert (manifest.version, manifest.vocabulary, manifest.svd_rank) == ("9.9", VOCABULARY, DIMS.rank)
    assert manifest.fusion == "average"
    assert {name: (e.left_ticks, e.right_ticks, e.features) for name, e in manifest.encoders.items()} == {
        "text": (0, 0, DIMS.text),
        "audio": (3, 3, DIMS.audio),
        "video": (3, 3, DIMS.video),
    }
    fusion = manifest.graphs["fusion"]
    assert list(fusion.inputs) == ["text", "audio", "video", "mask", "lengths"]
    assert list(fusion.outputs) == ["logits", "projected", "shares"]
    assert fusion.inputs["mask"].shape == ("batch", "ticks", 3)
    assert manifest.graphs["video"].inputs["crops"].dtype == "uint8"
    card = (exported.bundle.directory / "README.md").read_text()
    assert all(part in card for part in ("word error rate", "CenterFace", "WIDER FACE", "blue green now red"))


def test_the_bundle_keeps_the_language_of_the_model(exported: Exported) -> None:
    language = exported.bundle.language()
    assert list(language.vocabulary) == VOCABULARY
    assert language.prior.tolist() == [0] * len(VOCABULARY)
    assert language.follows.flatten().tolist() == list(range(len(VOCABULARY) ** 2))


def test_the_graphs_hold_no_path_of_the_machine_that_exported_them(exported: Exported) -> None:
    for path in exported.bundle.directory.iterdir():
        content = path.read_bytes()
        assert str(Path(bundle.__file__).parent).encode() not in content
        assert b"site-packages" not in content


def test_a_graph_that_differs_from_its_network_is_refused(exported: Exported) -> None:
    text = next(piece for piece in pieces(exported.network) if piece.name == "text")
    other = replace(text, module=nn.Sequential(text.module, nn.Threshold(-1e9, 0), nn.Hardtanh(-0.1, 0.1)))
    with pytest.raises(BundleError, match=r"text\.onnx: features differs from torch by"):
        _compared(other, exported.bundle.graph("text"))


def test_the_network_hears_a_whole_stream_as_the_graphs_hear_its_windows(exported: Exported) -> None:
    crops = drawn("video", 1, 3)["crops"]
    around = torch.from_numpy(crops)
    encoder = exported.network.video
    assert isinstance(encoder, VideoEncoder)
    stream = torch.cat([torch.zeros_like(around[:, :3]), around, torch.zeros_like(around[:, :3])], dim=1)
    with torch.no_grad():
        whole = encoder(stream).numpy()
    window = exported.models.run("video", {"crops": crops})["features"]
    assert np.abs(whole[:, 3 : 3 + HOP_TICKS] - window).max() < TOLERANCE

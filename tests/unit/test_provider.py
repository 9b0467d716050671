import logging
import shutil
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from models import bundle
from models.bundle import HALF, Bundle
from stream.errors import BundleError, InferenceError, ProviderError
from stream.provider import HALF_TOLERANCE, TOLERANCE, Arrays, Models, _difference, run_bound

SPEECH = bundle.load("speech")
HAS_GPU = "CUDAExecutionProvider" in ort.get_available_providers()


@pytest.fixture(scope="module")
def models() -> Models:
    return Models(SPEECH, "cpu")


@pytest.fixture
def copied(tmp_path: Path) -> Bundle:
    """A copy of the shipped bundle, to be spoilt."""
    shutil.copytree(SPEECH.directory, tmp_path, dirs_exist_ok=True)
    return bundle.load(str(tmp_path))


def started_on(provider: str) -> str | None:
    """Where the bundle really runs, None if the provider is refused as it should be."""
    try:
        return Models(SPEECH, provider).provider
    except ProviderError as error:
        return None if error.exit_code == 2 and f"provider={provider}" in str(error) else "refused otherwise"


def test_the_provider_asked_for_is_the_provider_used(models: Models) -> None:
    assert models.provider == "cpu"
    assert models.fell_back is None
    assert all(session.get_providers()[0] == "CPUExecutionProvider" for _, session in models._sessions.values())


def test_cuda_is_used_where_it_is_and_refused_with_exit_code_2_where_it_is_not() -> None:
    assert started_on("cuda") in ({"cuda", None} if HAS_GPU else {None})


def test_auto_runs_somewhere_and_says_why_not_on_the_gpu(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        found = Models(SPEECH, "auto")
    assert (found.provider == "cuda") == (found.fell_back is None)
    if found.fell_back is not None:
        assert found.provider == "cpu"
        assert found.fell_back in caplog.text
        assert "CUDAExecutionProvider" in found.fell_back or "cuda" in found.fell_back


def test_a_golden_value_that_comes_out_otherwise_is_refused_with_what_was_expected_and_found(copied: Bundle) -> None:
    golden = copied.golden()
    golden["audio/output/features"][1, 2, 3] += 0.5
    np.savez(copied.directory / "golden.npz", **golden)  # type: ignore[arg-type]
    spoilt = bundle.write(copied.directory, copied.manifest)
    with pytest.raises(BundleError) as refused:
        Models(spoilt, "cpu")
    message, wrong = str(refused.value), golden["audio/output/features"][1, 2, 3]
    assert refused.value.exit_code == 2
    assert all(part in message for part in ("audio.onnx", "features", f"expected {wrong}", "found", "off by 0.5"))


@pytest.mark.parametrize("found", [np.full((2, 2), np.nan), np.zeros((2, 3))])
def test_values_that_are_no_numbers_or_of_another_shape_are_refused(found: np.ndarray) -> None:
    with pytest.raises(BundleError, match="off by"):
        _difference("a graph", found, np.zeros((2, 2)), 1.0)


def golden_inputs(graph: str) -> Arrays:
    golden = SPEECH.golden()
    return {name: golden[f"{graph}/input/{name}"] for name in SPEECH.manifest.graphs[graph].inputs}


def test_the_proofs_tell_how_far_off_each_graph_is(models: Models) -> None:
    assert [proof.graph for proof in models.proofs] == list(SPEECH.manifest.graphs)
    assert {(proof.precision, proof.allowed) for proof in models.proofs} == {("fp32", TOLERANCE["cpu"])}
    assert all(0 <= proof.difference <= proof.allowed for proof in models.proofs)


def test_half_precision_is_that_of_the_encoders_that_have_it_with_a_tolerance_of_its_own() -> None:
    proofs = {proof.graph: proof for proof in Models(SPEECH, "cpu", "fp16").proofs}
    assert {graph for graph, proof in proofs.items() if proof.precision == "fp16"} == set(HALF)
    for graph in HALF:
        assert proofs[graph].allowed == HALF_TOLERANCE
        assert 1e-5 < proofs[graph].difference < HALF_TOLERANCE / 2  # it differs, with room to spare


def test_a_half_precision_graph_that_differs_is_refused_by_its_file(copied: Bundle) -> None:
    golden = copied.golden()
    golden["audio/output/features"][1, 2, 3] += 2 * HALF_TOLERANCE
    np.savez(copied.directory / "golden.npz", **golden)  # type: ignore[arg-type]
    with pytest.raises(BundleError, match=r"audio\.fp16\.onnx, output features on cpu is off by 0\.0[56]"):
        Models(bundle.write(copied.directory, copied.manifest), "cpu", "fp16")


@pytest.mark.parametrize("graph", SPEECH.manifest.graphs)
def test_inputs_and_outputs_bound_to_a_devices_memory_give_the_same(models: Models, graph: str) -> None:
    _, session = models._sessions[graph]
    inputs, names = golden_inputs(graph), list(SPEECH.manifest.graphs[graph].outputs)
    strided = {name: np.repeat(value, 2, axis=0)[::2] for name, value in inputs.items()}
    for given in (inputs, strided):
        for found, expected in zip(run_bound(session, names, given, "cpu"), session.run(names, given), strict=True):
            assert np.array_equal(found, expected)


def test_only_the_outputs_asked_for_come_back(models: Models) -> None:
    inputs = golden_inputs("fusion")
    whole, part = models.run("fusion", inputs), models.run("fusion", inputs, ("shares", "logits"))
    assert list(part) == ["shares", "logits"]
    assert all(np.array_equal(value, whole[name]) for name, value in part.items())
    (bound,) = run_bound(models._sessions["fusion"][1], ["shares"], inputs, "cpu")
    assert np.array_equal(bound, whole["shares"])


def test_a_file_that_is_no_graph_is_refused_by_name(copied: Bundle) -> None:
    copied.graph("video").write_bytes(b"no graph")
    with pytest.raises(BundleError, match=r"video\.onnx does not load with cpu"):
        Models(bundle.write(copied.directory, copied.manifest), "cpu")


def test_a_graph_that_fails_says_on_what(models: Models) -> None:
    with pytest.raises(InferenceError, match=r"audio\.onnx failed on .*\(1, 3\).* with cpu") as failed:
        models.run("audio", {"samples": np.zeros((1, 3), dtype=np.float32)})
    assert failed.value.exit_code == 1


def test_every_graph_has_golden_vectors_of_all_its_inputs_and_outputs() -> None:
    golden = SPEECH.golden()
    for name, graph in SPEECH.manifest.graphs.items():
        for side, ports in (("input", graph.inputs), ("output", graph.outputs)):
            for port in ports:
                assert str(golden[f"{name}/{side}/{port}"].dtype) == ports[port].dtype

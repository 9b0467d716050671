from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.export import TOLERANCE, _compared, _export, fused
from models.parts import Fusion
from tests.fusing import KINDS, constants, fitted, inputs, recomputed

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4)
SOUND = (3, 8)  # its columns
VARIANTS = [(kind, None) for kind in KINDS] + [("concatenation", SOUND), ("voting", SOUND)]

Outputs = dict[str, np.ndarray]


class Graph:
    """A small fitted fusion, and the ONNX graph that was made of it and found to agree."""

    def __init__(self, kind: str, columns: tuple[int, int] | None, folder: Path) -> None:
        self.kind = kind
        self.fusion: Fusion = fitted(kind, columns=None if columns is None else range(*columns))[0]
        piece, path = fused(self.fusion), folder / "fusion.onnx"
        _export(piece, path)
        self.golden = _compared(piece, path)
        self.session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(self, given_: tuple[torch.Tensor, ...], lengths: list[int]) -> Outputs:
        names = [port.name for port in self.session.get_inputs()]
        values = (*(value.numpy() for value in given_), np.array(lengths, dtype=np.int64))
        found = self.session.run(None, dict(zip(names, values, strict=True)))
        return dict(zip(("logits", "projected", "shares"), found, strict=True))


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda variant: f"{variant[0]}-{'sound' if variant[1] else 'all'}")
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Each kind once."""
    kind, columns = request.param
    return Graph(kind, columns, tmp_path_factory.mktemp("fusion"))


def test_every_kind_has_the_same_ports(graph: Graph) -> None:
    assert [port.name for port in graph.session.get_inputs()] == ["text", "audio", "video", "mask", "lengths"]
    assert [port.name for port in graph.session.get_outputs()] == ["logits", "projected", "shares"]
    assert {name.split("/")[0] for name in graph.golden} == {"fusion"}


@given(LENGTHS, st.integers(0, 6), st.integers(0, 99))
@settings(max_examples=12)
def test_the_graph_agrees_with_torch_on_any_lengths_padding_and_batch(
    graph: Graph, lengths: list[int], padding: int, seed: int
) -> None:
    given_ = inputs(len(lengths), max(lengths) + padding, seed)
    found, wanted = graph.run(given_, lengths), graph.fusion(*given_, torch.tensor(lengths))
    for ours, theirs in zip(found.values(), wanted, strict=True):
        assert np.abs(ours - theirs.numpy()).max() < TOLERANCE


@given(LENGTHS, st.integers(0, 6), st.integers(0, 99))
@settings(max_examples=12)
def test_in_the_graph_a_segment_comes_out_alike_whatever_its_padding_and_its_batch(
    graph: Graph, lengths: list[int], padding: int, seed: int
) -> None:
    given_ = inputs(len(lengths), max(lengths) + padding, seed)
    together = graph.run(given_, lengths)
    for row, length in enumerate(lengths):
        alone = graph.run(tuple(value[row : row + 1, :length] for value in given_), [length])
        for name in ("logits", "projected"):
            assert np.abs(together[name][row, :length] - alone[name][0]).max() < TOLERANCE
        assert np.abs(together["shares"][row] - alone["shares"][0]).max() < TOLERANCE
        assert _same_words(together["logits"][row, :length], alone["logits"][0])


def _same_words(one: np.ndarray, other: np.ndarray) -> bool:
    """The same word at every tick, but where two words are as good as alike."""
    first, second = np.sort(one, axis=1)[:, :-3:-1].T
    clear = first - second > 2 * TOLERANCE
    return bool((one.argmax(axis=1) == other.argmax(axis=1))[clear].all())


def test_projected_is_what_the_constants_make_of_the_features(graph: Graph) -> None:
    *features, mask = (value.numpy() for value in inputs(2, 9))
    found = graph.run(inputs(2, 9), [9, 5])["projected"]
    assert np.abs(found - recomputed(graph.kind, constants(graph.fusion), features, mask)).max() < TOLERANCE


def test_in_the_graph_a_segment_of_which_nothing_is_present_has_no_shares(graph: Graph) -> None:
    *features, mask = inputs(2, 5)
    mask[0] = 0
    found = graph.run((*features, mask), [5, 3])
    assert not found["shares"][0].any()
    assert all(np.isfinite(value).all() for value in found.values())

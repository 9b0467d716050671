from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models import basis
from models.encoders import Dimensions
from models.features import MODALITIES
from models.fusion import Concatenation, Fusion, build
from models.inherit import inherit
from models.network import Network
from models.voting import Voting

torch.set_num_threads(1)
DIMS = Dimensions(tokens=6, classes=6, text=3, audio=6, video=5, rank=14, hidden=4)
WIDTHS = (DIMS.text, DIMS.audio, DIMS.video)
SINGLES = {"audio": 6, "video": 5}
ROWS = 400


def rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, mask and labels of ticks at which now and then something is absent."""
    chance = np.random.default_rng(seed)
    features = chance.standard_normal((ROWS, DIMS.features)).astype(np.float32)
    mask = (chance.random((ROWS, 3)) > 0.2).astype(np.float32)
    return features, mask, chance.integers(0, DIMS.classes, ROWS)


def single(name: str, rank: int) -> Network:
    """A network that knows one modality, on a basis of its columns alone."""
    network = Network(replace(DIMS, rank=rank, streams=1)).eval().requires_grad_(requires_grad=False)
    place = MODALITIES.index(name)
    start = sum(WIDTHS[:place])
    basis.fit(network.fusion, *rows(1), columns=range(start, start + WIDTHS[place]))
    return network


@pytest.fixture(scope="module")
def singles() -> dict[str, Network]:
    torch.manual_seed(0)
    return {name: single(name, rank) for name, rank in SINGLES.items()}


def fitted(kind: str, singles: dict[str, Network]) -> Fusion:
    fusion = build(kind, DIMS).eval().requires_grad_(requires_grad=False)
    basis.fit(fusion, *rows(1))
    inherit(fusion, singles, *rows(1)[:2])
    return fusion


def segment(name: str | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Features, mask and length of a segment in which all, or one modality alone, is present."""
    joint = torch.randn(1, 9, DIMS.features, generator=torch.Generator().manual_seed(2))
    text, audio, video = joint[:, :, :3], joint[:, :, 3:9], joint[:, :, 9:]
    mask = torch.zeros(1, 9, 3)
    mask[:, :, slice(None) if name is None else MODALITIES.index(name)] = 1
    return text, audio, video, mask, torch.tensor([9])


@pytest.mark.parametrize("name", list(SINGLES))
def test_each_stream_of_a_head_begins_as_an_encoders_own_whatever_else_is_there(
    singles: dict[str, Network], name: str
) -> None:
    fusion = fitted("concatenation", singles)
    assert isinstance(fusion, Concatenation)
    text, audio, video, mask, lengths = segment()
    parts = fusion.contributions(text, audio, video, mask)
    own = fusion.head.streams[list(SINGLES).index(name)]
    source = singles[name].fusion
    assert isinstance(source, Concatenation)
    alone = segment(name)[3]
    wanted = source.contributions(text, audio, video, alone).sum(dim=0)
    order = torch.arange(9).flip(0)[None]
    found = own(torch.cat([parts.sum(dim=0), mask], dim=2), order)
    expected = source.head.streams[0](torch.cat([wanted, alone], dim=2), order)
    assert torch.allclose(found, expected, atol=1e-4)
    assert lengths.tolist() == [9]


@pytest.mark.parametrize("name", list(SINGLES))
def test_a_voter_begins_as_its_encoders_own_network(singles: dict[str, Network], name: str) -> None:
    fusion = fitted("voting", singles)
    assert isinstance(fusion, Voting)
    logits = fusion(*segment(name))[0]
    expected = singles[name].fusion(*segment(name))[0]
    assert torch.allclose(torch.log_softmax(logits, 2), torch.log_softmax(expected, 2), atol=1e-3)


def test_a_gated_fusion_keeps_what_it_has(singles: dict[str, Network]) -> None:
    torch.manual_seed(4)
    fusion = build("gated", DIMS).eval().requires_grad_(requires_grad=False)
    basis.fit(fusion, *rows(1))
    before = {name: value.clone() for name, value in fusion.state_dict().items()}
    inherit(fusion, singles, *rows(1)[:2])
    assert all(torch.equal(value, before[name]) for name, value in fusion.state_dict().items())

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.encoders import Dimensions
from models.fusion import Fusion, drop_modalities
from models.heads import FramesHead
from models.projection import TruncatedSVD

torch.set_num_threads(1)
torch.manual_seed(0)
SMALL = Dimensions(tokens=9, classes=7, text=3, audio=5, video=4, rank=6, hidden=5)


def fusion() -> Fusion:
    """A fusion on a basis that was fitted on random rows."""
    generator = np.random.default_rng(0)
    standard = generator.standard_normal((50, SMALL.features))
    components = TruncatedSVD(SMALL.rank).fit(standard).components_
    fitted = Fusion(SMALL, FramesHead(SMALL)).eval().requires_grad_(requires_grad=False)
    fitted.set_basis(generator.standard_normal(SMALL.features), generator.uniform(1, 3, SMALL.features), components)
    return fitted


FUSION = fusion()


def features(batch: int, ticks: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    text, audio, video = (torch.randn(batch, ticks, size, generator=generator) for size in (3, 5, 4))
    return text, audio, video


def mask(batch: int, ticks: int, seed: int = 0) -> Tensor:
    return (torch.rand(batch, ticks, 3, generator=torch.Generator().manual_seed(seed)) > 0.4).float()


def test_projected_are_the_standardised_features_on_the_components() -> None:
    text, audio, video = features(2, 7)
    present = mask(2, 7)
    _, projected, _ = FUSION(text, audio, video, present, torch.tensor([7, 7]))
    joint = (torch.cat([text, audio, video], dim=2) - FUSION.mean) / FUSION.scale
    joint = joint * present.repeat_interleave(torch.tensor([3, 5, 4]), dim=2)
    assert torch.allclose(projected, torch.einsum("btd,kd->btk", joint, FUSION.components), atol=1e-5)


def test_what_stands_where_a_modality_is_absent_does_not_matter() -> None:
    text, audio, video = features(1, 6)
    present = torch.ones(1, 6, 3)
    present[:, 2:4, 1] = 0
    other = audio.clone()
    other[:, 2:4] = 1e3
    lengths = torch.tensor([6])
    for one, same in zip(
        FUSION(text, audio, video, present, lengths), FUSION(text, other, video, present, lengths), strict=True
    ):
        assert torch.allclose(one, same, atol=1e-5)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 6), st.integers(0, 99))
@settings(max_examples=30)
def test_a_segment_comes_out_alike_whatever_its_padding_and_its_batch(
    lengths: list[int], padding: int, seed: int
) -> None:
    ticks = max(lengths) + padding
    inputs = (*features(len(lengths), ticks, seed), mask(len(lengths), ticks, seed))
    logits, projected, shares = FUSION(*inputs, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = FUSION(*(value[row : row + 1, :length] for value in inputs), torch.tensor([length]))
        assert torch.allclose(logits[row, :length], alone[0][0], atol=1e-5)
        assert torch.allclose(projected[row, :length], alone[1][0], atol=1e-5)
        assert torch.allclose(shares[row], alone[2][0], atol=1e-5)


def test_shares_sum_to_one_and_an_absent_modality_has_none() -> None:
    present = torch.ones(1, 6, 3)
    present[:, :, 0] = 0
    _, _, shares = FUSION(*features(1, 6), present, torch.tensor([6]))
    assert shares[0, 0] == 0
    assert (shares[0, 1:] > 0).all()
    assert torch.allclose(shares.sum(dim=1), torch.ones(1), atol=1e-5)
    _, _, nothing = FUSION(*features(1, 6), torch.zeros(1, 6, 3), torch.tensor([6]))
    assert (nothing == 0).all()


def test_the_basis_is_no_parameter_that_training_moves() -> None:
    assert not {"mean", "scale", "components"} & {name for name, _ in FUSION.named_parameters()}
    eye = FUSION.components @ FUSION.components.T
    assert torch.allclose(eye, torch.eye(SMALL.rank), atol=1e-5)


def test_noise_stands_for_uncertainty_in_training_only() -> None:
    noisy, inputs = fusion().train(), (*features(1, 6), mask(1, 6), torch.tensor([6]))
    noisy.head.eval()  # no dropout: whatever differs comes from the noise
    assert not torch.equal(noisy(*inputs)[0], noisy(*inputs)[0])
    assert torch.equal(FUSION(*inputs)[0], FUSION(*inputs)[0])


def test_no_row_loses_sound_and_pictures_together() -> None:
    generator = torch.Generator().manual_seed(0)
    kept = drop_modalities(torch.ones(2000, 3, 3), (0.3, 0.6, 0.6), generator)
    assert (kept == kept[:, :1]).all()  # whole modalities, from the first tick to the last
    assert (kept[:, 0, 1:].sum(dim=1) >= 1).all()
    dropped = 1 - kept[:, 0].mean(dim=0)
    assert torch.allclose(dropped, torch.tensor([0.3, 0.6, 0.24]), atol=0.04)


def test_what_was_absent_stays_absent() -> None:
    present = mask(50, 4)
    assert (drop_modalities(present, (0.2, 0.2, 0.2), torch.Generator().manual_seed(0)) <= present).all()

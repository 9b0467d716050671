import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.fusion import Concatenation, Gated, Voting, WeightedAverage, build, drop_modalities
from models.parts import CONSTANTS
from tests.fusing import KINDS, SMALL, Inputs, constants, fitted, inputs, recomputed

FITTED = {kind: fitted(kind)[0] for kind in KINDS}
KIND = st.sampled_from(KINDS)
SEED = st.integers(0, 99)


def only(place: int, given: Inputs) -> Inputs:
    """The same with one modality present alone, everywhere."""
    mask = torch.zeros_like(given[3])
    mask[:, :, place] = 1
    return (*given[:3], mask)


@given(KIND, SEED)
@settings(max_examples=20)
def test_projected_can_be_computed_anew_from_the_features_and_the_constants(kind: str, seed: int) -> None:
    given_, fusion = inputs(2, 7, seed), FITTED[kind]
    _, projected, _ = fusion(*given_, torch.tensor([7, 5]))
    *features, mask = (value.numpy() for value in given_)
    assert np.abs(projected.numpy() - recomputed(kind, constants(fusion), features, mask)).max() < 1e-5


@given(KIND, st.integers(0, 2), SEED)
@settings(max_examples=30)
def test_what_stands_where_a_modality_is_absent_does_not_matter(kind: str, place: int, seed: int) -> None:
    *features, mask = inputs(1, 6, seed)
    mask[:, 2:4, place] = 0
    other = [value.clone() for value in features]
    other[place][:, 2:4] = 1e3
    lengths = torch.tensor([6])
    for one, same in zip(FITTED[kind](*features, mask, lengths), FITTED[kind](*other, mask, lengths), strict=True):
        assert torch.allclose(one, same, atol=1e-5)


@given(KIND, st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 6), SEED)
@settings(max_examples=60)
def test_a_segment_comes_out_alike_whatever_its_padding_and_its_batch(
    kind: str, lengths: list[int], padding: int, seed: int
) -> None:
    given_ = inputs(len(lengths), max(lengths) + padding, seed)
    logits, projected, shares = FITTED[kind](*given_, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = FITTED[kind](*(value[row : row + 1, :length] for value in given_), torch.tensor([length]))
        assert torch.allclose(logits[row, :length], alone[0][0], atol=1e-5)
        assert torch.allclose(projected[row, :length], alone[1][0], atol=1e-5)
        assert torch.allclose(shares[row], alone[2][0], atol=1e-5)


@given(KIND, st.integers(0, 2), SEED)
@settings(max_examples=20)
def test_shares_sum_to_one_and_an_absent_modality_has_none(kind: str, place: int, seed: int) -> None:
    *features, mask = inputs(1, 6, seed)
    mask[:] = 1
    mask[:, :, place] = 0
    _, _, shares = FITTED[kind](*features, mask, torch.tensor([6]))
    assert (shares[0] > 0).tolist() == [other != place for other in range(3)]
    assert torch.allclose(shares.sum(), torch.tensor(1.0), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_is_present_there_are_no_shares_and_logits_are_finite(kind: str) -> None:
    *features, mask = inputs(1, 6)
    logits, projected, shares = FITTED[kind](*features, torch.zeros_like(mask), torch.tensor([6]))
    assert torch.isfinite(logits).all()
    assert not projected.any()
    assert not shares.any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_constants_are_no_parameters_that_training_moves(kind: str) -> None:
    assert not set(CONSTANTS) & {name for name, _ in FITTED[kind].named_parameters()}


@given(KIND, st.sampled_from([None, (0, 3), (3, 8), (8, 12)]))
@settings(max_examples=16)
def test_a_state_brings_its_constants_along_whatever_their_number(kind: str, columns: tuple[int, int] | None) -> None:
    fusion, _ = fitted(kind, columns=None if columns is None else range(*columns))
    other = build(kind, SMALL).eval()
    other.load_state_dict(fusion.state_dict())
    given_, lengths = inputs(2, 5), torch.tensor([5, 3])
    for one, same in zip(fusion(*given_, lengths), other(*given_, lengths), strict=True):
        assert torch.allclose(one, same, atol=1e-6)
    assert all(torch.equal(fusion.get_buffer(name), other.get_buffer(name)) for name in CONSTANTS)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_stands_for_uncertainty_in_training_only(kind: str) -> None:
    fusion, given_ = fitted(kind)[0], (*inputs(1, 6), torch.tensor([6]))
    fusion.training = True  # of the fusion alone, no dropout in its heads: whatever differs comes from the noise
    assert not torch.equal(fusion(*given_)[0], fusion(*given_)[0])
    fusion.training = False
    assert torch.equal(fusion(*given_)[0], fusion(*given_)[0])


def test_concatenation_sums_what_the_modalities_say_on_one_basis() -> None:
    fusion, given_ = FITTED["concatenation"], inputs(2, 6)
    assert isinstance(fusion, Concatenation)
    parts = fusion.parts(*given_)
    assert torch.allclose(fusion(*given_, torch.tensor([6, 6]))[1], parts[0] + parts[1] + parts[2], atol=1e-6)


@given(SEED)
@settings(max_examples=20)
def test_weights_are_those_measured_over_what_is_present_and_sum_to_one(seed: int) -> None:
    fusion, mask = FITTED["average"], inputs(2, 6, seed)[3]
    weights = fusion.reliance(mask)
    assert (weights[mask == 0] == 0).all()
    assert torch.allclose(weights.sum(dim=2), mask.amax(dim=2), atol=1e-6)
    both = mask[:, :, 1] * mask[:, :, 2] > 0
    ratio = weights[both][:, 1] / weights[both][:, 2]
    assert torch.allclose(ratio, (fusion.weights[1] / fusion.weights[2]).expand_as(ratio), rtol=1e-4)


@given(st.integers(0, 2), SEED)
@settings(max_examples=20)
def test_an_average_of_one_is_that_modalitys_aligned_representation(place: int, seed: int) -> None:
    fusion, given_ = FITTED["average"], only(place, inputs(2, 6, seed))
    assert isinstance(fusion, WeightedAverage)
    assert torch.allclose(fusion(*given_, torch.tensor([6, 4]))[1], fusion.parts(*given_)[place], atol=1e-5)


@given(st.integers(0, 2), SEED)
@settings(max_examples=20)
def test_a_vote_of_one_is_that_modalitys_own_posterior(place: int, seed: int) -> None:
    fusion, given_, lengths = FITTED["voting"], only(place, inputs(2, 6, seed)), torch.tensor([6, 4])
    assert isinstance(fusion, Voting)
    said = fusion.heads[place](
        torch.cat([fusion.parts(*given_)[place], given_[3][:, :, place : place + 1]], 2), lengths
    )
    assert torch.allclose(fusion(*given_, lengths)[0], torch.log_softmax(said, dim=2), atol=1e-5)


@given(SEED)
@settings(max_examples=20)
def test_votes_are_averaged_as_probabilities_by_their_weights(seed: int) -> None:
    fusion, given_, lengths = FITTED["voting"], inputs(2, 6, seed), torch.tensor([6, 4])
    assert isinstance(fusion, Voting)
    weights = fusion.reliance(given_[3])
    votes = fusion.votes(fusion.parts(*given_), given_[3], lengths).exp()
    mean = (weights.permute(2, 0, 1).unsqueeze(3) * votes).sum(dim=0)
    mean[given_[3].amax(dim=2) == 0] = fusion.nothing.exp()
    probabilities = fusion(*given_, lengths)[0].exp()
    assert torch.allclose(probabilities, mean, atol=1e-5)
    assert torch.allclose(probabilities.sum(dim=2), torch.ones(2, 6), atol=1e-5)


def test_where_nobody_votes_there_is_most_likely_no_word() -> None:
    *features, mask = inputs(1, 6)
    logits, _, _ = FITTED["voting"](*features, torch.zeros_like(mask), torch.tensor([6]))
    assert (logits.argmax(dim=2) == 0).all()
    assert torch.allclose(logits.exp().sum(dim=2), torch.ones(1, 6), atol=1e-5)


@given(SEED)
@settings(max_examples=20)
def test_gates_sum_to_one_over_what_is_present(seed: int) -> None:
    fusion, given_ = FITTED["gated"], inputs(2, 6, seed)
    assert isinstance(fusion, Gated)
    mask = given_[3]
    gates = fusion.gates(torch.cat(list(fusion.parts(*given_)), dim=2), mask)
    assert (gates[mask == 0] == 0).all()
    assert (gates[mask > 0] > 0).all()
    assert torch.allclose(gates.sum(dim=2), mask.amax(dim=2), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fusion_of_one_modalitys_columns_hears_no_other(kind: str) -> None:
    fusion, _ = fitted(kind, columns=range(3, 8))
    text, audio, video, mask = inputs(2, 6)
    mask[:, :, 1] = 1
    lengths = torch.tensor([6, 4])
    one = fusion(text, audio, video, mask, lengths)
    same = fusion(text + 7, audio, -video, mask, lengths)
    assert all(torch.equal(before, after) for before, after in zip(one, same, strict=True))
    assert torch.allclose(one[2], torch.tensor([[0.0, 1.0, 0.0]] * 2), atol=1e-5)


def test_a_kind_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match=r"no fusion 'mixed'; give one of concatenation, average, voting, gated"):
        build("mixed", SMALL)


def test_no_row_loses_sound_and_pictures_together() -> None:
    generator = torch.Generator().manual_seed(0)
    kept = drop_modalities(torch.ones(2000, 3, 3), (0.3, 0.6, 0.6), generator)
    assert (kept == kept[:, :1]).all()  # whole modalities, from the first tick to the last
    assert (kept[:, 0, 1:].sum(dim=1) >= 1).all()
    dropped = 1 - kept[:, 0].mean(dim=0)
    assert torch.allclose(dropped, torch.tensor([0.3, 0.6, 0.24]), atol=0.04)


def test_what_was_absent_stays_absent() -> None:
    present = inputs(50, 4)[3]
    assert (drop_modalities(present, (0.2, 0.2, 0.2), torch.Generator().manual_seed(0)) <= present).all()

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import basis
from models.fusion import Concatenation, build
from models.parts import Constants
from models.preprocess import FeatureSelector
from tests.fusing import KINDS, SMALL, Rows, fitted, rows

KNOWN = rows()
PLACES = np.repeat([0, 1, 2], [3, 5, 4])
RANKS = st.integers(1, 14)  # of 12 columns, one of which never varies


def standard(found: Constants, known: Rows) -> np.ndarray:
    present = known.mask[:, PLACES[found.selected]]
    return np.asarray((known.features[:, found.selected] - found.mean) / found.scale * present)


def owned(found: Constants, place: int) -> np.ndarray:
    return np.asarray(found.components[:, PLACES[found.selected] == place])


@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_never_vary_go(kind: str) -> None:
    fusion, found = fitted(kind)
    assert found.constants.selected.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert fusion.counts == (3, 4, 4)


@given(st.sampled_from(KINDS), st.sets(st.integers(0, 11), min_size=2))
@settings(max_examples=20)
def test_no_other_columns_are_used_than_those_given(kind: str, columns: set[int]) -> None:
    _, found = fitted(kind, rank=3, columns=sorted(columns))
    assert found.constants.selected.tolist() == sorted(columns - {4})


def test_of_sound_and_pictures_those_columns_are_used_that_a_selector_keeps() -> None:
    _, found = fitted("concatenation", rank=3, selector=FeatureSelector(most=2))
    chosen = found.constants.selected
    assert np.bincount(PLACES[chosen]).tolist() == [3, 2, 2]
    for place in (1, 2):
        present, columns = KNOWN.mask[:, place] > 0, np.flatnonzero(place == PLACES)
        told = FeatureSelector(most=2).fit(KNOWN.features[present][:, columns], KNOWN.labels[present])
        assert chosen[PLACES[chosen] == place].tolist() == columns[told.selected_].tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_columns_have_no_mean_where_their_modality_is_present_and_are_zero_where_it_is_absent(kind: str) -> None:
    _, found = fitted(kind)
    columns = standard(found.constants, KNOWN)
    for column, place in zip(columns.T, PLACES[found.constants.selected], strict=True):
        present = KNOWN.mask[:, place] > 0
        assert abs(column[present].mean()) < 1e-5
        assert not column[~present].any()


def test_all_modalities_have_the_same_energy_over_the_training_ticks() -> None:
    _, found = fitted("concatenation")
    energies = (standard(found.constants, KNOWN) ** 2).sum(axis=0)
    own = [energies[PLACES[found.constants.selected] == place].sum() for place in range(3)]
    assert own == pytest.approx([energies.sum() / 3] * 3, rel=1e-4)


def test_one_modality_alone_has_columns_of_unit_variance() -> None:
    _, found = fitted("concatenation", rank=3, columns=range(3, 8))
    columns = standard(found.constants, KNOWN)[KNOWN.mask[:, 1] > 0]
    assert columns.std(axis=0) == pytest.approx(np.ones(4), rel=1e-4)


@given(RANKS)
@settings(max_examples=14)
def test_joint_components_are_orthonormal_and_hold_the_energy_that_is_told(rank: int) -> None:
    _, found = fitted("concatenation", rank=rank)
    kept, components = min(rank, 11), found.constants.components
    assert components.shape == (rank, 11)
    assert np.allclose(components @ components.T, np.diag([1.0] * kept + [0.0] * (rank - kept)), atol=1e-9)
    columns = standard(found.constants, KNOWN)
    held = ((columns @ components.T) ** 2).sum() / (columns**2).sum()
    assert found.explained_energy_ratio == pytest.approx(held, rel=1e-5)
    energies = found.singular_values**2
    assert found.explained_energy_ratio == pytest.approx(energies[:kept].sum() / energies.sum(), rel=1e-9)


@given(st.sampled_from(("average", "voting", "gated")), RANKS)
@settings(max_examples=20)
def test_separate_components_are_orthonormal_modality_by_modality(kind: str, rank: int) -> None:
    _, found = fitted(kind, rank=rank)
    for place, columns in enumerate((3, 4, 4)):
        own = owned(found.constants, place)
        square = own.T @ own if rank >= columns else own @ own.T
        assert np.allclose(square, np.eye(len(square)), atol=1e-9)


def test_alignment_is_a_rotation_and_brings_representations_nearer_to_the_most_reliable() -> None:
    turned, plain = fitted("average")[1].constants, fitted("voting")[1].constants
    columns, places = standard(turned, KNOWN), PLACES[turned.selected]
    reference = int(np.argmax(turned.weights))
    assert np.allclose(owned(turned, reference), owned(plain, reference), atol=1e-9)
    for place in {0, 1, 2} - {reference}:
        rotation = owned(turned, place) @ np.linalg.pinv(owned(plain, place))
        assert np.allclose(rotation @ owned(plain, place), owned(turned, place), atol=1e-9)
        both = (KNOWN.mask[:, place] > 0) & (KNOWN.mask[:, reference] > 0)
        wanted = columns[both][:, places == reference] @ owned(turned, reference).T
        after, before = (columns[both][:, places == place] @ owned(found, place).T for found in (turned, plain))
        assert np.allclose(np.linalg.norm(after, axis=1), np.linalg.norm(before, axis=1), atol=1e-6)
        assert ((after - wanted) ** 2).sum() <= ((before - wanted) ** 2).sum() + 1e-9


def test_reliability_is_measured_where_there_is_a_column_and_sound_has_most() -> None:
    weights = fitted("average")[1].constants.weights
    assert weights[1] > weights[2] > weights[0] > 0
    assert fitted("average", columns=range(3, 8))[1].constants.weights.tolist()[::2] == [0, 0]


def test_a_head_sees_on_the_new_basis_what_it_saw_on_the_old_one() -> None:
    fusion = build("concatenation", replace(SMALL, rank=12)).eval().requires_grad_(requires_grad=False)
    assert isinstance(fusion, Concatenation)
    basis.fit(fusion, KNOWN.features, KNOWN.mask, KNOWN.labels)
    rotated = np.linalg.qr(np.random.default_rng(1).standard_normal((12, 12)))[0]
    fusion.components.copy_(torch.from_numpy(rotated).float() @ fusion.components)
    text, audio, video = (torch.from_numpy(part)[None] for part in np.split(KNOWN.features, [3, 8], axis=1))
    mask, lengths = torch.from_numpy(KNOWN.mask)[None], torch.tensor([len(KNOWN.mask)])
    before, _, _ = fusion(text, audio, video, mask, lengths)
    basis.refit(fusion, KNOWN.features, KNOWN.mask, KNOWN.labels)
    after, projected, _ = fusion(text, audio, video, mask, lengths)
    assert torch.allclose(before, after, atol=1e-4)
    energies = (projected[0] ** 2).sum(dim=0)
    assert (energies[1:] <= energies[:-1] * 1.001).all()  # the new basis is in order, the rotated one was not


def test_the_same_rows_give_the_same_basis() -> None:
    one, same = fitted("average")[1].constants, fitted("average")[1].constants
    assert np.array_equal(one.components, same.components)


def test_rows_that_do_not_fit_are_refused_with_the_shapes() -> None:
    fusion = build("concatenation", SMALL)
    with pytest.raises(ValueError, match=r"\(300, 3\).*expected.*\(300, 12\)"):
        basis.fit(fusion, KNOWN.features[:, :11], KNOWN.mask, KNOWN.labels)
    with pytest.raises(ValueError, match="at least a row"):
        basis.fit(fusion, KNOWN.features[:0], KNOWN.mask[:0], KNOWN.labels[:0])


def test_rows_without_a_column_that_varies_are_refused() -> None:
    fusion = build("concatenation", SMALL)
    with pytest.raises(ValueError, match="No column of the features varies"):
        basis.fit(fusion, KNOWN.features, KNOWN.mask, KNOWN.labels, columns=[4])


def test_a_basis_that_does_not_fit_its_fusion_is_refused() -> None:
    fusion, found = fitted("concatenation")
    with pytest.raises(ValueError, match=r"expected \[\(11,\), \(11,\), \(4, 11\), \(3,\)\]"):
        fusion.set_constants(replace(found.constants, components=found.constants.components[:3]))
    with pytest.raises(ValueError, match="ascend within 0 to 11"):
        fusion.set_constants(replace(found.constants, selected=found.constants.selected[::-1].copy()))

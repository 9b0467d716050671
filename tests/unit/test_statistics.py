import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.measure.statistics import Bootstrap

WORDS = np.full(40, 6)


def edits(seed: int, share: float = 0.2, seeds: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).binomial(6, share, size=(seeds, 40))


def test_a_rate_is_errors_over_words_and_its_interval_holds_it() -> None:
    found = Bootstrap(WORDS, 3).rate(edits(1))
    assert found.value == pytest.approx(edits(1).sum() / (3 * 240))
    assert found.low < found.value < found.high


def test_a_seed_gives_one_interval_and_another_another() -> None:
    one, again, other = (Bootstrap(WORDS, 3, seed=seed).rate(edits(1)) for seed in (5, 5, 6))
    assert one == again
    assert one.value == other.value
    assert one != other


def test_the_difference_of_a_cell_with_itself_is_exactly_zero() -> None:
    found = Bootstrap(WORDS, 3).difference(edits(1), edits(1))
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_pairing_makes_a_difference_surer_than_two_rates() -> None:
    bootstrap, hard = Bootstrap(WORDS, 3), edits(1, 0.5)
    easier = np.maximum(hard - 1, 0)
    paired = bootstrap.difference(hard, easier)
    assert paired.low > 0
    alone = bootstrap.rate(hard)
    assert paired.high - paired.low < alone.high - alone.low


def test_what_no_seed_changes_counts_as_if_each_seed_had_given_it() -> None:
    bootstrap, once = Bootstrap(WORDS, 3), edits(2, seeds=1)
    assert bootstrap.rate(once) == bootstrap.rate(np.repeat(once, 3, axis=0))


def test_a_cell_without_errors_has_no_width_and_one_clip_knows_only_its_seeds() -> None:
    assert Bootstrap(WORDS, 3).rate(np.zeros((3, 40), dtype=int)).high == 0
    found = Bootstrap(np.array([6]), 2).rate(np.array([[0], [6]]))
    assert (found.low, found.value, found.high) == (0, 0.5, 1)


@settings(max_examples=25)
@given(st.integers(1, 6), st.integers(1, 20), st.integers(0, 999))
def test_the_bounds_never_leave_the_range_of_the_clips(seeds: int, clips: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    words, found = random.integers(1, 9, clips), random.integers(0, 9, (seeds, clips))
    estimate = Bootstrap(words, seeds, replicates=50).rate(found)
    least, most = (found / words).min(), (found / words).max()
    assert least - 1e-9 <= estimate.low <= estimate.high <= most + 1e-9


def test_the_interval_covers_the_true_rate_about_as_often_as_it_says() -> None:
    covered = []
    for trial in range(150):
        random = np.random.default_rng(trial)
        hardness = random.beta(2, 8, 60)  # clips differ: mean 0.2
        found = Bootstrap(np.full(60, 6), 5, replicates=300, seed=trial).rate(random.binomial(6, hardness, (5, 60)))
        covered.append(found.low <= 0.2 <= found.high)
    assert 0.88 <= np.mean(covered) <= 0.99


def test_counts_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"edits are \(2, 40\), expected \(3, 40\) or \(1, 40\)"):
        Bootstrap(WORDS, 3).rate(edits(1, seeds=2))
    with pytest.raises(ValueError, match="give a clip and a seed"):
        Bootstrap(WORDS, 0)

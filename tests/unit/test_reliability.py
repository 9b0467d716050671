import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.reliability import FLOOR, reliability

GENERATOR = np.random.default_rng(0)
LABELS = GENERATOR.integers(0, 4, 2000)


def test_what_tells_the_label_is_relied_on_wholly_and_what_tells_nothing_hardly() -> None:
    assert reliability(np.eye(4)[LABELS], LABELS) == 1
    assert reliability(GENERATOR.standard_normal((2000, 5)), LABELS) < 0.1


@given(st.floats(0.1, 0.9))
def test_it_is_the_share_of_guesses_errors_that_are_avoided(known: float) -> None:
    heard = np.arange(2000) % 100 < 100 * known
    rows = np.eye(4)[LABELS] * heard[:, None]
    assert reliability(rows, LABELS) == pytest.approx(known, abs=0.1)


def test_silence_that_anything_could_guess_earns_nothing() -> None:
    labels = np.where(np.arange(2000) % 10 < 9, 0, LABELS)
    assert reliability(GENERATOR.standard_normal((2000, 5)), labels) == FLOOR


def test_it_depends_neither_on_the_order_of_the_columns_nor_on_their_signs() -> None:
    rows = np.eye(4)[LABELS] + GENERATOR.standard_normal((2000, 4))
    assert reliability(-rows[:, ::-1], LABELS) == pytest.approx(reliability(rows, LABELS))


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_rows_to_ask_about_earn_the_least(count: int) -> None:
    assert reliability(np.ones((count, 2)), LABELS[:count]) == FLOOR


def test_one_label_alone_earns_the_least() -> None:
    assert reliability(np.ones((10, 2)), np.zeros(10, dtype=np.int64)) == FLOOR

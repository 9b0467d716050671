import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.encoders import Dimensions
from models.heads import MASKS, FramesHead, reversed_order

torch.set_num_threads(1)
torch.manual_seed(0)
SMALL = Dimensions(tokens=9, classes=7, rank=6, hidden=5)
HEAD = FramesHead(SMALL).eval().requires_grad_(requires_grad=False)
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=4)


def rows(count: int, ticks: int, seed: int = 0) -> Tensor:
    return torch.randn(count, ticks, SMALL.rank + MASKS, generator=torch.Generator().manual_seed(seed))


@given(LENGTHS, st.integers(0, 9))
@settings(max_examples=30)
def test_neither_padding_nor_the_rest_of_the_batch_changes_a_row(lengths: list[int], padding: int) -> None:
    inputs = rows(len(lengths), max(lengths) + padding)
    together = HEAD(inputs, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        alone = HEAD(inputs[row : row + 1, :length], torch.tensor([length]))
        assert torch.allclose(together[row, :length], alone[0], atol=1e-5)


def test_what_stands_in_the_padding_does_not_matter() -> None:
    inputs, lengths = rows(2, 9), torch.tensor([9, 4])
    other = inputs.clone()
    other[1, 4:] = 1e3
    assert torch.allclose(HEAD(inputs, lengths)[1, :4], HEAD(other, lengths)[1, :4], atol=1e-5)


def test_every_tick_hears_the_whole_segment_both_ways() -> None:
    inputs, lengths = rows(1, 8), torch.tensor([8])
    before = HEAD(inputs, lengths)
    for changed, heard in ((7, 0), (0, 7)):
        other = inputs.clone()
        other[0, changed] += 1
        assert not torch.allclose(HEAD(other, lengths)[0, heard], before[0, heard], atol=1e-6)


@given(LENGTHS)
@settings(max_examples=30)
def test_each_row_is_turned_round_within_its_length_and_its_padding_stays(lengths: list[int]) -> None:
    ticks = max(lengths) + 2
    order = reversed_order(ticks, torch.tensor(lengths)).tolist()
    assert order == [[*range(length - 1, -1, -1), *range(length, ticks)] for length in lengths]

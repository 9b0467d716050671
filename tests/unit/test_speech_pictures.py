from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tasks import speech_pictures
from models.tasks.speech_pictures import befallen

torch.set_num_threads(1)


def crops(seed: int, rows: int = 2, ticks: int = 12) -> torch.Tensor:
    """Pictures with a bright blob in the middle on a dark ground."""
    down, across = torch.meshgrid(torch.linspace(-1, 1, 40), torch.linspace(-1, 1, 56), indexing="ij")
    blob = 200 * torch.exp(-8 * (down**2 + across**2))
    noise = torch.randint(0, 20, (rows, ticks, 40, 56), generator=torch.Generator().manual_seed(seed))
    return (blob + noise).clamp(0, 255).to(torch.uint8)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_pictures_keep_their_shape_and_kind_and_a_seed_gives_the_same(seed: int) -> None:
    before = crops(seed)
    one, again = (befallen(before, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert one.shape == before.shape
    assert one.dtype == torch.uint8
    assert torch.equal(one, again)


def test_a_mouth_stays_in_the_picture_unless_it_is_covered() -> None:
    before = crops(0, rows=64)
    after = befallen(before, torch.Generator().manual_seed(1)).float()
    middle = after[:, :, 12:28, 18:38].mean(dim=(1, 2, 3))
    edge = torch.cat([after[:, :, :4].flatten(1), after[:, :, -4:].flatten(1)], dim=1).mean(dim=1)
    assert (middle > edge + 20).float().mean() > 0.85


def test_no_row_looks_as_before_and_no_two_alike() -> None:
    before = crops(0, rows=1).expand(16, -1, -1, -1)
    after = befallen(before, torch.Generator().manual_seed(2)).float()
    changes = (after - before.float()).abs().mean(dim=(1, 2, 3))
    assert (changes > 1).float().mean() > 0.8
    assert all(not torch.equal(one, other) for one, other in pairwise(after))


def test_what_covers_a_mouth_is_plain_and_comes_and_goes() -> None:
    pictures = crops(3, rows=1, ticks=60)[0].float()
    before = pictures.clone()
    speech_pictures._cover(pictures, torch.Generator().manual_seed(5))
    changed = (pictures != before).flatten(1).any(dim=1)
    low, high = speech_pictures.COVER_TICKS
    assert 1 <= int(changed.sum()) <= high
    assert low < high
    covered = pictures[changed.nonzero()[0, 0]] != before[changed.nonzero()[0, 0]]
    assert len({*pictures[changed.nonzero()[0, 0]][covered].tolist()}) == 1

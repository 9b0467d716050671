import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from models.encoders import (
    LEFT_TICKS,
    RIGHT_TICKS,
    AudioEncoder,
    Dimensions,
    LogMel,
    TextEncoder,
    VideoEncoder,
    standardised,
)
from models.preprocess import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    MEL_FLOOR,
    MEL_STEP_SAMPLES,
    MEL_WINDOW_SAMPLES,
    TICK_SAMPLES,
    fourier_basis,
    mel_filters,
)

torch.set_num_threads(1)
torch.manual_seed(0)
SMALL = Dimensions(tokens=9, classes=9, text=6, audio=12, video=12, rank=8, hidden=8)
TICKS = 12


def drawn(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ready(module: nn.Module) -> nn.Module:
    """The module ready to infer, its batch norms as if they had seen data."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            norm.get_buffer("running_mean").normal_(0, 0.1, generator=drawn(1))
            norm.get_buffer("running_var").uniform_(0.5, 2, generator=drawn(2))
    return module.eval().requires_grad_(requires_grad=False)


AUDIO = ready(AudioEncoder(SMALL))
VIDEO = ready(VideoEncoder(SMALL))
TEXT = ready(TextEncoder(SMALL))


def sound(ticks: int, seed: int = 0) -> Tensor:
    """Noise by tick, [1, ticks, samples]."""
    return 0.1 * torch.randn(1, ticks, TICK_SAMPLES, generator=drawn(seed))


def pictures(ticks: int, seed: int = 0) -> Tensor:
    """Noise by tick, [1, ticks, height, width]."""
    shape = (1, ticks, CROP_HEIGHT_PX, CROP_WIDTH_PX)
    return torch.randint(0, 256, shape, generator=drawn(seed)).to(torch.uint8)


def encoded(modality: str, ticks: Tensor) -> Tensor:
    """Features of ticks of raw input, context included."""
    features: Tensor = AUDIO(ticks.flatten(1)) if modality == "audio" else VIDEO(ticks)
    return features


def stream(modality: str, ticks: int, seed: int = 0) -> Tensor:
    return sound(ticks, seed) if modality == "audio" else pictures(ticks, seed)


@pytest.mark.parametrize("modality", ["audio", "video"])
@given(first=st.integers(0, TICKS - 1), length=st.integers(1, TICKS))
@settings(max_examples=8)
def test_a_window_of_a_stream_gives_the_features_of_the_whole(modality: str, first: int, length: int) -> None:
    last = min(first + length, TICKS)
    whole = stream(modality, LEFT_TICKS + TICKS + RIGHT_TICKS)
    window = whole[:, first : last + LEFT_TICKS + RIGHT_TICKS]
    assert torch.allclose(encoded(modality, window), encoded(modality, whole)[:, first:last], atol=1e-5)


@pytest.mark.parametrize("modality", ["audio", "video"])
@pytest.mark.parametrize("tick", [0, 5, TICKS - 1])
def test_the_declared_context_is_exact(modality: str, tick: int) -> None:
    whole = stream(modality, LEFT_TICKS + TICKS + RIGHT_TICKS)
    features = encoded(modality, whole)[0, tick]
    heard = slice(tick, tick + LEFT_TICKS + 1 + RIGHT_TICKS)
    outside = stream(modality, whole.shape[1], seed=5)
    outside[:, heard] = whole[:, heard]
    assert torch.allclose(encoded(modality, outside)[0, tick], features, atol=1e-5)
    for edge in (heard.start, heard.stop - 1):  # the farthest ticks that are declared do matter
        other = whole.clone()
        other[:, edge] = stream(modality, 1, seed=6)[:, 0]
        assert not torch.allclose(encoded(modality, other)[0, tick], features, atol=1e-4)


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_the_rest_of_a_batch_changes_no_features(modality: str) -> None:
    one, other = stream(modality, 9), stream(modality, 9, seed=3)
    together = encoded(modality, torch.cat([one, other]))
    assert torch.allclose(together[:1], encoded(modality, one), atol=1e-5)
    assert torch.allclose(together[1:], encoded(modality, other), atol=1e-5)


@pytest.mark.parametrize("modality", ["audio", "video"])
def test_digital_silence_and_blank_pictures_give_finite_features(modality: str) -> None:
    assert encoded(modality, torch.zeros_like(stream(modality, 9))).isfinite().all()


def test_features_of_sound_and_pictures_are_of_one_scale() -> None:
    for modality in ("audio", "video"):
        features = encoded(modality, stream(modality, 14))
        assert torch.allclose(features.mean(dim=2), torch.zeros(1, 8), atol=1e-5)
        assert torch.allclose(features.var(dim=2, correction=0), torch.ones(1, 8), atol=1e-2)


def test_log_mel_spectra_are_those_of_the_formula() -> None:
    samples = sound(2).flatten().double().numpy()
    starts = range(0, len(samples) - MEL_WINDOW_SAMPLES + 1, MEL_STEP_SAMPLES)
    spectra = fourier_basis() @ np.stack([samples[start : start + MEL_WINDOW_SAMPLES] for start in starts], axis=1)
    real, imaginary = np.split(spectra, 2)
    expected = (np.log(mel_filters() @ (real**2 + imaginary**2) + MEL_FLOOR) + 5) / 4
    found = LogMel()(sound(2).flatten(1))[0].numpy()
    assert found.shape == (40, 6)
    assert np.abs(found - expected).max() < 1e-3


@given(st.permutations(range(5)))
@settings(max_examples=10)
def test_the_order_of_the_words_shown_does_not_matter(order: list[int]) -> None:
    tokens = torch.tensor([[[3, 1, 4, 0, 0]]])
    assert torch.allclose(TEXT(tokens[:, :, order]), TEXT(tokens), atol=1e-6)


def test_each_tick_of_text_stands_alone() -> None:
    tokens = torch.randint(0, 9, (2, 7, 5), generator=drawn(0))
    assert torch.allclose(TEXT(tokens)[:, 2:5], TEXT(tokens[:, 2:5]), atol=1e-6)


def test_light_and_contrast_of_a_picture_hardly_matter() -> None:
    picture = pictures(1).float()
    assert torch.allclose(standardised(picture), standardised(picture * 0.5 + 40), atol=0.05)
    assert (standardised(torch.full_like(picture, 90)) == 0).all()


def test_in_training_blank_pictures_are_looked_at_once_and_change_no_statistics_of_the_others() -> None:
    blank = torch.zeros(1, 30, CROP_HEIGHT_PX, CROP_WIDTH_PX)
    few, many = (torch.cat([pictures(TICKS), blank[:, :count]], dim=1) for count in (3, 30))
    seen = []
    for crops in (few, many):
        encoder = VideoEncoder(SMALL).train()
        encoder.load_state_dict(VIDEO.state_dict())
        features = encoder(crops)
        seen.append([norm.get_buffer("running_mean") for norm in encoder.front if isinstance(norm, nn.BatchNorm2d)])
        assert features.shape == (1, crops.shape[1] - LEFT_TICKS - RIGHT_TICKS, SMALL.video)
    for fewer, more in zip(*seen, strict=True):
        assert torch.allclose(fewer, more, atol=1e-6)

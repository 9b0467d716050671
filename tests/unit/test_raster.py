from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stream.content import audio_l16
from stream.errors import Reason
from stream.face import FaceFinder
from stream.frame import Frame, Modality
from stream.mouth import Mouth
from stream.raster import MAX_TOKENS, HopInput, Raster, nearest_frames

TICK_NS = 40_000_000
HOP_NS = 8 * TICK_NS
START_NS = 1_795_514_270_080_000_000 // HOP_NS * HOP_NS
WORDS = ["", "blue", "green", "it's", "red"]
RASTER = Raster(TICK_NS, 16_000, WORDS, Mouth(FaceFinder(), 40, 56), max_pixels=1_000_000)


def sound(at_ns: int, values: NDArray[np.float64], rate_hz: int = 16_000) -> Frame:
    """Samples in [-1, 1) that begin `at_ns` after the hop does."""
    payload = np.rint(values * 32768).astype(">i2").tobytes()
    duration_ns = (len(values) * 1_000_000_000 + rate_hz // 2) // rate_hz
    kind = audio_l16(rate_hz, 1)
    return Frame("s", Modality.AUDIO, START_NS + at_ns, duration_ns, payload, kind, rate_hz, 1)


def mouth(at_ns: int, brightness: int, duration_ns: int | None = TICK_NS) -> Frame:
    """A picture that is a mouth already: one brightness but for a bar."""
    codec = av.CodecContext.create("png", "w")
    assert isinstance(codec, VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt, codec.time_base = 56, 40, "gray", Fraction(1, 25)
    pixels = np.full((40, 56), brightness, dtype=np.uint8)
    pixels[5:12, 5:50] += 60
    shown = av.VideoFrame.from_ndarray(pixels, format="gray")
    payload = b"".join(bytes(packet) for packet in [*codec.encode(shown), *codec.encode(None)])
    return Frame("s", Modality.VIDEO, START_NS + at_ns, duration_ns, payload, "image/png", region="mouth")


def text(at_ns: int, words: str, duration_ns: int | None = None) -> Frame:
    return Frame("s", Modality.TEXT, START_NS + at_ns, duration_ns, words.encode(), "text/plain;charset=utf-8")


def hop(*frames: Frame) -> HopInput:
    """What the hop becomes whose frames these are."""
    by_modality: dict[Modality, list[Frame]] = {}
    for frame in frames:
        by_modality.setdefault(frame.modality, []).append(frame)
    return RASTER.hop(by_modality, START_NS, START_NS + HOP_NS)


def cut(values: NDArray[np.float64], lengths: Sequence[int], stamps_ns: Sequence[int] = ()) -> list[Frame]:
    """One sound in frames of these lengths, each stamp off by so much."""
    ends = np.cumsum(lengths)
    offsets = [*stamps_ns, *[0] * len(lengths)]
    parts = zip(ends - lengths, ends, offsets, strict=False)
    return [sound(round(first * 1e9 / 16_000) + off_ns, values[first:last]) for first, last, off_ns in parts]


def noise(length: int) -> NDArray[np.float64]:
    values = np.random.default_rng(1).integers(-20_000, 20_000, length) / 32768
    return np.asarray(np.where(values == 0, 0.5, values))


def test_a_hop_without_frames_is_zeros_and_masked() -> None:
    nothing = RASTER.nothing(8)
    assert nothing.samples.shape == (5120,)
    assert nothing.crops.shape == (8, 40, 56)
    assert nothing.tokens.shape == (8, MAX_TOKENS)
    for array in (nothing.samples, nothing.crops, nothing.tokens, nothing.mask):
        assert not array.any()


def test_a_hop_says_what_decoding_took_for_the_modalities_that_are_there() -> None:
    seconds = hop(mouth(0, 100), text(0, "red")).seconds
    assert set(seconds) == {Modality.TEXT, Modality.VIDEO}
    assert all(took > 0 for took in seconds.values())


@given(st.lists(st.integers(1, 900), min_size=6, max_size=20).filter(lambda lengths: sum(lengths) >= 5120))
def test_contiguous_sound_is_placed_sample_by_sample_however_it_is_cut(lengths: list[int]) -> None:
    values = noise(sum(lengths))
    placed = hop(*cut(values, lengths))
    assert np.array_equal(placed.samples, values[:5120].astype(np.float32))
    assert placed.mask[:, 1].all()


@given(st.integers(-6000, 6000))
def test_sound_lands_on_the_sample_that_its_time_names(shift: int) -> None:
    placed = hop(sound(round(shift * 62_500), noise(1000)))
    expected = np.zeros(5120 + 14_000, dtype=np.float32)
    expected[7000 + shift : 8000 + shift] = noise(1000)
    assert np.array_equal(placed.samples, expected[7000 : 7000 + 5120])


@given(st.lists(st.integers(-2_000_000, 2_000_000), min_size=16, max_size=16))
def test_jitter_of_the_stamps_tears_no_hole_and_moves_the_sound_by_its_median(off_ns: list[int]) -> None:
    values = noise(5120)
    placed = hop(*cut(values, [320] * 16, off_ns))
    moved = round(float(np.median(off_ns)) / 62_500)
    kept = slice(max(moved, 0), min(5120, 5120 + moved))
    found = placed.samples[kept]
    best = min(
        float(np.abs(found - values[kept.start - by : kept.stop - by]).max())
        for by in (moved - 1, moved, moved + 1)
        if kept.start - by >= 0 and kept.stop - by <= 5120
    )
    assert best < 1e-6
    assert (found != 0).all()


def test_a_gap_stays_a_gap_of_zeros_and_its_ticks_are_masked() -> None:
    gap_ns = 3 * TICK_NS
    placed = hop(sound(0, noise(640)), sound(TICK_NS + gap_ns, noise(4 * 640)))
    assert not placed.samples[640 : 4 * 640].any()
    assert placed.samples[:640].all()
    assert placed.mask[:, 1].tolist() == [1, 0, 0, 0, 1, 1, 1, 1]


def test_a_tick_counts_as_heard_from_half_of_it_on() -> None:
    assert hop(sound(0, noise(640 + 320))).mask[:, 1].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert hop(sound(0, noise(640 + 319))).mask[:, 1].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 44_101, 8_001])
def test_a_tone_is_the_same_tone_at_any_sample_rate(rate_hz: int) -> None:
    def tone(rate: int) -> NDArray[np.float64]:
        return np.asarray(0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * 0.32)) / rate + 0.3))

    placed = hop(sound(0, tone(rate_hz), rate_hz))
    assert np.abs(placed.samples - tone(16_000))[40:-40].max() < 0.005
    assert np.abs(placed.samples - tone(16_000)).max() < 0.08  # the filter knows nothing beyond the hop's frames
    assert placed.mask[:, 1].all()


@given(st.integers(1, 5), st.sampled_from([8_000, 16_000, 44_100, 48_000]))
def test_a_frame_of_few_samples_gives_finite_sound(count: int, rate_hz: int) -> None:
    assert np.isfinite(hop(sound(TICK_NS, noise(count), rate_hz)).samples).all()


def test_each_tick_shows_the_picture_of_its_time() -> None:
    placed = hop(*(mouth(tick * TICK_NS, 20 * tick + 10) for tick in range(8)))
    assert placed.crops[:, 20, 28].tolist() == [20 * tick + 10 for tick in range(8)]
    assert placed.mask[:, 2].all()


def test_a_tick_without_a_picture_takes_the_nearest_within_a_tick() -> None:
    placed = hop(mouth(0, 50), mouth(5 * TICK_NS, 90))
    assert placed.mask[:, 2].tolist() == [1, 1, 0, 0, 1, 1, 1, 0]
    assert placed.crops[:, 0, 0].tolist() == [50, 50, 0, 0, 90, 90, 90, 0]


def test_a_picture_of_unknown_duration_holds_until_the_next_or_for_two_ticks() -> None:
    shown = [mouth(0, 50, None), mouth(TICK_NS, 90, None)]
    assert nearest_frames(shown, START_NS, 6, TICK_NS) == [0, 1, 1, 1, None, None]


def test_a_picture_that_says_how_long_it_is_shown_is_shown_so_long() -> None:
    assert nearest_frames([mouth(0, 50, 6 * TICK_NS)], START_NS, 8, TICK_NS) == [0] * 7 + [None]


def test_of_two_pictures_of_one_time_the_later_is_shown() -> None:
    shown = [mouth(0, 50, 4 * TICK_NS), mouth(TICK_NS, 90, TICK_NS)]
    assert nearest_frames(shown, START_NS, 4, TICK_NS) == [0, 1, 0, 0]


def test_twice_as_many_pictures_as_ticks_show_every_second() -> None:
    shown = [mouth(place * TICK_NS // 2, 10, TICK_NS // 2) for place in range(8)]
    assert nearest_frames(shown, START_NS, 4, TICK_NS) == [1, 3, 5, 7]


def test_a_picture_that_does_not_decode_is_told_and_the_others_stay() -> None:
    broken = mouth(TICK_NS, 0)
    broken.payload = broken.payload[:50]
    placed = hop(mouth(0, 50), broken, mouth(2 * TICK_NS, 90))
    assert [(frame, error.reason) for frame, error in placed.corrupt] == [(broken, Reason.BAD_MEDIA)]
    assert placed.mask[:, 2].tolist() == [1, 0, 1, 1, 0, 0, 0, 0]


def test_a_text_holds_until_the_next() -> None:
    placed = hop(text(-TICK_NS, "red"), text(3 * TICK_NS, "blue"))
    assert placed.tokens[:, 0].tolist() == [4, 4, 4, 1, 1, 1, 1, 1]
    assert placed.mask[:, 0].all()


def test_a_text_with_a_duration_ends_with_it() -> None:
    placed = hop(text(-TICK_NS, "red", 3 * TICK_NS), text(4 * TICK_NS, "blue", 2 * TICK_NS))
    assert placed.tokens[:, 0].tolist() == [4, 4, 0, 0, 1, 1, 0, 0]
    assert placed.mask[:, 0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0]


def test_an_empty_text_and_one_of_unknown_words_take_back_what_held() -> None:
    for nothing in ("", "purple"):
        assert hop(text(0, "red"), text(TICK_NS, nothing)).mask[:, 0].tolist() == [1] + [0] * 7


def test_a_text_gives_its_known_words_once_whatever_their_case_and_signs() -> None:
    assert RASTER.tokens("Green, RED! it's green_red purple; it\u2019s")[:4].tolist() == [2, 4, 3, 0]


@given(st.text(max_size=100))
def test_any_text_gives_as_many_tokens_as_fit(words: str) -> None:
    ids = RASTER.tokens(words * 20)
    assert ids.shape == (MAX_TOKENS,)
    assert ids.max() < len(WORDS)

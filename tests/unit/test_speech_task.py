from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.preprocess import TICK_SAMPLES
from models.tasks import speech
from models.tasks.speech import Utterance, Word, labels
from models.tasks.speech_mix import MOST_HINTS, PACE, Mixer, at_snr
from models.tasks.speech_pieces import joined, paced, part, silence, swapped
from tests.synthetic_clips import SyntheticClip

KNOWN = ["", "blue", "green", "now", "red"]


def utterance(seed: int = 0, ticks: int = 60) -> Utterance:
    """A clip of three words whose samples, pictures and words tell where they were."""
    generator = np.random.default_rng(seed)
    words: tuple[Word, ...] = (("red", 0.4, 0.8), ("blue", 0.8, 1.2), ("now", 1.6, 2.0))
    samples = generator.integers(-3000, 3000, ticks * TICK_SAMPLES).astype(np.int16)
    samples[: 5 * TICK_SAMPLES] //= 100  # a quiet beginning
    crops = np.repeat(np.arange(ticks, dtype=np.uint8), 40 * 56).reshape(ticks, 40, 56)
    return Utterance(f"clip{seed}", samples, crops, np.ones(ticks, dtype=np.bool_), words)


UTTERANCES = [utterance(seed) for seed in range(4)]


def test_a_hundred_clips_are_kept_for_test_and_fifty_for_validation_and_none_for_both() -> None:
    test, validation = speech.held_out("test"), speech.held_out("validation")
    assert (len(test), len(validation)) == (100, 50)
    assert len({*test, *validation}) == 150
    assert all(name.startswith("s1/") for name in [*test, *validation])


def test_no_clip_that_is_kept_is_trained_on(grid: Path) -> None:
    training = speech.training_names(grid)
    assert len(training) == 750
    assert not {*training} & {*speech.held_out("test"), *speech.held_out("validation")}
    assert {*speech.held_out("test"), *speech.held_out("validation")} <= speech.transcripts(grid).keys()


def test_the_words_with_their_times_are_those_of_the_transcripts(grid: Path) -> None:
    transcripts, times = speech.transcripts(grid), speech.word_times(grid)
    for name in speech.held_out("validation"):
        assert " ".join(word for word, _, _ in times[name]) == transcripts[name]
        assert all(start < end for _, start, end in times[name])


def test_the_vocabulary_is_the_words_in_order_after_the_empty_one() -> None:
    assert speech.vocabulary(["red now", "blue now"]) == ["", "blue", "now", "red"]


def test_labels_name_the_word_at_each_tick() -> None:
    found = labels(utterance().words, 60, KNOWN)
    assert found.tolist() == [0] * 10 + [4] * 10 + [1] * 10 + [0] * 10 + [3] * 10 + [0] * 10


def test_a_short_word_keeps_two_ticks_and_takes_them_from_its_neighbours() -> None:
    found = labels((("red", 0.0, 0.4), ("now", 0.4, 0.41), ("blue", 0.41, 0.8)), 20, KNOWN)
    assert (found == 3).sum() == 2
    assert found[8] == 4
    assert found[12] == 1


def test_a_word_said_twice_is_parted_by_a_tick_of_none() -> None:
    found = labels((("red", 0.0, 0.4), ("red", 0.4, 0.8)), 20, KNOWN)
    assert found[:20].tolist() == [4] * 10 + [0] + [4] * 9


@pytest.mark.parametrize("place", range(3))
def test_a_swapped_word_comes_with_the_other_clips_sound_and_pictures_and_the_rest_stays(place: int) -> None:
    said, other = utterance(1), utterance(2)
    others = (("green", 0.2, 0.8), ("green", 0.8, 1.0), ("green", 1.0, 2.2))
    made = swapped(said, replace(other, words=others), place)
    word, (_, start_s, end_s) = said.words[place], others[place]
    first, length = round(word[1] * 25), round((end_s - start_s) * 25)
    assert [name for name, _, _ in made.words] == [
        "green" if at == place else name for at, (name, _, _) in enumerate(said.words)
    ]
    assert made.ticks == said.ticks + length - round((word[2] - word[1]) * 25)
    taken = slice(round(start_s * 25) * TICK_SAMPLES, round(end_s * 25) * TICK_SAMPLES)
    assert np.array_equal(made.samples[first * TICK_SAMPLES :][: length * TICK_SAMPLES], other.samples[taken])
    assert np.array_equal(made.samples[: first * TICK_SAMPLES], said.samples[: first * TICK_SAMPLES])
    assert made.crops[first, 0, 0] == round(start_s * 25)


def test_words_are_swapped_between_clips_of_one_speaker_only() -> None:
    one, synthetic, other = (
        replace(utterance(seed), name=name) for seed, name in enumerate(("s1/a", "synthetic-1", "s1/b"))
    )
    mixer = Mixer([one, synthetic, other], KNOWN)
    drawn = [mixer.spliced(one, np.random.default_rng(seed)) for seed in range(60)]
    heard = [{*said.samples.reshape(-1, TICK_SAMPLES)[:, 0].tolist()} for said in (one, synthetic, other)]
    begun = {*np.concatenate([said.samples.reshape(-1, TICK_SAMPLES)[:, 0] for said in drawn]).tolist()}
    assert begun & (heard[2] - heard[0])
    assert not begun & (heard[1] - heard[0] - heard[2])


@given(st.integers(0, 59), st.integers(1, 60))
@settings(max_examples=40)
def test_a_part_keeps_sound_pictures_and_words_in_step(first: int, length: int) -> None:
    whole, last = utterance(), min(first + length, 60)
    cut = part(whole, first, last)
    assert cut.ticks == last - first
    assert np.array_equal(cut.samples, whole.samples[first * TICK_SAMPLES : last * TICK_SAMPLES])
    assert cut.crops[:, 0, 0].tolist() == list(range(first, last))
    expected = labels(whole.words, 60, KNOWN)[first:last]
    wrong = (labels(cut.words, cut.ticks, KNOWN) != expected).sum()
    assert wrong <= 10  # at most the lesser half of a word at either edge


def test_what_is_joined_can_be_parted_again() -> None:
    one, other = utterance(1), utterance(2)
    whole = joined([one, other])
    assert whole.ticks == 120
    again = part(whole, 60, 120)
    assert np.array_equal(again.samples, other.samples)
    assert [(word, round(start, 6), round(end, 6)) for word, start, end in again.words] == list(other.words)


@given(st.floats(*PACE))
@settings(max_examples=30)
def test_what_is_said_faster_is_shorter_and_stays_in_step(factor: float) -> None:
    fast = paced(utterance(), factor)
    assert fast.ticks == round(60 / factor)
    assert len(fast.samples) == fast.ticks * TICK_SAMPLES
    assert (np.abs(fast.crops[:, 0, 0] - np.arange(fast.ticks) * factor) <= 1).all()
    before, after = labels(utterance().words, 60, KNOWN), labels(fast.words, fast.ticks, KNOWN)
    shown = np.minimum((np.arange(fast.ticks) * factor).round().astype(int), 59)
    assert (before[shown] != after).sum() <= 6  # a tick at each edge of each word


def test_silence_is_the_quietest_of_the_clip_and_its_last_picture() -> None:
    quiet = silence(utterance(), 7)
    assert quiet.ticks == 7
    assert np.abs(quiet.samples).max() <= 30
    assert (quiet.crops == 59).all()
    assert quiet.words == ()


@given(st.floats(-20, 30), st.integers(0, 99))
@settings(max_examples=30)
def test_noise_lies_as_far_below_the_speech_as_asked(snr_db: float, seed: int) -> None:
    sound, noise = np.random.default_rng(seed).standard_normal((2, 4000)).astype(np.float32)
    span = slice(500, 3000)
    under = at_snr(sound, noise, span, snr_db) - sound
    assert 10 * np.log10((sound[span] ** 2).mean() / (under[span] ** 2).mean()) == pytest.approx(snr_db, abs=0.1)


def test_a_seed_gives_one_sample_and_another_another() -> None:
    mixer = Mixer(UTTERANCES, KNOWN)
    one, again, other = (mixer.draw(1, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one.samples, again.samples)
    assert np.array_equal(one.tokens, again.tokens)
    assert one.samples.shape != other.samples.shape or not np.array_equal(one.samples, other.samples)


@given(st.integers(0, 10_000))
@settings(max_examples=40)
def test_what_is_drawn_is_of_one_length_and_within_bounds(seed: int) -> None:
    sample = Mixer(UTTERANCES, KNOWN).draw(seed % 4, np.random.default_rng(seed))
    ticks = len(sample.labels)
    assert 1 <= ticks <= 125 / PACE[0] + 1
    assert sample.samples.shape == (ticks * TICK_SAMPLES,)
    assert sample.samples.dtype == np.float32
    assert np.abs(sample.samples).max() <= 1
    assert sample.crops.shape == (ticks, 40, 56)
    assert sample.mask.shape == (ticks, 3)
    assert set(np.unique(sample.labels)) <= set(range(len(KNOWN)))
    assert (sample.tokens == sample.tokens[0]).all()
    assert sample.mask[:, 0].any() == sample.tokens.any()
    assert not sample.crops[sample.mask[:, 2] == 0].any()


def test_hints_are_sometimes_none_sometimes_true_and_sometimes_all_wrong() -> None:
    mixer = Mixer(UTTERANCES, [*KNOWN, *(f"other{number}" for number in range(40))])
    drawn = [mixer._hints(UTTERANCES[0], np.random.default_rng(seed)) for seed in range(200)]
    said = {1, 3, 4}  # blue, now, red
    kinds = [("none" if not row.any() else "true" if said & set(row[row > 0]) else "wrong") for row in drawn]
    assert min(kinds.count(kind) for kind in ("none", "true", "wrong")) >= 3
    assert max(np.count_nonzero(row) for row in drawn) <= MOST_HINTS + 5


def test_a_clip_is_heard_and_seen_as_the_service_does(synthetic_clip: SyntheticClip) -> None:
    read = speech.read(synthetic_clip.path, "synthetic", ())
    assert abs(read.ticks * 0.04 - synthetic_clip.session.duration_s) < 0.2
    assert len(read.samples) == read.ticks * TICK_SAMPLES
    assert read.seen.mean() > 0.95
    length = min(len(read.samples), len(synthetic_clip.session.samples))
    assert np.corrcoef(read.samples[:length], synthetic_clip.session.samples[:length])[0, 1] > 0.95


def test_pictures_that_mislead_are_black_or_stand_still_or_are_of_another_moment() -> None:
    mixer = Mixer(UTTERANCES, KNOWN, astray=1.0)
    said = part(UTTERANCES[0], 5, 60)
    drawn = [mixer._wrong(said, np.random.default_rng(seed)) for seed in range(60)]
    own = said.crops
    assert all(crops.shape == own.shape for crops in drawn)
    assert sum(np.array_equal(crops, own) for crops in drawn) <= 6  # another's by chance in step with one's own
    assert any(not crops.any() for crops in drawn)
    assert any(crops.any() and (crops == crops[0]).all() for crops in drawn)

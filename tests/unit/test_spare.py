"""What is left out of a hop and of its captions, step by step."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from stream import metrics
from stream.caption import Caption, Word
from stream.frame import Modality
from stream.hop import Hop, HopReason, Status
from stream.spare import Spared
from tests.aligning import AUDIO, HOP_MS, TEXT, VIDEO, audio, ms, ns, starts_ms, text, video

FULL, FEW_INTERIMS, HALF_VIDEO, NO_VIDEO = range(4)


def hop(number: int = 0, pictures: int = 8, first_ms: float | None = None) -> Hop:
    start_ms = number * HOP_MS
    begins_ms = start_ms if first_ms is None else first_ms
    shown = [video(begins_ms + 40 * place, offset=8 * number + place) for place in range(pictures)]
    heard = [audio(start_ms + 20 * place, offset=16 * number + place) for place in range(16)]
    frames = {TEXT: [text(start_ms)], AUDIO: heard, VIDEO: shown}
    statuses = dict.fromkeys(Modality, Status.PRESENT)
    return Hop("s", ns(start_ms), ns(start_ms + HOP_MS), frames, statuses, HopReason.SETTLED, 0, 0, 0)


def degraded() -> Counter[str]:
    samples = (sample for family in metrics.DEGRADED.collect() for sample in family.samples)
    return Counter({sample.labels["step"]: int(sample.value) for sample in samples})


def test_the_first_step_leaves_all_pictures() -> None:
    for level in (FULL, FEW_INTERIMS):
        given = hop()
        assert Spared().lighten(given, level) == (given, 0)


def test_the_second_leaves_out_every_second_picture_and_says_so() -> None:
    before = degraded()
    lighter, newly = Spared().lighten(hop(), HALF_VIDEO)
    assert starts_ms(lighter, VIDEO) == [0, 80, 160, 240]
    assert (newly, lighter.statuses[VIDEO]) == (4, Status.SHED)
    assert degraded() - before == {"half_video": 1}


def test_the_third_leaves_out_all_pictures_and_says_so() -> None:
    before = degraded()
    lighter, newly = Spared().lighten(hop(), NO_VIDEO)
    assert (lighter.frames[VIDEO], newly, lighter.statuses[VIDEO]) == ([], 8, Status.SHED)
    assert degraded() - before == {"no_video": 1}


def test_sound_and_text_are_never_left_out() -> None:
    for level in range(4):
        lighter, _ = Spared().lighten(hop(), level)
        assert (lighter.frames[AUDIO], lighter.frames[TEXT]) == (hop().frames[AUDIO], hop().frames[TEXT])
        assert lighter.statuses[AUDIO] is lighter.statuses[TEXT] is Status.PRESENT


def test_a_hop_without_pictures_gives_nothing_up() -> None:
    before, given = degraded(), hop(pictures=0)
    assert Spared().lighten(given, NO_VIDEO) == (given, 0)
    assert degraded() == before


def test_the_hop_that_was_given_is_not_changed() -> None:
    given = hop()
    Spared().lighten(given, NO_VIDEO)
    assert given == hop()


def test_a_picture_that_was_given_up_stays_so_in_the_next_hop_and_in_a_revision() -> None:
    spared = Spared()
    spared.lighten(hop(), NO_VIDEO)
    after = hop(1)
    after.frames[VIDEO].insert(0, hop().frames[VIDEO][-1])
    lighter, newly = spared.lighten(after, FULL)
    assert (len(lighter.frames[VIDEO]), newly) == (8, 0)
    again, newly = spared.lighten(replace(hop(), revision=1), FULL)
    assert (again.frames[VIDEO], newly, again.statuses[VIDEO]) == ([], 0, Status.SHED)


def test_a_picture_that_was_used_stays_so() -> None:
    spared = Spared()
    spared.lighten(hop(pictures=6), FULL)
    again, newly = spared.lighten(replace(hop(), revision=1), NO_VIDEO)
    assert ([ms(frame.time_ns) for frame in again.frames[VIDEO]], newly) == ([0, 40, 80, 120, 160, 200], 2)


def test_what_lies_before_the_left_context_is_forgotten() -> None:
    spared = Spared()
    for number in range(100):
        spared.lighten(hop(number), HALF_VIDEO)
        spared.forget(ns((number - 3) * HOP_MS))
    assert len(spared._given_up) == 4 * 8  # of the frontier's hop and three more


def caption(end_ms: float, words: str = "word", *, is_final: bool = False) -> Caption:
    said = tuple(Word(word, ns(0), ns(1), 1.0) for word in words.split())
    weights = dict.fromkeys(Modality, 0.0)
    counts: dict[Modality, Counter[Status]] = {name: Counter() for name in Modality}
    frames = dict.fromkeys(Modality, 0)
    return Caption(ns(0), ns(end_ms), 1, is_final, 1.0, said, 1.0, weights, counts, frames, ns(end_ms), 0, 1)


def shown(level: int, *captions: Caption, spared: Spared | None = None) -> list[float]:
    spared = spared or Spared()
    return [ms(one.end_ns) for given in captions for one in spared.shown([given], level)]


def test_without_overload_every_interim_is_shown() -> None:
    assert shown(FULL, *[caption(at) for at in range(320, 1600, 320)]) == [320, 640, 960, 1280]


def test_from_the_first_step_on_an_interim_is_shown_once_in_a_second_of_what_is_said() -> None:
    before = degraded()
    for level in (FEW_INTERIMS, HALF_VIDEO, NO_VIDEO):
        assert shown(level, *[caption(at) for at in range(320, 3000, 320)]) == [320, 1600, 2880]
    assert degraded() - before == {"interims": 3 * 6}


def test_finals_are_always_shown() -> None:
    finals = [caption(at, is_final=True) for at in range(320, 1600, 320)]
    assert shown(NO_VIDEO, *finals) == [320, 640, 960, 1280]


def test_an_interim_that_takes_back_what_was_shown_is_always_shown() -> None:
    assert shown(NO_VIDEO, caption(320), caption(640), caption(960, words="")) == [320, 960]

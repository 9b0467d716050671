"""A lane that is given more than its machine can compute, and less again: what is given up, what is not, what comes back."""

from __future__ import annotations

from collections import Counter
from itertools import chain

from stream import metrics
from stream.frame import Frame, Modality
from stream.hop import Status
from stream.overload import STEPS
from tests.echo import FRAME_MS, MS, SOUND, T0_NS, live, sound
from tests.pressed import PICTURE_MS, Machine, pictures

AUDIO, VIDEO = Modality.AUDIO, Modality.VIDEO
SENTENCE = "hey......."  # a second, with silence enough for a final
INTERIMS, HALF_VIDEO, NO_VIDEO = 1, 2, 3
LONG_SOUND_S = 50


def camera(session: str, from_s: int, until_s: int) -> list[Frame]:
    """A session that speaks and is seen, beginning and ending at these seconds."""
    heard = sound(session, SENTENCE * (until_s - from_s), start_ms=1000 * from_s)
    return [*(item for item in heard if isinstance(item, Frame)), *pictures(session, from_s, until_s)]


def cameras(count: int, from_s: int, until_s: int) -> list[Frame]:
    return list(chain.from_iterable(camera(f"{from_s}-{number}", from_s, until_s) for number in range(count)))


def slow(**more: dict[Modality, int]) -> Machine:
    """Twenty milliseconds a hop and ten a picture: three cameras fit, or five with half their pictures, or 16 only heard."""
    return Machine(hop_ns=20 * MS, picture_ns=10 * MS, **more)  # type: ignore[arg-type]


def counted() -> Counter[tuple[str, str]]:
    samples = (sample for family in metrics.FRAMES.collect() for sample in family.samples)
    return Counter({(one.labels["modality"], one.labels["outcome"]): round(one.value) for one in samples})


def given_up() -> Counter[str]:
    samples = (sample for family in metrics.DEGRADED.collect() for sample in family.samples)
    return Counter({one.labels["step"]: round(one.value) for one in samples})


async def test_what_fits_is_computed_whole_and_in_time() -> None:
    machine, before = slow(), given_up()
    await machine.run(live(cameras(3, 0, 20)), until_s=25)
    assert machine.levels == [(machine.levels[0][0], 0)]
    assert given_up() == before
    assert max(machine.lateness_s(1, 20)) < 0.7


async def test_a_load_that_fits_with_half_its_pictures_loses_half_of_them_and_no_sound() -> None:
    machine, before, kept = slow(), given_up(), counted()
    records = live(cameras(4, 0, 30))
    await machine.run(records, until_s=40)
    assert max(level for _, level in machine.levels) == HALF_VIDEO
    assert set(given_up() - before) == {"interims", "half_video"}
    assert machine.statuses(AUDIO, 0, 30).keys() == {Status.PRESENT}
    frames = counted() - kept
    assert {outcome for _, outcome in frames} == {"used", "shed"}
    assert frames[AUDIO, "used"] == 4 * 30 * 10
    assert frames.total() == len(records)
    assert max(machine.lateness_s(5, 30)) < 2


async def test_at_a_load_whose_sound_alone_fits_finals_stay_in_time_without_any_picture() -> None:
    machine, before = slow(), given_up()
    await machine.run(live(cameras(10, 0, 30)), until_s=40)
    assert [level for _, level in machine.levels[:4]] == [0, INTERIMS, HALF_VIDEO, NO_VIDEO]
    assert set(given_up() - before) == set(STEPS)
    assert machine.statuses(AUDIO, 0, 30).keys() == {Status.PRESENT}
    assert len(machine.finals) == 10 * 30
    late_s = sorted(machine.lateness_s(8, 30))
    assert late_s[round(0.9 * len(late_s))] < 1.3
    assert late_s[-1] < 2


async def test_all_comes_back_without_a_restart_when_the_load_is_over() -> None:
    machine = slow()
    await machine.run(live([*cameras(1, 0, 45), *cameras(9, 3, 13)]), until_s=50)
    assert machine.pictures(0, 3).keys() == {8}
    assert 0 in machine.pictures(8, 13)
    assert [level for _, level in machine.levels][-4:] == [3, 2, 1, 0]
    assert machine.pictures(40, 44.5).keys() == {8}
    assert machine.statuses(VIDEO, 40, 44.5).keys() == {Status.PRESENT}


async def test_interims_are_fewer_before_any_picture_is_given_up() -> None:
    machine, before = slow(), given_up()
    await machine.run(live(cameras(5, 0, 5)), until_s=3.6)
    assert machine.overload.level == INTERIMS
    assert set(given_up() - before) == {"interims"}


async def test_history_is_read_whole_however_long_it_takes_and_what_it_leaves_behind_is_no_overload() -> None:
    machine, before = slow(history=until(8)), given_up()
    machine.now_ns += 8_000 * MS
    await machine.run(live(cameras(2, 0, 25)), until_s=30)
    assert set(machine.pictures(0, 24.5)) == {8}
    assert given_up() == before
    assert max(machine.lateness_s(20, 25)) < 0.7


async def test_what_history_leaves_behind_is_worked_off_by_steps_if_it_grows() -> None:
    machine = slow(history=until(8, cameras_there=4))
    machine.now_ns += 8_000 * MS
    await machine.run(live(cameras(4, 0, 40)), until_s=50)
    assert set(machine.pictures(0, 7.5)) == {8}
    assert max(level for _, level in machine.levels) >= HALF_VIDEO
    assert max(machine.lateness_s(32, 40)) < 2


async def test_a_record_that_asks_for_a_minute_of_hops_changes_nothing_in_other_sessions() -> None:
    clean, machine = cameras(2, 0, 20), slow()
    await machine.run(live([*clean, long_sound(4), day_long_picture(10)]), until_s=22)
    assert Counter(hop.session for hop in machine.hops)["long"] > LONG_SOUND_S * 1000 // 320
    assert Counter(hop.session for hop in machine.hops)["shown"] < 10
    alone = slow()
    await alone.run(live(clean), until_s=22)
    assert computed(machine, "0-") == computed(alone, "0-")
    assert [final for final in said(machine) if final[0] != "long"] == said(alone)
    assert machine.overload.level == 0
    assert max(machine.lateness_s(1, 19)) < 1.3


def computed(machine: Machine, sessions: str) -> list[tuple[str, int, int, dict[Modality, Status]]]:
    """The hops of the sessions whose names begin so, without when."""
    found = [hop for hop in machine.hops if hop.session.startswith(sessions)]
    return sorted(
        ((hop.session, hop.start_ns, len(hop.frames[VIDEO]), hop.statuses) for hop in found), key=lambda hop: hop[:2]
    )


def said(machine: Machine) -> list[tuple[str, float, str]]:
    return sorted((final.session, final.start_ms, final.text) for _, final in machine.finals)


def long_sound(at_s: int) -> Frame:
    """One record, there at once with its first sample."""
    time_ns = T0_NS + at_s * 1000 * MS
    return Frame("long", AUDIO, time_ns, 0, b"a" + bytes(16_000 * LONG_SOUND_S - 1), SOUND)


def day_long_picture(at_s: int) -> Frame:
    return Frame("shown", VIDEO, T0_NS + at_s * 1000 * MS, 86_400_000 * MS, b"picture", "image/jpeg")


def until(at_s: int, cameras_there: int = 2) -> dict[Modality, int]:
    """What lies in the topics by then."""
    return {AUDIO: cameras_there * at_s * 1000 // FRAME_MS, VIDEO: cameras_there * at_s * 1000 // PICTURE_MS}

"""What time it is for a lane, and which record is next."""

from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from stream.clock import OVERHEAD_BYTES, LaneClock
from stream.frame import Modality, Record
from stream.times import NS_PER_MS

TEXT, AUDIO, VIDEO = Modality
NOON_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def at(ms: float) -> int:
    return round((NOON_MS + ms) * NS_PER_MS)


def record(modality: Modality, offset: int, produced_ms: float) -> Record:
    return Record(modality, 0, offset, round(NOON_MS + produced_ms), b"s", b"12345")


def never() -> None:
    """When a lane is to be woken that has nothing to do but to read."""


class Broker:
    """A clock with its three partitions, each with records produced at the given moments."""

    def __init__(self, **produced_ms: list[float]) -> None:
        self.clock = LaneClock()
        self.logs = {
            modality: [record(modality, offset, when) for offset, when in enumerate(produced_ms.get(modality, []))]
            for modality in Modality
        }
        self.asked = dict.fromkeys(Modality, 0)
        for modality in Modality:
            self.clock.seek(modality, 0, at(HOUR_MS))

    def fetch(self, *modalities: Modality, count: int = 1000, now_ms: float = HOUR_MS) -> None:
        for modality in modalities or tuple(Modality):
            log, first = self.logs[modality], self.asked[modality]
            records = log[first : first + count]
            self.asked[modality] = first + len(records)
            self.clock.fetched(modality, records, self.asked[modality], len(log), at(now_ms))

    def run(self, most: int, now_ms: float = HOUR_MS) -> list[tuple[Modality, int, float]]:
        return [
            (modality, record.offset, arrival_ns / NS_PER_MS - NOON_MS)
            for modality, record, arrival_ns in islice(self.clock.arrivals(at(now_ms), never), most)
        ]

    def take(self, now_ms: float = HOUR_MS) -> tuple[Modality, int, float] | None:
        return next(iter(self.run(1, now_ms)), None)

    def now_ms(self, machine_ms: float = HOUR_MS) -> float:
        return self.clock.now_ns(at(machine_ms)) / NS_PER_MS - NOON_MS


def test_a_partition_never_fetched_is_behind() -> None:
    assert Broker().clock.behind(at(HOUR_MS)) == {TEXT, AUDIO, VIDEO}


def test_a_partition_is_caught_up_when_all_below_its_stable_offset_is_taken() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    assert broker.clock.behind(at(HOUR_MS)) == {AUDIO}
    broker.take()
    assert broker.clock.behind(at(HOUR_MS)) == {AUDIO}
    broker.take()
    assert broker.clock.behind(at(HOUR_MS)) == set()


def test_records_that_are_not_fetched_yet_leave_it_behind() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch(count=1)
    broker.take()
    assert broker.clock.behind(at(HOUR_MS)) == {AUDIO}


def test_an_answer_is_good_for_a_second() -> None:
    broker = Broker()
    broker.fetch()
    assert broker.clock.behind(at(HOUR_MS + 1000)) == set()
    assert broker.clock.behind(at(HOUR_MS + 1001)) == {TEXT, AUDIO, VIDEO}


def test_a_partition_just_sought_or_held_is_behind() -> None:
    broker = Broker()
    broker.fetch()
    broker.clock.hold(frozenset({VIDEO}))
    broker.clock.seek(TEXT, 7, at(HOUR_MS))
    assert broker.clock.behind(at(HOUR_MS)) == {TEXT, VIDEO}
    broker.clock.hold(frozenset())
    assert broker.clock.behind(at(HOUR_MS)) == {TEXT}


def test_the_record_that_was_produced_first_is_next() -> None:
    broker = Broker(text=[15], audio=[10, 20, 30], video=[12, 29])
    broker.fetch()
    taken = [broker.take() for _ in range(6)]
    assert [when for _, _, when in filter(None, taken)] == [10, 12, 15, 20, 29, 30]
    assert broker.take() is None


def test_of_two_as_old_text_is_next_then_audio() -> None:
    broker = Broker(text=[10], audio=[10], video=[10])
    broker.fetch()
    assert [taken[0] for taken in (broker.take(), broker.take(), broker.take()) if taken] == [TEXT, AUDIO, VIDEO]


def test_one_behind_with_nothing_fetched_is_waited_for() -> None:
    broker = Broker(audio=[10], video=[20])
    broker.fetch(AUDIO, TEXT)
    assert broker.take() is None
    broker.fetch(VIDEO)
    assert broker.take() == (AUDIO, 0, 10)


def test_one_caught_up_holds_nobody_back() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    assert broker.take() == (AUDIO, 0, 10)


def test_with_one_behind_the_clock_moves_only_to_what_was_read() -> None:
    broker = Broker(audio=[10, 20], video=[15])
    broker.fetch()
    broker.take()
    assert broker.now_ms(HOUR_MS + 500) == 10
    broker.take()
    assert broker.now_ms(HOUR_MS + 900) == 15


def test_with_all_caught_up_the_clock_moves_with_the_machine() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    broker.take()
    broker.take()
    assert broker.now_ms(HOUR_MS + 300) == 320
    broker.fetch(now_ms=HOUR_MS + 900)
    assert broker.now_ms(HOUR_MS + 1800) == 1820


def test_a_broker_that_stops_for_a_minute_stops_the_clock() -> None:
    broker = Broker(audio=[10])
    broker.fetch()
    broker.take()
    assert broker.now_ms(HOUR_MS + 60_000) == 1010
    broker.fetch(now_ms=HOUR_MS + 60_000)
    assert broker.now_ms(HOUR_MS + 60_500) == 1510


def test_an_answer_after_a_minute_does_not_make_the_minute_pass() -> None:
    broker = Broker(audio=[10])
    broker.fetch()
    broker.take()
    broker.fetch(now_ms=HOUR_MS + 60_000)
    assert broker.now_ms(HOUR_MS + 60_000) == 1010


def test_with_nothing_to_read_at_first_it_is_the_machines_time() -> None:
    broker = Broker()
    assert broker.clock.now_ns(at(HOUR_MS)) == 0
    broker.fetch()
    assert broker.now_ms() == HOUR_MS


def test_the_clock_never_runs_backwards() -> None:
    broker = Broker(audio=[100, 50, 120])
    broker.fetch()
    assert [broker.take(), broker.take(), broker.take()] == [(AUDIO, 0, 100), (AUDIO, 1, 100), (AUDIO, 2, 120)]


def test_the_clock_never_runs_ahead_of_the_machine() -> None:
    broker = Broker(audio=[HOUR_MS + 10_000])
    broker.fetch()
    assert broker.take(HOUR_MS + 100) == (AUDIO, 0, HOUR_MS + 100)


def test_a_pause_in_a_backlog_passes_as_it_did_live() -> None:
    broker = Broker(audio=[0, HOUR_MS / 2])
    broker.fetch()
    assert broker.take() == (AUDIO, 0, 0)
    assert broker.now_ms() == 0
    assert broker.take() == (AUDIO, 1, HOUR_MS / 2)


def test_nothing_is_taken_from_a_held_partition_and_what_is_read_past_it_moves_no_clock() -> None:
    broker = Broker(audio=[10, 30], video=[20, 50, 60])
    broker.fetch(AUDIO, TEXT)
    broker.fetch(VIDEO, count=1)
    broker.take()
    broker.clock.hold(frozenset({AUDIO}))
    assert broker.take() == (VIDEO, 0, 20)  # older than what waits in the held one
    broker.fetch(VIDEO)
    assert broker.take() == (VIDEO, 1, 20)  # out of step: the held one has an older record
    broker.clock.hold(frozenset())
    assert broker.take() == (AUDIO, 1, 30)
    assert broker.take() == (VIDEO, 2, 60)


def test_a_wake_that_comes_before_the_next_record_leaves_it_unread() -> None:
    broker = Broker(audio=[10, 500])
    broker.fetch()
    broker.take()
    assert not list(broker.clock.arrivals(at(HOUR_MS), lambda: at(210)))
    assert broker.now_ms() == 210
    assert broker.clock.behind(at(HOUR_MS)) == {AUDIO}
    assert broker.take() == (AUDIO, 1, 500)


def test_a_wake_that_comes_nearer_with_a_record_ends_the_run_before_the_next() -> None:
    broker = Broker(audio=[10, 20, 500])
    broker.fetch()
    wakes = iter([None, at(900), at(210)])
    run = broker.clock.arrivals(at(HOUR_MS), lambda: next(wakes))
    assert [record.offset for _, record, _ in run] == [0, 1]
    assert broker.now_ms() == 210
    assert broker.take() == (AUDIO, 2, 500)


def test_a_run_ends_where_one_behind_has_nothing_left() -> None:
    broker = Broker(audio=[10, 20, 30], video=[12, 25])
    broker.fetch(AUDIO, TEXT)
    broker.fetch(VIDEO, count=1)
    assert broker.run(9) == [(AUDIO, 0, 10), (VIDEO, 0, 12)]
    broker.fetch(VIDEO)
    assert broker.run(9) == [(AUDIO, 1, 20), (VIDEO, 1, 25), (AUDIO, 2, 30)]


def test_the_time_that_a_run_takes_passes_after_its_last_record() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    assert broker.run(9) == [(AUDIO, 0, 10), (AUDIO, 1, 20)]
    assert broker.now_ms(HOUR_MS + 5) == 25


produced = st.lists(st.integers(0, 20), max_size=12)


@given(text=produced, audio=produced, video=produced, held=st.sets(st.sampled_from(Modality)), most=st.integers(2, 9))
def test_in_runs_of_any_length_the_same_records_arrive_at_the_same_times(
    text: list[float], audio: list[float], video: list[float], held: set[Modality], most: int
) -> None:
    brokers = Broker(text=text, audio=audio, video=video), Broker(text=text, audio=audio, video=video)
    for broker in brokers:
        broker.fetch()
        broker.clock.hold(frozenset(held))
    one_by_one = list(iter(brokers[0].take, None))
    in_runs = [arrival for run in iter(lambda: brokers[1].run(most), []) for arrival in run]
    assert in_runs == one_by_one
    assert len(in_runs) == sum(len(log) for name, log in brokers[1].logs.items() if name not in held)


def test_when_the_newest_record_taken_was_produced_is_known_after_a_seek() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    assert broker.clock.produced_ms(AUDIO) is None
    broker.take()
    broker.clock.seek(AUDIO, 1, at(HOUR_MS))
    assert broker.clock.produced_ms(AUDIO) == NOON_MS + 10


def test_positions_say_what_was_taken_and_skip_what_holds_no_records() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    broker.take()
    assert broker.clock.positions() == {TEXT: 0, AUDIO: 1, VIDEO: 0}
    broker.take()
    broker.clock.fetched(VIDEO, [], 3, 3, at(HOUR_MS))  # control records of transactions
    assert broker.clock.positions() == {TEXT: 0, AUDIO: 2, VIDEO: 3}
    assert broker.clock.behind(at(HOUR_MS)) == set()


def test_queued_bytes_are_those_fetched_and_not_taken() -> None:
    broker = Broker(audio=[10, 20])
    broker.fetch()
    broker.take()
    assert broker.clock.queued(AUDIO) == OVERHEAD_BYTES + len(b"s") + len(b"12345")
    broker.clock.seek(AUDIO, 0, at(HOUR_MS))
    assert broker.clock.queued(AUDIO) == 0


def test_a_record_without_a_value_is_not_queued_for_free() -> None:
    heartbeat = Record(AUDIO, 0, 0, NOON_MS, b"s", None, (("ce_type", b"trivium.bound.v1"), ("ce_note", bytes(500))))
    clock = LaneClock()
    clock.fetched(AUDIO, [heartbeat], 1, 1, at(HOUR_MS))
    assert clock.queued(AUDIO) > OVERHEAD_BYTES + 500
    clock.fetched(TEXT, [], 0, 0, at(HOUR_MS))
    clock.fetched(VIDEO, [], 0, 0, at(HOUR_MS))
    assert len(list(clock.arrivals(at(HOUR_MS), never))) == 1
    assert clock.queued(AUDIO) == 0

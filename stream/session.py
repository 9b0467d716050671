"""Session: one live source, from its first frame to its end.

    Frame -> [Session] -> Hop

Places what comes, asks the schedule what is due, and has it made. Time is passed in.
"""

from __future__ import annotations

from stream.emit import Emitter
from stream.frame import Bound, End, Frame, Modality
from stream.held import Held
from stream.hop import Checkpoint, Ended, EndReason, Event, HopReason, Outcome, Slept, Started, Tally, Timing
from stream.jump import Strays
from stream.schedule import Schedule
from stream.timeline import Placed, Timeline
from stream.wait import Wait
from stream.watermark import FOREVER_NS, NEVER_NS

_TEXT, _AUDIO, _VIDEO = Modality


class Session:
    """One session.

    Attributes
    ----------
    wake_ns : int
        When `advance` is to be called next if nothing comes.
    most_bytes : int or None
        Set when a buffer overflows in history: hops go out as at their deadline until no more is held.
    stirred : bool
        Whether something came that may make something due before `wake_ns`.
    over : bool
        Whether it has ended.
    """

    def __init__(self, name: str, timing: Timing, tally: Tally) -> None:
        self.name = name
        self.wake_ns = FOREVER_NS
        self.most_bytes: int | None = None
        self.stirred = False
        self.over = False
        self.wait = Wait(timing)
        self.held = Held(self.wait, tally)
        self.schedule = Schedule(self.wait, timing)
        self.strays = Strays(self.wait, self.held, tally, timing.max_jump_ns)
        self._emitter = Emitter(name, self.wait, timing.hop_ns, tally)
        self._timing = timing
        self._deadline_ns, self._max_jump_ns = timing.deadline_ns, timing.max_jump_ns
        self._tally = tally
        self._started = False
        self._start_ns = FOREVER_NS
        self._frontier_ns = NEVER_NS
        self._keep_from_ns = NEVER_NS
        self._cuts: dict[Modality, int] = {}
        self._stirred_ns = self._due_ns = FOREVER_NS  # since when something may be due; the same as of the last advance

    @property
    def open_frames(self) -> int:
        """Frames that have no outcome yet."""
        return self.held.fresh() + sum(isinstance(stray, Frame) for stray in self.strays.items)

    # What comes in

    def take(self, frame: Frame, now_ns: int) -> Outcome | None:
        """Place a frame; its outcome if that is known by now. It may turn out a stray, which `strays` then holds."""
        line = self.wait.lines[frame.modality]
        if not self._goes_on(line, frame):
            return self._take_any(line, frame, now_ns)
        self.wait.hear(line, now_ns)
        self._place(line, frame, len(line), now_ns)
        self._wake_by(now_ns)
        return None

    def _goes_on(self, line: Timeline, frame: Frame) -> bool:
        """Whether it is what nearly every frame is, the next of its line: no stray, not late, none that lies there already.

        Of such a frame `_take_any` would find nothing else; not to ask is what makes it cheap.
        """
        time_ns = frame.time_ns
        return (
            line.newest_ns < time_ns <= self.wait.newest_end_ns + self._max_jump_ns
            and self.schedule.follows
            and time_ns >= self.schedule.done_ns
            and time_ns >= self._frontier_ns
            and not (line.ended or self.wait.recalls or self.strays.items)
        )

    def _take_any(self, line: Timeline, frame: Frame, now_ns: int) -> Outcome | None:
        if self._is_stray(frame, now_ns):
            return None
        self.wait.hear(line, now_ns)
        position, end_ns = line.measure(frame)
        replayed = self._replayed(frame)
        if line.is_duplicate(frame, position):
            return self._tally.count(frame, Outcome.REPLAYED if replayed else Outcome.DUPLICATE)
        settled = end_ns <= self._frontier_ns
        if not self._has_a_place(frame.time_ns, end_ns):
            return self.held.count_after(frame, end_ns, now_ns, replayed=replayed)
        if line.ended and frame.time_ns >= line.bound_ns:
            line.ended = False
        placed = self._place(line, frame, position, now_ns)
        if frame.time_ns < self.schedule.done_ns:
            placed.late = not replayed
            self._stir(now_ns)
        if self.schedule.placed(frame.time_ns, end_ns):
            self._stir(now_ns)
        self._wake_by(now_ns)
        if not settled:
            return None
        outcome = self.held.count_after(frame, end_ns, now_ns, replayed=replayed)
        frame.counted = True
        line.mark(placed, outcome)  # it changes no final, but is context
        return outcome

    def take_bound(self, bound: Bound, now_ns: int) -> None:
        """Nothing earlier will come of this modality."""
        if self._is_stray(bound, now_ns):
            return
        line = self.wait.lines[bound.modality]
        self.wait.hear(line, now_ns)
        if line.bound_ns < self.schedule.next_end_ns <= bound.time_ns:
            self._stir(now_ns)
        line.move_bound(bound.time_ns, now_ns)
        if self.schedule.asleep:
            line.forget_crossings(bound.time_ns - self._timing.hop_ns)
        self._wake_by(now_ns)

    def take_end(self, end: End, now_ns: int) -> None:
        """One modality is over, unless it speaks again."""
        line = self.wait.lines[end.modality]
        self.wait.hear(line, now_ns)
        line.ended = True
        self.wait.last_end_ns = max(self.wait.last_end_ns, now_ns)
        self.wake_ns = min(self.wake_ns, now_ns)
        self._stir(now_ns)

    # What goes out

    def advance(self, at_ns: int, behind: frozenset[Modality], *, in_turns: bool = False) -> list[Event]:
        """Everything that is due at a moment; `in_turns`: of many hops only the first, then it is `stirred` still."""
        schedule = self.schedule
        self.wait.recall(at_ns)
        self._due_ns, self._stirred_ns = self._stirred_ns, FOREVER_NS
        self.stirred = schedule.held_up = False
        events: list[Event] = list(self._emitter.emit_again(at_ns, self._due_ns))
        self._force()
        for start_ns, reason in schedule.turn(at_ns, behind, in_turns=in_turns):
            self._emit(start_ns, reason, at_ns, events)
        if schedule.turn_over:
            self._stir(at_ns)
        elif (ended := schedule.ends(at_ns, behind)) is not None:
            self.close(ended, at_ns, events)
        elif schedule.sleeps(at_ns, behind):
            schedule.slept()
            events.append(Slept(self.name, schedule.done_ns))
        self.wake_ns = schedule.wake_ns(at_ns)
        return events

    def close(self, reason: EndReason, at_ns: int, events: list[Event]) -> None:
        """End it now; hops that hold frames go out first."""
        events += self._emitter.emit_again(at_ns, self._due_ns)
        while (start_ns := self.schedule.next_ns()) is not None and start_ns < self.wait.reach_ns:
            self._emit(start_ns, HopReason.END, at_ns, events)
        self.strays.give_up(at_ns)
        self.held.give_up()
        self.over = True
        if self._started:
            events.append(Ended(self.name, reason, self._start_ns, self.wait.newest_end_ns))

    # What is kept

    def settle(self, frontier_ns: int, keep_from_ns: int) -> None:
        """Nothing before the frontier is computed again; what ends by `keep_from_ns` is of no use."""
        self._frontier_ns = max(self._frontier_ns, frontier_ns)
        self._keep_from_ns = max(self._keep_from_ns, keep_from_ns)
        self._emitter.forget(self._keep_from_ns)
        self.held.forget(self._keep_from_ns)

    def trim(self, most_bytes: int) -> None:
        """Forget frames that are in hops already, oldest first: late frames cannot bring those hops again."""
        while self.held.bytes > most_bytes and (end_ns := self._emitter.oldest_end_ns()) is not None:
            self._emitter.forget(end_ns)
            self.held.trim(end_ns)

    def oldest_offsets(self) -> dict[Modality, int]:
        """Per modality the lowest of a frame still needed; a successor is told the held text, so it need not be read."""
        oldest = self.held.oldest_offsets(self.wait.lines[_TEXT].held_at(self._frontier_ns))
        for stray in self.strays.items:
            oldest[stray.modality] = min(stray.offset, oldest.get(stray.modality, stray.offset))
        return oldest

    def checkpoint(self) -> Checkpoint:
        """What a successor must know, the cuts excepted."""
        return self.wait.checkpoint(self._start_ns, self._frontier_ns, self._keep_from_ns)

    def restore(self, known: Checkpoint) -> None:
        """Go on where a former owner's last final left it: asleep until a frame comes."""
        self._started = self.schedule.asleep = True
        self._start_ns, self._cuts = known.start_ns, known.cuts
        self.wait.restore(known)
        self.schedule.done_ns = known.keep_from_ns - known.keep_from_ns % self._timing.hop_ns
        self.settle(known.frontier_ns, known.keep_from_ns)
        if self.wait.heard_ns > NEVER_NS:
            self.wake_ns = self.schedule.wake_ns(self.wait.heard_ns)

    def _is_stray(self, item: Frame | Bound, now_ns: int) -> bool:
        self.wait.recall(now_ns)
        return self.strays.take(item, self._start_ns, now_ns, replayed=self._replayed(item))

    def _replayed(self, item: Frame | Bound) -> bool:
        """Whether a former owner had read it by the last final."""
        return item.offset < self._cuts.get(item.modality, item.offset)

    def _stir(self, now_ns: int) -> None:
        """Something may be due."""
        self.stirred, self._stirred_ns = True, min(self._stirred_ns, now_ns)

    def _has_a_place(self, start_ns: int, end_ns: int) -> bool:
        """Whether a hop holds the frame that is still to come, or that can come again."""
        done_ns = self.schedule.done_ns
        if end_ns <= self._keep_from_ns:
            return False
        touches = start_ns < done_ns and self._emitter.touch(start_ns, min(end_ns, done_ns))
        return touches or end_ns > done_ns

    def _place(self, line: Timeline, frame: Frame, position: int, now_ns: int) -> Placed:
        wait, before_ns = self.wait, line.bound_ns
        if wait.began_ns == NEVER_NS:
            wait.began_ns = now_ns
        if not self._started:
            self._start_ns = min(self._start_ns, frame.time_ns)
        placed = line.place(frame, position, now_ns)
        wait.note_newest(line.bounding_end_ns(placed), now_ns)
        self.held.bytes += placed.bytes
        if before_ns < self.schedule.next_end_ns <= line.bound_ns:
            self._stir(now_ns)
        return placed

    def _wake_by(self, now_ns: int) -> None:
        """See to it that the deadline of the next hop is not missed, whatever the time when it is next looked at."""
        deadline_ns, next_end_ns = now_ns + self._deadline_ns, self.schedule.next_end_ns
        if self.wait.newest_end_ns < next_end_ns < FOREVER_NS:
            deadline_ns += next_end_ns - self.wait.newest_end_ns
        if deadline_ns < self.wake_ns:
            self.wake_ns = deadline_ns

    def _emit(self, start_ns: int, reason: HopReason, at_ns: int, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Started(self.name, self._start_ns))
        events.append(self._emitter.emit(start_ns, reason, self.wait.members(at_ns), at_ns, self._due_ns))
        self.schedule.emitted(start_ns + self._timing.hop_ns)
        self._force()

    def _force(self) -> None:
        if self.most_bytes is not None:
            self.trim(self.most_bytes)
            self.schedule.forced = self.held.bytes > self.most_bytes and self.schedule.holds_frames()
            self.most_bytes = self.most_bytes if self.schedule.forced else None

"""What is given up when more comes than can be computed, in which order, and when it is taken back.

    how long hops had to wait -> [Lag, Overload] -> steps -> lighter hops (`spare.py`)

Where there is too much to compute, records wait to be read: a lane reads on only when its hops are done. So a hop's wait is
what the machine's clock is ahead of the moment at which the hop was due on the lane's clock, less what that clock was behind
when the lane last had nothing left to read. What lay there before the lane was taken over is history: it is neither judged nor
lightened. Pure: time is passed in.
"""

from __future__ import annotations

import logging
from enum import StrEnum
from typing import NamedTuple

from stream.frame import Modality
from stream.hop import Hop
from stream.times import NS_PER_SECOND

log = logging.getLogger(__name__)

LONG_NS = NS_PER_SECOND  # a hop that has waited longer takes one more step,
RAISE_NS = NS_PER_SECOND  # but not sooner after the last than this, so that each can show what it does
SHORT_NS = NS_PER_SECOND // 4  # while no hop has waited longer
CALM_NS = 5 * NS_PER_SECOND  # for so long, a step is taken back;
LONGEST_CALM_NS = 80 * NS_PER_SECOND  # each time that this was too soon, for twice as long


class Step(StrEnum):
    """What is given up, in this order; all before it as well. A closed set."""

    INTERIMS = "interims"  # fewer interims
    HALF_VIDEO = "half_video"  # every second picture
    NO_VIDEO = "no_video"  # all pictures


STEPS = tuple(Step)


class Hurry(NamedTuple):
    """What a lane is told of the machine when it advances.

    Parameters
    ----------
    machine_ns : int
        The machine's time, in nanoseconds that only ever grow.
    idle : bool
        Whether the lane has taken all that there was to take.
    """

    machine_ns: int
    idle: bool


class Lag:
    """How long the hops of one lane have waited to be computed."""

    def __init__(self) -> None:
        self._hurry: Hurry | None = None
        self._history: dict[Modality, int] = {}  # offsets from which on records came after the takeover
        self._in_history = False
        self._ahead_ns = 0  # the machine's clock before the lane's, for other reasons than what there is to compute
        self._former_ns = 0  # the same before this advance
        self._forgiven_ns = 0  # what history has left to be caught up with

    def took_history(self, modality: Modality, offset: int) -> None:
        """A record was taken that lay there when the lane was taken over."""
        self._history[modality] = offset + 1
        self._in_history = True

    def note(self, hurry: Hurry | None, now_ns: int, *, overloaded: bool) -> None:
        """The lane is about to advance at `now_ns` of its clock."""
        self._hurry, self._former_ns = hurry, self._ahead_ns
        if hurry is None:
            return
        if hurry.idle:
            self._ahead_ns = hurry.machine_ns - now_ns
        if self._in_history:
            self._forgiven_ns = hurry.machine_ns - now_ns - self._ahead_ns
        elif hurry.idle or overloaded:
            self._forgiven_ns = 0
        self._in_history = False

    def waited_ns(self, hop: Hop) -> int | None:
        """How long a hop of this advance has waited; None of history, or where nobody is told of the machine."""
        if self._hurry is None or self._is_history(hop):
            return None
        ahead_ns = max(self._ahead_ns, self._former_ns) + self._forgiven_ns
        return max(0, self._hurry.machine_ns - ahead_ns - hop.due_ns)

    @property
    def machine_ns(self) -> int:
        """The machine's time of this advance, 0 if nobody told it."""
        return 0 if self._hurry is None else self._hurry.machine_ns

    def _is_history(self, hop: Hop) -> bool:
        """Whether sound or pictures of it lay there before; a text may be held for ever."""
        return any(
            frame.offset < self._history.get(modality, 0)
            for modality in (Modality.AUDIO, Modality.VIDEO)
            for frame in hop.frames.get(modality, ())
        )


class Overload:
    """The steps taken at present, for all lanes of a process: they share one Predictor.

    Attributes
    ----------
    level : int
        How many of `STEPS` are taken.
    """

    def __init__(self) -> None:
        self.level = 0
        self._calm_ns = CALM_NS
        self._changed_ns = 0
        self._restless_ns = 0  # when a hop last waited more than shortly
        self._taken_back = False  # the last change

    def judge(self, waited_ns: int, now_ns: int) -> int:
        """Take note of one hop's wait, at the machine's time; how many steps are taken by now."""
        if waited_ns > SHORT_NS:
            self._restless_ns = max(self._restless_ns, now_ns)
        if waited_ns > LONG_NS:
            if self.level < len(STEPS) and now_ns - self._changed_ns >= RAISE_NS:
                self._raise(now_ns)
        else:
            self._take_back(now_ns)
        return self.level

    def _raise(self, now_ns: int) -> None:
        if self._taken_back:  # was that too soon?
            soon = now_ns - self._changed_ns < 2 * self._calm_ns
            self._calm_ns = min(2 * self._calm_ns, LONGEST_CALM_NS) if soon else CALM_NS
        self.level, self._changed_ns, self._taken_back = self.level + 1, now_ns, False
        log.warning("overloaded: hops waited for more than a second", extra={"given_up": STEPS[self.level - 1].value})

    def _take_back(self, now_ns: int) -> None:
        while self.level and now_ns - max(self._restless_ns, self._changed_ns) >= self._calm_ns:
            self.level -= 1
            self._changed_ns = max(self._restless_ns, self._changed_ns) + self._calm_ns
            self._taken_back = True
            log.info("less load: a step is taken back", extra={"taken_back": STEPS[self.level].value})

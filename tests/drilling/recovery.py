"""How long it took, after something died, until the lanes that it had spoke again.

    deaths, Told, finals of the uninterrupted run -> {what died: Recovery}

A lane speaks only if somebody has said something: the uninterrupted run tells what was due, and by when. Who was between two
sessions owed nothing, and shows nothing of how long a recovery took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

from stream.publish import Prediction
from tests.drilling.told import Told
from tests.drilling.worker import Kill

BAR_SECONDS = 15.0
PROMPT_MS = 3_000.0  # from a final's end until it is told, its endpoint's wait included, where nothing holds it up
PAUSE_MS = 10_000.0  # a sentence and the gap before it take less: after so long without a final due, nobody was talking

Finals = Sequence[tuple[int, Prediction]]  # with their lanes


@dataclass
class Recovery:
    """Seconds after the deaths of a kind.

    Attributes
    ----------
    seconds : list
        Until the first new final, where one came before the next death.
    cut_short : list
        Until the next death, or until all was read, where a final was due and none came: it took longer than that.
    untold : int
        How often no final was due for so long that it could not be seen when it was over.
    """

    seconds: list[float] = field(default_factory=list)
    cut_short: list[float] = field(default_factory=list)
    untold: int = 0

    def least(self) -> list[float]:
        """What each took at least."""
        return self.seconds + self.cut_short

    def faults(self) -> list[str]:
        """Those that took too long, or that none was measured."""
        none = [] if self.seconds else ["none was measured"]
        slow = [f"took {one:.1f} s, expected {BAR_SECONDS:.0f} at most" for one in self.seconds if one > BAR_SECONDS]
        cut = [f"was not over after {one:.1f} s" for one in self.cut_short if one > BAR_SECONDS]
        return none + slow + cut

    def add(self, since_ms: float, until_ms: float, lanes: frozenset[int], told: Told, again: Finals) -> None:
        """Take in what followed one death: the next one, or the end of all reading, is at `until_ms`."""
        published = [final.times.published_ms for lane, final in told.finals() if lane in lanes]
        came_ms = min((at_ms for at_ms in published if at_ms > since_ms), default=inf)
        due_ms = _due_ms(since_ms, lanes, told.finals(), again)
        if came_ms <= until_ms and (came_ms > due_ms or came_ms - since_ms <= PAUSE_MS):
            self.seconds.append(_seconds(came_ms - since_ms))
        elif came_ms > until_ms and due_ms <= until_ms:
            self.cut_short.append(_seconds(until_ms - since_ms))
        else:
            self.untold += 1


def recoveries(
    kills: Sequence[Kill], outages: Sequence[tuple[float, float]], told: Told, again: Finals
) -> dict[str, Recovery]:
    """By what died.

    Parameters
    ----------
    kills : sequence
        Of workers. The death of one without `instance_id` is cut short by any other's, since all lanes move.
    outages : sequence
        Of the broker: begin and end, Unix ms. Its recovery is timed from the end.
    """
    found: dict[str, Recovery] = {}
    for kill in kills:
        kind = "worker with instance_id" if kill.fixed else "worker"
        others = [other.at_ms for other in kills if not kill.fixed or other.worker == kill.worker]
        until_ms = min((at_ms for at_ms in others if at_ms > kill.at_ms), default=told.read_ms)
        found.setdefault(kind, Recovery()).add(kill.at_ms, until_ms, kill.lanes, told, again)
    lanes = frozenset(lane for lane, _ in again)
    for _, back_ms in outages:
        until_ms = min((began_ms for began_ms, _ in outages if began_ms > back_ms), default=told.read_ms)
        found.setdefault("broker", Recovery()).add(back_ms, until_ms, lanes, told, again)
    return found


def _due_ms(since_ms: float, lanes: frozenset[int], finals: Finals, again: Finals) -> float:
    """When the first final that was still owed was due at the latest; infinite if nobody said anything."""
    told_ms: dict[str, float] = {}  # by session, how far its finals reached
    for _, final in finals:
        if final.times.published_ms <= since_ms:
            told_ms[final.session] = max(final.end_ms, told_ms.get(final.session, final.end_ms))
    owed = [final for lane, final in again if lane in lanes and final.start_ms >= told_ms.get(final.session, -inf)]
    return max(since_ms, min((final.end_ms + PROMPT_MS for final in owed), default=inf))


def _seconds(ms: float) -> float:
    return round(ms / 1000, 2)

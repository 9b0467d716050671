"""Judges what was told: every final once, in order, none changed, as an uninterrupted run has them; offsets right.

    Told, finals of the uninterrupted run -> Verdict

Where a deadline of the uninterrupted run, an outage of the broker or shedding had a part in a final, it is held to once and
in order alone: how late a frame was is not the recovery's to repeat. What only ours was late for is different. Nothing excuses
a final of which nothing was told, unless its frames lie in the late topic; and few may be excused at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from stream.frame import Modality
from stream.publish import Prediction, SessionRecord
from tests.drilling.told import LateFrame, Told

CONFIDENCE = 0.01
AROUND_MS = 10_000.0  # before and after an outage: what waits in buffers comes in a burst
BROUGHT = (Modality.AUDIO, Modality.VIDEO)  # waited for, unlike text
LOOSE_SHARE, LOOSE_SHARE_NEAR = 1 / 8, 1 / 2  # apart from outages and near them


@dataclass
class Verdict:
    """What is wrong, a line each; nothing, if all is well.

    Attributes
    ----------
    finals, alike, loose : int
        All; those equal to the uninterrupted run's; those that a deadline, an outage or shedding excuses.
    expected, near : int
        All of the uninterrupted run; those of them that lie near an outage.
    """

    finals: int = 0
    alike: int = 0
    loose: int = 0
    expected: int = 0
    near: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    offsets: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    unaccounted: list[str] = field(default_factory=list)

    def most_loose(self) -> int:
        """How many may be excused: with more, a drill would show little.

        Apart from outages one in eight: a session has eight sentences, of which the last may end at a deadline. Near an
        outage one in two: about half of that time is before it began or after its burst was read.
        """
        return int(LOOSE_SHARE * (self.expected - self.near) + LOOSE_SHARE_NEAR * self.near)

    def faults(self) -> dict[str, list[str]]:
        """All that is wrong, by kind."""
        kinds = ("lost", "doubled", "changed", "disordered", "different", "offsets", "leaks", "late", "unaccounted")
        return {kind: found for kind in kinds if (found := getattr(self, kind))}


def judge(
    told: Told,
    sessions: Counter[str],
    again: Sequence[tuple[int, Prediction]],
    outages: Sequence[tuple[float, float]] = (),
) -> Verdict:
    """All but leaks.

    Parameters
    ----------
    outages : sequence
        Of the broker, in Unix ms. What was captured then may have come too late for a hop of silence, of which no final tells.
        The late topic does, if it was too late for its segment as well.
    """
    verdict = Verdict(finals=len(told.finals()))
    ours, theirs = _by_session(told.finals()), _by_session(again)
    for session in sorted(sessions):
        finals = ours.get(session, [])
        _once(finals, verdict)
        _in_order(session, told, verdict)
        _told_whole(session, told, sessions[session], verdict)
        _as_uninterrupted(_first_of_each(finals), theirs.get(session, []), told.late, outages, verdict)
    _stand(told, verdict)
    return verdict


def clean(final: Prediction) -> bool:
    """Whether all that was sent was there in time, so that no deadline had a part in it."""
    if any(one.late or one.lost or one.counts.late for one in final.modalities.values()):
        return False
    counts = [final.modalities[name].counts for name in BROUGHT]
    return all(one.silent == one.corrupt == one.shed == 0 and not (one.idle and one.present) for one in counts)


def agree(final: Prediction, other: Prediction) -> bool:
    """Whether two finals are the same in all that recovery must give again."""
    return _content(final) == _content(other) and abs(final.confidence - other.confidence) <= CONFIDENCE


def _content(final: Prediction) -> tuple[object, ...]:
    words = [(word.word, word.start_ms, word.end_ms) for word in final.words]
    statuses = {name: one.status for name, one in final.modalities.items()}
    return final.session, final.start_ms, final.end_ms, final.text, words, statuses


def _once(finals: Sequence[Prediction], verdict: Verdict) -> None:
    seen: dict[float, Prediction] = {}
    for final in finals:
        if (earlier := seen.get(final.segment)) is None:
            seen[final.segment] = final
        else:
            kind = verdict.doubled if agree(earlier, final) else verdict.changed
            kind.append(f"{_named(final)} after {_named(earlier)}")


def _first_of_each(finals: Sequence[Prediction]) -> list[Prediction]:
    found: dict[float, Prediction] = {}
    for final in finals:
        found.setdefault(final.segment, final)
    return list(found.values())


def _in_order(session: str, told: Told, verdict: Verdict) -> None:
    own = [(lane, one) for lane, one in told.results if one.session == session]
    if len({lane for lane, _ in own}) > 1:
        verdict.disordered.append(f"{session} is in lanes {sorted({lane for lane, _ in own})}")
    finals = [one for _, one in own if isinstance(one, Prediction)]
    for before, after in pairwise(finals):
        overlaps = after.start_ms < before.end_ms and after.segment != before.segment
        if overlaps or after.segment < before.segment or after.epoch < before.epoch:
            verdict.disordered.append(f"{_named(after)} follows {_named(before)}")


def _told_whole(session: str, told: Told, times: int, verdict: Verdict) -> None:
    """Each time a session is told: started, its finals, ended with their number."""
    own = [one for _, one in told.results if one.session == session]
    states = Counter(one.state for one in own if isinstance(one, SessionRecord))
    for state in ("started", "ended"):
        if states[state] != times:
            kind = verdict.lost if states[state] < times else verdict.doubled
            kind.append(f"{session} {state} {states[state]} times, expected {times}")
    count = 0
    for one in own:
        if isinstance(one, Prediction):
            count += 1
        elif one.state == "ended":
            if one.finals != count:
                kind = verdict.lost if one.finals > count else verdict.doubled
                kind.append(f"{session} ended after {one.finals} finals and {count} were told")
            count = 0
        elif count:
            verdict.disordered.append(f"{session} started after {count} of its finals")


def _as_uninterrupted(
    ours: Sequence[Prediction],
    theirs: Sequence[Prediction],
    late: Collection[LateFrame],
    outages: Sequence[tuple[float, float]],
    verdict: Verdict,
) -> None:
    by_start = {final.start_ms: final for final in ours}
    for their in theirs:
        our, over = by_start.get(their.start_ms), _over(their, ours)
        excused = _excused([their, *_before(their, theirs)], [*over, *_before(their, ours)], outages)
        verdict.expected += 1
        verdict.near += _in_outage(their, outages)
        if our is not None and agree(our, their):
            verdict.alike += 1
        elif not over and not (excused and _came_late(their, late)):
            verdict.lost.append(_named(their))
        elif excused:
            verdict.loose += 1
        else:
            verdict.different.append(f"{_named(over[0])}, expected {_named(their)}")
    for our in ours:
        if _over(our, theirs):
            continue
        if _excused(_before(our, theirs), [our, *_before(our, ours)], outages):
            verdict.loose += 1
        else:
            verdict.different.append(f"{_named(our)}, of which the uninterrupted run says nothing")


def _excused(theirs: Iterable[Prediction], ours: Iterable[Prediction], outages: Sequence[tuple[float, float]]) -> bool:
    """Whether something had a part in these but what was sent and how it was read; that ours came late is no excuse."""
    return any(not clean(final) or _in_outage(final, outages) for final in theirs) or any(
        _shed(final) or _in_outage(final, outages) for final in ours
    )


def _shed(final: Prediction) -> bool:
    """Whether overload took pictures from it, which is on purpose."""
    return any(one.counts.shed for one in final.modalities.values())


def _came_late(final: Prediction, late: Collection[LateFrame]) -> bool:
    """Whether most of its sound, or of its pictures, came after another final."""
    own = Counter(
        name for session, name, at_ms in late if session == final.session and final.start_ms <= at_ms < final.end_ms
    )
    return any(2 * own[name] > final.modalities[name].frames for name in BROUGHT)


def _over(final: Prediction, finals: Iterable[Prediction]) -> list[Prediction]:
    """Those that share some of its time."""
    return [other for other in finals if other.start_ms < final.end_ms and final.start_ms < other.end_ms]


def _in_outage(final: Prediction, outages: Sequence[tuple[float, float]]) -> bool:
    return any(
        final.end_ms > began_ms - AROUND_MS and final.start_ms < back_ms + AROUND_MS for began_ms, back_ms in outages
    )


def _before(final: Prediction, finals: Iterable[Prediction]) -> list[Prediction]:
    """The one before it, whose end may be where it begins."""
    return [other for other in finals if other.end_ms <= final.start_ms][-1:]


def _stand(told: Told, verdict: Verdict) -> None:
    for place, end in sorted(told.ends.items()):
        committed = told.committed.get(place, 0)
        if committed != end:
            verdict.offsets.append(f"{place[0]}-{place[1]} is committed at {committed}, expected its end {end}")
    verdict.offsets += [f"lane {lane} still remembers {session}" for lane, session in sorted(told.remembered)]


def _by_session(finals: Iterable[tuple[int, Prediction]]) -> Mapping[str, list[Prediction]]:
    found: dict[str, list[Prediction]] = {}
    for _, final in finals:
        found.setdefault(final.session, []).append(final)
    return found


def _named(final: Prediction) -> str:
    return f"{final.session} [{final.start_ms:.0f}, {final.end_ms:.0f}) {final.text!r} of epoch {final.epoch}"

"""What became of frames is counted once each, whenever it is found out."""

from __future__ import annotations

from stream.account import Account
from stream.align import Aligner
from stream.deadletter import DeadLetter
from stream.errors import Reason, RecordError
from stream.frame import Modality
from stream.hop import Outcome, Timing
from stream.metrics import REGISTRY
from tests.aligning import PLENTY, VIDEO, end, ns, video


def counted() -> dict[Outcome, float]:
    labels = [(outcome, {"modality": str(VIDEO), "outcome": str(outcome)}) for outcome in Outcome]
    return {name: REGISTRY.get_sample_value("trivium_frames_total", which) or 0 for name, which in labels}


def test_a_frame_that_turns_out_corrupt_after_it_was_counted_is_still_counted_once() -> None:
    aligner, account = Aligner(Timing(), PLENTY, PLENTY), Account({name: name for name in Modality})
    before = counted()
    frame = video(0)
    for session in ("a", "b"):
        aligner.add(video(0, session=session), ns(40))
        aligner.add(end(VIDEO, 40, session), ns(40))
        aligner.poll(ns(1_000))
        account.close(aligner)
        if session == "a":
            account.reject_corrupt(frame, RecordError(Reason.BAD_MEDIA, "It is broken."))
            account.close(aligner)  # nothing to take it back from yet
    found = {name: counted()[name] - before[name] for name in before}
    assert found == {**dict.fromkeys(Outcome, 0), Outcome.USED: 1, Outcome.CORRUPT: 1}


def test_a_late_frame_that_turns_out_corrupt_is_late_and_no_dead_letter() -> None:
    aligner, account = Aligner(Timing(), PLENTY, PLENTY), Account({name: name for name in Modality})
    before = counted()
    late = video(0, offset=1)
    aligner.add(video(640, offset=0), ns(680))
    aligner.poll(ns(1_000))
    aligner.settle("s", ns(600), ns(0))
    aligner.add(late, ns(1_000))
    aligner.poll(ns(1_000))
    account.reject_corrupt(late, RecordError(Reason.BAD_MEDIA, "It is broken."))
    letters = account.close(aligner)
    assert not any(isinstance(each, DeadLetter) for each in letters)
    assert counted()[Outcome.LATE] - before[Outcome.LATE] == 1
    assert counted()[Outcome.CORRUPT] == before[Outcome.CORRUPT]

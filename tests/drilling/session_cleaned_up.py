"""A session ends and is cleaned up while another of its lane holds the offset back; the worker dies before, while and after.

One talker never pauses and its segments are long, so that the lane's offsets stay at its segment's start. A guest of the same
lane comes and goes, and comes again under its name. Whoever takes the lane over reads the guest's records again, and may
say nothing of it twice; once the offsets have passed them nothing of the guest may stay. When the guest is back already, what
it said before, its texts least of all, must not come into what it says now.
"""

from __future__ import annotations

import threading
import time

from aiokafka.partitioner import murmur2

from deploy.broker import Broker
from tests.benchmarks import clips
from tests.drilling.course import Act, Outcome, conclude, workers
from tests.drilling.stage import LANES, Order, stage, wait
from tests.drilling.talk import Speech, Talk
from tests.drilling.worker import Worker

DRILL = "session cleaned up"
MAX_SEGMENT_MS, ENDPOINT_MS = 20_000, 15_000
TALK_CLIPS = 48  # about two minutes and a half
HOST = "host"
GUEST_CLIPS = 1
BACK_CLIPS = 4  # of a guest that comes back at once
BACK_SECONDS = 5.0  # of these, until the worker dies: the host's segment began before the guest's first visit
RETURNS = 2  # so that one of them is not cut in two by the end of a segment of the host
VISIT_SECONDS = 8.0  # of a guest, with what it takes until its final is there
AFTER_SECONDS = 8.0  # until the host's segment has ended, after the second visit


def drill(where: Broker | str, order: Order) -> Outcome:
    """A guest comes again and again; after its first visits the worker is killed, and then while it is there again."""
    began = time.monotonic()
    longer = {"max_segment_ms": MAX_SEGMENT_MS, "endpoint_ms": ENDPOINT_MS}
    with stage(where, delivery=order.delivery, **longer) as found, workers(found, fixed=True) as cast:
        talk = Talk(found, order)
        guest = _name_beside(HOST, LANES)
        host = threading.Thread(
            target=talk.say, args=(Speech(HOST, clips.take(TALK_CLIPS, found.folder), gap_ms=(40, 40)),)
        )
        host.start()
        done = Act()
        for number in range(2):
            wait(VISIT_SECONDS / 2)
            talk.say(Speech(guest, clips.take(GUEST_CLIPS, found.folder, 50 + number)))
            wait(VISIT_SECONDS / 2)
            _kill(cast, done)
            wait(AFTER_SECONDS)
            _kill(cast, done)
        for again in range(RETURNS):
            clip = 60 + 10 * again
            talk.say(Speech(guest, clips.take(GUEST_CLIPS, found.folder, clip), shown=True))
            back = Speech(guest, clips.take(BACK_CLIPS, found.folder, clip + GUEST_CLIPS))
            visit = threading.Thread(target=talk.say, args=(back,))
            visit.start()
            wait(BACK_SECONDS)
            _kill(cast, done)
            visit.join()
        host.join()
        return conclude(DRILL, found, done, cast, talk, began)


def _kill(cast: list[Worker], done: Act) -> None:
    """Kill whoever has the lane, and start it again."""
    [owner] = [worker for worker in cast if _lane(HOST, LANES) in worker.lanes()]
    owner.kill()
    done.events += 1
    owner.start(fixed=True)
    owner.wait_ready()


def _name_beside(session: str, lanes: int) -> str:
    """A session's name that hashes to the same lane."""
    names = (f"guest{number}" for number in range(1_000))
    return next(name for name in names if _lane(name, lanes) == _lane(session, lanes))


def _lane(session: str, lanes: int) -> int:
    """Where the sources' client puts a key: Kafka's own hash of it."""
    return int(murmur2(session.encode()) & 0x7FFFFFFF) % lanes

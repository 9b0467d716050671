"""Quix Streams: sound joined with the newest picture, then with the newest text, by `join_asof`. Runs in its own environment.

State is as it is by default: RocksDB with a changelog topic. Only the values are pickled, since the default, JSON, cannot
hold bytes. An output is a sound with its picture and its text.
"""

from __future__ import annotations

import pickle
import sys
import threading
from datetime import timedelta
from typing import Any

from quixstreams import Application  # type: ignore[import-not-found]  # it is not in the project's environment
from quixstreams.state.rocksdb import RocksDBOptions  # type: ignore[import-not-found]

from tests.benchmarks.peers.meter import Meter, given

SOUND_MS = 20
GRACE = timedelta(seconds=5)


def main() -> None:
    """Read all that was written, or live until SIGTERM."""
    options = given(sys.argv[1:])
    wanted = int(options["records"])
    meter = Meter()
    counted = Counted(meter, wanted)
    app = application(options, counted)
    counted.stop = app.stop
    joined = join(app, options["prefix"], options["how"])
    if wanted:
        joined.update(counted.output)
    else:
        joined.update(lambda *found: meter.came(found[2] + SOUND_MS), metadata=True)
    app.run()
    meter.tell(counted.records, counted.outputs or len(meter.outputs), threads=threading.active_count())


class Counted:
    """Records and outputs so far."""

    def __init__(self, meter: Meter, wanted: int) -> None:
        self.records = 0
        self.outputs = 0
        self.stop: Any = None
        self._meter = meter
        self._wanted = wanted

    def record(self, *_: object) -> None:
        """One more was processed whole."""
        self.records += 1
        if self.records == 1:
            self._meter.begin()
        elif self.records == self._wanted:
            self._meter.end()
            self.stop()

    def output(self, _: object) -> None:
        """One more sound was joined."""
        self.outputs += 1


def application(options: dict[str, str], counted: Counted) -> Any:
    """By default as its authors have it; the options set what is named."""
    settings: dict[str, Any] = {}
    if "poll_seconds" in options:
        settings["consumer_poll_timeout"] = float(options["poll_seconds"])
    if "buffer_records" in options:
        settings["max_partition_buffer_size"] = int(options["buffer_records"])
    if "commit_seconds" in options:
        settings["commit_interval"] = float(options["commit_seconds"])
    if "fetch_wait_ms" in options:
        wait_ms = int(options["fetch_wait_ms"])
        settings["consumer_extra_config"] = {"fetch.wait.max.ms": wait_ms, "fetch.queue.backoff.ms": wait_ms}
    return Application(
        broker_address=options["address"],
        consumer_group=options["group"],
        auto_offset_reset="earliest",
        state_dir=options["state"],
        rocksdb_options=RocksDBOptions(dumps=pickle.dumps, loads=pickle.loads),
        on_message_processed=counted.record,
        loglevel="WARNING",
        **settings,
    )


def join(app: Any, prefix: str, how: str) -> Any:
    """The two joins."""
    audio, video, text = (
        app.dataframe(app.topic(prefix + name, key_deserializer="bytes", value_deserializer="bytes"))
        for name in ("audio", "video", "text")
    )
    seen = audio.join_asof(video, how=how, on_merge=_pair, grace_ms=GRACE)
    return seen.join_asof(text, how=how, on_merge=_pair, grace_ms=GRACE)


def _pair(left: object, right: object) -> tuple[object, object]:
    return left, right


if __name__ == "__main__":
    main()

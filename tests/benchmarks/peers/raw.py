"""The bare consumer that Trivium reads with: records fetched, counted and let go. What no system on it can be faster than."""

from __future__ import annotations

import asyncio
import sys

from stream import clients
from stream.config import Settings
from stream.frame import Modality
from tests.benchmarks.peers.meter import Meter, given
from tests.benchmarks.peers.records import settings_of


def main() -> None:
    """Read all that was written."""
    options = given(sys.argv[1:])
    settings = settings_of(options)
    meter, wanted = Meter(), int(options["records"])
    records = asyncio.run(_read(settings, meter, wanted))
    meter.tell(records, records)


async def _read(settings: Settings, meter: Meter, wanted: int) -> int:
    records, consumer = 0, clients.input_consumer(settings)
    consumer.subscribe([settings.topic_prefix + name for name in Modality])
    async with consumer:
        while records < wanted:
            fetched = await consumer.getmany(timeout_ms=clients.FETCH_WAIT_MS)
            if fetched:
                meter.begin()
            records += sum(len(found) for found in fetched.values())
    meter.end()
    return records


if __name__ == "__main__":
    main()

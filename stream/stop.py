"""The stop: which signal asked for it, and that the process ends even where Kafka is away and its client waits for it.

signal -> [wished] -> drain -> end, or, once too much time has passed, the end
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from threading import Timer

from stream.config import Settings
from stream.errors import BrokerError

log = logging.getLogger(__name__)

STOP_SECONDS = 20.0  # Kubernetes kills what takes longer than 30


class Stop:
    """The wish that the service end, and the signal that brought it."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.wished = asyncio.Event()
        self._overdue: Timer | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._wish, number)

    def _wish(self, number: signal.Signals) -> None:
        if self.signal is None and self._overdue is not None:
            self._overdue.start()
        self.signal = self.signal or number
        self.wished.set()

    @asynccontextmanager
    async def bounded(self, settings: Settings) -> AsyncIterator[None]:
        """What takes longer than STOP_SECONDS once it is to stop is not waited for, nor can it be.

        The client tries on for ever to end a transaction or to leave its group, and again when it is cancelled. All that
        matters is in Kafka already or computed again, so the process ends as if killed, with one line that says so.

        Raises
        ------
        BrokerError
            If the client cancels whoever closes it, which is how it may end when Kafka is away.
        """
        self._overdue = Timer(STOP_SECONDS, _end, (settings.bootstrap_servers,))
        self._overdue.daemon = True
        try:
            yield
        except asyncio.CancelledError as error:
            if self.signal is None:  # cancelled from outside
                raise
            raise BrokerError(
                f"Kafka at {settings.bootstrap_servers} was away at the stop: what was not committed yet is computed again "
                "at the next start."
            ) from error
        finally:
            self._overdue.cancel()


def _end(bootstrap_servers: str) -> None:
    log.error(
        "the stop has not ended after %.0f s, as when Kafka at %s is away: what was not committed yet is computed again at "
        "the next start",
        STOP_SECONDS,
        bootstrap_servers,
    )
    logging.shutdown()
    os._exit(BrokerError.exit_code)

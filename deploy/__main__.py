"""Where `deploy/kafka` begins: signals first, so that it ends quietly at any moment, then its commands."""

from __future__ import annotations

import signal
import sys
from types import FrameType


def _end(signum: int, _frame: FrameType | None) -> None:
    """Leave by an exception: a start takes its half-started Java with it."""
    sys.exit(128 + signum)


def _main() -> int:
    for signum in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(signum) is not signal.SIG_IGN:  # a shell that cleans up has it ignored
            signal.signal(signum, _end)
    from deploy.command import main

    return main()


if __name__ == "__main__":
    sys.exit(_main())

"""The entry of the command `trivium`: exit codes, and errors in one line.

Loads little before it can answer Ctrl-C; the commands are in `commands.py`.
"""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from stream.errors import TriviumError

WRONG_USAGE = 2
INTERRUPTED = 130
TERMINATED = 143


def main() -> NoReturn:
    """Run the command line and exit: 0 success, 1 the job failed, 2 wrong usage or settings, 130 Ctrl-C."""
    try:
        code = _run()
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        # All is stopped. The interpreter's own exit may end by the signal instead, when it came while modules were loaded.
        sys.stdout.flush()
        os._exit(code)
    sys.exit(code)


def _run() -> int:
    from asyncio import CancelledError

    from typer import Abort
    from typer.exceptions import TyperException

    from stream.commands import app

    try:
        return app(prog_name="trivium", standalone_mode=False) or 0
    except TyperException as error:
        return _fail(
            f"{error.format_message().rstrip('.')}: see trivium --help, or trivium COMMAND --help.", WRONG_USAGE
        )
    except Abort:
        return INTERRUPTED
    except CancelledError:
        return TERMINATED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone, and has what it wanted
        return 0
    except Exception as error:
        return _fail_on(error)


def _fail_on(error: BaseException) -> int:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TriviumError):
        return _fail(str(error), error.exit_code)
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return _fail(f"Unexpected {type(error).__name__} at {where}: {error}; please report it.", 1)


def _fail(message: str, code: int) -> int:
    for line in message.splitlines():
        print(f"trivium: {line}", file=sys.stderr)
    return code

"""The command `trivium` as a process of its own, for tests that want its real exit code and output."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

DEADLINE_SECONDS = 100.0
STOP_SECONDS = 30.0
ONE_DECODER = {
    "TRIVIUM_DECODERS": "1"
}  # each takes a second of a core to start, and a test's few pictures need no more


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    output: str
    errors: str


async def trivium(*words: str | os.PathLike[str], **environment: str) -> Done:
    """Run it to its end."""
    async with started(*words, **environment) as process:
        return await ended(process)


@asynccontextmanager
async def started(*words: str | os.PathLike[str], **environment: str) -> AsyncIterator[Process]:
    """Start it, in a process group of its own; it is gone afterwards."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("TRIVIUM_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stream",
        *map(str, words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=settings | ONE_DECODER | environment,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            await _stop(process)


async def _stop(process: Process) -> None:
    """Let it take along what it started; kill it if it does not."""
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()


async def ended(process: Process) -> Done:
    """Wait for its end and read the rest of what it says."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        output, errors = await process.communicate()
    return Done(process.returncode or 0, output.decode(), errors.decode())


async def interrupted(process: Process) -> Done:
    """Press Ctrl-C."""
    process.send_signal(signal.SIGINT)
    return await ended(process)


async def line_with(stream: asyncio.StreamReader | None, text: str) -> str:
    """Read on until a line holds the text."""
    if stream is None:
        raise ValueError("the process has no such output; start it with started()")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while line := (await stream.readline()).decode():
            if text in line:
                return line
    raise EOFError(f"the process ended and never said {text!r}")


async def until(is_so: Callable[[], bool]) -> None:
    """Look again and again until it is so, with a deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not is_so():  # noqa: ASYNC110 - what another process does must be looked at
            await asyncio.sleep(0.01)


def has_loaded(pid: int, library: str) -> bool:
    """Tell whether a process has loaded a library."""
    return library in Path(f"/proc/{pid}/maps").read_text()

"""Many readers of one stream of events, as cheap as they can be, in a process of their own: when did each have which final?

    URL, how many, the last final's number -> one JSON object: for each reader the finals that it had and when

Needs nothing but Python. A final's number is the first word of its text. `--reconnects` breaks connections off and comes back
with the last id; `--stuck` adds readers that ask for everything and then read nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import socket
import time
from urllib.parse import urlsplit

NUMBER = re.compile(rb'"text":"(\d+)')
PLACE = re.compile(rb"^id: (.+)$", re.MULTILINE)
STUCK_BYTES = 4096
BLOCKS = 2  # before a connection is broken off


class Reader(asyncio.Protocol):
    """One connection after another, and what came over them."""

    def __init__(self, path: str, last: int, reconnects: int) -> None:
        self.finals: list[tuple[int, float]] = []
        self.is_done = False
        self.closed = asyncio.Event()
        self.broken_off = 0
        self._path = path
        self._last = last
        self._reconnects = reconnects
        self._place = b""
        self._rest = b""
        self._blocks = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask, from the last place on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest, self._blocks = b"", 0
        resumed = b"last-event-id: %b\r\n" % self._place if self._place else b""
        transport.write(b"GET %b HTTP/1.0\r\nhost: localhost\r\n%b\r\n" % (self._path.encode(), resumed))

    def data_received(self, data: bytes) -> None:
        """Note the finals in it, with the time."""
        now = time.time()
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            if self._transport.is_closing():
                break
            self._note(block, now)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever it was, it comes back
        """Let it come back, unless it has all."""
        self.closed.set()

    def _note(self, block: bytes, now: float) -> None:
        place = PLACE.search(block)
        self._place = place[1] if place else self._place
        number = NUMBER.search(block) if b'"is_final":true' in block else None
        if number:
            self.finals.append((int(number[1]), now))
            if int(number[1]) >= self._last:
                self.is_done = True
                self._transport.abort()
        self._blocks += 1
        if not self.is_done and self.broken_off < self._reconnects and self._blocks > BLOCKS:
            self.broken_off += 1
            self._transport.abort()


async def follow(reader: Reader, host: str, port: int) -> None:
    """Until it has the last final, over as many connections as that takes."""
    while not reader.is_done:
        reader.closed.clear()
        await asyncio.get_running_loop().create_connection(lambda: reader, host, port)
        await reader.closed.wait()


def stuck(host: str, port: int) -> socket.socket:
    """A reader that asks for everything and reads nothing."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, STUCK_BYTES)
    connection.connect((host, port))
    connection.sendall(b"GET /events?from=beginning HTTP/1.0\r\nhost: localhost\r\n\r\n")
    return connection


async def run(given: argparse.Namespace) -> dict[str, object]:
    """All readers at once."""
    url = urlsplit(given.url)
    host, port = url.hostname or "127.0.0.1", url.port or 80
    silent = [stuck(host, port) for _ in range(given.stuck)]
    readers = [Reader(url.path, given.last, given.reconnects) for _ in range(given.readers)]
    try:
        async with asyncio.timeout(given.timeout_seconds), asyncio.TaskGroup() as tasks:
            for reader in readers:
                tasks.create_task(follow(reader, host, port))
    except TimeoutError:
        pass  # whoever lacks finals tells
    for connection in silent:
        connection.close()
    return {"finals": [reader.finals for reader in readers], "broken_off": [reader.broken_off for reader in readers]}


def main() -> None:
    """Read, tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--stuck", type=int, default=0)
    parser.add_argument("--reconnects", type=int, default=0)
    parser.add_argument("--last", type=int, required=True, help="number of the last final")
    parser.add_argument("--timeout-seconds", type=float, default=300)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()

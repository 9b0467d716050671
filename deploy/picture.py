"""Makes `docs/captions.svg`: what `trivium demo` shows in a terminal, run for real: `python -m deploy.picture [CLIP...]`."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from io import StringIO
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 104
PICTURE = Path(__file__).parents[1] / "docs" / "captions.svg"
TRIVIUM = Path(sys.executable).with_name("trivium")


def main() -> None:
    """Run the demo and draw its output."""
    shown = run([str(TRIVIUM), "demo", *sys.argv[1:]])
    console = Console(record=True, width=COLUMNS, file=StringIO())
    for line, _ in groupby(shown.splitlines()):  # the live captions leave runs of empty lines behind
        console.print(Text.from_ansi(line))
    console.save_svg(str(PICTURE), title="trivium demo")


def run(command: list[str]) -> str:
    """What a command prints to a terminal of COLUMNS."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "50", "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        chunks = []
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the terminal's end: the process has closed it
                break
            if not chunk:
                break
            chunks.append(chunk)
    if process.returncode:
        sys.exit(f"{' '.join(command)} exited with {process.returncode}")
    return b"".join(chunks).decode()


if __name__ == "__main__":
    main()

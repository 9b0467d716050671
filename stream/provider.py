"""ONNX Runtime sessions on the provider asked for, proven by the bundle's golden vectors.

The provider asked for is the provider used, or the service refuses to start; only `auto` may fall back, and says so.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from models.bundle import GRAPHS
from stream.errors import BundleError, InferenceError, ProviderError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from models.bundle import Bundle

log = logging.getLogger(__name__)

NAMES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
OPTIONS: dict[str, dict[str, Any]] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}}
TOLERANCE = {"cpu": 1e-4, "cuda": 1e-3}  # largest difference from a golden output

Arrays = dict[str, "NDArray[Any]"]


class Models:
    """The four graphs of a bundle, loaded and proven.

    Attributes
    ----------
    provider : str
        `cpu` or `cuda`: where the graphs really run.
    fell_back : str or None
        Why `auto` does not use the GPU.

    Raises
    ------
    ProviderError
        The provider asked for is not installed, or does not take the graphs.
    BundleError
        A golden vector comes out otherwise.
    """

    def __init__(self, bundle: Bundle, provider: str) -> None:
        self.bundle = bundle
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
        self.provider, self._sessions = provider, _sessions(self.bundle, provider)
        self._prove()

    def run(self, graph: str, inputs: Arrays) -> Arrays:
        """One call of a graph.

        Raises
        ------
        InferenceError
            ONNX Runtime failed on it.
        """
        session = self._sessions[graph]
        names = [output.name for output in session.get_outputs()]
        try:
            return dict(zip(names, session.run(names, inputs), strict=True))
        except Exception as error:  # ONNX Runtime raises types of its own, without a common root
            shapes = {name: value.shape for name, value in inputs.items()}
            raise InferenceError(f"{graph}.onnx failed on {shapes} with {self.provider}: {error}") from error

    def _prove(self) -> None:
        golden = self.bundle.golden()
        for graph in GRAPHS:
            inputs = {name.split("/")[2]: value for name, value in golden.items() if name.startswith(f"{graph}/input/")}
            found = self.run(graph, inputs)
            for name, value in found.items():
                _compare(f"{graph}.onnx, output {name}", value, golden[f"{graph}/output/{name}"], self.provider)


def _compare(what: str, found: NDArray[Any], expected: NDArray[Any], provider: str) -> None:
    difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else float("inf")
    if not difference <= TOLERANCE[provider]:
        where = np.unravel_index(int(np.abs(found - expected).argmax()), found.shape) if np.isfinite(difference) else ()
        values = f"expected {expected[where]}, found {found[where]}" if where else f"found shape {found.shape}"
        raise BundleError(
            f"{what} on {provider} is off by {difference:.2g}, at most {TOLERANCE[provider]} is allowed ({values}); "
            "export the bundle anew or choose another provider."
        )


def _sessions(bundle: Bundle, provider: str) -> dict[str, ort.InferenceSession]:
    name, available = NAMES[provider], ort.get_available_providers()
    if name not in available:
        hint = "put the extra gpu in place of onnxruntime" if provider == "cuda" else "install onnxruntime"
        raise ProviderError(f"provider={provider}: ONNX Runtime here has {', '.join(available)}; {hint}.")
    return {graph: _session(bundle, graph, provider) for graph in GRAPHS}


def _session(bundle: Bundle, graph: str, provider: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # calls run beside one another, one a thread
    options.log_severity_level = 3
    providers = [(NAMES[provider], OPTIONS[provider]), *([(NAMES["cpu"], {})] if provider != "cpu" else [])]
    try:
        session = ort.InferenceSession(str(bundle.graph(graph)), options, providers=providers)
    except Exception as error:  # ONNX Runtime raises types of its own, without a common root
        raise BundleError(f"{bundle.graph(graph)} does not load with {provider}: {error}") from error
    used = session.get_providers()[0]
    if used != NAMES[provider]:
        raise ProviderError(f"provider={provider}: ONNX Runtime chose {used} for {graph}.onnx; check the GPU's driver.")
    return session

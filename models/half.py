"""Half precision for a GPU: an exported graph with float16 weights and arithmetic, its inputs and outputs unchanged.

What leaves float16's range or drowns in its rounding stays in float32: everything that a logarithm or a square root is
computed from, which is the mel spectra and the deviation of a picture, and every normalisation over features. Knows
graphs, not networks.
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import ModelProto
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST
from onnxruntime.transformers.onnx_model import OnnxModel

WIDE = ("Log", "Sqrt")  # what they are given spans more decades than float16 has
SUMS = ("LayerNormalization", "ReduceMean", "ReduceSum", "Pow")  # sums and squares over many values


def write(source: Path, target: Path) -> None:
    """Convert the float32 graph in `source` to the file `target`, with the same inputs and outputs."""
    model = onnx.load(str(source))
    del model.graph.value_info[:]  # the converter takes what the exporter wrote there for float16 already
    whole = OnnxModel(model)
    whole.convert_float_to_float16(
        use_symbolic_shape_infer=False,
        keep_io_types=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *SUMS],
        node_block_list=sorted(wide(model)),
    )
    whole.topological_sort()
    half: ModelProto = whole.model
    del half.graph.value_info[:]  # the types from before the conversion
    onnx.checker.check_model(half, full_check=True)
    onnx.save(half, str(target))


def wide(model: ModelProto) -> set[str]:
    """Names of the nodes that stay in float32: every one of WIDE and all that it is computed from."""
    makers = {output: node for node in model.graph.node for output in node.output}
    ahead = [node for node in model.graph.node if node.op_type in WIDE]
    found: set[str] = set()
    while ahead:
        node = ahead.pop()
        if node.name not in found:
            found.add(node.name)
            ahead += [makers[name] for name in node.input if name in makers]
    return found

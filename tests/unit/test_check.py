from io import StringIO

from rich.console import Console

from stream.check import _proofs
from stream.provider import Proof


def printed(proofs: list[Proof]) -> list[list[str]]:
    """Every line's words."""
    lines = StringIO()
    Console(file=lines, width=100).print(_proofs(proofs))
    return [[word for word in line.split() if word.isascii()] for line in lines.getvalue().splitlines()]


def test_precision_and_largest_difference_of_each_graph_are_printed() -> None:
    lines = printed([Proof("text", "fp32", 0.0, 1e-4), Proof("audio", "fp16", 0.0051, 0.03)])
    assert lines.index(["text", "fp32", "0.0e+00", "1e-04"]) < lines.index(["audio", "fp16", "5.1e-03", "3e-02"])

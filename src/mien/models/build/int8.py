"""dlib's ResNet in 8-bit integers, without calibration pictures on the user's machine.

The ranges of all activations were measured once (``benchmarks/int8_ranges.py``) and lie beside this module. Weights are
signed with one scale per output channel, activations unsigned with one scale and zero point per tensor. Two measures make
up for the rounding:

- Weights are rounded so that the sum of each kernel stays what it was (Guo et al., SQuant, ICLR 2022): neighbouring
  pixels are alike, so errors that cancel within a kernel cancel on the plane.
- Processors without VNNI add products in pairs in 16 bits and saturate. The scale of each filter is chosen so that no pair
  of neighbouring weights can, so every processor computes the same numbers.

The graph is written in the operations of ONNX Runtime that keep channels last: no plane is ever turned.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.models.build.dlib_nets import F64, Block, Filter, ResNet, centred, read_resnet
from mien.models.build.graph import Graph

RANGES = Path(__file__).with_name("int8_ranges.json")
_CONTRIB = "com.microsoft"
_AT_ONCE = 4  # results of the first convolution; 72 in a row
_PAIR = 126  # of 128 that a pair of weights may reach, as 255 * 128 < 2 ** 15: rounding may add one to each


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor of the graph and what its integers mean: scale * (integer - zero)."""

    name: str
    scale: float
    zero: int


@dataclass(frozen=True, slots=True)
class Range:
    """Lowest and highest value that an activation was seen to have."""

    low: float
    high: float


def build(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{weights} -> {net}: uint8 RGB chips (N, 150, 150, 3) to descriptors float32 (N, 128), not of unit length."""
    return {"net": quantised(read_resnet(paths["weights"]), read_ranges())}


def read_ranges() -> dict[str, Range]:
    """The measured ranges by the names of `dlib_nets.build_resnet`."""
    table = json.loads(RANGES.read_text(encoding="utf-8"))["ranges"]
    return {name: Range(*row) for name, row in table.items()}


def quantised(net: ResNet, ranges: Mapping[str, Range]) -> bytes:
    """The graph in integers, from the folded float network."""
    writer = _Writer(Graph("dlib_resnet_int8", {"pixels": (np.uint8, ("N", 150, 150, 3))}), ranges)
    graph = writer.graph
    value, size = writer.stem(net.stem), 35
    for number, block in enumerate(net.blocks):
        value, size = writer.block(value, size, block, f"block{number}")
    plane = graph.add("DequantizeLinear", [value.name, *writer.scale(value)])
    plane = graph.add("ReduceMean", [plane], axes=[1, 2], keepdims=0)
    graph.add("MatMul", [plane, graph.floats(net.head)], "descriptor")
    return graph.finish({"descriptor": ("N", 128)})


def rounded(weights: F64) -> tuple[NDArray[np.int8], F64]:
    """Filters (out, in, height, width) as integers, and the scale of each (out,); no pair of them saturates.

    Where the rounding errors of a kernel add up to more than half a step, the weights that were nearest to the other
    whole number go there."""
    pairs = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1, 2)  # in the order that the kernels multiply in
    largest = np.maximum(pairs.clip(min=0).sum(-1), (-pairs).clip(min=0).sum(-1)).max(1)
    scales = np.where(largest > 0, largest, 1.0) / _PAIR
    exact = (weights / scales[:, None, None, None]).reshape(*weights.shape[:2], -1)
    whole = np.rint(exact)
    rest = exact - whole
    owed = np.rint(rest.sum(-1, keepdims=True))
    whole += _ranks(-rest) < owed
    whole -= _ranks(rest) < -owed
    return whole.reshape(weights.shape).astype(np.int8), scales


def _ranks(values: F64) -> NDArray[np.intp]:
    """Place of each value among those of the last axis, the lowest first."""
    return values.argsort(-1, kind="stable").argsort(-1, kind="stable")


class _Writer:
    """The graph and the ranges, and operations on `Value` instead of names."""

    def __init__(self, graph: Graph, ranges: Mapping[str, Range]) -> None:
        self.graph = graph
        self.ranges = ranges

    def scale(self, value: Value) -> tuple[str, str]:
        """Names of a value's scale and zero point."""
        graph = self.graph
        return graph.floats(np.float32(value.scale)), graph.constant(np.array(value.zero, np.uint8))

    def seen(self, name: str) -> Value:
        """A value to be computed, with the scale that its measured range asks for."""
        low, high = min(0.0, self.ranges[name].low), self.ranges[name].high
        scale = (high - low) / 255
        return Value(name, scale, round(-low / scale))

    def stem(self, layer: Filter) -> Value:
        """The first convolution and the pooling.

        With three channels in and 32 out a kernel mostly gathers. So `_AT_ONCE` neighbouring results are computed by
        one wide filter, and two neighbouring pixels are taken for one of six channels; neither moves a byte."""
        graph, outputs = self.graph, 32 * _AT_ONCE
        width = 7 + 2 * _AT_ONCE - 1
        wide = np.zeros((_AT_ONCE, 32, 3, 7, width))
        for number in range(_AT_ONCE):
            wide[number, ..., 2 * number : 2 * number + 7] = layer.weights
        paired = wide.reshape(outputs, 3, 7, width // 2, 2).transpose(0, 4, 1, 2, 3)
        pixels = Value(graph.add("Reshape", ["pixels", graph.integers([0, 150, 75, 6])]), 1.0, 0)
        filters = Filter(paired.reshape(outputs, 6, 7, -1), np.tile(layer.bias, _AT_ONCE), 1, 0)
        plane = self.conv(pixels, filters, self.seen("stem"), strides=[2, _AT_ONCE])
        flat = graph.add("Reshape", [plane.name, graph.integers([0, 72, 72, 32])])
        pooled = graph.add("NhwcMaxPool", [flat], domain=_CONTRIB, kernel_shape=[3, 3], strides=[2, 2])
        return Value(pooled, plane.scale, plane.zero)

    def conv(self, value: Value, layer: Filter, seen: Value, **attributes: Any) -> Value:
        """A convolution whose result has the scale of `seen`, clipped there: with zero point 0 it is a ReLU, too."""
        weights, scales = rounded(layer.weights)
        graph = self.graph
        inputs = [
            value.name,
            *self.scale(value),
            graph.constant(weights),
            graph.floats(scales),
            graph.constant(np.zeros(len(scales), np.int8)),
            *self.scale(seen),
            graph.constant(np.rint(layer.bias / (scales * value.scale)).astype(np.int32)),
        ]
        sides = {"kernel_shape": list(weights.shape[2:]), "strides": [layer.stride] * 2, "pads": [layer.pad] * 4}
        name = graph.add("QLinearConv", inputs, domain=_CONTRIB, channels_last=1, **(sides | attributes))
        return Value(name, seen.scale, seen.zero)

    def block(self, value: Value, size: int, block: Block, name: str) -> tuple[Value, int]:
        """A residual block on a plane of `size` px; see `dlib_nets`."""
        inner = self.conv(value, block.first, self.seen(f"{name}.first"))
        second = block.second
        if block.halves:
            second, after_conv, size = centred(block, size)
        inner = self.conv(inner, second, self.seen(f"{name}.second"))
        if block.halves:
            if size > after_conv:
                inner = self.grown(inner)
            value = self.halved(value, second.weights.shape[0], block.first.weights.shape[1])
        return self.add(inner, value, self.seen(name)), size

    def grown(self, value: Value) -> Value:
        """One row and one column of zeros more, below and to the right."""
        graph = self.graph
        pads = graph.integers([0, 0, 0, 0, 0, 1, 1, 0])
        name = graph.add("Pad", [value.name, pads, graph.constant(np.array(value.zero, np.uint8))])
        return Value(name, value.scale, value.zero)

    def halved(self, value: Value, outputs: int, inputs: int) -> Value:
        """Means of 2x2 px, and channels of zeros behind them: as a convolution, which is exact and faster."""
        mean = np.broadcast_to(np.eye(outputs, inputs)[:, :, None, None] / 4, (outputs, inputs, 2, 2))
        return self.conv(value, Filter(mean, np.zeros(outputs), 2, 0), value)

    def add(self, one: Value, other: Value, seen: Value) -> Value:
        """Their sum, clipped at 0 by its zero point."""
        inputs = [one.name, *self.scale(one), other.name, *self.scale(other), *self.scale(seen)]
        return Value(self.graph.add("QLinearAdd", inputs, domain=_CONTRIB), seen.scale, seen.zero)

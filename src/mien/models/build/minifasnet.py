"""The two MiniFASNet networks of Silent-Face-Anti-Spoofing (Minivision, 2020, Apache-2.0) as one ONNX graph.

Batch normalisation is folded into the convolutions before it; the last depth-wise layer, the embedding and the classifier have
no non-linearity between them and become one. Which layer has which size is read off the weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import ModelCorrupt
from mien.models.build.graph import Graph
from mien.models.build.torch_state import read_state

F64 = NDArray[np.float64]
SIDE = 80  # px of a crop
_EPSILON = 1e-5  # of batch normalisation
_STAGES = (("conv_3", 4), ("conv_4", 6), ("conv_5", 2))  # residual blocks of each, after a block that halves the plane
_HALVES = {"conv_3": "conv_23", "conv_4": "conv_34", "conv_5": "conv_45"}


def build(paths: Mapping[str, Path]) -> dict[str, bytes]:
    """{near, far} -> {net}: uint8 RGB crops `near` and `far` (N, 80, 80, 3), 2.7 and 4 boxes wide, to float32 (N, 3).

    Columns: attack of one kind, live, attack of another kind; the mean of both networks' probabilities. Raises ModelCorrupt."""
    graph = Graph("minifasnet", dict.fromkeys(("near", "far"), (np.uint8, ("N", SIDE, SIDE, 3))))
    found = [graph.add("Softmax", [_network(graph, name, paths[name])], axis=1) for name in ("near", "far")]
    graph.add("Mul", [graph.add("Add", found), graph.floats(0.5)], "probabilities")
    return {"net": graph.finish({"probabilities": ("N", 3)})}


def _network(graph: Graph, entry: str, path: Path) -> str:
    try:
        return _Net(graph, read_state(path)).run(entry)
    except (KeyError, ValueError) as error:
        raise ModelCorrupt(f"{path.name} holds another network.", "Download it again.") from error


class _Net:
    def __init__(self, graph: Graph, state: Mapping[str, NDArray[Any]]) -> None:
        self.graph, self.state = graph, state

    def run(self, entry: str) -> str:
        """Logits of a crop."""
        # The networks want blue first: turned once in the weights of the first layer, not in every picture.
        value = self._active(self.graph.image(entry), "conv1", 2, turned=True)
        value = self._active(value, "conv2_dw", 1)
        for stage, count in _STAGES:
            value = self._block(value, _HALVES[stage], 2)
            for number in range(count):
                value = self._residual(value, f"{stage}.model.{number}")
        return self._head(self._active(value, "conv_6_sep", 1))

    def _residual(self, value: str, name: str) -> str:
        found = self._block(value, name, 1)
        if f"{name}.se_module.fc1.weight" in self.state:
            found = self._excited(found, f"{name}.se_module")
        return self.graph.add("Add", [value, found])

    def _block(self, value: str, name: str, stride: int) -> str:
        value = self._active(value, f"{name}.conv", 1)
        value = self._active(value, f"{name}.conv_dw", stride)
        return self._conv(value, *self._folded(f"{name}.project.conv", f"{name}.project.bn"))

    def _excited(self, value: str, name: str) -> str:
        scale = self.graph.add("GlobalAveragePool", [value])
        scale = self.graph.add("Relu", [self._conv(scale, *self._folded(f"{name}.fc1", f"{name}.bn1"))])
        scale = self.graph.add("Sigmoid", [self._conv(scale, *self._folded(f"{name}.fc2", f"{name}.bn2"))])
        return self.graph.add("Mul", [value, scale])

    def _active(self, value: str, name: str, stride: int, turned: bool = False) -> str:
        weights, bias = self._folded(f"{name}.conv", f"{name}.bn")
        value = self._conv(value, weights[:, ::-1] if turned else weights, bias, stride)
        slopes = self.state[f"{name}.prelu.weight"].astype(np.float64).reshape(-1, 1, 1)
        return self.graph.add("PRelu", [value, self.graph.floats(slopes)])

    def _conv(self, value: str, weights: F64, bias: F64, stride: int = 1) -> str:
        side = weights.shape[2]
        groups = len(weights) if weights.shape[1] == 1 else 1
        inputs = [value, self.graph.floats(weights), self.graph.floats(bias)]
        given: dict[str, Any] = {
            "kernel_shape": [side, side],
            "strides": [stride, stride],
            "pads": [side // 2] * 4,
            "group": groups,
        }
        return self.graph.add("Conv", inputs, **given)

    def _head(self, value: str) -> str:
        """(N, 512, 5, 5) to logits by one matrix."""
        weights, bias = self._folded("conv_6_dw.conv", "conv_6_dw.bn")  # (512, 1, 5, 5)
        scale, shift = self._affine("bn")
        last = self.state["prob.weight"].astype(np.float64)  # (3, 128)
        inner = (last * scale) @ self.state["linear.weight"].astype(np.float64)  # (3, 512)
        whole = np.einsum("oc,cij->ocij", inner, weights[:, 0])
        flat = self.graph.add("Flatten", [value], axis=1)
        offset = inner @ bias + last @ shift
        return self.graph.add("Gemm", [flat, self.graph.floats(whole.reshape(3, -1).T), self.graph.floats(offset)])

    def _folded(self, conv: str, norm: str) -> tuple[F64, F64]:
        scale, shift = self._affine(norm)
        return self.state[f"{conv}.weight"].astype(np.float64) * scale[:, None, None, None], shift

    def _affine(self, norm: str) -> tuple[F64, F64]:
        weight, bias, mean, variance = (
            self.state[f"{norm}.{name}"].astype(np.float64)
            for name in ("weight", "bias", "running_mean", "running_var")
        )
        scale = weight / np.sqrt(variance + _EPSILON)
        return scale, bias - mean * scale

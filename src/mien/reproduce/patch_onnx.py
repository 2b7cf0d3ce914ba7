"""A patch classifier as one ONNX graph from pixels to probabilities, with its card: what `mien.judge.onnx` runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mien.models import places
from mien.reproduce.patch_classifier import FLAT, STRIDE, PatchClassifier
from mien.types import F32

_LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601, as in JPEG; grey stays what it is


def to_onnx(model: PatchClassifier) -> bytes:
    """The graph: uint8 (n, h, w, 3) RGB to float (n, c) probabilities.

    A patch's variance is the mean of its squares less the square of its mean; picture plus mirror is in the weights."""
    from onnx import TensorProto, helper, numpy_helper

    patches = model.patches
    filters, bias = patches.both
    p, (height, width) = patches.side, patches.shape
    (down, tall), (right, wide) = patches.cells(0), patches.cells(1)
    constants = {
        "luma": np.array(_LUMA, np.float32).reshape(1, 3, 1, 1),
        "middle": np.array(128, np.float32),  # taken off first: squares of small numbers lose fewer digits
        "mean": np.full((1, 1, p, p), 1 / (p * p), np.float32),
        "filters": np.ascontiguousarray(filters.T.reshape(-1, 1, p, p)),
        "flat": np.array(FLAT, np.float32),
        "bias": bias.reshape(1, -1, 1, 1),
        "weights": _weights(model),
        "offset": model.head.bias,
    }
    make, stride = helper.make_node, [STRIDE, STRIDE]
    nodes = [
        make("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        make("Transpose", ["float"], ["planes"], perm=[0, 3, 1, 2]),
        make("Conv", ["planes", "luma"], ["bright"]),
        make("Sub", ["bright", "middle"], ["grey"]),
        make("Conv", ["grey", "mean"], ["level"], strides=stride),
        make("Mul", ["grey", "grey"], ["squares"]),
        make("Conv", ["squares", "mean"], ["power"], strides=stride),
        make("Mul", ["level", "level"], ["level2"]),
        make("Sub", ["power", "level2"], ["variance0"]),
        make("Relu", ["variance0"], ["variance"]),
        make("Add", ["variance", "flat"], ["lifted"]),
        make("Sqrt", ["lifted"], ["spread"]),
        make("Conv", ["grey", "filters"], ["raw"], strides=stride),
        make("Div", ["raw", "spread"], ["scaled"]),
        make("Add", ["scaled", "bias"], ["answers"]),
        make("Relu", ["answers"], ["rectified"]),
        make("AveragePool", ["rectified"], ["cells"], kernel_shape=[tall, wide], strides=[down, right]),
        make("Flatten", ["cells"], ["described"]),
        make("Gemm", ["described", "weights", "offset"], ["logits"]),
        make("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "patch_classifier",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", height, width, 3])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(model.classes)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(made.SerializeToString())


def _weights(model: PatchClassifier) -> F32:
    """(2 k * grid * grid, c): a mirrored patch weighs in the mirrored cell what its original weighs here."""
    grid, classes = model.patches.grid, len(model.classes)
    weights = model.head.weights.reshape(grid, grid, -1, classes)
    both = np.concatenate([weights, weights[:, ::-1]], axis=2)
    return np.ascontiguousarray(both.transpose(2, 0, 1, 3).reshape(-1, classes))


@dataclass(frozen=True, slots=True)
class About:
    """What a card says beside the numbers."""

    name: str
    summary: str
    training: str
    task: str = "expression"
    limits: Sequence[str] = ()
    training_data: str = "Stated by whoever trained it."


def export(model: PatchClassifier, folder: Path, about: About) -> Path:
    """Write NAME.onnx and NAME.toml into `folder`; the path of the card. Raises OSError where it cannot be written."""
    content = to_onnx(model)
    places.write(folder / f"{about.name}.onnx", content)
    card = folder / f"{about.name}.toml"
    places.write(card, _card(model, about, content).encode())
    return card


def _card(model: PatchClassifier, about: About, content: bytes) -> str:
    height, width = model.patches.shape
    top: dict[str, Any] = {
        "name": about.name,
        "task": about.task,
        "summary": about.summary,
        "training": about.training,
        "limits": list(about.limits),
        "labels": list(model.classes),
    }
    file = {"role": "model", "name": f"{about.name}.onnx", "size": len(content)}
    file["sha256"] = hashlib.sha256(content).hexdigest()
    entry = {"size": [width, height], "template": "square", "colour": "rgb", "mean": 0, "std": 1, "layout": "NHWC"}
    licence = {"code": "MIT", "weights": "Whoever trained it decides.", "url": "https://example.org/"}
    terms = {"training_data": about.training_data, "commercial": "yes"}
    tables = [
        _toml(top),
        "[[file]]\n" + _toml(file) + "sources = []\n",
        "[input]\n" + _toml(entry),
        "[licence]\n" + _toml(licence) + "read_on = 2026-11-22\n" + _toml(terms),
    ]
    return "\n".join(tables)


def _toml(values: dict[str, Any]) -> str:
    """Strings, numbers and lists of them are written alike in JSON and in TOML."""
    return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items())

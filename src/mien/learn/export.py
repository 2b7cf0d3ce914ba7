"""A trained network as an ONNX file that says the same as torch did, checked before anybody can use it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mien.errors import CannotWrite, TrainingFailed
from mien.learn.recipe import Mouth

LARGE = 1024  # numbers in a weight from which it is kept as float16
CLOSE = 5e-3  # by which a probability may differ from torch's, float16 weights included
_OPSET = 18


def export(deployed: nn.Module, mouth: Mouth, path: Path, trial: Tensor) -> float:
    """Write `path` and return the largest difference of a probability to torch's, over the crops `trial`.

    Weights are stored as float16 and computed with as float32. The file appears whole and checked, or not at all.
    Raises TrainingFailed when ONNX Runtime disagrees with torch, CannotWrite."""
    deployed = deployed.cpu().eval()
    beside = path.with_name(f".{path.name}.new")
    try:
        _write(deployed, mouth, beside)
        difference = _compare(deployed, beside, trial)
        if difference > CLOSE:
            raise TrainingFailed(
                f"The exported graph differs from the trained network by {difference:.2g}.",
                "It was not written; use operations that ONNX has in `deployed`.",
            )
        with beside.open("rb") as stream:
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError as error:
        raise CannotWrite(
            f"{path} cannot be written: {error.strerror or error}.", "Make room and run again."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    return difference


def crops(mouth: Mouth, count: int, seed: int = 0) -> Tensor:
    """Random crops of the shape that a mouth wants."""
    width, height = mouth.size
    shape = (count, height, width, 3) if mouth.frames == 1 else (count, mouth.frames, height, width, 3)
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def _write(deployed: nn.Module, mouth: Mouth, path: Path) -> None:
    import onnx

    with _quiet():
        program = torch.onnx.export(
            deployed, (crops(mouth, 2),), dynamo=True, opset_version=_OPSET, verbose=False,
            input_names=["crops"], output_names=["probabilities"], dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    assert program is not None
    model = program.model_proto
    _halve(model)
    for node in model.graph.node:  # where in whose source it came from: long, and names this machine's folders
        node.ClearField("doc_string")
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _halve(model: Any) -> None:
    """Large float32 weights as float16 with a cast behind each, which ONNX Runtime folds when it loads the graph."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or np.prod(weight.dims) < LARGE:
            continue
        values = numpy_helper.to_array(weight).astype(np.float16)
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    for value in list(model.graph.value_info):
        if value.name in {node.output[0] for node in casts}:
            model.graph.value_info.remove(value)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _compare(deployed: nn.Module, path: Path, trial: Tensor) -> float:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.log_severity_level = 3
    session = InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = deployed(trial).numpy()
    (entry,) = session.get_inputs()
    if isinstance(entry.shape[0], int):
        raise TrainingFailed(
            f"The exported graph takes {entry.shape[0]} crops at a time and no other number.",
            "Use x.shape[0] in the network, not len(x), and no split of the batch by a fixed number.",
        )
    found = session.run(None, {entry.name: trial.numpy()})[0]
    return float(np.abs(found - expected).max())


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells of its own passes; what matters is whether the result agrees."""
    names = ("torch.onnx", "onnxscript", "onnx_ir", "torch.export")
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

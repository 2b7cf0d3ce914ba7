"""Shared fixtures. What is not at hand skips, and says why."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import TensorProto, helper

from mien.cli.portraits import portraits as fetch_portraits
from mien.errors import MediaNotFound

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def data() -> Path:
    """The reference photos and videos."""
    path = Path(os.environ.get("MIEN_TEST_DATA", SHARED / "data"))
    if not path.is_dir():
        pytest.skip("the reference data is absent (set MIEN_TEST_DATA to its folder)")
    return path


@pytest.fixture(scope="session")
def data_models() -> Path:
    """A mirror folder with public weights."""
    path = Path(os.environ.get("MIEN_TEST_MODELS", SHARED / "models"))
    if not path.is_dir():
        pytest.skip("the model mirror is absent (set MIEN_TEST_MODELS to its folder)")
    return path


@pytest.fixture(scope="session")
def portraits() -> dict[str, Path]:
    """Real public-domain photographs by name: obama, obama2, obama3, biden, …"""
    try:
        return fetch_portraits(ROOT / ".cache")
    except MediaNotFound as error:
        pytest.skip(error.message)


CLASSIFIER = """name = "tiny"
task = "expression"
summary = "Which channel is brightest."
training = "None."
labels = {labels}
{more}

[[file]]
role = "model"
name = "tiny.onnx"
sha256 = "{sha256}"
sources = []

[input]
size = [16, 16]
template = "{template}"
colour = "{colour}"
mean = 127.5
std = 127.5
layout = "NCHW"

[licence]
code = "MIT"
weights = "MIT"
url = "https://example.org/"
read_on = 2026-01-01
training_data = "None."
commercial = "yes"
"""


@pytest.fixture
def tiny_classifier(tmp_path: Path) -> Callable[..., Path]:
    """Writes a classifier: probabilities (or logits) of the mean of each channel. Gives the path of its card."""

    def make(softmax: bool = True, labels: tuple[str, ...] = ("red", "green", "blue"), **changes: str) -> Path:
        channels = 1 if changes.get("colour") == "grey" else 3
        mean = helper.make_node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0)
        last = helper.make_node("Softmax" if softmax else "Identity", ["m"], ["y"])
        graph = helper.make_graph(
            [mean, last], "tiny",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", channels, 16, 16])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", channels])],
        )  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        content = model.SerializeToString()
        (tmp_path / "tiny.onnx").write_bytes(content)
        usual = {"template": "square", "colour": "rgb", "more": ""} | changes
        card = tmp_path / "tiny.toml"
        digest = hashlib.sha256(content).hexdigest()
        card.write_text(CLASSIFIER.format(labels=json.dumps(labels), sha256=digest, **usual))
        return card

    return make

"""SCRFD's decoding, on a small graph with the signature of InsightFace's files: a bright cell is a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien import models, protocols
from mien.detect.scrfd import Scrfd, ScrfdOptions
from mien.errors import ModelCorrupt, UsageError
from mien.types import Frame

EDGES = (1.0, 2.0, 3.0, 4.0)  # strides from the cell's corner to x0, y0, x1, y1
POINTS = (-0.5, -1.0, 1.5, -1.0, 0.5, 0.5, -0.25, 2.0, 1.25, 2.0)


def bright_cells(path: Path, strides: tuple[int, ...] = (8, 16, 32)) -> Path:
    """Scores: mean red of the cell, doubled for the second anchor, halved for strides over 8."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, values: object) -> str:
        constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    constant("first", np.array([0])), constant("second", np.array([1])), constant("axis", np.array([1]))
    nodes.append(helper.make_node("Slice", ["image", "first", "second", "axis"], ["red"]))
    outputs: dict[str, list[str]] = {"score": [], "edges": [], "points": []}
    for stride in strides:
        weight = (0.5 if stride == 8 else 0.25) * np.array([1.0, 2.0], np.float32)
        nodes.append(
            helper.make_node("AveragePool", ["red"], [f"m{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2)
        )
        nodes.append(
            helper.make_node("Reshape", [f"m{stride}", constant(f"s{stride}", np.array([-1, 1]))], [f"f{stride}"])
        )
        nodes.append(helper.make_node("Mul", [f"f{stride}", constant(f"w{stride}", weight)], [f"p{stride}"]))
        nodes.append(helper.make_node("Reshape", [f"p{stride}", f"s{stride}"], [f"score{stride}"]))
        for head, values in (("edges", EDGES), ("points", POINTS)):
            zero = f"{head}z{stride}"
            nodes.append(
                helper.make_node("Mul", [f"score{stride}", constant(f"{head}n{stride}", np.float32(0))], [zero])
            )
            row = constant(f"{head}c{stride}", np.array([values], np.float32))
            nodes.append(helper.make_node("Add", [zero, row], [f"{head}{stride}"]))
        for head in outputs:
            outputs[head].append(f"{head}{stride}")
    graph = helper.make_graph(
        nodes,
        "bright_cells",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, None, None])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for head in outputs.values() for name in head],
        constants,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_bright_cell_becomes_its_box_and_points(tmp_path: Path) -> None:
    detector = Scrfd(models.session(bright_cells(tmp_path / "net.onnx")), "scrfd_small", options=ScrfdOptions(0.4))
    assert isinstance(detector, protocols.Detector)
    pixels = np.full((100, 150, 3), 127, np.uint8)  # padded to 128 x 160: black there scores below nothing
    pixels[40:48, 72:80] = 255
    (face,) = detector.detect([Frame(pixels)])[0]  # both anchors say so; the surer one stays
    assert face.box.tolist() == [72 - 8, 40 - 16, 72 + 24, 40 + 32]
    assert face.points.ravel().tolist() == [72 - 4, 32, 72 + 12, 32, 76, 44, 70, 56, 82, 56]
    assert face.score == pytest.approx(1.0, abs=0.01)


def test_a_large_picture_is_reduced_and_places_restored(tmp_path: Path) -> None:
    detector = Scrfd(models.session(bright_cells(tmp_path / "net.onnx")), options=ScrfdOptions(0.4, longest=160))
    pixels = np.full((256, 640, 3), 127, np.uint8)
    pixels[160:192, 288:320] = 255  # 8 x 8 px after reducing to a quarter
    (face,) = detector.detect([Frame(pixels)])[0]
    assert face.box.tolist() == pytest.approx([288 - 32, 160 - 64, 288 + 96, 160 + 128], abs=1)


def test_a_file_without_points_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="6 outputs"):
        Scrfd(models.session(bright_cells(tmp_path / "net.onnx", (8, 16))), "scrfd_small")


def test_options_that_make_no_sense_are_refused() -> None:
    for options in ({"accept": 0.0}, {"overlap": 2.0}, {"longest": 3}):
        with pytest.raises(UsageError):
            ScrfdOptions(**options)

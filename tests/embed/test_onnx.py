"""Embedders from a card and a graph: what goes in, what comes out, and which space it lies in."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from mien import align, detect, embed, models, read_image
from mien.errors import InputError, ModelCorrupt, UnknownModel, UsageError
from mien.protocols import Embedder
from mien.types import Face, Frame

CARD = """
name = "mine"
task = "{task}"
summary = "The mean colour."
training = "None."
dimension = {dimension}

[[file]]
role = "model"
name = "mine.onnx"
sha256 = "{sha256}"
sources = []

[input]
size = [112, 112]
template = "{template}"
colour = "{colour}"
mean = {mean}
std = {std}
layout = "{layout}"

[licence]
code = "MIT"
weights = "MIT"
url = "https://example.org/"
read_on = 2026-01-01
training_data = "None."
commercial = "yes"
"""

USUAL = {
    "task": "embedder", "dimension": 3, "template": "arcface112",
    "colour": "rgb", "mean": 0.0, "std": 1.0, "layout": "NCHW",
}  # fmt: skip


def mean_colour_graph(layout: str, batch: int | str) -> bytes:
    """Its vector is the mean of each channel as it goes in."""
    shape = [batch, 3, 112, 112] if layout == "NCHW" else [batch, 112, 112, 3]
    axes = [2, 3] if layout == "NCHW" else [1, 2]
    node = helper.make_node("ReduceMean", ["x"], ["y"], axes=axes, keepdims=0)
    graph = helper.make_graph(
        [node], "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 3])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def make_card(folder: Path, batch: int | str = "N", **changes: object) -> models.Card:
    fields = USUAL | changes
    net = mean_colour_graph(str(fields["layout"]), batch)
    (folder / "mine.onnx").write_bytes(net)
    (folder / "mine.toml").write_text(CARD.format(**fields, sha256=hashlib.sha256(net).hexdigest()))
    return models.card(folder / "mine.toml")


def faces(count: int, colour: tuple[int, int, int] = (200, 100, 50)) -> list[Face]:
    """Faces whose pictures have one colour each, near to the given one."""
    points = align.TEMPLATES["arcface112"].points + 40
    return [
        Face(
            Frame(np.full((200, 200, 3), np.array(colour) + number, np.uint8)),
            np.array([40, 40, 150, 150], np.float32), points.astype(np.float32), 0.9,
        )
        for number in range(count)
    ]  # fmt: skip


def unit(*values: float) -> np.ndarray:
    return np.array(values) / np.linalg.norm(values)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MIEN_MODELS", raising=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, (200, 100, 50)),
        ({"colour": "bgr"}, (50, 100, 200)),
        ({"layout": "NHWC"}, (200, 100, 50)),
        ({"mean": 127.5, "std": 128.0}, (72.5, -27.5, -77.5)),
        ({"mean": [10.0, 20.0, 30.0], "std": [1.0, 2.0, 4.0]}, (190, 40, 5)),
        ({"mean": [10.0, 20.0, 30.0], "std": [1.0, 2.0, 4.0], "colour": "bgr"}, (40, 40, 42.5)),
    ],
)
def test_pixels_go_in_as_the_card_says(tmp_path: Path, changes: dict[str, object], expected: tuple[float, ...]) -> None:
    (template,) = embed.OnnxEmbedder(make_card(tmp_path, **changes)).embed(faces(1))
    assert np.allclose(template.vector, unit(*expected), atol=1e-5)
    assert template.vector.dtype == np.float32 and template.vector.shape == (3,)


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("threads", [1, 3])
def test_many_faces_in_order_whatever_the_batch(tmp_path: Path, batch: int | str, threads: int) -> None:
    embedder = embed.OnnxEmbedder(make_card(tmp_path, batch), threads)
    templates = embedder.embed(faces(50))
    assert len(templates) == 50
    for number, template in enumerate(templates):
        assert np.allclose(template.vector, unit(200 + number, 100 + number, 50 + number), atol=1e-5)
        assert np.linalg.norm(template.vector) == pytest.approx(1, abs=1e-6)
        assert template.space == embedder.space


def test_no_faces_give_no_templates(tmp_path: Path) -> None:
    embedder = embed.OnnxEmbedder(make_card(tmp_path))
    assert embedder.embed([]) == []
    assert embedder.vectors(np.empty((0, 112, 112, 3), np.uint8)).shape == (0, 3)


def test_it_is_an_embedder_and_carries_the_cards_name(tmp_path: Path) -> None:
    embedder = embed.OnnxEmbedder(make_card(tmp_path))
    assert isinstance(embedder, Embedder)
    assert embedder.name == "mine"


def test_a_space_is_a_name_for_weights_alignment_and_preprocessing(tmp_path: Path) -> None:
    spaces = [embed.space(make_card(tmp_path, **changes)) for changes in (
        {}, {"colour": "bgr"}, {"mean": 1.0}, {"std": 2.0}, {"template": "dlib150"}, {"layout": "NHWC"},
    )]  # fmt: skip
    spaces.append(embed.space(make_card(tmp_path), mirrored=True))
    assert len(set(spaces)) == len(spaces)
    assert all(len(space) == 16 and int(space, 16) >= 0 for space in spaces)
    assert embed.space(make_card(tmp_path)) == spaces[0]
    assert embed.OnnxEmbedder(make_card(tmp_path), mirrored=True).space == spaces[-1]


def test_a_bad_face_is_refused_and_not_embedded(tmp_path: Path) -> None:
    good, bad = faces(2)
    bad.points[:] = np.nan
    with pytest.raises(InputError):
        embed.OnnxEmbedder(make_card(tmp_path)).embed([good, bad])


def test_a_graph_that_does_not_fit_its_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="3 numbers per face and its card says 4"):
        embed.OnnxEmbedder(make_card(tmp_path, dimension=4)).embed(faces(1))


def test_a_vector_without_direction_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelCorrupt, match="no direction"):
        embed.OnnxEmbedder(make_card(tmp_path)).embed(faces(1, (0, 0, 0)))


def test_other_cards_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="mine"):
        embed.OnnxEmbedder(make_card(tmp_path, task="detector"))
    with pytest.raises(UsageError, match="mine"):
        embed.OnnxEmbedder(make_card(tmp_path, template="none"))
    with pytest.raises(UsageError, match="0 threads"):
        embed.OnnxEmbedder(make_card(tmp_path), 0)
    with pytest.raises(UnknownModel):
        embed.load("no_such_model")


def test_mirrored_is_the_unit_sum_of_both_sides(portraits: dict[str, Path]) -> None:
    frame = read_image(portraits["obama2"])
    found = detect.load("mtcnn").detect([frame])[0]
    plain, mirrored = embed.OnnxEmbedder("dlib_resnet", mirrored=False), embed.OnnxEmbedder("dlib_resnet")
    chip = align.chip(frame.pixels, found[0].points, "dlib150")
    sides = plain.vectors(np.stack([chip, chip[:, ::-1]]))
    sides /= np.linalg.norm(sides, axis=1, keepdims=True)
    assert sides[0] @ sides[1] < 0.999, "the two sides of this face differ"
    whole = sides.sum(0) / np.linalg.norm(sides.sum(0))
    assert np.allclose(mirrored.embed(found)[0].vector, whole, atol=1e-5)
    assert np.allclose(plain.embed(found)[0].vector, sides[0], atol=1e-5)
    assert mirrored.space != plain.space

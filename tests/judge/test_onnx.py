"""Classifiers from a card and a graph: what they see, what they answer, what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mien import Engine, judge, models
from mien.align import TEMPLATES
from mien.errors import InputError, ModelCorrupt, UnknownModel, UsageError
from mien.judge.onnx import OnnxJudge
from mien.types import Clip, Face, Frame

Tiny = Callable[..., Path]
RED = np.array([255, 0, 0], np.uint8)


def face(pixels: np.ndarray, box: tuple[float, ...] = (50, 60, 150, 140)) -> Face:
    points = (TEMPLATES["dlib150"].points + 25).astype(np.float32)
    return Face(Frame(pixels), np.array(box, np.float32), points, 0.9)


class Taking:
    """A session of which only the inputs are looked at."""

    def __init__(self, shapes: list[list[object]]) -> None:
        self.shapes = shapes

    def get_inputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="x", type="tensor(float)", shape=shape) for shape in self.shapes]


def made(path: Path) -> OnnxJudge:
    return OnnxJudge(models.card(path))


def softmax(*logits: float) -> np.ndarray:
    raised = np.exp(np.array(logits) - max(logits))
    return raised / raised.sum()


def test_the_square_is_the_longer_side_of_the_box_around_its_centre(tiny_classifier: Tiny) -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[50:150, 50:150] = RED  # the square of 100 px around (100, 100)
    (crop,) = made(tiny_classifier()).crops([face(pixels)])
    assert crop.shape == (16, 16, 3)
    assert (crop[1:-1, 1:-1] == RED).all(), "only the edge may mix with what is outside"
    (wide,) = made(tiny_classifier()).crops([face(pixels, (0, 60, 200, 140))])
    assert (wide[:3] == 0).all() and (wide[5:11, 5:11] == RED).all()


def test_what_lies_outside_is_black(tiny_classifier: Tiny) -> None:
    (crop,) = made(tiny_classifier()).crops([face(np.full((200, 200, 3), 255, np.uint8), (-100, 0, 100, 200))])
    assert (crop[:, :7] == 0).all() and (crop[2:-2, 9:-2] == 255).all()


def test_an_aligned_crop_is_the_chip_scaled(tiny_classifier: Tiny) -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[25:175, 25:100] = RED  # the points are the template's, moved by 25: the chip is px 25 to 175
    (crop,) = made(tiny_classifier(template="dlib150")).crops([face(pixels)])
    assert (crop[3:-3, 3:5] == RED).all() and (crop[:, 11:] == 0).all()


def test_probabilities_go_out_as_the_card_names_them(tiny_classifier: Tiny) -> None:
    one = made(tiny_classifier())
    (reading,) = one.judge(Clip((face(np.full((200, 200, 3), RED, np.uint8)),)))
    assert reading.kind == "expression" and reading.model == "tiny" and reading.label == "red"
    assert list(reading.scores) == ["red", "green", "blue"]
    assert list(reading.scores.values()) == pytest.approx(softmax(1, -1, -1), abs=1e-6)
    assert reading.span is None


def test_a_clip_is_the_mean_of_its_frames(tiny_classifier: Tiny) -> None:
    frames = [np.full((200, 200, 3), colour, np.uint8) for colour in (RED, RED[::-1])]
    (reading,) = made(tiny_classifier()).judge(Clip(tuple(face(pixels) for pixels in frames), fps=25.0))
    assert reading.scores["red"] == pytest.approx((softmax(1, -1, -1)[0] + softmax(-1, -1, 1)[0]) / 2, abs=1e-6)
    assert reading.span == (0.0, 0.0)


def test_logits_become_probabilities_and_bgr_is_turned(tiny_classifier: Tiny) -> None:
    card = tiny_classifier(softmax=False, more='output = "logits"', colour="bgr")
    crops = np.full((2, 16, 16, 3), RED, np.uint8)
    assert np.allclose(made(card).probabilities(crops), softmax(-1, -1, 1), atol=1e-6)


def test_many_crops_are_the_same_as_one_at_a_time(tiny_classifier: Tiny) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (150, 16, 16, 3), np.uint8)
    one = made(tiny_classifier())
    singly = np.concatenate([one.probabilities(crops[i : i + 1]) for i in range(150)])
    assert np.allclose(one.probabilities(crops), singly, atol=1e-7)
    assert one.probabilities(crops[:0]).shape == (0, 3)


def test_pictures_that_are_crops_are_scaled(tiny_classifier: Tiny) -> None:
    one = made(tiny_classifier())
    pictures = [np.full((side, side, 3), 7, np.uint8) for side in (16, 48, 10)]
    assert one.crops_of(pictures).shape == (3, 16, 16, 3) and (one.crops_of(pictures) == 7).all()


def test_values_that_are_no_probabilities_are_refused(tiny_classifier: Tiny) -> None:
    with pytest.raises(ModelCorrupt, match="no probabilities"):
        made(tiny_classifier(softmax=False)).probabilities(np.zeros((1, 16, 16, 3), np.uint8))


def test_another_number_of_labels_is_refused(tiny_classifier: Tiny) -> None:
    with pytest.raises(ModelCorrupt, match="3 numbers per face and its card has 2 labels"):
        made(tiny_classifier(labels=("a", "b"))).probabilities(np.zeros((1, 16, 16, 3), np.uint8))


def test_another_file_than_the_cards_is_refused(tiny_classifier: Tiny) -> None:
    card = tiny_classifier()
    card.with_suffix(".onnx").write_bytes(b"something else")
    with pytest.raises(ModelCorrupt, match=r"tiny\.onnx"):
        made(card)


def test_a_graph_that_takes_something_else_than_its_card_says(tiny_classifier: Tiny) -> None:
    card = tiny_classifier()
    text = card.read_text("utf8")
    card.write_text(text.replace("size = [16, 16]", "size = [16, 32]"), "utf8")
    with pytest.raises(ModelCorrupt, match="takes 16 x 16 px and its card says 16 x 32"):
        made(card)
    card.write_text(text, "utf8")
    sessions = [Taking([["n", 8, 16, 16, 3]]), Taking([["n", 3, 16, 16], ["n", 3, 16, 16]]), Taking([])]
    for session, words in zip(sessions, ("1 inputs, the first with 5", "2 inputs", "0 inputs"), strict=True):
        with pytest.raises(ModelCorrupt, match=words):
            OnnxJudge.from_session(models.card(card), session)  # type: ignore[arg-type]


def test_cards_that_are_no_classifiers(tiny_classifier: Tiny, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="dlib_resnet is not one of a classifier"):
        judge.load("dlib_resnet")
    with pytest.raises(UsageError, match="tiny is not one of a classifier"):
        judge.load(tiny_classifier(template="none"))
    with pytest.raises(UnknownModel, match="no card at"):
        judge.load(tmp_path / "gone.toml")


def test_points_that_fit_no_face(tiny_classifier: Tiny) -> None:
    bad = face(np.zeros((200, 200, 3), np.uint8))
    bad.points[:] = np.nan
    with pytest.raises(InputError):
        made(tiny_classifier(template="arcface112")).judge(Clip((bad,)))


def test_the_engine_takes_a_card_among_its_judges(tiny_classifier: Tiny) -> None:
    engine = Engine(judges=[str(tiny_classifier())])
    readings = engine.judge(Clip((face(np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)),)))
    assert [reading.kind for reading in readings] == ["quality", "expression"]

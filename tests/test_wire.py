"""The JSON shapes, pinned."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mien import errors, wire
from mien.sources import Enrolment, Refusal
from mien.types import (
    Clip,
    Decision,
    Face,
    Frame,
    Match,
    OperatingPoint,
    Reading,
    Sample,
    SearchEvidence,
    Template,
)


def a_face(origin: tuple[float, float, float] = (0.0, 0.0, 1.0)) -> Face:
    frame = Frame(np.zeros((80, 100, 3), np.uint8), source="door.mp4", index=7, time=0.28)
    points = np.array([[10, 20], [30, 20], [20, 30], [12, 40], [28, 40]], np.float32)
    return Face(frame, np.array([5, 6, 45, 66], np.float32), points, 0.987654321, track=2, origin=origin)


def a_template() -> Template:
    return Template(np.array([0.6, 0.8], np.float32), space="abc", quality=0.5)


def test_face_shape() -> None:
    assert wire.encode(a_face()) == {
        "box": [5.0, 6.0, 45.0, 66.0],
        "points": [[10.0, 20.0], [30.0, 20.0], [20.0, 30.0], [12.0, 40.0], [28.0, 40.0]],
        "score": 0.987654,
        "eye_distance": 20.0,
        "track": 2,
        "source": "door.mp4",
        "index": 7,
        "time": 0.28,
    }


def test_rehomed_face_is_told_in_source_pixels() -> None:
    shape = wire.encode(a_face(origin=(100.0, 50.0, 2.0)))
    assert shape["box"] == [102.5, 53.0, 122.5, 83.0]
    assert shape["points"][0] == [105.0, 60.0]
    assert shape["eye_distance"] == 10.0


def test_decision_shape() -> None:
    point = OperatingPoint(
        0.91, fmr=1e-3, low=5e-4, high=2e-3, comparisons=10_000, subjects=150, data="dev", space="abc"
    )
    decision = Decision(
        "accept",
        ("score 0.95 is at or above 0.91",),
        subject="ana",
        score=0.95,
        threshold=point,
        matches=(Match("ana", 0.95), Match("ben", 0.8)),
        readings=(Reading("quality", {"overall": 0.7}, model="quality", unit="score"),),
        faces=(a_face(),),
        source="door.mp4",
        span=(0.0, 1.5),
    )
    shape = wire.encode(decision)
    assert list(shape) == [
        "verdict", "subject", "score", "threshold", "reasons", "matches", "readings", "faces", "source", "span",
    ]  # fmt: skip
    assert shape["threshold"]["comparisons"] == 10_000
    assert shape["matches"][1] == {"subject": "ben", "score": 0.8, "evidence": None}
    proven = Match("ana", 0.95, SearchEvidence(True, "int8 codes with their bound", 7))
    evidence = {"exact": True, "proof": "int8 codes with their bound", "candidates": 7, "measured_recall": None}
    assert wire.encode(proven)["evidence"] == evidence
    assert shape["readings"][0]["scores"] == {"overall": 0.7}
    assert shape["span"] == [0.0, 1.5]
    json.dumps(shape, allow_nan=False)


def test_pixels_and_vectors_stay_inside() -> None:
    face = a_face()
    text = json.dumps(wire.encode([Clip((face,)), face.frame, Sample(a_template(), face, "a.jpg"), a_template()]))
    assert "pixels" not in text
    assert "vector" not in text
    assert wire.encode(a_template(), vectors=True)["vector"] == pytest.approx([0.6, 0.8])


def test_numbers_without_a_json_form_are_refused() -> None:
    with pytest.raises(ValueError, match="no JSON form"):
        wire.encode(Match("ana", float("nan")))
    with pytest.raises(TypeError, match="no wire shape"):
        wire.encode(object())


def test_an_error_inside_a_result_keeps_its_shape() -> None:
    shape = wire.encode(Enrolment("ana", 1, 0, (Refusal("a.jpg", errors.NoFace("No face was found in a.jpg.")),), ()))
    assert shape["refused"][0]["error"]["type"] == "NoFace"
    json.dumps(shape)


def kinds(kind: type[errors.MienError]) -> list[type[errors.MienError]]:
    """A kind and all below it that the tree draws; compat/ adds other libraries' names to it."""
    below = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [kind, *(each for child in below for each in kinds(child))]


@pytest.mark.parametrize("kind", kinds(errors.MienError), ids=lambda kind: kind.__name__)
def test_every_error_has_one_shape(kind: type[errors.MienError]) -> None:
    shape = wire.problem(kind("It is so.", "Do this."))
    assert shape == {
        "type": kind.__name__,
        "title": shape["title"],
        "status": kind.status,
        "detail": "It is so.",
        "remedy": "Do this.",
    }
    assert shape["title"]
    assert 64 <= kind.exit_code <= 78
    assert 400 <= kind.status <= 599
    assert str(kind("It is so.", "Do this.")) == "It is so. Do this."


def test_error_tree_in_the_docstring_is_the_real_one() -> None:
    drawn = errors.__doc__ or ""
    for kind in kinds(errors.MienError)[1:]:
        line = next((line for line in drawn.splitlines() if f" {kind.__name__} " in line), None)
        assert line is not None, f"{kind.__name__} is not drawn"
        assert str(kind.exit_code) in line

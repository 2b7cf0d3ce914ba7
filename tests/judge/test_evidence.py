"""Not enough evidence: a classifier that says nothing, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mien import judge, models
from mien.align import TEMPLATES
from mien.errors import ModelError, UnknownModel, UsageError
from mien.judge.onnx import OnnxJudge
from mien.types import Clip, Face, Frame, Reading

Tiny = Callable[..., Path]
RED, GREY = np.array([255, 0, 0], np.uint8), np.full(3, 128, np.uint8)
EMOTIONS = ("happy", "sad", "fear")


def face(colour: np.ndarray = RED, score: float = 0.99, scale: float = 1.0) -> Face:
    """scale: how much smaller the face was in its source."""
    points = (TEMPLATES["dlib150"].points + 25).astype(np.float32)
    frame = Frame(np.full((200, 200, 3), colour, np.uint8), "a.jpg")
    return Face(frame, np.array([50, 60, 150, 140], np.float32), points, score, origin=(0.0, 0.0, scale))


def limited(tiny: Tiny, labels: tuple[str, ...] = EMOTIONS, **limits: float) -> OnnxJudge:
    table = "\n".join(f"{name} = {value}" for name, value in limits.items())
    path = tiny(labels=labels)
    path.write_text(path.read_text("utf8") + f'\n[abstain]\ndata = "made up"\n{table}\n', "utf8")
    return OnnxJudge(models.card(path))


def read(one: OnnxJudge, *faces: Face, fps: float = 0.0) -> dict[str, Reading]:
    found = one.judge(Clip(faces, fps=fps))
    assert [reading.model for reading in found] == [one.name] * len(found)
    return {reading.kind: reading for reading in found}


# A limit that holds the face below back, that face, and how the reason begins.
LIMITS: Mapping[str, tuple[dict[str, float], Face, str]] = {
    "size": ({"least_eye_distance": 20}, face(scale=4.0), "too small: 14 px between the eyes, 20 wanted"),
    "detector": ({"least_score": 0.9}, face(score=0.6), "hardly a face: detector's score 0.60, 0.9 wanted"),
    "quality": ({"least_quality": 0.5}, face(), "poor picture: quality 0.00, 0.5 wanted"),
    "flat": ({"least_probability": 0.5}, face(GREY), "not clear: happy (0.33) or sad (0.33), 0.5 wanted"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_what_is_below_a_limit_is_not_read_and_says_why(tiny_classifier: Tiny, limit: str) -> None:
    limits, poor, words = LIMITS[limit]
    found = read(limited(tiny_classifier, **limits), poor)
    assert list(found) == ["expression"], "valence and arousal are given only where the classes are"
    assert found["expression"].scores == {} and found["expression"].label is None
    assert found["expression"].reasons[0] == words


@pytest.mark.parametrize("limit", LIMITS)
def test_without_the_limit_it_is_read(tiny_classifier: Tiny, limit: str) -> None:
    _, poor, _ = LIMITS[limit]
    found = read(limited(tiny_classifier), poor)
    assert list(found) == ["expression", "valence_arousal"]
    assert sum(found["expression"].scores.values()) == pytest.approx(1)


def test_a_card_without_limits_never_abstains(tiny_classifier: Tiny) -> None:
    one = OnnxJudge(models.card(tiny_classifier(labels=EMOTIONS)))
    assert read(one, replace(face(GREY, score=0.01), origin=(0.0, 0.0, 50.0)))["expression"].scores


def test_the_faces_of_a_clip_that_show_too_little_are_left_out(tiny_classifier: Tiny) -> None:
    one = limited(tiny_classifier, least_score=0.9)
    mixed = read(one, face(GREY, score=0.5), face(RED), fps=25)["expression"]
    assert mixed.scores == read(one, face(RED))["expression"].scores
    assert mixed.span == (0.0, 0.0)
    none = read(one, face(score=0.5), face(score=0.6), fps=25)["expression"]
    assert none.reasons == ("hardly a face: detector's score 0.60, 0.9 wanted",), "of the best of them"


def test_an_eye_distance_that_is_no_number_is_too_small(tiny_classifier: Tiny) -> None:
    bad = face()
    bad.points[:] = np.nan
    assert "too small" in read(limited(tiny_classifier, least_eye_distance=5), bad)["expression"].reasons[0]


def test_valence_and_arousal_are_derived_and_say_so(tiny_classifier: Tiny) -> None:
    found = read(limited(tiny_classifier), face(RED))
    scores, placed = found["expression"].scores, found["valence_arousal"]
    assert placed.unit == "-1..1" and "derived" in placed.reasons[0]
    valence = 0.81 * scores["happy"] - 0.63 * scores["sad"] - 0.64 * scores["fear"]
    assert placed.scores["valence"] == pytest.approx(valence)


def test_other_classifiers_have_no_valence(tiny_classifier: Tiny) -> None:
    assert list(read(limited(tiny_classifier, ("red", "green", "blue")), face())) == ["expression"]
    card = tiny_classifier(labels=EMOTIONS)
    card.write_text(card.read_text("utf8").replace('task = "expression"', 'task = "liveness"'), "utf8")
    assert list(read(OnnxJudge(models.card(card)), face())) == ["liveness"]


def test_a_kind_stands_for_its_card(tiny_classifier: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    card = tiny_classifier()
    monkeypatch.setenv("MIEN_CARDS", str(card.parent))
    monkeypatch.setattr(judge, "CARDS", {"expression": "tiny"})
    assert judge.load("expression").name == judge.load("tiny").name == "tiny"
    assert judge.load("quality").kind == "quality"


def test_every_kind_has_its_card() -> None:
    names = {card.name for card in models.catalogue()}
    if not set(judge.CARDS.values()) <= names:
        pytest.skip(f"not shipped yet: {set(judge.CARDS.values()) - names}")
    for kind, name in judge.CARDS.items():
        assert models.card(name).task == kind


def test_the_folder_of_a_run_stands_for_its_card(tiny_classifier: Tiny, tmp_path: Path) -> None:
    card = tiny_classifier()
    (tmp_path / "settings.toml").write_text("epochs = 3\n", "utf8")
    assert judge.load(tmp_path).name == judge.load(str(tmp_path)).name == "tiny"
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnknownModel, match="no card of a classifier"):
        judge.load(empty)
    (tmp_path / "other.toml").write_text(card.read_text("utf8").replace('"tiny"', '"other"', 1), "utf8")
    with pytest.raises(UsageError, match=r"several cards: other\.toml, tiny\.toml"):
        judge.load(tmp_path)
    (empty / "broken.toml").write_text("name =", "utf8")
    with pytest.raises(ModelError, match="is no TOML"):
        judge.load(empty)


def test_what_is_no_judge_is_told_with_the_choices() -> None:
    with pytest.raises(UnknownModel, match=r"'mood'.*expression, iso_quality, liveness, quality"):
        judge.load("mood")
    with pytest.raises(UnknownModel, match="''"):
        judge.load("")

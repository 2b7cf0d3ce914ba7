"""Identifying by relative score, from a calibrated gallery to the decision: templates are planted, nothing is seen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mien import Engine, Frame, Policy, calibrate, models, open_gallery
from mien.decide import relative
from mien.gallery import BaseGallery
from mien.protocols import Needs
from mien.types import Clip, Decision, Face, OperatingPoint, Reading, Sample, Template

SPACE = models.card("dlib_resnet").operating_points[-1].space
POINTS = np.array([[8, 8], [16, 8], [12, 12], [8, 16], [16, 16]], np.float32)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def crowd(people: int, seed: int = 0) -> np.ndarray:
    """(people, 32) unit vectors; people differ in how common their looks are, as real ones do."""
    rng = np.random.default_rng(seed)
    common = rng.uniform(0.5, 3.0, (people, 1)) * np.ones(32)
    return unit(rng.normal(size=(people, 32)) + common)


def enrolled(gallery: BaseGallery, vectors: np.ndarray) -> BaseGallery:
    for number, vector in enumerate(vectors):
        gallery.enrol(f"p{number:03}", [Sample(Template(vector, SPACE))])
    return gallery


def seen_as(vector: np.ndarray) -> Frame:
    """A picture that the stand-ins below read as this template."""
    return Frame(np.zeros((32, 32, 3), np.uint8), source=",".join(map(str, vector.tolist())))


class Finder:
    """One face in every picture."""

    name = "finder"

    def detect(self, frames: Sequence[Frame]) -> list[list[Face]]:
        return [[Face(frame, np.array([0, 0, 32, 32], np.float32), POINTS, 1.0)] for frame in frames]


class Reader:
    """The template that a picture is called by."""

    name, space = "reader", SPACE

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        return [Template(np.array(face.frame.source.split(","), np.float32), SPACE) for face in faces]


class Content:
    """A judge to whom every picture is good."""

    name, kind, needs = "content", "quality", Needs()

    def judge(self, clip: Clip) -> list[Reading]:
        return [Reading("quality", {"overall": 1.0}, self.name)]


@pytest.fixture
def engine() -> Engine:
    engine = Engine(threads=1)
    engine.__dict__.update(detector=Finder(), embedder=Reader(), judges=(Content(),))
    return engine


def identified(engine: Engine, vector: np.ndarray, people: BaseGallery, policy: Policy | None = None) -> Decision:
    (decision,) = engine.identify(seen_as(vector), people, policy)
    return decision


def test_a_threshold_from_the_gallery_holds_for_strangers_it_never_saw() -> None:
    """Among 20 galleries of 60 people the share of held-out strangers named averages what was aimed at, and is within
    the interval of nearly all."""
    shares, covered = [], 0
    for seed in range(20):
        vectors = crowd(260, seed)
        people = enrolled(open_gallery(), vectors[:60])
        point = next(point for point in calibrate(people, fpirs=(0.1,)).points if point.score == "relative")
        searches = [people.search(Template(stranger, SPACE), 6) for stranger in vectors[60:]]
        shares.append(np.mean([relative(matches) >= point.threshold for matches in searches]))
        assert point.low is not None and point.high is not None
        noise = 2 * np.sqrt(0.1 * 0.9 / 200)  # of the 200 searches themselves
        covered += point.low - noise <= shares[-1] <= point.high + noise
    assert 0.07 <= np.mean(shares) <= 0.115
    assert covered >= 18


def test_a_calibrated_gallery_identifies_by_relative_score(engine: Engine) -> None:
    vectors = crowd(301)
    people = enrolled(open_gallery(), vectors[:300])
    before = identified(engine, vectors[0], people)
    assert before.threshold is not None and before.threshold.score == "cosine", "nothing changes until it is calibrated"
    assert before.score == pytest.approx(1.0)

    people.keep_points(calibrate(people).points)
    mate, stranger = (identified(engine, vector, people) for vector in (vectors[0], vectors[300]))
    for decision in (mate, stranger):
        assert decision.threshold is not None
        assert (decision.threshold.score, decision.threshold.fpir) == ("relative", 0.01)
        assert decision.score == pytest.approx(relative(decision.matches))
    assert (mate.verdict, mate.subject) == ("accept", "p000")
    assert "leads the next five people by" in mate.reasons[0]
    assert stranger.verdict == "reject"


@pytest.mark.parametrize("policy", [Policy(fmr=1e-3), Policy(threshold=0.9), Policy(fpir=0.005)])
def test_a_target_the_relative_score_cannot_serve_is_met_by_the_cosine(engine: Engine, policy: Policy) -> None:
    vectors = crowd(300)
    people = enrolled(open_gallery(), vectors)
    people.keep_points(calibrate(people, fpirs=(0.01,)).points)
    decision = identified(engine, vectors[0], people, policy)
    assert decision.threshold is not None and decision.threshold.score == "cosine"
    assert decision.score == pytest.approx(1.0)


def test_a_gallery_that_shrank_goes_back_to_the_cosine(engine: Engine) -> None:
    vectors = crowd(300)
    people = enrolled(open_gallery(), vectors)
    people.keep_points(calibrate(people).points)
    for number in range(76):
        people.forget(f"p{number:03}")
    decision = identified(engine, vectors[200], people)
    assert decision.threshold is not None and decision.threshold.score == "cosine"


def test_one_to_one_and_warnings_when_enrolling_stay_with_the_cosine(engine: Engine) -> None:
    vectors = crowd(300)
    people = enrolled(open_gallery(), vectors)
    people.keep_points(calibrate(people).points)
    decision = engine.verify(seen_as(vectors[0]), seen_as(vectors[0]))
    assert decision.threshold is not None and decision.threshold.score == "cosine"
    other = unit(np.random.default_rng(9).normal(size=32) + 1.0)
    point = Policy().relative(people.points, 300)
    assert point is not None and point.threshold + 0.1 < (vectors @ other).max() < 0.9, (
        "a relative threshold would warn"
    )
    assert engine.enrol(people, "new", [seen_as(other)]).warnings == ()
    assert engine.enrol(people, "again", [seen_as(vectors[0])]).warnings


def test_relative_points_survive_the_file(tmp_path: Path) -> None:
    with open_gallery(tmp_path / "people.db") as people:
        points = calibrate(enrolled(people, crowd(100))).points
        assert {point.score for point in points} == {"cosine", "relative"}
        people.keep_points(points)
    with open_gallery(tmp_path / "people.db", read_only=True) as people:
        assert people.points == points


def test_people_who_leave_the_gallery_while_a_camera_runs(engine: Engine) -> None:
    vectors = crowd(300)
    people = enrolled(open_gallery(), vectors)
    people.keep_points(calibrate(people).points)
    (face,) = Finder().detect([seen_as(vectors[299])])[0]
    engine.clips = lambda source, progress=None: iter([Clip((face,)), Clip((face,))])  # type: ignore[method-assign]
    walk = engine.identify("camera", people)
    first = next(walk)
    for number in range(297):
        people.forget(f"p{number:03}")
    second = next(walk)
    assert first.threshold is not None and first.threshold.score == "relative"
    assert second.threshold is not None and second.threshold.score == "cosine"
    assert (first.subject, second.subject) == ("p299", "p299")


def test_enrolling_past_the_size_that_thresholds_hold_for_says_so_once(engine: Engine) -> None:
    vectors = crowd(23, seed=4)
    people = enrolled(open_gallery(), vectors[:20])
    people.keep_points([OperatingPoint(0.99, None, 0.0, 0.02, 300, 20, "people.db", SPACE, fpir=0.01, score="cosine")])
    assert engine.growth_warning(people) is None
    said = [engine.enrol(people, f"new {number}", [seen_as(vectors[number])]).warnings for number in (20, 21)]
    assert [sum("hold for 1 to 20 people, and 21 are enrolled" in line for line in lines) for lines in said] == [1, 0]
    before = identified(engine, vectors[0], enrolled_with(people.points, vectors[:20]))
    assert before.threshold is not None and before.threshold.subjects == 20
    assert (
        "where 1 in 100 strangers would be named in a gallery of 20 people, as measured on people.db"
        in before.reasons[0]
    )
    assert "22 are enrolled" in (engine.growth_warning(people) or "")


def enrolled_with(points: Sequence[OperatingPoint], vectors: np.ndarray) -> BaseGallery:
    people = enrolled(open_gallery(), vectors)
    people.keep_points(points)
    return people

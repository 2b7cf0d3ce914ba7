"""The whole street on real photographs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mien import Clip, Engine, Frame, OperatingPoint, Policy, Reading, open_gallery, read_image
from mien.errors import (
    EvidenceError,
    MediaNotFound,
    NoFace,
    PoorFace,
    SeveralFaces,
    SpaceMismatch,
    UnreadableMedia,
    UsageError,
)
from mien.protocols import Needs
from mien.sighting import SHOTS
from mien.types import Sample, Template


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(threads=2)


@pytest.fixture(scope="module")
def together(portraits: dict[str, Path]) -> Frame:
    """Two people side by side in one picture."""
    one, other = (read_image(portraits[name]).pixels for name in ("obama2", "biden"))
    height = min(one.shape[0], other.shape[0])
    return Frame(np.hstack([one[:height], other[:height]]), source="together")


BLANK = Frame(np.full((300, 300, 3), 127, np.uint8), source="blank")


def test_enrol_identify_forget(engine: Engine, portraits: dict[str, Path], together: Frame) -> None:
    people = open_gallery()
    enrolment = engine.enrol(people, "Barack Obama", [portraits["obama"], portraits["obama3"]])
    assert (enrolment.added, enrolment.known, enrolment.refused) == (2, 0, ())
    decisions = list(engine.identify(together, people))
    assert sorted(decision.verdict for decision in decisions) == ["accept", "reject"]
    accepted = next(decision for decision in decisions if decision.verdict == "accept")
    assert accepted.subject == "Barack Obama"
    assert accepted.threshold is not None
    assert accepted.threshold.comparisons > 1000
    assert accepted.score is not None
    assert accepted.score >= accepted.threshold.threshold
    assert accepted.faces[0].box[0] < together.width / 2, "the left one is he"
    people.forget("Barack Obama")
    assert {decision.verdict for decision in engine.identify(together, people)} == {"abstain"}


def test_enrolling_twice_adds_nothing(engine: Engine, portraits: dict[str, Path]) -> None:
    people = open_gallery()
    engine.enrol(people, "ana", [portraits["obama"]])
    again = engine.enrol(people, "ana", [portraits["obama"]])
    assert (again.added, again.known) == (0, 1)


def test_a_lookalike_under_another_name_is_pointed_out(engine: Engine, portraits: dict[str, Path]) -> None:
    people = open_gallery()
    engine.enrol(people, "ana", [portraits["obama"]])
    assert any("looks like ana" in words for words in engine.enrol(people, "ben", [portraits["obama2"]]).warnings)
    assert not engine.enrol(people, "cem", [portraits["biden"]]).warnings


def test_what_cannot_be_enrolled_is_listed_and_the_rest_goes_in(
    engine: Engine, portraits: dict[str, Path], together: Frame, tmp_path: Path
) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    people = open_gallery()
    enrolment = engine.enrol(people, "ana", [tmp_path / "none.jpg", text, BLANK, together, portraits["obama"]])
    assert enrolment.added == 1
    assert [type(refusal.error) for refusal in enrolment.refused] == [
        MediaNotFound,
        UnreadableMedia,
        NoFace,
        SeveralFaces,
    ]
    assert "none.jpg" in enrolment.refused[0].error.message


def test_verify_says_yes_no_and_cannot_tell(engine: Engine, portraits: dict[str, Path], together: Frame) -> None:
    accepted = engine.verify(portraits["obama"], portraits["obama2"])
    assert (accepted.verdict, accepted.subject) == ("accept", None)
    assert {face.frame.source for face in accepted.faces} == {str(portraits["obama"]), str(portraits["obama2"])}
    assert engine.verify(portraits["obama"], portraits["biden"]).verdict == "reject"
    for poor, words in ((BLANK, "No face"), (together, "2 faces")):
        decision = engine.verify(portraits["obama"], poor)
        assert decision.verdict == "abstain"
        assert words in decision.reasons[0]


def test_a_face_too_small_to_judge_is_not_called_somebody_else(engine: Engine, portraits: dict[str, Path]) -> None:
    import cv2

    frame = read_image(portraits["biden"])
    shrink = 5 / engine.faces(frame)[0].eye_distance
    small = cv2.resize(frame.pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    # Enlarged again it is large enough to be found, and holds no more than before.
    blurred = Frame(cv2.resize(small, (frame.width, frame.height), interpolation=cv2.INTER_CUBIC))
    decision = engine.verify(portraits["obama"], blurred)
    assert decision.verdict == "abstain"
    assert any("blurred" in reason for reason in decision.reasons)


def test_an_unsupported_rate_is_refused(engine: Engine, portraits: dict[str, Path]) -> None:
    with pytest.raises(EvidenceError, match="impostor comparisons"):
        engine.verify(portraits["obama"], portraits["biden"], Policy(fmr=1e-12))


def test_a_gallery_s_own_evidence_is_preferred_where_it_reaches(engine: Engine, portraits: dict[str, Path]) -> None:
    people = open_gallery()
    engine.enrol(people, "ana", [portraits["obama"]])
    own = OperatingPoint(0.5, fmr=1e-2, comparisons=1_000, subjects=50, data="here", space=engine.embedder.space)
    people.keep_points([own])

    def threshold(policy: Policy) -> OperatingPoint | None:
        return next(engine.identify(portraits["biden"], people, policy)).threshold

    assert threshold(Policy(fmr=1e-2)) == own
    assert threshold(Policy(fmr=1e-3)) == Policy(fmr=1e-3).point(engine.points), "stricter than it can support"
    people.keep_points([replace(own, space="another model")])
    assert threshold(Policy(fmr=1e-2)) == Policy(fmr=1e-2).point(engine.points)


def test_a_gallery_of_another_model_is_refused(engine: Engine, portraits: dict[str, Path]) -> None:
    people = open_gallery()
    people.enrol("ana", [Sample(Template(np.eye(128, dtype=np.float32)[0], "another"))])
    for source in (portraits["obama"], BLANK):  # also where there is nobody to compare
        with pytest.raises(SpaceMismatch, match="Name the embedder"):
            list(engine.identify(source, people))
    with pytest.raises(SpaceMismatch):
        engine.enrol(people, "ben", [portraits["biden"]])


class Patient:
    """A judge that wants more than a still gives."""

    name, kind, needs = "patient", "liveness", Needs(frames=5, fps=10.0, audio=True)

    def judge(self, clip: Clip) -> list[Reading]:
        return [Reading("liveness", {"live": 1.0}, self.name)]


def test_an_unmet_need_is_a_reason_and_never_a_silent_skip(portraits: dict[str, Path]) -> None:
    engine = Engine()
    engine.__dict__["judges"] = (*engine.judges, Patient())
    people = open_gallery()
    engine.enrol(people, "ana", [portraits["obama"]])
    (decision,) = engine.identify(portraits["obama2"], people, Policy(require=(("liveness", "live", 0.9),)))
    assert decision.verdict == "abstain"
    assert "liveness needs 5 frames, 1 given" in decision.reasons[0]
    (reading,) = [reading for reading in decision.readings if reading.kind == "liveness"]
    assert reading.scores == {}
    assert len(reading.reasons) == 3


def test_map_keeps_order_and_hands_failures_over(engine: Engine) -> None:
    def picky(number: int) -> int:
        if number % 7 == 3:
            raise NoFace(f"{number}")
        return number * number

    results = list(engine.map(picky, range(50)))
    assert [item for item, _ in results] == list(range(50))
    assert all(isinstance(result, NoFace) == (item % 7 == 3) for item, result in results)


def test_map_looks_only_a_few_items_ahead(engine: Engine) -> None:
    drawn: list[int] = []

    def items():  # type: ignore[no-untyped-def]
        for number in range(1000):
            drawn.append(number)
            yield number

    walk = engine.map(lambda number: number, items())
    next(walk)
    assert len(drawn) <= 2 * engine.threads + 1
    walk.close()


def test_people_in_a_video(engine: Engine, data: Path) -> None:
    film = data / "video" / "short_hamilton_clip.mp4"
    people = open_gallery()
    folder = data / "faces" / "known_people" / "gallery"
    for name in ("biden", "kit_harington", "rose_leslie"):  # none of them is in it
        engine.enrol(people, name, sorted((folder / name).iterdir()))
    assert "accept" not in {decision.verdict for decision in engine.identify(film, people)}
    # The man at the microphone is enrolled from a first scene and known again in later ones.
    singer = next(clip for clip in engine.clips(film) if 0.8 < clip.span[0] < 1 and clip.best.source_box[0] < 640)
    people.enrol("singer", [Sample(engine.template(singer))])
    told: list[tuple[float, float | None]] = []
    decisions = list(engine.identify(film, people, progress=lambda *at: told.append(at)))
    assert [time for time, _ in told] == sorted(time for time, _ in told)
    assert told[-1][0] == pytest.approx(told[-1][1], abs=0.2)
    spans = [decision.span for decision in decisions if decision.verdict == "accept"]
    assert {decision.subject for decision in decisions if decision.verdict == "accept"} == {"singer"}
    assert any(start < 4 and end > 7 for start, end in filter(None, spans))
    for decision in decisions:
        assert decision.span is not None
        start, end = decision.span
        assert 0 <= start <= end
        assert 1 <= len(decision.faces) <= SHOTS
        assert all(face.frame.pixels.shape[0] <= 256 for face in decision.faces), "only crops are kept"


def test_a_video_without_faces_gives_no_decision(engine: Engine, data: Path) -> None:
    assert not list(engine.identify(data / "video" / "no_face.mp4", open_gallery()))


def test_several_shots_score_as_their_mean_not_as_a_fused_template(engine: Engine, portraits: dict[str, Path]) -> None:
    """A fused template is nearer to everybody; thresholds from single photos hold for the mean of the scores only."""
    people = open_gallery()
    engine.enrol(people, "him", [portraits["obama"]])
    shots = [engine.faces(read_image(portraits[name]))[0] for name in ("obama2", "obama3", "biden")]
    film = Clip(tuple(replace(face, track=0) for face in shots), fps=25.0)
    engine_of_film = Engine()
    engine_of_film.clips = lambda source, progress=None: iter([film])  # type: ignore[method-assign]
    (decision,) = engine_of_film.identify("film", people)
    singles = [people.search(engine.template(Clip((face,))))[0].score for face in shots]
    weights = [engine.judge(Clip((face,)))[0].scores["overall"] for face in shots]
    assert decision.score == pytest.approx(np.average(singles, weights=weights), abs=1e-4)
    assert decision.score < people.search(engine.template(film))[0].score


def test_a_face_too_poor_is_not_enrolled(engine: Engine, portraits: dict[str, Path]) -> None:
    import cv2

    frame = read_image(portraits["obama2"])
    blurred = Frame(cv2.GaussianBlur(frame.pixels, None, engine.faces(frame)[0].eye_distance / 4))
    people = open_gallery()
    (refusal,) = engine.enrol(people, "ana", [blurred]).refused
    assert isinstance(refusal.error, PoorFace)
    assert "blurred" in refusal.error.message
    assert len(people) == 0


@pytest.mark.parametrize("lone", ["ana.jpg", b"bytes", Path("ana.jpg"), np.zeros((50, 50, 3), np.uint8)])
def test_one_picture_is_no_list_of_pictures(lone: Any) -> None:
    """Otherwise every letter of a path, or every row of an array, would be refused as a picture of its own."""
    with pytest.raises(UsageError, match="list of pictures"):
        Engine().enrol(open_gallery(), "ana", lone)


def test_readings_of_a_picture_are_one_per_face_by_every_judge(engine: Engine, together: Frame) -> None:
    found = list(engine.readings(together))
    assert len(found) == 2
    for clip, readings in found:
        assert [reading.kind for reading in readings] == ["quality"]
        assert len(clip.faces) == 1 and readings[0].span is None
    assert not list(engine.readings(BLANK))


def test_quality_looks_once_however_often_it_is_named() -> None:
    assert [one.name for one in Engine(judges=["quality", "iso_quality"]).judges] == ["quality", "iso_quality"]


def test_readings_of_a_video_are_one_per_window_of_the_clock(engine: Engine, data: Path) -> None:
    found = list(engine.readings(data / "video" / "single_face.mp4", every=1.0))
    starts = [clip.span[0] for clip, _ in found]
    assert [int(start) for start in starts] == list(range(len(found))), "one person, no gaps"
    assert all(int(clip.span[0]) == int(clip.span[1]) for clip, _ in found)


def test_many_pictures_together_are_answered_as_each_alone(
    engine: Engine, portraits: dict[str, Path], together: Frame
) -> None:
    people = open_gallery()
    engine.enrol(people, "Barack Obama", [portraits["obama"], portraits["obama3"]])
    pictures = [portraits["obama2"], b"no picture", together, BLANK, portraits["biden"]]
    found = engine.identify_many(pictures, people)
    assert isinstance(found[1], UnreadableMedia)
    for picture, answers in zip(pictures, found, strict=True):
        if isinstance(answers, list):
            alone = list(engine.identify(picture, people))
            assert [(one.verdict, one.subject, one.reasons, one.source) for one in answers] == [
                (one.verdict, one.subject, one.reasons, one.source) for one in alone
            ]
            assert [one.score for one in answers] == pytest.approx([one.score for one in alone], abs=1e-5)
    assert [len(one) for one in engine.identify_many([together], people, most=1) if isinstance(one, list)] == [1]
    assert engine.identify_many([], people) == []
    assert len(engine.identify_many([together], open_gallery())[0]) == 2  # type: ignore[arg-type]


def test_the_threshold_told_is_the_one_that_decides(engine: Engine, portraits: dict[str, Path]) -> None:
    people = open_gallery()
    engine.enrol(people, "Barack Obama", [portraits["obama"]])
    (decision,) = engine.identify(portraits["obama2"], people)
    assert decision.threshold == engine.search_point(people, Policy())


def test_a_gallery_that_was_just_emptied_refuses_nobody(engine: Engine) -> None:
    empty = open_gallery()
    assert engine.cosine_point(empty, Policy(), 0) == engine.cosine_point(empty, Policy(), 1)
    assert engine.growth_warning(empty) is None

"""The table in docs/concepts/conventions.md, line by line, on real pixels where it speaks of pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import Engine, Frame, Match, OperatingPoint, Policy, open_gallery, read_image
from mien.decide import decide
from mien.errors import BadSubject, SpaceMismatch
from mien.types import Face, Sample, Template


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def jpeg(picture: Image.Image, orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95, exif=exif)
    return file.getvalue()


def test_colour_is_rgb() -> None:
    frame = read_image(jpeg(Image.new("RGB", (16, 16), (250, 10, 10))))
    assert frame.pixels.dtype == np.uint8
    assert frame.pixels.shape == (16, 16, 3)
    red, _, blue = frame.pixels[8, 8]
    assert red > 200 > blue


def test_pictures_are_as_displayed() -> None:
    lying = Image.new("RGB", (40, 20))
    assert read_image(jpeg(lying, orientation=6)).pixels.shape == (40, 20, 3)


def test_boxes_and_points_of_a_real_face(engine: Engine, portraits: dict[str, Path]) -> None:
    (face,) = engine.detect(portraits["obama"])
    x0, y0, x1, y1 = face.box
    assert x0 < x1
    assert y0 < y1
    right_eye, left_eye, nose, right_mouth, left_mouth = face.points
    # The subject's right is on the picture's left.
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
    assert all(x0 < x < x1 and y0 < y < y1 for x, y in face.points)


def test_mirrored_picture_swaps_the_eyes_not_their_names(engine: Engine, portraits: dict[str, Path]) -> None:
    frame = read_image(portraits["obama"])
    mirrored = Frame(np.ascontiguousarray(frame.pixels[:, ::-1]))
    (face,) = engine.faces(frame)
    (twin,) = engine.faces(mirrored)
    assert twin.points[0, 0] == pytest.approx(frame.width - 1 - face.points[1, 0], abs=0.1 * face.eye_distance)


def test_rehomed_face_is_measured_in_source_pixels() -> None:
    points = np.array([[100, 100], [180, 100], [140, 140], [110, 180], [170, 180]], np.float32)
    face = Face(Frame(np.zeros((256, 256, 3), np.uint8)), np.array([60, 40, 220, 240], np.float32), points, 1.0, 0,
                origin=(1000.0, 500.0, 0.5))  # fmt: skip
    assert face.eye_distance == 160
    assert face.source_box.tolist() == [1120, 580, 1440, 980]


def test_templates_are_unit_and_alike_people_score_higher(engine: Engine, portraits: dict[str, Path]) -> None:
    same, other, probe = (engine.template(portraits[name]) for name in ("obama", "biden", "obama2"))
    assert np.linalg.norm(probe.vector) == pytest.approx(1, abs=1e-5)
    assert probe.vector.dtype == np.float32
    assert same.space == probe.space
    assert probe.vector @ same.vector > probe.vector @ other.vector


def test_thresholds_are_inclusive() -> None:
    def verdict(score: float) -> str:
        return decide([Match("ana", score)], [], Policy(threshold=0.9), OperatingPoint(0.9)).verdict

    assert verdict(0.9) == "accept"
    assert verdict(np.nextafter(0.9, 0)) == "reject"


def test_spaces_never_meet() -> None:
    gallery = open_gallery()
    gallery.enrol("ana", [Sample(Template(np.eye(4, dtype=np.float32)[0], "one"))])
    with pytest.raises(SpaceMismatch, match="migrate"):
        gallery.search(Template(np.eye(4, dtype=np.float32)[0], "other"))


def test_names_are_nfc() -> None:
    gallery = open_gallery()
    unit = np.eye(4, dtype=np.float32)
    gallery.enrol("Rene\u0301", [Sample(Template(unit[0], "one"))])
    gallery.enrol("Ren\u00e9", [Sample(Template(unit[1], "one"))])
    assert [(person.subject, person.samples) for person in gallery.people()] == [("Ren\u00e9", 2)]
    with pytest.raises(BadSubject):
        gallery.enrol("a\nb", [Sample(Template(unit[0], "one"))])

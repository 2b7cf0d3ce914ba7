"""MTCNN on real photographs that are turned, darkened, cropped and scaled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien import media
from mien.detect.boxes import overlaps
from mien.detect.mtcnn import Mtcnn
from mien.errors import UsageError
from mien.types import U8, Face, Frame


def mtcnn(**options: Any) -> Mtcnn:
    from mien.detect import load

    made = load("mtcnn", **options)
    assert isinstance(made, Mtcnn)
    return made


@pytest.fixture(scope="module")
def twice() -> Mtcnn:
    return mtcnn()


@pytest.fixture(scope="module")
def once() -> Mtcnn:
    return mtcnn(retries=())


@pytest.fixture(scope="module")
def portrait(portraits: dict[str, Path]) -> U8:
    """About 360 px wide, the face about 110 px."""
    pixels = media.read_image(portraits["biden"]).pixels
    return scaled_by(pixels, 360 / pixels.shape[1])


def scaled_by(pixels: U8, factor: float) -> U8:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=way))


def seen(detector: Mtcnn, pixels: U8) -> list[Face]:
    return detector.detect([Frame(pixels)])[0]


def only(faces: list[Face]) -> Face:
    (face,) = faces
    return face


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_face_is_found_by_looking_again(twice: Mtcnn, once: Mtcnn, portrait: U8, quarters: int) -> None:
    upright = only(seen(once, portrait))
    turned = np.ascontiguousarray(np.rot90(portrait, quarters))
    assert seen(once, turned) == []
    face = only(seen(twice, turned))
    height, width = portrait.shape[:2]
    x, y = upright.points.T
    back = {1: (y, width - x), 2: (width - x, height - y), 3: (height - y, x)}[quarters]
    assert np.abs(face.points - np.stack(back, axis=1)).max() < 0.06 * upright.eye_distance
    assert (face.points > face.box[:2]).all() and (face.points < face.box[2:]).all()


def test_a_dark_face_is_found_by_looking_again(twice: Mtcnn, once: Mtcnn, portrait: U8) -> None:
    noise = np.random.default_rng(1).normal(0, 4, portrait.shape)
    dark = np.clip(portrait * 0.06 + noise, 0, 255).astype(np.uint8)
    assert seen(once, dark) == []
    face, upright = only(seen(twice, dark)), only(seen(once, portrait))
    assert overlaps(face.box[None], upright.box[None])[0, 0] > 0.6


def test_a_face_that_fills_the_picture_is_found_by_looking_again(twice: Mtcnn, once: Mtcnn, portrait: U8) -> None:
    x0, y0, x1, y1 = only(seen(once, portrait)).box.round().astype(int)
    tight = np.ascontiguousarray(portrait[y0 + 25 : y1 - 10, x0 + 12 : x1 - 12])
    assert seen(once, tight) == []
    assert only(seen(twice, tight)).eye_distance == pytest.approx(only(seen(once, portrait)).eye_distance, rel=0.1)


def test_a_second_look_is_not_made_where_the_first_found_something(
    twice: Mtcnn, portrait: U8, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(_: U8) -> Any:
        raise AssertionError("looked again")

    monkeypatch.setattr("mien.detect.mtcnn.RETRIES", dict.fromkeys(twice.options.retries, forbidden))
    assert seen(twice, portrait)
    with pytest.raises(AssertionError, match="looked again"):
        seen(twice, np.zeros_like(portrait))


def test_a_picture_four_times_as_large_has_the_same_face(once: Mtcnn, portrait: U8) -> None:
    small, large = only(seen(once, portrait)), only(seen(once, scaled_by(portrait, 4)))
    assert np.abs(large.points / 4 - small.points).max() < 0.05 * small.eye_distance


def test_the_smallest_face_is_as_large_as_asked_for(portrait: U8, once: Mtcnn) -> None:
    face = only(seen(once, portrait))
    side = float((face.box[2:] - face.box[:2]).mean())
    tiny = scaled_by(portrait, 20 / side)
    assert seen(once, tiny) == []
    assert len(seen(mtcnn(retries=(), minimum=20), tiny)) == 1
    assert seen(mtcnn(retries=(), minimum=300), portrait) == []


def test_a_huge_picture_costs_no_more_than_the_largest_allowed(portrait: U8, once: Mtcnn) -> None:
    sizes: list[int] = []

    class Counting:
        def __init__(self, net: Any) -> None:
            self.net = net

        def run(self, outputs: Any, inputs: Any) -> Any:
            sizes.append(inputs["pixels"].size // 3)
            return self.net.run(outputs, inputs)

    nets = {role: Counting(net) for role, net in once._nets.items()}
    options = mtcnn(retries=(), most=20_000).options
    large = scaled_by(portrait, 5)
    assert len(seen(Mtcnn(nets, options=options), large)) == 1
    assert max(sizes) < 21_000


def test_grey_pictures_and_several_faces(twice: Mtcnn, data: Path) -> None:
    group = media.read_image(data / "faces" / "group_photo.jpg").pixels
    assert len(seen(twice, group)) == 6
    grey = np.repeat(cv2.cvtColor(group, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    assert len(seen(twice, grey)) == 6


def test_tight_grey_crops_are_nearly_all_found(twice: Mtcnn, data: Path) -> None:
    import zipfile

    with zipfile.ZipFile(data / "lfw_grey.zip") as pack:
        names = sorted(name for name in pack.namelist() if name.endswith(".jpg"))[::200]
        crops = [cv2.imdecode(np.frombuffer(pack.read(name), np.uint8), cv2.IMREAD_COLOR) for name in names]
    found = sum(bool(seen(twice, np.asarray(crop))) for crop in crops)
    assert len(crops) == 64 and found >= 62  # 598 of 600 in another sample


def test_refine_finds_back_to_the_face_from_a_rough_box(once: Mtcnn, portrait: U8) -> None:
    face, chance = only(seen(once, portrait)), np.random.default_rng(0)
    side = float((face.box[2:] - face.box[:2]).mean())
    rough = face.box + chance.uniform(-0.12, 0.12, (12, 4)).astype(np.float32) * side
    refined = once.refine(Frame(portrait), rough)
    assert len(refined) == 12 and min(other.score for other in refined) > 0.9
    worst = max(float(np.abs(other.points - face.points).max()) for other in refined)
    assert worst < 0.15 * face.eye_distance
    elsewhere = once.refine(Frame(portrait), np.array([[0, 0, 40, 40], face.box, [-50, -50, -10, -10]], np.float32))
    assert elsewhere[0].score < 0.5 < 0.9 < elsewhere[1].score and elsewhere[2].score < 0.5
    assert once.refine(Frame(portrait), np.empty((0, 4), np.float32)) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"minimum": 5}, "5 px"),
        ({"minimum": float("nan")}, "nan"),
        ({"accept": 0.0}, "between 0 and 1"),
        ({"accept_retry": 1.5}, "between 0 and 1"),
        ({"most": 10}, "10 px"),
        ({"retries": ("magic",)}, "'magic'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        mtcnn(**options)


def test_a_second_look_at_a_huge_picture_is_made_on_a_smaller_one(
    twice: Mtcnn, portrait: U8, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mien.detect.mtcnn._LARGE", 60_000)
    turned = np.ascontiguousarray(np.rot90(scaled_by(portrait, 2)))
    face, plain = only(seen(twice, turned)), only(seen(mtcnn(), turned))
    assert overlaps(face.box[None], plain.box[None])[0, 0] > 0.7
    assert np.abs(face.points - plain.points).max() < 0.12 * plain.eye_distance


@pytest.mark.parametrize("shape", [(12, 12), (13, 400), (12, 3000), (500, 12), (217, 385), (218, 384), (300, 401)])
def test_looking_strip_by_strip_gives_the_numbers_of_one_look(once: Mtcnn, shape: tuple[int, int]) -> None:
    level = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    shifts, scores = once._nets["pnet"].run(["shift", "score"], {"pixels": level[None]})
    strips = once._cascade._slide(level)
    assert strips[0].shape == shifts.shape[1:] and strips[1].shape == scores.shape[1:]
    assert np.abs(strips[0] - shifts[0]).max() < 1e-5 and np.abs(strips[1] - scores[0]).max() < 1e-5

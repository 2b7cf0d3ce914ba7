"""Five points to chips: the geometry, what lies outside, and faces on crops of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import align
from mien.errors import InputError, UsageError
from mien.types import Face, Frame

NAMES = sorted(align.TEMPLATES)


def transform(turn: float, scale: float, move: tuple[float, float]) -> np.ndarray:
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    return np.array([[c, -s, move[0]], [s, c, move[1]]])


def apply(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ matrix[:, :2].T + matrix[:, 2]


def smooth(height: int, width: int, cell: int = 8) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (height // cell + 2, width // cell + 2, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def face_in(pixels: np.ndarray, points: np.ndarray) -> Face:
    low, high = (points.min(0), points.max(0)) if np.isfinite(points).all() else (np.zeros(2), np.ones(2))
    box = np.concatenate([low - 0.7 * (high - low), high + 0.7 * (high - low)]).astype(np.float32)
    return Face(Frame(pixels, "photo.jpg", 3, 1.5), box, points.astype(np.float32), 0.9, track=7)


angles = st.floats(-math.pi, math.pi)
scales = st.floats(0.05, 20)
moves = st.tuples(st.floats(-500, 500), st.floats(-500, 500))


@given(angles, scales, moves, st.sampled_from(NAMES))
def test_a_turned_template_is_turned_back(turn: float, scale: float, move: tuple[float, float], name: str) -> None:
    points = apply(transform(turn, scale, move), align.TEMPLATES[name].points)
    matrix = align.chip_matrix(points, name)
    assert np.allclose(apply(matrix, points), align.TEMPLATES[name].points, atol=1e-6)
    assert np.allclose(matrix, align.inverse(align.inverse(matrix)))


@given(angles, scales, moves, st.integers(0, 2**32 - 1))
def test_similarity_is_the_least_squares_fit(turn: float, scale: float, move: tuple[float, float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = rng.normal(size=(5, 2)) * 10
    target = apply(transform(turn, scale, move), source) + rng.normal(size=(5, 2))
    found = align.similarity(source, target)
    # x' = a x - b y + c, y' = b x + a y + d as one linear system
    x, y, one, nil = source[:, 0], source[:, 1], np.ones(5), np.zeros(5)
    system = np.concatenate([np.stack([x, -y, one, nil], 1), np.stack([y, x, nil, one], 1)])
    a, b, c, d = np.linalg.lstsq(system, np.concatenate([target[:, 0], target[:, 1]]), rcond=None)[0]
    assert np.allclose(found, [[a, -b, c], [b, a, d]], atol=1e-6)


def test_the_eyes_of_a_chip_are_level_and_the_subjects_right_eye_is_on_the_left() -> None:
    for wanted in align.TEMPLATES.values():
        right_eye, left_eye, nose, right_mouth, left_mouth = wanted.points
        assert right_eye[0] < nose[0] < left_eye[0] and right_mouth[0] < left_mouth[0]
        assert abs(right_eye[1] - left_eye[1]) < 0.5 and nose[1] < right_mouth[1]
        assert (wanted.points > 0).all() and (wanted.points < wanted.size).all()


@pytest.mark.parametrize("name", NAMES)
def test_points_on_the_template_cut_the_picture_out_as_it_is(name: str) -> None:
    wanted = align.TEMPLATES[name]
    pixels = smooth(200, 220)
    chip = align.chip(pixels, wanted.points + np.array([30, 20]), name)
    assert np.abs(chip.astype(int) - pixels[20 : 20 + wanted.size, 30 : 30 + wanted.size]).max() <= 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("times", [2, 4, 8])
def test_a_larger_picture_gives_the_same_chip(name: str, times: int) -> None:
    import cv2

    wanted = align.TEMPLATES[name]
    pixels = smooth(200, 200)
    large = cv2.resize(pixels, (200 * times, 200 * times), interpolation=cv2.INTER_CUBIC)
    small_chip = align.chip(pixels, wanted.points + 20, name).astype(int)
    large_chip = align.chip(large, (wanted.points + 20) * times, name).astype(int)
    inner = slice(4, -4)
    assert np.abs(small_chip - large_chip)[inner, inner].mean() < 3


def test_fine_detail_is_averaged_not_sampled() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (1400, 1400, 3)).astype(np.uint8)  # deviation 74
    chip = align.chip(pixels, align.TEMPLATES["dlib150"].points * 8 + 100, "dlib150")
    assert chip[5:-5, 5:-5].std() < 20
    assert chip[5:-5, 5:-5].mean() == pytest.approx(127.5, abs=1.5)


def test_outside_of_the_picture_is_black() -> None:
    pixels = np.full((200, 200, 3), 200, np.uint8)
    chip = align.chip(pixels, align.TEMPLATES["dlib150"].points - (75, 0), "dlib150")
    assert not chip[:, :74].any()
    assert (chip[:, 76:] == 200).all()


BAD = {
    "one place": np.full((5, 2), 40.0),
    "nan": np.full((5, 2), np.nan),
    "infinite": np.full((5, 2), np.inf),
    "one nan": np.array([[10, 10], [20, 10], [np.nan, 15], [12, 20], [18, 20.0]]),
    "outside": align.TEMPLATES["dlib150"].points + 10_000,
    "far outside": align.TEMPLATES["dlib150"].points * 1e7,
    "no face in any position": np.array([[0, 0], [10, 0], [5, 5], [10, 0], [0, 0.0]])[[0, 1, 2, 1, 0]] * 1e-9,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("points", BAD.values(), ids=BAD)
def test_points_that_fit_no_face_are_refused(points: np.ndarray, name: str) -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    with pytest.raises(InputError):
        align.chip(pixels, points, name)
    with pytest.raises(InputError):
        align.rehome(face_in(pixels, points))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-300, 300), min_size=10, max_size=10), st.sampled_from(NAMES))
def test_any_five_points_give_a_chip_or_an_error(numbers: list[float], name: str) -> None:
    pixels = np.full((64, 80, 3), 90, np.uint8)
    try:
        chip = align.chip(pixels, np.array(numbers).reshape(5, 2), name)
    except InputError:
        return
    assert chip.shape == (align.TEMPLATES[name].size,) * 2 + (3,) and chip.dtype == np.uint8 and chip.max() <= 90


def test_an_unknown_template_is_named() -> None:
    with pytest.raises(UsageError, match="nothing150"):
        align.chip(np.zeros((9, 9, 3), np.uint8), align.TEMPLATES["dlib150"].points, "nothing150")


@settings(max_examples=40, deadline=None)
@given(angles, st.floats(0.2, 6), st.tuples(st.floats(0, 900), st.floats(0, 700)))
def test_a_face_on_a_crop_of_its_own_is_the_same_face(turn: float, scale: float, move: tuple[float, float]) -> None:
    pixels = smooth(700, 900, cell=32)
    points = apply(transform(turn, scale, move), align.TEMPLATES["dlib150"].points - 75)
    face = face_in(pixels, points)
    own = align.rehome(face)
    assert max(own.frame.pixels.shape[:2]) <= 256 and own.frame.pixels.flags.owndata
    assert (own.frame.source, own.frame.index, own.frame.time) == ("photo.jpg", 3, 1.5)
    assert (own.score, own.track) == (face.score, 7)
    assert np.allclose(own.source_box, face.box, atol=0.02)
    assert own.eye_distance == pytest.approx(face.eye_distance, rel=1e-4)
    x0, y0, enlarged = own.origin
    assert enlarged <= 1
    assert np.allclose(own.points / enlarged + (x0, y0), face.points, atol=0.02)
    for name in NAMES:
        before, after = (align.chip(one.frame.pixels, one.points, name).astype(int) for one in (face, own))
        assert np.abs(before - after).mean() < 4


def test_a_small_face_loses_nothing_on_its_crop() -> None:
    pixels = smooth(300, 400)
    face = face_in(pixels, align.TEMPLATES["dlib150"].points * 0.5 + (100.3, 90.6))
    own = align.rehome(face)
    assert own.origin[2] == 1
    for name in NAMES:
        before, after = (align.chip(one.frame.pixels, one.points, name).astype(int) for one in (face, own))
        assert np.abs(before - after).max() <= 1


def test_a_crop_of_a_crop_still_knows_the_source() -> None:
    face = face_in(smooth(1200, 1600), align.TEMPLATES["dlib150"].points * 4 + (400, 200))
    twice = align.rehome(align.rehome(face), 100)
    assert twice.frame.width == 100
    assert np.allclose(twice.source_box, face.box, atol=0.1)


def test_a_face_at_the_border_is_kept_with_black_beyond() -> None:
    pixels = np.full((200, 200, 3), 150, np.uint8)
    face = face_in(pixels, align.TEMPLATES["dlib150"].points - (90, 90))
    own = align.rehome(face)
    assert own.origin[0] < 0 and own.origin[1] < 0
    assert not own.frame.pixels[0, 0].any() and (own.frame.pixels[-1, -1] == 150).all()
    before, after = (align.chip(one.frame.pixels, one.points, "dlib150").astype(int) for one in (face, own))
    assert np.abs(before - after).max() <= 3

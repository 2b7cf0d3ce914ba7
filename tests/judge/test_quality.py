"""Quality sees what was done to a picture, says so in words, and keeps its scale."""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from mien.align import TEMPLATES
from mien.errors import InputError
from mien.judge.quality import Quality, assess, components, measure, overall, pose
from mien.types import Clip, Face, Frame

SIDE = 256
EYES = 70.0  # px between the eyes of the drawn face


def drawn_points() -> np.ndarray:
    """Where the drawn face has its five points: the chip's own, enlarged."""
    chip = TEMPLATES["dlib150"].points
    return ((chip - chip.mean(0)) * (EYES / np.hypot(*(chip[1] - chip[0]))) + SIDE / 2).astype(np.float32)


def drawn(seed: int = 0) -> np.ndarray:
    """A face-like picture with the spectrum of photographs (amplitude falls with frequency) and drawn features."""
    rng = np.random.default_rng(seed)
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.rfftfreq(SIDE), indexing="ij")
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE))) / np.maximum(np.hypot(fx, fy), 1 / SIDE) ** 1.2
    texture = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
    luma = 140 + 40 * texture / texture.std()
    canvas = np.clip(luma, 0, 255).astype(np.uint8)
    for x, y in drawn_points():
        cv2.circle(canvas, (int(x), int(y)), 7, 30, -1, cv2.LINE_AA)
    return np.repeat(cv2.GaussianBlur(canvas, (0, 0), 0.7)[:, :, None], 3, axis=2)


def face_of(pixels: np.ndarray, points: np.ndarray | None = None, score: float = 0.99) -> Face:
    points = drawn_points() if points is None else points
    margin = np.hypot(*(points[1] - points[0])) / 2
    low, high = points.min(0) - margin, points.max(0) + margin
    return Face(Frame(pixels), np.concatenate([low, high]).astype(np.float32), points, score)


def shrunk(pixels: np.ndarray, eyes: float) -> Face:
    scale = eyes / EYES
    side = round(SIDE * scale)
    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA)
    points = (drawn_points() * (side / SIDE)).astype(np.float32)
    return face_of(small, points)


Change = Callable[[np.ndarray, float], np.ndarray]


def blurred(pixels: np.ndarray, share: float) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), share * EYES)


def smeared(pixels: np.ndarray, share: float) -> np.ndarray:
    return cv2.blur(pixels, (max(1, round(share * EYES)), 1))


def darkened(pixels: np.ndarray, loss: float) -> np.ndarray:
    return (pixels * (1 - loss)).astype(np.uint8)


def brightened(pixels: np.ndarray, gain: float) -> np.ndarray:
    return np.clip(pixels * (1 + gain), 0, 255).astype(np.uint8)


def noisy(pixels: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, pixels.shape[:2])
    return np.clip(pixels + noise[:, :, None], 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("change", "strengths", "component", "word"),
    [
        (blurred, (0.05, 0.08, 0.12), "sharpness", "blurred"),
        (smeared, (0.15, 0.25, 0.35), "sharpness", "blurred"),
        (darkened, (0.8, 0.92, 0.97), "contrast", "too dark"),
        (brightened, (0.5, 1.0, 2.5), "highlights", "overexposed"),
        (noisy, (20, 60, 120), "noise", "noisy"),
    ],
)
def test_worse_pictures_score_lower_and_say_why(
    change: Change, strengths: tuple[float, ...], component: str, word: str
) -> None:
    clean = assess(face_of(drawn()))
    assert clean.reasons == () and clean.scores["overall"] > 0.9
    readings = [assess(face_of(change(drawn(), strength))) for strength in strengths]
    scores = [reading.scores[component] for reading in readings]
    assert scores == sorted(scores, reverse=True) and scores[-1] < 0.7
    assert readings[-1].scores["overall"] <= scores[-1]
    assert any(reason.startswith(word) and "wanted" in reason for reason in readings[-1].reasons)


def test_small_faces_are_called_small_and_not_blurred() -> None:
    readings = [assess(shrunk(drawn(), eyes)) for eyes in (40, 14, 8)]
    overalls = [reading.scores["overall"] for reading in readings]
    assert overalls == sorted(overalls, reverse=True)
    assert readings[0].reasons == ()
    assert readings[2].reasons == ("too small: 8 px between the eyes, 13 wanted",)


def test_an_enlarged_blurred_face_does_not_pass_for_a_large_one() -> None:
    small = cv2.resize(drawn(), None, fx=6 / EYES, fy=6 / EYES, interpolation=cv2.INTER_AREA)
    face = face_of(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR))
    reading = assess(face)
    assert reading.scores["size"] == 1 and reading.scores["sharpness"] < 0.8
    assert reading.reasons[0].startswith("blurred")


def test_sharpness_does_not_depend_on_the_size_of_the_photo_or_its_contrast() -> None:
    large = cv2.resize(drawn(), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    values = [
        measure(face_of(drawn())).sharpness,
        measure(face_of(large, drawn_points() * 3)).sharpness,
        measure(face_of((drawn() * 0.4 + 60).astype(np.uint8))).sharpness,
    ]
    assert np.ptp(values) < 0.03


def seen_from(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Five points of the mean head after turning it; degrees, yaw to the subject's left, pitch up, roll clockwise."""
    head = np.array(
        [[-0.5, 0, 0], [0.5, 0, 0], [0, 0.4661, 0.5906], [-0.3892, 1.0689, 0.1482], [0.3892, 1.0689, 0.1482]]
    )
    a, c = np.radians([yaw, roll])
    lean, nod = (
        np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]]) for b in np.radians([11.5, -pitch])
    )
    shake = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return ((head @ (tilt @ nod @ shake @ lean).T)[:, :2] * 50 + 100).astype(np.float32)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (40, 0, 0), (-25, 0, 0), (0, 20, 0), (0, -30, 0), (10, -15, 35)]
)
def test_pose_of_a_turned_head(yaw: float, pitch: float, roll: float) -> None:
    assert pose(seen_from(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=1.5)


def test_turning_to_the_subjects_left_moves_the_nose_to_the_right_of_the_picture() -> None:
    ahead, left = seen_from(0, 0, 0), seen_from(30, 0, 0)
    assert left[2, 0] > ahead[2, 0]
    assert pose(left)[0] > 20


def test_a_face_turned_away_is_told_so() -> None:
    turned = measure(face_of(drawn(), seen_from(60, 0, 0) * 1.2))
    parts = components(turned)
    assert parts["pose"] < 0.6
    reading = assess(face_of(drawn(), seen_from(60, 0, 0) * 1.2))
    assert any(reason.startswith("turned away: 6") and "to the side" in reason for reason in reading.reasons)


def test_a_face_at_the_edge_is_cut_off() -> None:
    pixels = drawn()[:, 110:]
    points = drawn_points() - np.array([110, 0], np.float32)
    reading = assess(face_of(pixels, points))
    assert reading.scores["inside"] < 0.9
    assert any(reason.startswith("cut off") for reason in reading.reasons)


def test_a_clip_is_judged_by_its_best_face_with_its_span() -> None:
    good, poor = face_of(drawn()), shrunk(drawn(), 8)
    (reading,) = Quality().judge(Clip((poor, good), fps=25))
    assert reading.reasons == () and reading.span == (0.0, 0.0)
    (still,) = Quality().judge(Clip((good,)))
    assert still.span is None


def test_overall_counts_resolution_once_and_never_exceeds_a_part() -> None:
    parts = dict.fromkeys(("size", "sharpness", "contrast", "highlights", "noise", "pose", "inside"), 1.0)
    assert overall(parts) == 1.0
    assert overall(parts | {"size": 0.5, "sharpness": 0.6}) == 0.5
    assert overall(parts | {"size": 0.5, "pose": 0.5}) == 0.25


@pytest.mark.parametrize("pixels", [np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 255, np.uint8)])
def test_empty_pictures_have_no_quality(pixels: np.ndarray) -> None:
    reading = assess(face_of(pixels))
    assert reading.scores["overall"] == 0.0
    assert reading.reasons


def test_points_that_are_no_face_are_refused() -> None:
    with pytest.raises(InputError):
        measure(face_of(drawn(), np.full((5, 2), 50, np.float32)))


def test_it_costs_little() -> None:
    face = face_of(drawn())
    assess(face)
    times = []
    for _ in range(50):
        start = time.process_time()
        assess(face)
        times.append(time.process_time() - start)
    assert np.median(times) < 4e-3  # 0.6 ms on an idle core; the rest is room for a loaded machine

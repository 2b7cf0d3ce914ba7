"""Hidden faces: nothing but a few colours is left inside, nothing changes outside, and the whole head is inside."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien import edit
from mien.align import rehome
from mien.edit.region import region
from mien.errors import InputError, UsageError
from mien.protocols import Editor
from mien.types import Face, Frame

# A head in units of the distance between the eyes: x to the subject's left, y down, z out of the picture.
EYES, NOSE = [[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0]], [0.0, 0.55, 0.4]
FIVE = np.array([*EYES, NOSE, [-0.42, 1.07, 0.1], [0.42, 1.07, 0.1]])
LANDMARKS = {"hair line": (0, -1.15, 0.1), "chin": (0, 1.75, 0.1), "right ear": (-1.15, 0.3, -1.2),
             "left ear": (1.15, 0.3, -1.2), "brow": (0, -0.4, 0.2), "cheek": (0.9, 0.9, -0.3)}  # fmt: skip


def face_at(frame: Frame, x: float, y: float, unit: float, turn: float = 0.0) -> Face:
    """A frontal face, its eyes' middle at x, y, turned in the picture by `turn` radians."""
    return Face(frame, *placed(FIVE, x, y, unit, turn), score=1.0)


def placed(points: np.ndarray, x: float, y: float, unit: float, turn: float) -> tuple[np.ndarray, np.ndarray]:
    """Box and points in the picture."""
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    flat = (points[:, :2] * unit) @ spin.T + (x, y)
    middle = spin @ np.array([0, 0.4 * unit]) + (x, y)
    reach = np.array([0.9, 1.2]) * unit
    box = np.concatenate([middle - reach, middle + reach])
    return box.astype(np.float32), flat.astype(np.float32)


def noise(width: int = 240, height: int = 200, seed: int = 0) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8), "noise")


def smooth(width: int = 240, height: int = 200) -> Frame:
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin(x / 23 + one) * np.cos(y / 17 - one) for one in (0.0, 1.0, 2.0)]
    return Frame(np.stack(waves, 2).astype(np.uint8))


def inside(frame: Frame, face: Face, editor: edit.Hide) -> np.ndarray:
    """(H, W) which pixels are hidden, from the region's own words."""
    y, x = np.mgrid[: frame.height, : frame.width]
    centres = np.column_stack([x.ravel() + 0.5, y.ravel() + 0.5])
    own = np.abs(region(face, editor.margin).within(centres))
    far = np.hypot(*own.T) if editor.shape == "ellipse" else own.max(1)
    return (far <= 1).reshape(frame.height, frame.width)


def padded(frame: Frame) -> Frame:
    return Frame(np.pad(frame.pixels, ((10, 10), (10, 10), (0, 0))))


def shifted(face: Face) -> Face:
    return replace(face, box=face.box + np.float32(10), points=face.points + np.float32(10))


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(-50, 290),
    y=st.floats(-50, 250),
    unit=st.floats(2, 150),
    turn=st.floats(-3.2, 3.2),
    how=st.sampled_from(edit.HOW),
    shape=st.sampled_from(["ellipse", "box"]),
    cells=st.integers(1, 8),
)
def test_few_colours_inside_and_nothing_outside(
    x: float, y: float, unit: float, turn: float, how: str, shape: str, cells: int
) -> None:
    frame = noise()
    before = frame.pixels.copy()
    editor = edit.load(how, shape=shape, cells=cells)
    face = face_at(frame, x, y, unit, turn)
    after = editor.edit(frame, [face])
    assert np.array_equal(frame.pixels, before) and after.source == "noise"
    hidden = inside(frame, face, editor)
    # Pixels that the edge cuts are hidden too.
    near = cv2.dilate(np.pad(inside(padded(frame), shifted(face), editor).astype(np.uint8), 2), np.ones((5, 5)))[
        12:-12, 12:-12
    ]
    assert not ((after.pixels != before).any(2) & (near == 0)).any()
    colours = len(np.unique(after.pixels[hidden].reshape(-1, 3), axis=0)) if hidden.any() else 0
    most = {"cover": 1, "pixelate": cells * max(1, round(cells * 2)), "blur": hidden.sum()}[how]
    assert colours <= most + 4


def test_blocks_are_the_means_of_their_cells() -> None:
    """Against a plain reference: an upright face, cell by cell."""
    frame = smooth()
    face, editor = face_at(frame, 120, 85, 30), edit.load("pixelate", shape="box")
    after, where = editor.edit(frame, [face]).pixels, region(face, editor.margin)
    y, x = np.mgrid[:200, :240] + 0.5
    rows = round(6 * where.half_height / where.half_width)
    column = np.floor((x - where.x + where.half_width) / (2 * where.half_width) * 6).astype(int)
    row = np.floor((y - where.y + where.half_height) / (2 * where.half_height) * rows).astype(int)
    for number in range(6 * rows):
        cell = (column == number % 6) & (row == number // 6)
        middle = after[cell][len(after[cell]) // 2]
        assert (after[cell] == middle).all(1).mean() > 0.95  # pixels between two cells may go to either
        assert np.abs(middle - frame.pixels[cell].mean(0)).max() < 5


@pytest.mark.parametrize("how", edit.HOW)
def test_detail_finer_than_a_cell_is_gone(how: str) -> None:
    """Two pictures that differ in fine detail alone look the same once hidden."""
    frame, editor = smooth(), edit.load(how)
    face = face_at(frame, 120, 85, 30)
    y, x = np.mgrid[:200, :240]
    checks = np.where((x + y) % 2 == 0, 20, -20)[:, :, None]
    fine = Frame(np.clip(frame.pixels.astype(int) + checks, 0, 255).astype(np.uint8))
    hidden = inside(frame, face, editor)
    difference = editor.edit(frame, [face]).pixels[hidden].astype(int) - editor.edit(fine, [face]).pixels[hidden]
    assert np.abs(difference).max() <= 6


@pytest.mark.parametrize("how", edit.HOW)
def test_a_turned_picture_is_hidden_alike(how: str) -> None:
    frame = smooth(200, 200)
    editor, face = edit.load(how), face_at(frame, 100, 85, 25, 0.3)
    turned = Frame(np.ascontiguousarray(np.rot90(frame.pixels)))
    spun = np.column_stack([face.points[:, 1], 200 - face.points[:, 0]])
    box = face.box[[1, 2, 3, 0]] * (1, -1, 1, -1) + (0, 200, 0, 200)
    other = Face(turned, box.astype(np.float32), spun.astype(np.float32), 1.0)
    one = np.rot90(editor.edit(frame, [face]).pixels).astype(int)
    assert np.abs(one - editor.edit(turned, [other]).pixels).mean() < 1.0


def test_strength_goes_with_the_size_of_the_face() -> None:
    """A face four times as large keeps as few colours."""
    for unit in (10, 40, 160):
        frame = noise(14 * unit, 14 * unit)
        face = face_at(frame, 7 * unit, 6.5 * unit, unit)
        hidden = inside(frame, face, edit.load("pixelate"))
        after = edit.load("pixelate").edit(frame, [face]).pixels
        assert len(np.unique(after[hidden].reshape(-1, 3), axis=0)) <= 6 * 7


@settings(max_examples=60, deadline=None)
@given(st.floats(-3.2, 3.2), st.floats(-1.05, 1.05), st.floats(-0.5, 0.5), st.floats(8, 300))
def test_hair_line_ears_and_chin_are_inside(turn: float, yaw: float, pitch: float, unit: float) -> None:
    """Of a head turned aside up to 60 degrees and nodding up to 29, in any position in the picture."""
    across = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    pose = nod @ across
    box, points = placed(FIVE @ pose.T, 500, 500, unit, turn)
    where = region(Face(Frame(np.zeros((9, 9, 3), np.uint8)), box, points, 1.0), 1.1)
    for name, place in LANDMARKS.items():
        _, seen = placed((pose @ np.array(place, float))[None], 500, 500, unit, turn)
        assert np.hypot(*where.within(seen.astype(float))[0]) <= 1.02, name


@pytest.mark.parametrize("points", [np.zeros((5, 2)), np.full((5, 2), np.nan), np.arange(10).reshape(5, 2) * 1e5])
def test_where_points_are_no_faces_the_box_is_hidden(points: np.ndarray) -> None:
    frame = noise()
    face = Face(frame, np.array([60, 50, 120, 130], np.float32), points.astype(np.float32), 1.0)
    after = edit.load("cover").edit(frame, [face]).pixels
    assert (after[60:120, 65:115] == 118).all()


@pytest.mark.parametrize("box", [[np.nan, 0, 9, 9], [9, 9, 9, 20], [30, 0, 20, 9], [0, 0, np.inf, 9]])
def test_a_face_without_a_box_is_not_passed_over(box: list[float]) -> None:
    frame = noise()
    face = Face(frame, np.array(box, np.float32), np.zeros((5, 2), np.float32), 1.0)
    with pytest.raises(InputError, match="cannot be hidden"):
        edit.load().edit(frame, [face_at(frame, 99, 99, 20), face])


def test_a_face_on_its_crop_is_hidden_in_its_source() -> None:
    frame = noise(800, 700)
    face = face_at(frame, 420, 300, 90, 0.2)
    crop = rehome(face)
    assert crop.origin != (0.0, 0.0, 1.0)
    for how in ("cover", "pixelate"):
        one, other = (edit.load(how).edit(frame, [each]).pixels for each in (face, crop))
        assert (one != other).any(2).mean() < 0.01


def test_settings_that_hide_nobody_are_refused() -> None:
    assert isinstance(edit.load(), Editor)
    assert edit.load("cover").name == "cover"
    for name, wrong in (
        ("cartoon", {}),
        ("blur", {"sigma": 3}),
        ("blur", {"cells": 9}),
        ("pixelate", {"cells": 0}),
        ("blur", {"margin": 0.9}),
        ("blur", {"margin": float("nan")}),
        ("blur", {"shape": "star"}),
        ("cover", {"colour": (0, 0, 256)}),
    ):
        with pytest.raises(UsageError):
            edit.load(name, **wrong)  # type: ignore[arg-type]

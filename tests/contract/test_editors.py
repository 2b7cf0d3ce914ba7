"""What every editor keeps to: a new frame of the same kind, the given one as it was, the same answer twice."""

from __future__ import annotations

import numpy as np
import pytest

from mien import edit
from mien.protocols import Editor
from mien.types import Face, Frame

EDITORS = {how: edit.load(how) for how in edit.HOW}
FIVE = np.array([[-10, 0], [10, 0], [0, 11], [-8, 21], [8, 21]], np.float32)


def frame() -> Frame:
    return Frame(np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8), "a film", 7, 0.28)


def face(of: Frame, x: float, y: float) -> Face:
    at = np.array([x, y], np.float32)
    box = np.concatenate([at - np.float32(20), at + np.float32(28)])
    return Face(of, box, FIVE + at, 0.99)


@pytest.mark.parametrize("name", EDITORS)
def test_an_editor(name: str) -> None:
    editor, given = EDITORS[name], frame()
    assert isinstance(editor, Editor)
    before = given.pixels.copy()
    faces = [face(given, x, y) for x, y in ((60, 40), (0, 0), (119, 89), (-500, 40))]
    done, again = editor.edit(given, faces), editor.edit(given, faces)
    assert (done.source, done.index, done.time) == ("a film", 7, 0.28)
    assert done.pixels.dtype == np.uint8 and done.pixels.shape == before.shape and done.pixels.flags.c_contiguous
    assert done.pixels is not given.pixels and np.array_equal(given.pixels, before)
    assert np.array_equal(done.pixels, again.pixels) and not np.array_equal(done.pixels, before)
    assert np.array_equal(editor.edit(given, []).pixels, before)


@pytest.mark.parametrize("name", EDITORS)
def test_pixels_that_may_not_be_written_to(name: str) -> None:
    given = frame()
    given.pixels.flags.writeable = False
    assert EDITORS[name].edit(given, [face(given, 60, 40)]).pixels.flags.writeable

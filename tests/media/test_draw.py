"""Pictures for people: marks where they belong, names that stay names."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import UsageError
from mien.media import TimelineRow, draw_faces, text, timeline
from mien.media.draw import COLOURS, PLAIN, ink_on
from mien.media.timelines import clock
from mien.types import Face, Frame

NAMES = [
    "Ana",
    "Дмитрий",
    "王小明",
    "محمد",
    "🦊 fox 😀",
    "",
    "x" * 10_000,
    "a\nb\tc",
    "e\u0301",
    "👩\u200d👩\u200d👧",
    "\ud800",
    "\0",
]


def grey_frame(width: int = 640, height: int = 480) -> Frame:
    return Frame(np.full((height, width, 3), 128, np.uint8), source="party.jpg", index=3, time=0.5)


def face_at(frame: Frame, x0: float, y0: float, x1: float, y1: float, **more: object) -> Face:
    x, y = np.linspace(x0, x1, 5), np.linspace(y0, y1, 5)
    points = np.array([[x[1], y[1]], [x[3], y[1]], [x[2], y[2]], [x[1], y[3]], [x[3], y[3]]], np.float32)
    return Face(frame, np.array([x0, y0, x1, y1], np.float32), points, 0.9, **more)  # type: ignore[arg-type]


def test_marks_lie_on_the_box_and_the_points() -> None:
    frame = grey_frame()
    face = face_at(frame, 200, 150, 300, 280)
    drawn = draw_faces(frame, [face], ["Ana"], ["accept"])
    assert (frame.pixels == 128).all()  # the given frame is left as it was
    assert (drawn.source, drawn.index, drawn.time) == ("party.jpg", 3, 0.5)
    for x, y in ((250, 280), (200, 215), (300, 215)):
        assert tuple(drawn.pixels[y, x]) == COLOURS["accept"]
    for x, y in face.points.astype(int):
        assert tuple(drawn.pixels[y, x]) == COLOURS["accept"]
    changed = np.argwhere((drawn.pixels != 128).any(axis=2))
    assert changed.min(axis=0)[0] >= 100 and changed.max(axis=0)[0] <= 285


def test_colours_tell_the_verdict() -> None:
    frame = grey_frame()
    faces = [face_at(frame, 50 + 150 * n, 200, 150 + 150 * n, 330) for n in range(4)]
    drawn = draw_faces(frame, faces, colours=["accept", "reject", "abstain", (1, 2, 3)])
    got = [tuple(drawn.pixels[330, 100 + 150 * n]) for n in range(4)]
    assert got == [COLOURS["accept"], COLOURS["reject"], COLOURS["abstain"], (1, 2, 3)]
    assert tuple(draw_faces(frame, faces[:1]).pixels[330, 100]) == PLAIN
    assert ink_on((255, 255, 0)) == (0, 0, 0) and ink_on((0, 0, 120)) == (255, 255, 255)
    with pytest.raises(ValueError):
        draw_faces(frame, faces, ["Ana"])


def test_a_rehomed_face_is_drawn_where_it_was() -> None:
    frame, crop = grey_frame(), grey_frame(256, 256)
    face = face_at(crop, 64, 64, 192, 192, origin=(100.0, 50.0, 2.0))
    drawn = draw_faces(frame, [face])
    assert tuple(drawn.pixels[50 + 96, 150]) == PLAIN and tuple(drawn.pixels[50 + 64, 100 + 32]) == PLAIN


@pytest.mark.parametrize("size", [(16, 16), (120, 90), (640, 480), (4000, 3000), (2000, 40)])
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_at_any_size_stays_inside(size: tuple[int, int], name: str) -> None:
    frame = grey_frame(*size)
    face = face_at(frame, size[0] * 0.4, size[1] * 0.3, size[0] * 0.6, size[1] * 0.8)
    assert draw_faces(frame, [face], [name], ["reject"]).pixels.shape == frame.pixels.shape
    outside = face_at(frame, -50, -60, size[0] + 30, size[1] + 50)
    draw_faces(frame, [outside], [name])


def test_names_do_not_lie_on_each_other() -> None:
    frame = grey_frame()
    faces = [face_at(frame, 200 + 10 * n, 200, 300 + 10 * n, 320) for n in range(3)]
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    drawn = draw_faces(frame, faces, ["Ana Maria"] * 3, colours).pixels
    areas = [int((drawn == colour).all(axis=2).sum()) for colour in colours]
    assert min(areas) > 0.6 * max(areas)


def test_text_grows_with_the_picture() -> None:
    def height_of_name(width: int) -> int:
        frame = grey_frame(width, width * 3 // 4)
        face = face_at(frame, width * 0.3, width * 0.3, width * 0.6, width * 0.6)
        bare, named = draw_faces(frame, [face]).pixels, draw_faces(frame, [face], ["Ana"]).pixels
        rows = np.argwhere((bare != named).any(axis=(1, 2)))
        return int(rows.max() - rows.min())

    small, large = height_of_name(400), height_of_name(4000)
    assert 15 <= small <= 40 and large > 5 * small


def test_different_names_never_look_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also without any font but Pillow's own: what it lacks is written as its number."""

    def look(name: str) -> bytes:
        frame = grey_frame()
        return draw_faces(frame, [face_at(frame, 200, 200, 300, 320)], [name]).pixels.tobytes()

    for files in (text._files(), ()):
        for cached in (text._runs, text._font, text._has, text._font_with, text.fitted):
            cached.cache_clear()
        monkeypatch.setattr(text, "_files", lambda files=files: files)
        shown = ["王小明", "王小红", "🦊", "🐻", "Дмитрий", "Димитрий", "????"]
        assert len({look(name) for name in shown}) == len(shown)
    runs = text._runs("Fox 🦊", 20)
    assert "".join(run for run, _ in runs) == "Fox [1F98A]"
    for cached in (text._runs, text._font, text._has, text._font_with, text.fitted):
        cached.cache_clear()


def test_timeline_shows_bars_where_people_were() -> None:
    rows = [
        TimelineRow("Ana", [(0, 10), (50, 60)], "accept", np.full((30, 50, 3), 7, np.uint8)),
        TimelineRow("王小明 🦊", [(25, 25)], "reject"),
        TimelineRow("x" * 500, [], "abstain"),
    ]
    picture = timeline(rows, 100.0, "door.mp4").pixels
    assert picture.shape[1] == 1600 and picture.shape[0] > 3 * 90

    def lane(top: int, verdict: str) -> np.ndarray:
        band = (picture[top : top + 96, 440:1572] == COLOURS[verdict]).all(axis=2).any(axis=0)  # type: ignore[index]
        return np.flatnonzero(band) / 11.32  # in percent of the lane

    ana = lane(76, "accept")
    assert ana.min() < 1 and 59 < ana.max() < 61 and not ((ana > 11) & (ana < 49)).any()
    glimpse = lane(76 + 96, "reject")
    assert len(glimpse) >= 5 and glimpse.min() > 24 and glimpse.max() < 27
    assert len(lane(76 + 192, "abstain")) == 0
    assert (picture[76 + 48, 66] == 7).all()  # the thumbnail


def test_timeline_without_people_and_of_any_length() -> None:
    for seconds in (0.04, 0.5, 3, 59, 3600, 86400, 1e7):
        assert timeline([TimelineRow("a", [(0, seconds)])], seconds).pixels.shape[1] == 1600
    assert timeline([], 10).pixels.std() > 0
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="cannot be drawn"):
            timeline([], wrong)
    assert [clock(7), clock(750), clock(3723), clock(0.25, 0.1), clock(59.97)] == [
        "0:07",
        "12:30",
        "1:02:03",
        "0:00.2",
        "1:00",
    ]

"""Readings drawn on pictures and over time: where they are, in which colours, and what they never hide."""

from __future__ import annotations

import numpy as np
import pytest

from mien.errors import UsageError
from mien.media import Band, Panel, bands, draw_panels
from mien.media.draw import COLOURS, PLAIN
from mien.media.panels import PALETTE
from mien.types import U8, Face, Frame

BARS = {"happy": 0.75, "sad": 0.25, "fear": 0.0}


def face(x: float, y: float, side: float) -> Face:
    eyes = [[x + 0.3 * side, y + 0.4 * side], [x + 0.7 * side, y + 0.4 * side], [x + 0.5 * side, y + 0.6 * side]]
    mouth = [[x + 0.35 * side, y + 0.8 * side], [x + 0.65 * side, y + 0.8 * side]]
    box = np.array([x, y, x + side, y + side], np.float32)
    return Face(Frame(np.zeros((1, 1, 3), np.uint8)), box, np.array(eyes + mouth, np.float32), 0.9)


def changed(frame: Frame, drawn: Frame) -> U8:
    return (frame.pixels != drawn.pixels).any(2)


def black(width: int = 600, height: int = 400) -> Frame:
    return Frame(np.zeros((height, width, 3), np.uint8))


def test_bars_are_as_long_as_their_shares_and_the_frame_is_left_alone() -> None:
    frame = black()
    drawn = draw_panels(frame, [face(100, 100, 120)], [Panel("happy 0.75", BARS)]).pixels
    assert not frame.pixels.any()
    beside = (drawn[100:220, 225:] == PLAIN).all(2)
    lengths = sorted({int(row.sum()) for row in beside} - {0})
    assert len(lengths) == 2 and lengths[1] / lengths[0] == pytest.approx(3, rel=0.1)


def test_a_face_that_was_not_read_is_amber_and_has_no_bars() -> None:
    drawn = draw_panels(black(), [face(100, 100, 120)], [Panel("cannot tell", {}, sure=False)]).pixels
    assert (drawn == COLOURS["abstain"]).all(2).any() and not (drawn == PLAIN).all(2).any()
    assert not drawn[100:220, 240:].any()


@pytest.mark.parametrize("x", [0, 300, 480])
@pytest.mark.parametrize("y", [0, 140, 280])
def test_bars_lie_in_the_picture_wherever_the_face_is(x: int, y: int) -> None:
    frame, one = black(), face(x, y, 120)
    with_bars = draw_panels(frame, [one], [Panel("happy", BARS)])
    without = draw_panels(frame, [one], [Panel("happy", {})])
    extra = changed(without, with_bars)
    assert with_bars.pixels.shape == frame.pixels.shape and extra.sum() > 1000
    assert not extra[y + 2 : y + 118, x + 2 : x + 118].any(), "they never hide the face itself"


def test_bars_hide_no_other_face_and_are_left_out_where_there_is_no_room() -> None:
    crowd = [face(x, y, 90) for x in (5, 105, 205, 305, 405, 505) for y in (30, 160, 290)]
    panels = [Panel(f"face {number}", BARS) for number in range(len(crowd))]
    bare = draw_panels(black(), crowd, [Panel(panel.title, {}) for panel in panels])
    extra = changed(bare, draw_panels(black(), crowd, panels))
    for one in crowd:
        x0, y0, x1, y1 = (int(value) for value in one.box)
        assert not extra[y0:y1, x0:x1].any()


def test_small_faces_show_their_title_only() -> None:
    one = [face(100, 100, 14)]
    assert not changed(draw_panels(black(), one, [Panel("", {})]), draw_panels(black(), one, [Panel("", BARS)])).any()


def column(picture: U8, x: int) -> list[tuple[int, int, int]]:
    """Colours of a column of the first row's band, from the top down, each once."""
    found: list[tuple[int, int, int]] = []
    for pixel in picture[76 + 18 : 76 + 78, x]:
        colour = tuple(int(value) for value in pixel)
        if not found or found[-1] != colour:
            found.append(colour)  # type: ignore[arg-type]
    return found


def test_bands_stack_shares_in_the_order_of_the_labels() -> None:
    row = Band("track 0", "", [(0.0, 5.0)], [{"sad": 0.25, "happy": 0.75}])
    picture = bands([row], ["happy", "sad"], 10.0).pixels
    assert picture.shape[1] == 1600
    seen = column(picture, 600)
    assert seen == [PALETTE[1], PALETTE[0]]
    heights = [int((picture[94:154, 600] == colour).all(1).sum()) for colour in (PALETTE[0], PALETTE[1])]
    assert heights[0] / heights[1] == pytest.approx(3, rel=0.1)
    assert len(column(picture, 1400)) == 1, "nothing where nobody was seen"


def test_bands_are_hatched_where_nothing_was_read() -> None:
    row = Band("track 0", "", [(0.0, 5.0)], [{}])
    seen = column(bands([row], ["happy", "sad"], 10.0).pixels, 600)
    assert len(seen) > 10 and len(set(seen)) == 2 and not set(seen) & set(PALETTE)


def test_shares_beyond_one_and_odd_labels_stay_in_their_band() -> None:
    shares = [{"happy": 7.0, "sad": -1.0, "顔": 0.5}]
    picture = bands([Band("x" * 500, "y" * 500, [(0.0, 20.0)], shares, np.zeros((5, 9, 3), np.uint8))],
                    ["happy", "sad", "a label so long that it cannot be shown " * 3], 10.0, "title " * 99)  # fmt: skip
    assert column(picture.pixels, 900) == [PALETTE[0]]
    assert bands([], [], 1.0).pixels.shape[1] == 1600


@pytest.mark.parametrize("duration", [0.0, -1.0, float("nan"), float("inf")])
def test_a_duration_that_is_none_is_refused(duration: float) -> None:
    with pytest.raises(UsageError, match="cannot be drawn"):
        bands([], [], duration)

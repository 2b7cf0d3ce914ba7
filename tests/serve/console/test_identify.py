"""Who is in a photo, a video or before the camera, in a real browser."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PERSIAN = "علی رضایی"
# The size of the canvas, and of the left edge of each face the share of pixels in the colour of a verdict.
LINES = """() => { const canvas = document.querySelector(".stage canvas"), pen = canvas.getContext("2d");
const like = ([r, g, b], [x, y, z]) => Math.abs(r - x) + Math.abs(g - y) + Math.abs(b - z) < 30;
const share = (left, colour) => { let most = 0;
  const {data} = pen.getImageData(left, 60, 6, 150);
  for (let x = 0; x < 6; x += 1) { let many = 0;
    for (let y = 0; y < 150; y += 1) many += like(data.slice(4 * (6 * y + x)), colour);
    most = Math.max(most, many / 150); }
  return most; };
const [accept, reject] = [[0x5f, 0xe0, 0x8a], [0xdf, 0xe7, 0xee]], tile = canvas.width / 4;
return [canvas.width, canvas.height, share(0, accept), share(2 * tile - 2, reject), share(3 * tile - 2, accept)]; }"""


def test_a_photo_is_drawn_with_boxes_names_and_evidence(
    opened: Callable[..., Any], file: Callable[..., Any], colours: Any
) -> None:
    page = opened("#/identify/staff/photo")
    page.set_input_files("input[type=file]", file(colours.RED, (0, 0, 0), (60, 60, 60), (200, 40, 200)))
    page.locator(".seen > li").nth(2).wait_for()
    page.expected.append("willReadFrequently")
    width, height, first, stranger, second = page.evaluate(LINES)
    assert (width, height) == (900, 225)
    assert first > 0.9  # whole lines around those who are known …
    assert second > 0.9
    assert 0.3 < stranger < 0.9  # … and dashes around those who are not
    label = page.locator(".stage canvas").get_attribute("aria-label")
    assert "Ana Lima" in label
    assert PERSIAN in label
    assert page.locator(".seen h3 bdi").all_inner_texts() == ["Ana Lima", PERSIAN]
    assert page.locator(".seen .badge").all_inner_texts() == ["Recognised", "Not enrolled", "Recognised"]
    page.get_by_text("Evidence and candidates").first.click()
    page.get_by_text("measured on 1,000,000 comparisons of 1,000 people on colours").first.wait_for()
    page.locator(".stage canvas").click(position={"x": 20, "y": 20})
    assert page.locator(".seen > li").first.get_attribute("class") == "chosen"


def test_a_photo_without_faces_and_one_that_is_none(opened: Callable[..., Any], file: Callable[..., Any]) -> None:
    page = opened("#/identify/staff/photo")
    page.expected.append("422")
    page.set_input_files("input[type=file]", file((0, 0, 0)))
    page.get_by_text("No face was found.").first.wait_for()
    page.set_input_files("input[type=file]", {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
    alert = page.get_by_role("alert")
    alert.get_by_text("not a picture of a known format").wait_for()
    alert.get_by_text("Give a JPEG").wait_for()


def test_a_picture_is_pasted(opened: Callable[..., Any], file: Callable[..., Any], colours: Any) -> None:
    page = opened("#/identify/staff/photo")
    page.evaluate(
        """text => { const held = new DataTransfer(), bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0));
        held.items.add(new File([bytes], "pasted.png", {type: "image/png"}));
        document.body.dispatchEvent(new ClipboardEvent("paste", {clipboardData: held, bubbles: true})); }""",
        base64.b64encode(file(colours.GREEN)["buffer"]).decode(),
    )
    page.get_by_role("link", name="Ben Okafor").first.wait_for()


def test_how_sure_can_be_chosen(opened: Callable[..., Any], file: Callable[..., Any], colours: Any) -> None:
    page = opened("#/identify/staff/photo")
    page.get_by_text("How sure, and among whom").click()
    page.get_by_label("Only those of whom this is true").fill("site = 'south'")
    page.set_input_files("input[type=file]", file(colours.RED))
    page.get_by_text("Nobody is enrolled to compare with").wait_for()
    page.get_by_label("Only those of whom this is true").fill("")
    page.get_by_label("How sure", exact=True).select_option("fmr=0.00001")
    page.set_input_files("input[type=file]", file(colours.RED))
    page.get_by_text("threshold 0.980").wait_for()


def test_a_strangers_face_is_enrolled_from_the_photo(
    opened: Callable[..., Any], file: Callable[..., Any], colours: Any, site: Any
) -> None:
    page = opened("#/identify/visitors/photo")
    page.set_input_files("input[type=file]", file((15, 150, 150)))
    page.get_by_role("button", name="Enrol this face …").click()
    page.get_by_text("face.png").wait_for()
    page.get_by_label("Name or number").fill("From a photo")
    page.get_by_role("button", name="Enrol", exact=True).click()
    page.get_by_text("1 picture added.").first.wait_for()
    assert site.service.galleries.open("default", "visitors").person("From a photo").samples == 1


def test_the_live_camera_answers_over_a_socket(opened: Callable[..., Any]) -> None:
    page = opened("#/identify/staff/live")
    page.evaluate(
        """() => { window.sent = 0; const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (data) { window.sent += 1; send.call(this, data); }; }"""
    )
    page.get_by_role("button", name="Start the camera").click()
    page.get_by_text("pictures a second").wait_for()
    page.wait_for_function("() => window.sent > 3")
    page.locator(".stage canvas").wait_for()
    assert page.evaluate("() => document.querySelector('.stage canvas').width") > 300
    page.locator(".seen > li").first.wait_for()
    page.get_by_role("button", name="Stop the camera").click()
    page.get_by_role("button", name="Start the camera").wait_for()


@pytest.fixture
def film(tmp_path: Path, colours: Any) -> Path:
    """Ana is seen, then nobody, then a stranger; shaded, so that there is something to follow."""
    from mien import media
    from mien.types import Frame

    shade = np.linspace(-25, 25, 64).astype(np.int16)[:, None, None]

    def shown() -> Iterator[Frame]:
        for number in range(36):
            person = (colours.RED, (0, 0, 0), (60, 60, 60))[number // 12]
            tile = media.read_image(colours.picture(person)).pixels.astype(np.int16)
            tile += shade * (tile.sum(2, keepdims=True) > 0)
            pixels = np.clip(np.vstack([tile, np.zeros_like(tile)]), 0, 255).astype(np.uint8)
            yield Frame(pixels, "film", number, number / 10)

    path = tmp_path / "door.mp4"
    media.write_video(shown(), path, fps=10.0)
    return path


def test_a_video_becomes_a_job_with_a_timeline(opened: Callable[..., Any], film: Path) -> None:
    page = opened("#/identify/staff/video")
    page.set_input_files("input[type=file]", str(film))
    page.get_by_text("Done", exact=True).wait_for(timeout=20_000)
    picture = page.locator("svg.timeline")
    picture.wait_for()
    assert "Ana Lima" in picture.get_attribute("aria-label")
    rows = page.get_by_role("row").all_inner_texts()
    assert any("Ana Lima" in one and "Recognised" in one for one in rows)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.table img')].every(one => one.complete && one.naturalWidth > 0)"
    )
    page.get_by_role("link", name="Jobs").first.click()
    page.get_by_role("link", name="door.mp4").wait_for()
    page.get_by_text("1 recognised").wait_for()

"""Marks of what was done: written with pictures and videos, read back, and nothing else comes along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from mien.errors import MediaNotFound, UnreadableMedia, UsageError
from mien.media import marks, read_image, read_mark, write_image, write_video
from mien.types import Frame

PICTURE = Frame(np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8))


@pytest.mark.parametrize("suffix", marks.MARKED)
def test_pictures_carry_their_mark(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"marked{suffix}"
    write_image(PICTURE, path, mark="blur")
    assert read_mark(path) == read_mark(path.read_bytes()) == "blur"
    assert b"mien-edit" in path.read_bytes()
    plain = tmp_path / f"plain{suffix}"
    write_image(PICTURE, plain)
    assert read_mark(plain) is None
    assert np.array_equal(read_image(path).pixels, read_image(plain).pixels)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".m4v", ".webm"])
def test_videos_carry_their_mark(suffix: str, tmp_path: Path) -> None:
    for mark in ("pixelate", ""):
        path = tmp_path / f"film{suffix}"
        write_video([PICTURE], path, mark=mark)
        assert read_mark(path) == (mark or None)


def test_what_can_carry_none_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    for suffix in (".bmp", ".ppm"):
        with pytest.raises(UsageError, match="cannot say what was done"):
            write_image(PICTURE, tmp_path / f"x{suffix}", mark="blur")
        write_image(PICTURE, tmp_path / f"plain{suffix}")
        assert read_mark(tmp_path / f"plain{suffix}") is None
    for mark in ("a\nb", "\u00e9", "x" * 201, "a\0"):
        with pytest.raises(UsageError, match="cannot be a mark"):
            write_image(PICTURE, tmp_path / "x.png", mark=mark)
    assert {path.name for path in tmp_path.iterdir()} == {"plain.bmp", "plain.ppm"}


def test_other_peoples_comments_are_no_marks(tmp_path: Path) -> None:
    image = Image.fromarray(PICTURE.pixels)
    image.save(tmp_path / "a.jpg", comment=b"holiday, mien-edit: blur")
    image.save(tmp_path / "b.gif")
    assert read_mark(tmp_path / "a.jpg") is None
    assert read_mark(tmp_path / "b.gif") is None


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as other libraries leave it
    with pytest.raises(MediaNotFound):
        read_mark(tmp_path / "none.png")
    write_image(PICTURE, tmp_path / "cut.png", mark="blur")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:200])
    with pytest.raises(UnreadableMedia):
        read_mark(tmp_path / "cut.png")
    with pytest.raises(UnreadableMedia):
        read_mark(b"no picture and no video")

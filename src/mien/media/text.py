"""Names on pictures, in any script for which this machine has a font.

Pillow's own font knows Latin only. Where the system (or matplotlib, which carries DejaVu) has more fonts, each character is
drawn in the first font that has it; one that none has is written as its code point, [1F98A], so that no two names look alike.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Colour = tuple[int, int, int]

_WANTED = (  # file names, best first; together they cover what names are written in
    "NotoSans-Regular.ttf", "DejaVuSans.ttf", "LiberationSans-Regular.ttf", "arial.ttf", "Arial.ttf", "SFNS.ttf",
    "NotoSansCJK-Regular.ttc", "NotoSansCJKsc-Regular.otf", "wqy-microhei.ttc", "msyh.ttc", "meiryo.ttc", "malgun.ttf",
    "PingFang.ttc", "Hiragino Sans GB.ttc", "Arial Unicode.ttf", "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "Nirmala.ttf",
    "NotoEmoji-Regular.ttf", "seguiemj.ttf", "Symbola.ttf", "seguisym.ttf",
)  # fmt: skip
_NO_GLYPH = "\U0010fffe"  # no font has this one


def draw_text(draw: ImageDraw, place: tuple[float, float], text: str, size: int, colour: Colour) -> None:
    """Draw one line with its left end on the baseline at `place`."""
    x, y = place
    for run, font in _runs(text, size):
        draw.text((x, y), run, font=font, fill=colour, anchor="ls")
        x += font.getlength(run)


def text_width(text: str, size: int) -> float:
    """Width of one line in px."""
    return sum(font.getlength(run) for run, font in _runs(text, size))


@lru_cache(1024)
def fitted(text: str, size: int, width: float) -> str:
    """`text` on one line, shortened with … until it is at most `width` px wide."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if len(line) <= 2000 and text_width(line, size) <= width:
        return line
    low, high = 0, min(len(line), 2000)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(line[:middle].rstrip() + "…", size) <= width else (low, middle - 1)
    return line[:low].rstrip() + "…" if low else ""


@lru_cache(4096)
def _runs(text: str, size: int) -> tuple[tuple[str, FreeTypeFont], ...]:
    """Pieces of `text` with the font that has all their characters."""
    chosen: list[tuple[str, int]] = []
    for character in text:
        number = _font_with(character)
        if number is not None:
            # A mark joins the character before it where that one's font has it too, or it would float beside it.
            joins = bool(chosen) and unicodedata.combining(character) and _has(chosen[-1][1], character)
            chosen.append((character, chosen[-1][1] if joins else number))
        elif unicodedata.category(character) not in ("Cf", "Mn", "Cc"):  # joiners and selectors of emoji are not seen
            chosen += [(sign, 0) for sign in f"[{ord(character):04X}]"]
    pieces = groupby(chosen, key=lambda pair: pair[1])
    return tuple(("".join(sign for sign, _ in piece), _font(number, size)) for number, piece in pieces)


@cache
def _font_with(character: str) -> int | None:
    return next((number for number in range(len(_files()) + 1) if _has(number, character)), None)


@cache
def _has(number: int, character: str) -> bool:
    """Whether a font has a character: what it has not, it draws as the same box."""
    if character.isspace():
        return number == 0
    font = _font(number, 24)
    mask, box = font.getmask(character), font.getmask(_NO_GLYPH)
    return (mask.size, bytes(mask)) != (box.size, bytes(box))


@lru_cache(256)
def _font(number: int, size: int) -> FreeTypeFont:
    """Font 0 is Pillow's own, the others are the files found."""
    from PIL import ImageFont

    font = ImageFont.load_default(size) if number == 0 else ImageFont.truetype(str(_files()[number - 1]), size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # a Pillow built without FreeType has bitmaps of one size only
        raise RuntimeError("Pillow was built without FreeType; install its official wheel")
    return font


@cache
def _files() -> tuple[Path, ...]:
    """Font files at hand, in the order of `_WANTED`."""
    from PIL import ImageFont

    found: dict[str, Path] = {}
    for folder in _folders():
        for place, _, names in os.walk(folder):
            for name in set(names) & set(_WANTED):
                found.setdefault(name, Path(place) / name)
    usable = []
    for name in _WANTED:
        if name in found:
            try:
                ImageFont.truetype(str(found[name]), 24)
            except OSError:  # damaged, or bitmaps of one size only: as if it were not there
                continue
            usable.append(found[name])
    return tuple(usable)


def _folders() -> list[Path]:
    home = Path.home()
    system = {
        "win32": [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"],
        "darwin": [Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"],
    }.get(sys.platform, [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), home / ".local/share/fonts"])
    matplotlib = find_spec("matplotlib")
    carried = Path(matplotlib.origin).parent / "mpl-data/fonts/ttf" if matplotlib and matplotlib.origin else None
    return [*system, *([carried] if carried else [])]

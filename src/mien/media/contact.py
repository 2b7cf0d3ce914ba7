"""A contact sheet: pictures in labelled rows on one page that loads nothing from anywhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mien.errors import CannotWrite
from mien.media.door import shown
from mien.types import U8

TILE = 128  # px, side of a picture on the sheet
_STYLE = """:root{color-scheme:light dark}body{font:16px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:70rem;
padding:0 1rem}section{border-top:1px solid #8886;padding:.6rem 0}h2{font-size:1.05rem;margin:.2rem 0}p{margin:.2rem 0}
ul{display:flex;flex-wrap:wrap;gap:.6rem;list-style:none;padding:0;margin:.4rem 0}li{width:128px}
img,.none{width:128px;height:128px;object-fit:cover;border-radius:4px;display:block}
.none{background:#8884;display:grid;place-items:center;font-size:.8rem}
small{display:block;overflow-wrap:anywhere;font-size:.72rem;line-height:1.25}"""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture and what is written below it."""

    pixels: U8 | None  # (H, W, 3) RGB; None: no picture is kept
    caption: str


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Pictures that belong together."""

    title: str
    note: str
    tiles: Sequence[Tile]


def write_sheet(path: Path, title: str, notes: Sequence[str], rows: Sequence[Row]) -> None:
    """Write the page. Raises CannotWrite."""
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>",
        *(f"<p>{escape(note)}</p>" for note in notes),
        *(_row(row) for row in rows),
        "</body></html>",
    ]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(parts), encoding="utf8", errors="backslashreplace")
    except OSError as error:
        raise CannotWrite(f"{shown(path)} cannot be written: {error.strerror}.", "Choose another place.") from error


def _row(row: Row) -> str:
    tiles = "".join(_tile(tile) for tile in row.tiles)
    return f"<section><h2>{escape(row.title)}</h2><p>{escape(row.note)}</p><ul>{tiles}</ul></section>"


def _tile(tile: Tile) -> str:
    words = escape(tile.caption)
    if tile.pixels is None:
        return f'<li><span class="none">no picture kept</span><small>{words}</small></li>'
    return f'<li><img alt="{words}" src="{_address(tile.pixels)}"><small>{words}</small></li>'


def _address(pixels: U8) -> str:
    """The picture as a data address, in a size that is looked at."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((2 * TILE, 2 * TILE))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"

"""Marks of what was done to a picture or video, kept in the file itself: `mien-edit: blur`.

Where it stands: PNG a text chunk `mien-edit`; JPEG its comment; WebP and TIFF the EXIF description; videos the comment of the
container. A mark is a note to honest readers. It is no protection: whoever saves the file anew may lose it.
"""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

from mien.errors import UnreadableMedia, UsageError
from mien.media.door import head_of, shown
from mien.media.hush import quiet
from mien.media.sniff import HEAD, picture_format
from mien.media.video import open_container

KEY = "mien-edit"
MARKED = (".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")  # pictures that can carry a mark
_DESCRIPTION = 0x010E  # EXIF tag


def words(mark: str) -> str:
    """The mark as it stands in a file. Raises UsageError for one that is empty, long, or not plain ASCII on one line."""
    if not mark or len(mark) > 200 or not (mark.isascii() and mark.isprintable()):
        raise UsageError(f"{mark!r} cannot be a mark.", "Use up to 200 plain characters, such as blur.")
    return f"{KEY}: {mark}"


def options(suffix: str, mark: str) -> dict[str, Any]:
    """What Pillow's `save` takes to write the mark. Raises UsageError for a format that can carry none."""
    text = words(mark)
    if suffix == ".png":
        from PIL.PngImagePlugin import PngInfo

        chunk = PngInfo()
        chunk.add_text(KEY, mark)
        return {"pnginfo": chunk}
    if suffix in (".jpg", ".jpeg"):
        return {"comment": text.encode("ascii")}
    if suffix in (".webp", ".tif", ".tiff"):
        from PIL.Image import Exif

        exif = Exif()
        exif[_DESCRIPTION] = text
        return {"exif": exif}
    raise UsageError(
        f"A {suffix} picture cannot say what was done to it.", f"Use one of the suffixes {' '.join(MARKED)}."
    )


def read_mark(source: str | os.PathLike[str] | bytes) -> str | None:
    """What the mark of a picture or video says was done to it, such as "blur"; None where there is none.

    Raises MediaNotFound, UnreadableMedia."""
    head = source[:HEAD] if isinstance(source, bytes) else head_of(source, HEAD)
    if picture_format(head) is None:
        container = open_container(source)
        try:
            return _told(container.metadata.get("comment") or container.metadata.get("COMMENT"))
        finally:
            container.close()
    from PIL import Image, UnidentifiedImageError

    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        with quiet(), Image.open(BytesIO(data), formats=("PNG", "JPEG", "WEBP", "TIFF")) as image:
            if image.format == "PNG":
                image.load()  # a text chunk may stand behind the pixels
                found = image.info.get(KEY)
                return str(found) if found else None
            if image.format == "JPEG":
                return _told(image.info.get("comment"))
            return _told(image.getexif().get(_DESCRIPTION))
    except UnidentifiedImageError:
        return None  # a format that carries no marks
    except (OSError, SyntaxError, ValueError) as error:
        raise UnreadableMedia(f"{shown(source)} is cut short or damaged.", "Copy or download it again.") from error


def _told(text: Any) -> str | None:
    text = text.decode("latin-1") if isinstance(text, bytes) else str(text or "")
    start = f"{KEY}: "
    return text.removeprefix(start).rstrip("\0 ") if text.startswith(start) else None

"""Static files to a browser: the console's pages, by a digest of what is in them."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"

# Nothing is loaded from anywhere else, no script or style stands in a page, and the browser itself refuses
# to make markup out of text (Trusted Types), so a name that looks like HTML stays a name.
CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)

_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Site:
    """All files of the console, in memory: `version` is a digest of their names and contents."""

    version: str
    files: Mapping[str, bytes]

    @property
    def index(self) -> bytes:
        """The page that loads the rest, from addresses that change whenever a file does."""
        return self.files["index.html"].replace(b"{version}", self.version.encode())


def read(folder: Path = STATIC) -> Site:
    """The files below `folder`, read once."""
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
    digest = hashlib.blake2b(digest_size=8)
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return Site(digest.hexdigest(), files)


site = cache(read)


def media_type(name: str) -> str:
    """The content type of a file, the same on every machine for what the console consists of."""
    suffix = Path(name).suffix
    return _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"

"""Where things lie on this machine, and how a file is written so that nobody ever sees half of it.

MIEN_MODELS   folders with model files (several parted by the system's path separator), tried before the network
MIEN_CARDS    folders with cards of one's own
MIEN_CACHE    where downloads and built graphs go, instead of the user's cache folder
MIEN_CONFIG   where accepted licences are kept, instead of the user's configuration folder
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import platformdirs


def cache() -> Path:
    """Folder for what can be made or fetched again."""
    return Path(os.environ.get("MIEN_CACHE") or platformdirs.user_cache_dir("mien"))


def config() -> Path:
    """Folder for what the user decided."""
    return Path(os.environ.get("MIEN_CONFIG") or platformdirs.user_config_dir("mien"))


def mirrors() -> tuple[Path, ...]:
    """Folders in which the user keeps model files."""
    return _folders("MIEN_MODELS")


def card_folders() -> tuple[Path, ...]:
    """Folders in which the user keeps cards."""
    return _folders("MIEN_CARDS")


def is_file(path: Path) -> bool:
    """Whether a file is there; a folder one may not look into holds none."""
    try:
        return path.is_file()
    except OSError:
        return False


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(path: Path, content: bytes) -> None:
    """Write a file at once and for good: a reader sees the old content or the new, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        put(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def put(temporary: Path, path: Path) -> None:
    """Move a finished, flushed file to its name, and make the move itself durable."""
    temporary.replace(path)
    with suppress(OSError):  # not every system lets a folder be flushed; the content is safe either way
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _folders(variable: str) -> tuple[Path, ...]:
    return tuple(Path(name).expanduser() for name in os.environ.get(variable, "").split(os.pathsep) if name)

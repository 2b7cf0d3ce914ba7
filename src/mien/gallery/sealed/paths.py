"""Which paths are those of sealed galleries. Light: every `open_gallery` asks."""

from __future__ import annotations

import os
from pathlib import Path

RECORDS = "records.db"


def is_sealed(path: str | os.PathLike[str]) -> bool:
    """Whether it is a folder with records in it, or has a name that says so and is no file."""
    home = Path(path)
    try:
        return (home / RECORDS).is_file() or (home.suffix == ".sealed" and not home.is_file())
    except (OSError, ValueError):
        return False  # told when it is opened

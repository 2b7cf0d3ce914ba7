"""What the words of a command stand for: pictures, videos, cameras; and what among them cannot be used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import MediaNotFound, MienError

if TYPE_CHECKING:
    from mien.cli.output import Step

Refused = list[tuple[str, MienError]]
# Files of these names that turn out to be something else are failures; of other names, they were never meant.
_PICTURES = {
    ".jpg",
    ".jpeg",
    ".png",
    ".webp",
    ".heic",
    ".heif",
    ".avif",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".ppm",
    ".pgm",
}
_VIDEOS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"}


@dataclass(slots=True)
class Found:
    """Sources to work on, what was meant and cannot be used, and how many other files were passed over."""

    sources: list[str | Path] = field(default_factory=list)
    refused: Refused = field(default_factory=list)
    passed: int = 0

    @property
    def width(self) -> int:
        """Cells that the names take in a table, within reason."""
        return min(60, max((len(str(source)) for source in self.sources), default=0))

    def skipped(self, path: Path, error: MienError) -> None:
        """A file or folder that the search leaves out."""
        if path.suffix.lower() in _PICTURES | _VIDEOS or (path.is_dir() and "cannot be read" in error.message):
            self.refused.append((str(path), error))
        else:
            self.passed += 1


def gather(words: Iterable[str]) -> Found:
    """Files, folders, patterns, cameras and addresses; a word that stands for nothing is refused, the rest goes on."""
    from mien.media import find
    from mien.media.video import is_camera, is_remote

    found = Found()
    for word in words:
        if is_camera(word) or is_remote(word):
            found.sources.append(word)
            continue
        try:
            before = len(found.refused)
            files = list(find(word, skipped=found.skipped))
            found.sources += files
            if not files and len(found.refused) == before:
                raise MediaNotFound(f"{word} holds no picture and no video.", "Name what is to be looked at.")
        except MediaNotFound as error:
            found.refused.append((word, error))
    found.sources = list(dict.fromkeys(found.sources))
    return found


def gather_people(folder: str) -> tuple[dict[str, list[Path]], Found]:
    """The same for a folder per person. Raises MediaNotFound, UnreadableMedia for a folder that is none."""
    from mien.media import folder_per_person

    found = Found()
    people = folder_per_person(folder, skipped=found.skipped)
    if not people and not found.refused:
        raise MediaNotFound(f"{folder} holds no folder with pictures.", "Give a folder with one subfolder per person.")
    return people, found


@dataclass
class Share:
    """Moves a bar by the part of a video that was seen, in hundredths."""

    step: Step
    done: float = 0.0

    def __call__(self, time: float, duration: float | None) -> None:
        part = min(1.0, time / duration) if duration else 0.0
        if part >= self.done + 0.01:
            self.step(part - self.done)
            self.done = part


def is_still(source: str | Path) -> bool:
    """Whether a source is a picture; what cannot be opened counts as one, and is told when it is opened."""
    from mien.media import kind

    try:
        return bool(kind(source) == "image")
    except MienError:
        return True

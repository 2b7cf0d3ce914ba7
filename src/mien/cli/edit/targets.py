"""Where an edited source goes: one file, or a folder with the sources' names; never over a source or another original."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mien.errors import CannotWrite, MediaNotFound, MienError, UsageError

Sources = Sequence[str | Path]


def targets(out: str, sources: Sources, stills: Sequence[bool]) -> list[Path]:
    """One file per source. A suffix that cannot carry a mark becomes .jpg or .mp4.

    Raises UsageError for one file and several sources, and where a source, or a file that no edit has made, would be
    written over; MediaNotFound, CannotWrite."""
    given = Path(out)
    if given.suffix and not given.is_dir():
        if len(sources) > 1:
            raise UsageError(f"{len(sources)} sources cannot be written into the one file {out}.", "Give -o a folder.")
        found = [given][: len(sources)]
        if sources and not given.parent.is_dir():
            raise MediaNotFound(f"There is no folder {given.parent}.", "Make it first.")
    else:
        found = _in(given, sources, stills)
    for target in found:
        if _is_one_of(target, sources):
            raise UsageError(
                f"{target} is a source itself, and the original would be lost.", "Give -o another name or folder."
            )
        if target.exists() and not _was_edited(target):
            raise UsageError(
                f"{target} is there and is no earlier result of an edit.",
                "Remove it, or give -o another name or folder.",
            )
    return found


def _in(folder: Path, sources: Sources, stills: Sequence[bool]) -> list[Path]:
    from mien.media.marks import MARKED
    from mien.media.recorder import RECORDED

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another.") from error
    found: list[Path] = []
    taken: set[str] = set()  # some file systems do not tell capitals from small letters
    for source, still in zip(sources, stills, strict=True):
        name = Path(str(source))
        known, usual = (MARKED, ".jpg") if still else (RECORDED, ".mp4")
        suffix = name.suffix.lower() if name.suffix.lower() in known else usual
        number = 1
        while (free := f"{name.stem}{'' if number == 1 else f'-{number}'}{suffix}").lower() in taken:
            number += 1
        taken.add(free.lower())
        found.append(folder / free)
    return found


def _is_one_of(target: Path, sources: Sources) -> bool:
    return target.exists() and any(Path(source).exists() and target.samefile(source) for source in sources)


def _was_edited(target: Path) -> bool:
    from mien.media import read_mark

    try:
        return read_mark(target) is not None
    except MienError:  # a folder, or no picture and no video
        return False

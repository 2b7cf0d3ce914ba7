"""Labelled pictures from the layouts in which data sets come: a folder per person, a zip of one, a flat folder, a `.bin`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from mien.audit.data.archive import Archive
from mien.audit.data.bins import read_bin
from mien.audit.data.found import Found
from mien.audit.data.names import PATH, SUBJECT, Names
from mien.audit.data.picture import Labelled, check_pad, picture
from mien.errors import InputError, MediaNotFound, MienError
from mien.report import Problem

__all__ = ["Labelled", "has_subjects", "pictures"]

_STRAY = "A file beside the people's folders; it is nobody's and was left out."
_EMPTY = "A person's folder without a picture; the person takes no part."
_OTHER = "A file in a person's folder that is no picture; it was left out."
_VIDEO = "A video; pictures are audited, so it was left out."
_NOBODY = "A picture without a subject; it takes part only in pairs that are labelled one by one."


def pictures(
    path: str | os.PathLike[str], pad: float = 0.0, labels: str | os.PathLike[str] | None = None
) -> tuple[tuple[Labelled, ...], tuple[Problem, ...]]:
    """The labelled pictures of a data set, by name, and what was wrong with it.

    path: a folder per person, with the pictures at any depth below (a single folder around all people is passed through);
    a `.zip` of one, read in place; a `.bin` of InsightFace; or a flat folder of pictures, whose subjects `labels` tell.
    pad: how much of each side is added all round each picture, for crops that a face fills.
    labels: CSV with the columns path and subject; its subjects count instead of the folders'.
    Raises MediaNotFound, UnreadableMedia, InputError for what is no data set, and UsageError for `pad`."""
    from mien.media.door import shown

    check_pad(pad)
    found = Found()
    source = Path(path)
    if source.is_dir():
        listed = _folder(source, pad, found, flat=labels is not None)
    elif source.suffix.lower() == ".bin":
        listed = list(read_bin(path)[0])
    else:
        listed = _zipped(Archive(path, found), pad, found)
    if labels is not None:
        listed = _named(listed, labels, found)
    if not listed:
        raise MediaNotFound(f"{shown(path)} holds no picture.", "Give a folder with one subfolder per person.")
    for one in listed:
        if not one.subject:
            found.add("no_subject", _NOBODY, one.name)
    return tuple(sorted(listed, key=lambda one: one.name)), found.problems()


def _folder(root: Path, pad: float, found: Found, flat: bool) -> list[Labelled]:
    from mien.media import find, folder_per_person

    around = _around(root)
    stray: list[Path] = []

    def skipped(path: Path, error: MienError) -> None:
        if path.parent == around and not path.is_dir():
            stray.append(path)
        elif path.is_dir():
            found.add("empty_person", _EMPTY, _name(path, root))
        else:
            found.add("not_a_picture", _OTHER, _name(path, root))

    people = {} if flat else folder_per_person(around, skipped)
    if not people:  # flat, or labelled by a list
        found.clear()
        people = {"": list(find(root, skipped=lambda path, _: found.add("not_a_picture", _OTHER, _name(path, root))))}
    else:
        for path in stray:
            found.add("stray_file", _STRAY, _name(path, root))
    return [
        picture(_name(path, root), subject, _bytes_of(path), pad)
        for subject, paths in people.items()
        for path in paths
        if _still(path, root, found)
    ]


def _around(root: Path) -> Path:
    """The folder that holds the people's folders: below `root` where all of it lies in one folder, as in lfw/lfw/NAME."""
    for _ in range(8):
        folders = _folders_in(root)
        if len(folders) != 1 or not _folders_in(folders[0]):
            break
        root = folders[0]
    return root


def _folders_in(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    except OSError:  # told when it is read for its pictures
        return []


def _still(path: Path, root: Path, found: Found) -> bool:
    from mien.media import kind

    if kind(path) == "image":
        return True
    found.add("video", _VIDEO, _name(path, root))
    return False


def _bytes_of(path: Path) -> Callable[[], bytes]:
    from mien.media.door import content_of
    from mien.media.image import MAX_BYTES

    return lambda: content_of(path, MAX_BYTES)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _zipped(archive: Archive, pad: float, found: Found) -> list[Labelled]:
    names = archive.pictures()
    folders = {name: name.split("/")[:-1] for name in names}
    depth = _depth(list(folders.values()))
    flat = not any(len(above) > depth for above in folders.values())
    listed = []
    for name, above in folders.items():
        if len(above) > depth or flat:
            listed.append(picture(name, "" if flat else above[depth], archive.reader(name), pad))
        else:
            found.add("stray_file", _STRAY, name)
    return listed


def _depth(folders: list[list[str]]) -> int:
    """How many folders are around all people: as in `_around`, a single one that holds folders is passed through."""
    depth = 0
    while len({above[depth] for above in folders if len(above) > depth}) == 1 and any(
        len(above) > depth + 1 for above in folders
    ):
        depth += 1
    return depth


def _named(listed: list[Labelled], labels: str | os.PathLike[str], found: Found) -> list[Labelled]:
    """The pictures that `labels` name, with the subjects it gives."""
    subjects = subjects_of(labels, [one.name for one in listed], found)
    for one in listed:
        if one.name not in subjects:
            found.add("no_label", "A picture that the labels do not name; it was left out.", one.name)
    return [
        Labelled(one.name, subjects[one.name], one.read, one.content, one.points, one.pad)
        for one in listed
        if one.name in subjects
    ]


def subjects_of(labels: str | os.PathLike[str], names: list[str], found: Found) -> Mapping[str, str]:
    """{name of a picture: its subject} from a CSV with path and subject. Raises InputError."""
    from mien.audit.data.tables import cell, table
    from mien.media.door import shown

    index = Names(names)
    subjects: dict[str, str] = {}
    with table(labels, {"path": PATH, "subject": SUBJECT}, ("path", "subject")) as (columns, _, rows):
        for line, cells in rows:
            written, subject = cell(cells, columns["path"]), cell(cells, columns["subject"])
            number = index.find(written)
            if number is None:
                found.add("absent_file", "A label of a picture that is not there; it was left out.", written)
            elif not subject:
                found.add(
                    "blank_label", "A label without a subject; the picture was left out.", f"line {line}: {written}"
                )
            elif subjects.setdefault(names[number], subject) != subject:
                words = "A picture that is said to be of two people; the first counts."
                found.add("two_subjects", words, f"{names[number]}: {subjects[names[number]]}, {subject}")
    if not subjects:
        raise InputError(f"{shown(labels)} names no picture of this data.", "Write paths as they are below its folder.")
    return subjects


def has_subjects(labels: str | os.PathLike[str]) -> bool:
    """Whether a CSV of labels says whose picture each is. Raises MediaNotFound, InputError."""
    from mien.audit.data.tables import table

    with table(labels, {"path": PATH, "subject": SUBJECT}) as (columns, _, _):
        return {"path", "subject"} <= set(columns)

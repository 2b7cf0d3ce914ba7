"""Labelled pictures of faces to what a classifier sees of them, and what was wrong with them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from mien.audit.data.archive import Archive
from mien.audit.data.found import Found
from mien.audit.data.names import PATH, SUBJECT, Names
from mien.audit.data.picture import Labelled, picture
from mien.audit.data.tables import cell, spelling, table
from mien.audit.metrics.recognition import I64, Bools
from mien.engine import Engine
from mien.errors import InputError, MienError, ModelError
from mien.judge.onnx import OnnxJudge
from mien.report import Problem
from mien.types import U8

Words = NDArray[np.str_]
_LABEL = ("class", "expression", "emotion", "truth")


@dataclass(frozen=True, slots=True, eq=False)
class TrustData:
    """n labelled faces as a classifier sees them."""

    judge: OnnxJudge
    names: tuple[str, ...]  # of the pictures
    crops: U8  # (n, h, w, 3); black where no face was found
    truth: I64  # (n,) number among the classifier's labels
    seen: Bools  # (n,) whether there is a face to judge
    subjects: Words | None = None  # (n,) whose picture; None where nobody says
    groups: Mapping[str, Words] = field(default_factory=dict)  # column -> (n,) group, "" where there is none
    problems: tuple[Problem, ...] = ()
    source: str = ""
    detector: str = ""  # that found the faces; "" where pictures are crops already

    def people(self) -> Words:
        """(n,) the independent unit: whose picture, or the picture where nobody says."""
        return self.subjects if self.subjects is not None else np.array(self.names, np.str_)

    def part(self, rows: NDArray[np.intp] | Bools) -> TrustData:
        """Some of the pictures."""
        numbers = np.arange(len(self.names))[rows]
        return replace(
            self,
            names=tuple(self.names[row] for row in numbers),
            crops=self.crops[numbers],
            truth=self.truth[numbers],
            seen=self.seen[numbers],
            subjects=None if self.subjects is None else self.subjects[numbers],
            groups={column: words[numbers] for column, words in self.groups.items()},
        )

    def __len__(self) -> int:
        return len(self.names)


@dataclass(slots=True, eq=False)
class _Said:
    """What a CSV says of pictures, by number."""

    label: dict[int, str] = field(default_factory=dict)
    subject: dict[int, str] = field(default_factory=dict)
    groups: dict[str, dict[int, str]] = field(default_factory=dict)


def read(
    path: str | os.PathLike[str],
    judge: OnnxJudge,
    engine: Engine | None = None,
    labels: str | os.PathLike[str] | None = None,
    below: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> TrustData:
    """The pictures of a folder per class, of a zip of one, or of a CSV (path,label[,subject][,group …]; paths from the
    CSV's own folder), as `judge` sees them.

    engine: finds the faces in photos; None where each picture is a crop of a face already. labels: CSV of the same
    columns, path first, that adds to or replaces what folders say. below: only pictures whose path begins so.
    Raises MediaNotFound, InputError when no picture has a label that the classifier knows."""
    found = Found()
    listed, own = _listed(path, found)
    listed = [one for one in listed if one.name.startswith(below)]
    if not listed:
        where = f" below {below}" if below else ""
        raise InputError(f"{os.fspath(path)} holds no picture{where}.", "Give a folder with one subfolder per class.")
    says = _said(own, listed, found) if own is not None else _Said()
    if labels is not None:
        more = _said(Path(labels), listed, found)
        says = _Said(says.label | more.label, says.subject | more.subject, says.groups | more.groups)
    kept, truth = _truth(listed, says, judge.labels, found, of_folders=own is None)
    readable, crops, seen = _crops([listed[row] for row in kept], judge, engine, found, progress)
    rows = [kept[index] for index in readable]
    made = TrustData(
        judge,
        tuple(listed[row].name for row in rows),
        crops,
        truth[readable],
        seen,
        np.array([says.subject.get(row, "") for row in rows], np.str_) if says.subject else None,
        {title: np.array([held.get(row, "") for row in rows], np.str_) for title, held in says.groups.items()},
        source=os.fspath(path) + (f", {below}" if below else ""),
        detector="" if engine is None else engine.detector.name,
    )
    return replace(_without_strangers(made, found), problems=found.problems())


def _listed(path: str | os.PathLike[str], found: Found) -> tuple[list[Labelled], Path | None]:
    """All pictures by name, and the CSV that names them, where there is one."""
    from mien.media import find
    from mien.media.door import content_of
    from mien.media.image import MAX_BYTES

    source = Path(path)
    if source.is_dir():

        def skipped(file: Path, _: MienError) -> None:
            found.add("not_a_picture", "A file that is no picture; it was left out.", str(file.relative_to(source)))

        def reader(file: Path) -> Callable[[], bytes]:
            return lambda: content_of(file, MAX_BYTES)

        files = sorted(find(source, skipped=skipped))
        return [picture(file.relative_to(source).as_posix(), file.parent.name, reader(file)) for file in files], None
    if source.suffix.lower() == ".csv":
        with table(source, {"path": PATH, "label": _LABEL}, ("path", "label")) as (columns, _, rows):
            names = list(dict.fromkeys(cell(cells, columns["path"]).replace("\\", "/") for _, cells in rows))

        def beside(name: str) -> Callable[[], bytes]:
            return lambda: content_of(source.parent / name, MAX_BYTES)

        return [picture(name, "", beside(name)) for name in sorted(names) if name], source
    archive = Archive(source, found)
    return [picture(name, PurePosixPath(name).parent.name, archive.reader(name)) for name in archive.pictures()], None


def _said(path: Path, listed: Sequence[Labelled], found: Found) -> _Said:
    """Labels, subjects and groups of a CSV: every column that is none of ours is one of groups."""
    says = _Said()
    index = Names([one.name for one in listed])
    with table(path, {"path": PATH, "label": _LABEL, "subject": SUBJECT}, ("path",)) as (columns, titles, rows):
        groups = {title: at for at, title in enumerate(titles) if title and at not in columns.values()}
        says.groups = {title: {} for title in groups}
        for line, cells in rows:
            number = index.find(cell(cells, columns["path"]))
            if number is None:
                words = "A row of a picture that is not in the data; it was left out."
                found.add("absent_file", words, f"line {line}: {cell(cells, columns['path'])}")
                continue
            for held, at in ((says.label, columns.get("label")), (says.subject, columns.get("subject"))):
                _put(held, number, cell(cells, at), listed[number].name, found)
            for title, at in groups.items():
                _put(says.groups[title], number, cell(cells, at), listed[number].name, found)
    return says


def _put(held: dict[int, str], number: int, word: str, name: str, found: Found) -> None:
    if word and held.setdefault(number, word) != word:
        found.add(
            "contradiction",
            "Two different entries for one picture; the first counts.",
            f"{name}: {held[number]}, {word}",
        )


def _truth(
    listed: Sequence[Labelled], says: _Said, labels: Sequence[str], found: Found, of_folders: bool
) -> tuple[list[int], I64]:
    """The pictures whose label the classifier knows, and its number. Raises InputError where that is none."""
    known = {spelling(label): number for number, label in enumerate(labels)}
    kept, truth, others = [], [], set()
    for row, one in enumerate(listed):
        label = says.label.get(row, one.subject if of_folders else "")
        number = known.get(spelling(label))
        if number is not None:
            kept.append(row)
            truth.append(number)
        elif label:
            others.add(label)
            words = "A picture whose label the classifier does not know; it was left out."
            found.add("unknown_label", words, f"{one.name}: {label}")
        else:
            found.add("no_label", "A picture without a label; it was left out.", one.name)
    if not kept:
        given = ", ".join(sorted(others)[:12]) or "none"
        raise InputError(
            f"No picture has a label that the classifier knows: it knows {', '.join(labels)}, and the data have {given}.",
            "Name the folders (or the column label) as the model's card names its labels.",
        )
    for number, label in enumerate(labels):
        if number not in truth:
            found.add("missing_class", "A class of the classifier without a picture; nothing is said of it.", label)
    return kept, np.array(truth, np.int64)


def _crops(
    listed: Sequence[Labelled],
    judge: OnnxJudge,
    engine: Engine | None,
    found: Found,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[int], U8, Bools]:
    """Which pictures could be read, (n, h, w, 3) what the judge sees of them, and whether there was a face."""
    crops, readable, seen = [], [], []
    width, height = judge.size
    for number, (one, result) in enumerate(_looked(listed, judge, engine)):
        if isinstance(result, MienError):
            if isinstance(result, ModelError):
                raise result
            found.add("unreadable", "A picture that cannot be read; it was left out.", f"{one.name}: {result.message}")
        else:
            crop, faces = result
            if not faces:
                found.add("no_face", "A picture in which no face was found; it counts as a wrong answer.", one.name)
            if faces > 1:
                found.add("several_faces", "A picture with several faces; the largest was judged.", one.name)
            readable.append(number)
            seen.append(faces > 0)
            crops.append(crop if faces else np.zeros((height, width, 3), np.uint8))
        if progress is not None:
            progress(number + 1, len(listed))
    if not crops:
        raise InputError("None of the labelled pictures can be read.", "Copy or download them again.")
    return readable, np.stack(crops), np.array(seen, bool)


def _looked(
    listed: Sequence[Labelled], judge: OnnxJudge, engine: Engine | None
) -> Iterator[tuple[Labelled, tuple[U8, int] | MienError]]:
    """What the judge sees of each picture, and how many faces there were."""

    def look(one: Labelled) -> tuple[U8, int]:
        frame = one.read()
        if engine is None:
            return judge.crops_of([frame.pixels])[0], 1
        faces = engine.faces(frame)
        return (judge.crops(faces[:1])[0] if faces else np.zeros((0, 0, 3), np.uint8)), len(faces)

    if engine is not None:
        yield from engine.map(look, listed)
        return
    for one in listed:
        try:
            yield one, look(one)
        except MienError as error:
            yield one, error


def _without_strangers(made: TrustData, found: Found) -> TrustData:
    """Where people are named for some pictures only, the others are nobody's: each is then a person of its own."""
    if made.subjects is None or (made.subjects != "").all():
        return made
    words = "A picture without a subject, where others have one; it is taken for a person of its own."
    for name, subject in zip(made.names, made.subjects, strict=True):
        if not subject:
            found.add("no_subject", words, name)
    own = np.array([f"(picture {name})" for name in made.names], np.str_)
    return replace(made, subjects=np.where(made.subjects == "", own, made.subjects))

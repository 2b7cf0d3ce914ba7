"""IJB-B and IJB-C as prepared for recognition: loose crops, and lists of templates, media, pairs, galleries and probes.

    meta/ijbc_face_tid_mid.txt          "1.jpg 1 69544": picture, template, medium (a still, or a video of many pictures)
    meta/ijbc_name_5pts_score.txt       "1.jpg x y x y x y x y x y score": where the face is, in px of its crop
    meta/ijbc_template_pair_label.txt   "1 11065 1": two templates, and whether they are of one person
    meta/ijbc_1N_gallery_G1.csv, …      template and subject, with a header; IJB-B: S1, S2; probes: 1N_probe_mixed
    loose_crop/1.jpg

A template is one person seen in several media. (Whitelam et al., CVPRW 2017; Maze et al., ICB 2018.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.audit.captures import Captures
from mien.audit.data.found import Found
from mien.audit.data.pairs import PairList, people
from mien.audit.data.picture import Labelled, picture
from mien.audit.data.tables import cell, opened, table
from mien.audit.metrics import I64, Bools
from mien.errors import InputError, MediaNotFound, UsageError
from mien.report import Problem
from mien.types import Frame

_UNKNOWN = "A row or pair of a template without pictures; it was left out."


@dataclass(frozen=True, slots=True, eq=False)
class IjbPairs:
    """n comparisons of templates."""

    first: I64  # (n,) place in `Ijb.templates`
    second: I64
    same: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Ijb:
    """A data set of templates."""

    pictures: tuple[Labelled, ...]  # (m,) with the points that the data set gives
    template: I64  # (m,) the template that a picture belongs to, by its number in the lists
    medium: I64  # (m,) and the medium
    templates: I64  # (t,) all numbers, rising
    subjects: tuple[str, ...]  # (t,) whose template it is, where a gallery or the probes say; "" otherwise
    pairs: IjbPairs
    galleries: Mapping[str, I64]  # "G1", "G2" (IJB-B: "S1", "S2") -> places in `templates` of those enrolled
    probes: I64  # places in `templates` of those searched
    problems: tuple[Problem, ...] = ()


def is_ijb(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is laid out so."""
    return Path(path).is_dir() and any((Path(path) / "meta").glob("ijb?_face_tid_mid.txt"))


def read_ijb(path: str | os.PathLike[str]) -> Ijb:
    """The data set of a folder IJBB or IJBC. Raises MediaNotFound, InputError for lists that are missing or do not agree.

    Pictures that are absent stay, and fail when they are read; pairs and rows that name unknown templates are problems."""
    from mien.media.door import shown

    root = Path(path)
    lists = sorted((root / "meta").glob("ijb?_face_tid_mid.txt"))
    if not lists:
        raise MediaNotFound(f"{shown(path)} has no meta/ijbc_face_tid_mid.txt.", "Give the folder IJBB or IJBC.")
    start = lists[0].name.removesuffix("_face_tid_mid.txt")
    meta, found = root / "meta", Found()
    listed, template, medium = _pictures(lists[0], meta / f"{start}_name_5pts_score.txt", root / "loose_crop")
    for one in listed:
        if not (root / "loose_crop" / one.name.partition(" ")[0]).is_file():
            found.add("absent_file", "A picture that is not there; it fails to acquire.", one.name)
    templates = np.unique(template)
    subjects = [""] * len(templates)
    galleries = {
        file.stem.rpartition("_")[2]: _enrolled(file, templates, subjects, found)
        for file in sorted(meta.glob(f"{start}_1N_gallery_*.csv"))
    }
    probes = meta / f"{start}_1N_probe_mixed.csv"
    searched = _enrolled(probes, templates, subjects, found) if probes.is_file() else np.empty(0, np.int64)
    pairs = _pairs(meta / f"{start}_template_pair_label.txt", templates, found)
    return Ijb(listed, template, medium, templates, tuple(subjects), pairs, galleries, searched, found.problems())


def aggregate(captures: Captures, ijb: Ijb) -> Captures:
    """One capture per template: the mean of a medium's pictures, then the mean of the media, brought to unit length.

    captures: of `ijb.pictures`, in their order. Those that failed take no part; a template of failed ones only fails. Its
    quality is the best of its pictures'. Raises UsageError for captures of other pictures."""
    if len(captures) != len(ijb.template):
        raise UsageError("Templates are made of all pictures of the data set.", "Capture all of them.")
    good = ~captures.failed
    place = np.searchsorted(ijb.templates, ijb.template)
    keys, media = np.unique(np.stack([place, ijb.medium])[:, good], axis=1, return_inverse=True)
    media = media.reshape(-1)
    count = np.bincount(media, minlength=keys.shape[1])
    vectors = np.zeros((keys.shape[1], captures.vectors.shape[1]))
    np.add.at(vectors, media, captures.vectors[good])
    vectors /= count[:, None]
    fused = np.zeros((len(ijb.templates), vectors.shape[1]))
    np.add.at(fused, keys[0], vectors)
    length = np.linalg.norm(fused, axis=1)
    quality = np.full(len(ijb.templates), -np.inf)
    np.maximum.at(quality, place[good], captures.quality[good])
    there = (length > 0) & np.isfinite(quality)
    fused[there] /= length[there, None]
    reasons = tuple("" if one else "none of its pictures gave a template" for one in there)
    return Captures(
        tuple(map(str, ijb.templates.tolist())),
        ijb.subjects,
        fused.astype(np.float32),
        np.where(there, quality, np.nan),
        reasons,
        captures.space,
    )


def paired(ijb: Ijb) -> PairList:
    """The comparisons of templates as a list of pairs, for what `aggregate` gives.

    People are the subjects that galleries and probes name; other templates are joined by what the pairs call the same."""
    pairs = PairList(ijb.pairs.first, ijb.pairs.second, ijb.pairs.same, np.zeros_like(ijb.pairs.first), ijb.probes)
    named = [Labelled(str(number), who, _unread) for number, who in zip(ijb.templates, ijb.subjects, strict=True)]
    found = Found()
    return replace(pairs, owner=people(pairs, named, found), problems=found.problems())


def _unread() -> Frame:
    raise UsageError("A template is no picture.")


def _pictures(media: Path, points: Path, crops: Path) -> tuple[tuple[Labelled, ...], I64, I64]:
    """The rows of both lists belong together; a picture that is in several templates stands in several rows."""
    where = [line.split() for line in _lines(points)]
    whose = [line.split() for line in _lines(media)]
    if [words[0] for words in where] != [words[0] for words in whose]:
        raise InputError(f"{media} and {points} do not list the same pictures.", "Give both of one release.")
    try:
        template, medium = np.array([words[1:3] for words in whose], np.int64).T
        numbers = np.array([words[1:11] for words in where], np.float32).reshape(-1, 5, 2)
    except ValueError as error:
        raise InputError(f"{media} or {points} has a line of another kind.", "Give them as released.") from error
    times: dict[str, int] = {}
    listed = []
    for words, spots in zip(where, numbers, strict=True):
        times[words[0]] = count = times.get(words[0], 0) + 1
        name = words[0] if count == 1 else f"{words[0]} ({count})"
        listed.append(picture(name, "", _crop(crops, words[0]), 0.0, spots))
    return tuple(listed), template, medium


def _crop(crops: Path, name: str) -> Callable[[], bytes]:
    def read() -> bytes:
        from mien.media.door import content_of
        from mien.media.image import MAX_BYTES

        if ".." in name.split("/") or name.startswith("/"):
            raise MediaNotFound(f"{name} leads out of the data set.", "Give the lists as released.")
        return content_of(crops / name, MAX_BYTES)

    return read


def _lines(path: Path) -> list[str]:
    with opened(path) as lines:
        return [line for line in lines if line.strip()]


def _enrolled(path: Path, templates: I64, subjects: list[str], found: Found) -> I64:
    """Places of the templates that a CSV lists, each once, in its order; fills `subjects`."""
    columns = {"template": ("template_id",), "subject": ("subject_id",)}
    places: dict[int, None] = {}
    with table(path, columns, ("template", "subject")) as (at, _, rows):
        for line, cells in rows:
            number, subject = cell(cells, at["template"]), cell(cells, at["subject"])
            place = int(np.searchsorted(templates, int(number))) if number.isdecimal() else len(templates)
            if place == len(templates) or templates[place] != int(number):
                found.add("unknown_template", _UNKNOWN, f"{path.name} line {line}: {number}")
            elif not subject:
                found.add("blank_label", "A template without a subject; it was left out.", f"{path.name} line {line}")
            else:
                places[place] = None
                if subjects[place] not in ("", subject):
                    words = "A template that is said to be of two people; the first counts."
                    found.add("two_subjects", words, f"{number}: {subjects[place]}, {subject}")
                subjects[place] = subjects[place] or subject
    return np.array(list(places), np.int64)


def _pairs(path: Path, templates: I64, found: Found) -> IjbPairs:
    """Millions of lines of three numbers."""
    if not path.is_file():
        return IjbPairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool))
    import pandas

    try:
        rows = pandas.read_csv(path, sep=r"\s+", header=None, dtype=np.int64).to_numpy()
    except (ValueError, pandas.errors.ParserError) as error:
        raise InputError(f"{path} has a line that is not three whole numbers.", "Give it as released.") from error
    if rows.shape[1] != 3:
        raise InputError(f"{path} has {rows.shape[1]} columns; wanted are three.", "Give it as released.")
    places = np.minimum(np.searchsorted(templates, rows[:, :2]), len(templates) - 1)
    known = (templates[places] == rows[:, :2]).all(1)
    for one, other in rows[~known, :2]:
        found.add("unknown_template", _UNKNOWN, f"{one} {other}")
    first, second = places[known].T
    return IjbPairs(first, second, rows[known, 2] != 0)

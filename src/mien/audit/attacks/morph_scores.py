"""Files of scores of comparing morphs with their people, to arrays.

Two layouts: a CSV with a row per comparison, and the published one of the Morphing Attack Potential, a folder or zip with
``SET/SYSTEM.txt`` (morph, person and the scores of all attempts, separated by tabs) and ``FRS_Info.json`` (per system a
threshold, and whether scores grow with likeness).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np

from mien.audit.data.found import Found
from mien.audit.data.sheet import number, read
from mien.audit.metrics.morphing import Morphs
from mien.audit.metrics.recognition import F64
from mien.errors import EvidenceError, InputError, MediaNotFound, UsageError
from mien.report import Problem

INFO = "FRS_Info.json"
LARGEST = 2 << 30  # bytes of text that a zip may unfold to
ALIASES = {"probe": "attempt", "frs": "system", "matcher": "system", "person": "subject"}
FAILED = "has no finite score: an attempt that did not match, and stays in the count."


@dataclass(frozen=True, slots=True)
class Threshold:
    """How a system decides: at `value` or beyond it on the side of likeness."""

    value: float
    alike: bool = True  # scores grow with likeness; False: distances
    fnmr: float | None = None  # of genuine comparisons at this threshold


@dataclass(frozen=True, slots=True, eq=False)
class MorphScores:
    """Sets of morphs, by name ("" where there is one without)."""

    sets: Mapping[str, Morphs]
    thresholds: Mapping[str, Threshold]  # by system
    shared: Mapping[str, int]  # set -> number of people, where they occur in several morphs
    problems: tuple[Problem, ...]
    source: str


class _Score(NamedTuple):
    where: str
    set: str
    morph: str
    subject: str
    attempt: str
    system: str
    value: float


def read_morphs(path: Path, thresholds: Path | None = None) -> MorphScores:
    """Read a CSV (morph, subject, system, score; attempt, set) or the published layout as folder or zip.

    thresholds: a CSV (system, threshold; higher = alike or different; fnmr). A CSV of scores needs it: a threshold is the
    recogniser's own and cannot come from morphs. Raises MediaNotFound; InputError and UsageError for what is unusable;
    EvidenceError where no morph is complete."""
    found = Found()
    given = _thresholds(thresholds) if thresholds else {}
    if path.is_dir() or zipfile.is_zipfile(path):
        scores, stated = _published(path, found)
        given = stated | given
    else:
        scores = list(_table(path, found))
        if not thresholds:
            raise UsageError(
                f"{path.name} says how alike morphs and people are, not from where on a system takes them for one.",
                "Name a CSV with the columns system, threshold.",
            )
    named = sorted({score.system for score in scores})
    lacking = [name for name in named if name not in given]
    if lacking:
        raise UsageError(f"There is no threshold for {', '.join(lacking)}.", "Add a row for each to the thresholds.")
    for name in given:
        if name not in named:
            found.add("system_without_scores", "has a threshold and no scores; left out.", name)
    kept = {name: given[name] for name in (list(given) if set(named) == set(given) else named) if name in named}
    sets, shared = {}, {}
    for name in sorted({score.set for score in scores}):
        chosen = [score for score in scores if score.set == name]
        sets[name] = _morphs(chosen, kept, found)
        people, morphs = len({score.subject for score in chosen}), len(sets[name].names)
        if len(sets[name].morph) / max(1, morphs) < people < len(sets[name].morph):
            shared[name] = people
    return MorphScores(sets, kept, shared, found.problems(), path.name)


def _table(path: Path, found: Found) -> Iterator[_Score]:
    sheet = read(path, ("morph", "subject", "system", "score"), ALIASES)
    turns: dict[tuple[str, ...], int] = {}
    for where, row in sheet.rows:
        if not all(row[column] for column in ("morph", "subject", "system")):
            found.add("no_name", "names no morph, no subject or no system; left out.", where)
            continue
        key = (row.get("set", ""), row["morph"], row["subject"], row["system"])
        turns[key] = turns.get(key, 0) + 1
        attempt = row.get("attempt") or str(turns[key])
        yield _Score(where, key[0], key[1], key[2], attempt, key[3], _value(row["score"], where, found))
    for problem in sheet.found.problems():
        for case in problem.cases:
            found.add(problem.kind, problem.words, case)


def _value(text: str, where: str, found: Found) -> float:
    value = number(text)
    if value is None or not np.isfinite(value):
        found.add("failed_attempt", FAILED, where)
        return float("nan")
    return value


def _thresholds(path: Path) -> dict[str, Threshold]:
    sheet = read(path, ("system", "threshold"), ALIASES)
    given = {}
    for where, row, value in sheet.numbers("threshold"):
        higher, fnmr = row.get("higher", "") or "alike", row.get("fnmr", "")
        rate = number(fnmr) if fnmr else None
        if higher not in ("alike", "different"):
            raise InputError(f"{where} of {path.name} says higher = {higher}.", "It is alike or different.")
        if fnmr and not (rate is not None and 0 <= rate <= 1):
            raise InputError(f"{where} of {path.name} has an fnmr that is no rate: {fnmr}.", "It lies between 0 and 1.")
        given[row["system"]] = Threshold(value, higher == "alike", rate)
    for problem in sheet.found.problems():
        raise InputError(f"{problem.cases[0]} of {path.name} {problem.words}", "Thresholds must all be numbers.")
    return given


# --- the published layout -------------------------------------------------------------------------------------------


def _published(path: Path, found: Found) -> tuple[list[_Score], dict[str, Threshold]]:
    files = dict(_texts(path))
    info = next((text for name, text in files.items() if PurePosixPath(name).name == INFO), None)
    stated = _stated(info, path.name) if info is not None else {}
    scores = []
    for name, text in sorted(files.items()):
        place = PurePosixPath(name)
        if place.suffix.lower() == ".txt":
            kind = "" if place.parent.name in ("", ".") else place.parent.name
            scores += list(_lines(text, kind, place.stem, found))
    if not scores:
        raise InputError(f"{path.name} has no file of scores.", f"Wanted: SET/SYSTEM.txt, and {INFO} beside.")
    return scores, stated


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.suffix.lower() == ".txt" or file.name == INFO:
                    yield file.relative_to(path).as_posix(), file.read_text(encoding="utf-8-sig")
            return
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST:
                raise InputError(f"{path.name} unfolds to more than 2 GB.", "Unpack it and name the folder.")
            for entry in archive.infolist():
                if not entry.is_dir() and (entry.filename.lower().endswith(".txt") or entry.filename.endswith(INFO)):
                    yield entry.filename, archive.read(entry).decode("utf-8-sig")
    except FileNotFoundError as error:
        raise MediaNotFound(f"There is no file {path}.", "Check the path.") from error
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile, RuntimeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}.", "Unpack it and name the folder.") from error


def _stated(text: str, source: str) -> dict[str, Threshold]:
    try:
        return {name: Threshold(float(value), bool(alike)) for name, (value, alike) in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{INFO} of {source} is not as published.", 'Wanted: {"SYSTEM": [threshold, grows with likeness], …}.'
        ) from error


def _lines(text: str, kind: str, system: str, found: Found) -> Iterator[_Score]:
    name = f"{kind}/{system}.txt" if kind else f"{system}.txt"
    for index, line in enumerate(text.splitlines(), 1):
        cells = line.rstrip().split("\t")
        if len(cells) < 3:
            if line.strip():
                found.add(
                    "ragged_row", "is not: morph, person, scores, separated by tabs; left out.", f"{name} line {index}"
                )
            continue
        for attempt, cell in enumerate(cells[2:], 1):
            value = _value(cell, f"{name} line {index} attempt {attempt}", found)
            yield _Score(f"{name} line {index}", kind, cells[0], cells[1], str(attempt), system, value)


# --- arrays ---------------------------------------------------------------------------------------------------------


def _morphs(scores: Iterable[_Score], systems: Mapping[str, Threshold], found: Found) -> Morphs:
    """Complete morphs as one array; the others are listed."""
    pairs: dict[tuple[str, str], dict[tuple[str, str], float]] = {}  # morph, person -> attempt, system -> score
    for score in scores:
        held = pairs.setdefault((score.morph, score.subject), {})
        if (score.attempt, score.system) in held:
            found.add("repeated_row", "repeats an attempt of the same morph, person and system; left out.", score.where)
            continue
        held[score.attempt, score.system] = score.value
    columns = {name: index for index, name in enumerate(systems)}
    whole = _complete(pairs, columns, found)
    names = tuple(sorted({morph for morph, _ in whole}))
    if not names:
        raise EvidenceError("No morph has two people and scores of every system.", "See what the files lack.")
    places = {name: index for index, name in enumerate(names)}
    most = max(len({attempt for attempt, _ in held}) for held in whole.values())
    array: F64 = np.full((len(whole), len(columns), most), np.nan)
    for row, kept in enumerate(whole.values()):
        order = {attempt: index for index, attempt in enumerate(sorted({attempt for attempt, _ in kept}, key=_natural))}
        for (attempt, system), value in kept.items():
            signed = value if systems[system].alike else -value
            array[row, columns[system], order[attempt]] = -np.inf if np.isnan(value) else signed
    made = np.sum(~np.isnan(array), axis=2)
    for (morph, subject), fewest in zip(whole, made.min(axis=1), strict=True):
        if fewest < made.max():
            words = (
                f"has fewer than {made.max()} attempts: the Morphing Attack Potential stops at {made.min()} for all."
            )
            found.add("fewer_attempts", words, f"{morph} {subject}")
    limits: F64 = np.array([one.value if one.alike else -one.value for one in systems.values()])
    return Morphs(array, np.array([places[morph] for morph, _ in whole]), names, tuple(systems), limits)


def _complete(
    pairs: Mapping[tuple[str, str], Mapping[tuple[str, str], float]], columns: Mapping[str, int], found: Found
) -> dict[tuple[str, str], Mapping[tuple[str, str], float]]:
    people: dict[str, int] = {}
    lacking: set[str] = set()
    for (morph, _), held in pairs.items():
        people[morph] = people.get(morph, 0) + 1
        if {system for _, system in held} != set(columns):
            lacking.add(morph)
    for morph, count in people.items():
        if count < 2:
            found.add("one_person", "was compared with one person, and a morph has two or more; left out.", morph)
        elif morph in lacking:
            found.add("incomplete_morph", "was not compared with all its people by all systems; left out.", morph)
    return {key: held for key, held in pairs.items() if people[key[0]] > 1 and key[0] not in lacking}


def _natural(text: str) -> tuple[float, str]:
    value = number(text)
    return (value if value is not None and np.isfinite(value) else np.inf, text)

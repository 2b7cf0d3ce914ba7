"""Files of comparison scores, in the shapes that systems and laboratories write them."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mien.audit.data.found import Found
from mien.audit.data.pairs import truth
from mien.audit.data.sheet import LARGEST
from mien.audit.data.tables import cell, opened, spelling, table
from mien.audit.metrics import I64, Bools, Comparisons
from mien.errors import InputError
from mien.report import Problem

FAILED = -math.inf
_NAN = "A score that is blank or not a number: a failure to acquire, so it counts as an error and stays in the rates."
_WORD = "A score that is no number (or infinite); nothing says what it means, so it was left out."
_BLANK = "A comparison whose people or label are not given; it was left out."
_NO_PEOPLE = (
    "The file does not say whose comparisons these are; intervals take them as independent, and so are too narrow."
)
_DISTANCE = "The file holds distances; their negative is the score, so thresholds are negative too."

COLUMNS = {
    "score": ("similarity", "sim_score", "simscore", "cosine"),
    "distance": ("dist", "dissimilarity"),
    "probe_subject": ("probe_subject_id", "real_id", "subject_x", "subject1", "probe_person", "verif_subject"),
    "reference_subject": ("reference_subject_id", "bio_ref_subject_id", "claimed_id", "subject_y", "subject2",
                          "gallery_subject", "enrol_subject"),
    "probe": ("probe_key", "probe_template_id", "verif_templ", "file_x", "probe_label", "test_label"),
    "reference": ("bio_ref_template_id", "reference_template_id", "reference_key", "enroll_templ", "enrol_templ", "file_y",
                  "gallery"),
    "label": ("same", "genuine", "mated", "match", "is_same", "issame", "decision"),
    "failed": ("failure", "fta", "fte", "failure_to_acquire", "return_code"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """n scored comparisons."""

    comparisons: Comparisons  # (n,) scores and numbers of people; -inf for a failure to acquire
    people: tuple[str, ...]  # name of each person; "" where the file says only whether a comparison is genuine
    probe: I64  # (n,) number of the probe's capture in `captures`; -1 where the file does not name it
    reference: I64  # (n,) … and of the reference's
    captures: tuple[str, ...]  # names of pictures or templates
    problems: tuple[Problem, ...] = ()

    @property
    def failed(self) -> Bools:
        """(n,) failures to acquire."""
        failed: Bools = np.isneginf(self.comparisons.scores)
        return failed

    def __len__(self) -> int:
        return len(self.comparisons.scores)


def read_scores(path: str | os.PathLike[str], subjects: Mapping[str, str] | None = None) -> Scores:
    """Comparisons from a file. `subjects`: {capture: subject}, for files that name captures only.

    CSV (comma, semicolon, tab or blank) with a header: `score`, or `distance` (lower is more alike), and beside it
    `probe_subject,reference_subject`, or `label` (1/0, genuine/impostor, yes/no, …), or `probe,reference` with `subjects`.
    Also Bob's columns (`probe_subject_id`, `bio_ref_subject_id`, …), the four- and five-column files of older Bob without
    a header (`claimed_id [model] real_id probe score`), and NIST's `enrollTempl verifTempl simScore returnCode`.

    A failure to acquire is -inf, NaN, a blank score, or a column `failed` (NIST: `returnCode`) other than 0. It stays in
    every denominator. Words and +inf are left out, as are comparisons without people; all are counted in the problems.
    Raises MediaNotFound, InputError when nothing is left."""
    from mien.media.door import shown

    taken = _Taken(subjects or {})
    width = _bob_width(path)
    if width:
        with opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip() and line.lstrip()[0] != "#":
                    _take_bob(taken, line.split(), width, number)
    else:
        with table(path, COLUMNS) as (columns, titles, rows):
            _check(columns, titles, shown(path), bool(subjects))
            taken.distances = "score" not in columns
            for number, cells in rows:
                taken.add(number, {name: cell(cells, at) for name, at in columns.items()})
    if not taken.scores:
        raise InputError(f"{shown(path)} has no comparison that can be used.", _first(taken.found))
    return taken.result()


@dataclass(slots=True)
class _Taken:
    """Comparisons as they are read."""

    subjects: Mapping[str, str]
    distances: bool = False
    scores: list[float] = field(default_factory=list)
    people: dict[str, int] = field(default_factory=dict)
    captures: dict[str, int] = field(default_factory=dict)
    who: list[tuple[int, int]] = field(default_factory=list)
    which: list[tuple[int, int]] = field(default_factory=list)
    found: Found = field(default_factory=Found)

    def add(self, line: int, row: Mapping[str, str]) -> None:
        """One comparison, by the names of COLUMNS."""
        score = self._score(line, row)
        pair = self._pair(row)
        if pair is None:
            self.found.add("blank_label", _BLANK, f"line {line}")
        if score is None or pair is None:
            return
        self.scores.append(score)
        self.who.append(pair)
        self.which.append((self._capture(row.get("probe", "")), self._capture(row.get("reference", ""))))

    def _score(self, line: int, row: Mapping[str, str]) -> float | None:
        """-inf for a failure, None for what cannot be used."""
        if row.get("failed", "").lower() not in ("", "0", "no", "false", "0.0"):
            return FAILED
        written = row.get("distance" if self.distances else "score", "")
        try:
            score = float(written) if written else math.nan
        except ValueError:
            score = math.inf
        if LARGEST < abs(score) < math.inf:
            written, score = f"beyond {LARGEST:g}", math.inf
        if math.isnan(score):
            self.found.add("nan_score", _NAN, f"line {line}")
            return FAILED
        score = -score if self.distances and math.isfinite(score) else score
        if score == math.inf and not (self.distances and written.lower().lstrip("+") in ("inf", "infinity")):
            self.found.add("bad_score", _WORD, f"line {line}: {written[:40]}")
            return None
        return score if math.isfinite(score) else FAILED

    def _pair(self, row: Mapping[str, str]) -> tuple[int, int] | None:
        """Numbers of the two people; where only a label is known, people of this comparison alone."""
        one = row.get("probe_subject") or self.subjects.get(row.get("probe", ""), "")
        other = row.get("reference_subject") or self.subjects.get(row.get("reference", ""), "")
        if one and other:
            return self._person(one), self._person(other)
        if "label" not in row:
            return None
        same = truth(row["label"])
        if same is None:
            return None
        self.found.note("no_people", _NO_PEOPLE)
        new = len(self.people)
        self.people |= {f"\0{new}": new} if same else {f"\0{new}": new, f"\0{new + 1}": new + 1}
        return new, new if same else new + 1

    def _person(self, name: str) -> int:
        return self.people.setdefault(name, len(self.people))

    def _capture(self, name: str) -> int:
        return self.captures.setdefault(name, len(self.captures)) if name else -1

    def result(self) -> Scores:
        """All of it, as arrays. People are in the order of their names: that of the rows must not decide who is drawn."""
        names = sorted(self.people, key=lambda name: (name[:1] != "\0", "" if name[:1] == "\0" else name))
        place = np.empty(len(names), np.int64)
        place[[self.people[name] for name in names]] = np.arange(len(names))
        who, which = place[np.array(self.who, np.int64)], np.array(self.which, np.int64)
        compared = Comparisons(np.array(self.scores, np.float64), who[:, 0], who[:, 1])
        people = tuple("" if name.startswith("\0") else name for name in names)
        problems = list(self.found.problems())
        if self.distances:
            problems.append(Problem("distances", _DISTANCE, (), len(self.scores)))
        problems = [
            Problem(one.kind, one.words, (), len(self.scores)) if one.kind == "no_people" else one for one in problems
        ]
        return Scores(compared, people, which[:, 0], which[:, 1], tuple(self.captures), tuple(problems))


def _check(columns: Mapping[str, int], titles: list[str], name: str, subjects: bool) -> None:
    has = set(columns)
    people = {"probe_subject", "reference_subject"} <= has or "label" in has
    named = subjects and {"probe", "reference"} <= has
    if ("score" in has or "distance" in has) and (people or named):
        return
    raise InputError(
        f"{name} has the columns {', '.join(titles)[:200] or 'of no table'}.",
        "Wanted are score (or distance) with probe_subject and reference_subject, or with label.",
    )


def _bob_width(path: str | os.PathLike[str]) -> int:
    """4 or 5 where the file is one of older Bob, told by its first line: no header, and a number comes last; else 0."""
    with opened(path) as lines:
        words = next((line.split() for line in lines if line.strip() and line.lstrip()[0] != "#"), [])
    if len(words) not in (4, 5) or any("," in word or ";" in word for word in words):
        return 0
    if spelling(words[-1]) in ("score", "returncode", "simscore", "similarity", "distance"):
        return 0
    try:
        float(words[-1])
    except ValueError:
        return 0
    return len(words)


def _take_bob(taken: _Taken, words: list[str], width: int, line: int) -> None:
    if len(words) != width:
        taken.found.add("bad_row", f"A line that has not {width} columns; it was left out.", f"line {line}")
        return
    claimed, *model, real, probe, score = words
    row = {"reference_subject": claimed, "probe_subject": real, "probe": probe, "score": score}
    taken.add(line, {**row, "reference": model[0] if model else claimed})


def _first(found: Found) -> str:
    return found.first("It has no line of scores.")

"""A file of scores of bona fide presentations and attacks to arrays, judged and development apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from mien.audit.data.found import Found
from mien.audit.data.sheet import YES, Sheet, read
from mien.audit.metrics.attacks import BONA_FIDE, Presentations
from mien.audit.metrics.recognition import F64, I64
from mien.errors import EvidenceError, InputError, UsageError
from mien.report import Problem


@dataclass(frozen=True, slots=True)
class Terms:
    """What the two errors and the kinds of attack are called."""

    attack: str
    bona_fide: str
    species: str
    attacks: str


PAD = Terms("APCER", "BPCER", "species", "attacks")  # ISO/IEC 30107-3
MAD = Terms("MACER", "BSCER", "method", "morphs")  # ISO/IEC 20059


@dataclass(frozen=True, slots=True)
class Setting:
    """A threshold and where it is from."""

    threshold: float
    origin: str
    chosen: bool  # on the development split


Higher = Literal["bona_fide", "attack"]
SPLITS = {
    "dev": "dev", "devel": "dev", "development": "dev", "val": "dev", "valid": "dev", "validation": "dev",
    "eval": "eval", "evaluation": "eval", "test": "eval",
}  # fmt: skip
ALIASES = {"attack_type": "species", "method": "species", "set": "split", "subject_id": "subject", "match": "matched"}
GENUINE = ("", "bona_fide", "bonafide", "bona fide", "bona-fide")


@dataclass(frozen=True, slots=True, eq=False)
class AttackScores:
    """Presentations that are judged, and those that a threshold may be chosen on."""

    judged: Presentations
    development: Presentations | None = None
    matched: I64 | None = None  # (judged,) whether the comparison with the target matched: 1, 0, -1 not known
    cases: tuple[str, ...] = ()  # (judged,) where each comes from
    people: tuple[str, ...] = ()  # names by number of subject
    problems: tuple[Problem, ...] = ()
    source: str = ""
    sign: int = 1  # -1: the file's scores are higher for attacks, and are negated here


@dataclass(frozen=True, slots=True)
class _Row:
    where: str
    species: str
    split: str
    subject: str
    score: float
    matched: int


def read_attacks(path: Path, development: Path | None = None, higher: Higher = "bona_fide") -> AttackScores:
    """Read ``score`` and ``species`` (empty or bona_fide: no attack), and where there are such columns ``subject``,
    ``split`` (dev or eval) and ``matched``.

    An empty score is a presentation that got no response. development: a second file, all of it for development; all of
    the first is judged then. higher: which kind the file's scores are higher for. Raises InputError for a file that is
    unusable, EvidenceError for one of one kind only."""
    sheet = read(path, ("species", "score"), ALIASES)
    sign = 1 if higher == "bona_fide" else -1
    rows = _rows(sheet, sign)
    found = [sheet.found]
    dev: list[_Row] | None = None
    if development is not None:
        second = read(development, ("species", "score"), ALIASES)
        dev = _rows(second, sign)
        found.append(second.found)
        if any(row.split == "dev" for row in rows) or (
            "split" in second.columns and any(r.split == "eval" for r in dev)
        ):
            raise UsageError(
                f"{path.name} and {development.name} are split already, each within itself.",
                "Name one file, or two of which one is for development only.",
            )
    elif "split" in sheet.columns:
        dev, rows = [row for row in rows if row.split == "dev"], [row for row in rows if row.split == "eval"]
    if not rows:
        why = "; ".join(f"{len(problem.cases):,} rows: {problem.words}" for problem in sheet.found.problems())
        raise EvidenceError(
            f"{path.name} has no rows to judge{': ' * bool(why)}{why.rstrip('.')}.",
            "A row to judge has a number for a score, and the split eval where there is a column split.",
        )
    names = sorted({row.species for row in (*rows, *(dev or ())) if row.species})
    people = sorted({row.subject for row in (*rows, *(dev or ())) if row.subject})
    with_people = _people_known(sheet, rows, sheet.found)
    judged = _presentations(rows, names, people if with_people else None)
    _both_kinds(judged, f"the rows to judge in {path.name}", names)
    chosen = _presentations(dev, names, None) if dev else None
    if chosen is not None:
        _both_kinds(chosen, "the development split", names)
    problems = Found()
    _doubts(rows, dev or [], names, problems)
    matched = np.array([row.matched for row in rows], np.int64) if "matched" in sheet.columns else None
    return AttackScores(
        judged,
        chosen,
        matched,
        tuple(row.where for row in rows),
        tuple(people) if with_people else (),
        (*(problem for one in found for problem in one.problems()), *problems.problems()),
        path.name,
        sign,
    )


def _rows(sheet: Sheet, sign: int) -> list[_Row]:
    rows = []
    for where, row, score in sheet.numbers("score", empty=-np.inf):
        split = SPLITS.get(row.get("split", "eval").lower(), "")
        if not split:
            words = "is of a split that is neither development (dev, val) nor evaluation (eval, test); left out."
            sheet.found.add("unknown_split", words, f"{where}: {row['split'] or 'empty'}")
            continue
        species = "" if row["species"].lower() in GENUINE else row["species"]
        value = score if np.isneginf(score) else sign * score
        rows.append(_Row(where, species, split, row.get("subject", ""), value, _matched(where, row, sheet.found)))
    return rows


def _matched(where: str, row: Mapping[str, str], found: Found) -> int:
    text = row.get("matched", "")
    if text.lower() in YES:
        return int(YES[text.lower()])
    if "matched" in row:
        found.add("no_match_result", "says neither 1 nor 0 in the column matched; not part of the whole system.", where)
    return -1


def _people_known(sheet: Sheet, rows: Sequence[_Row], found: Found) -> bool:
    """Whether intervals may draw people: all rows name one."""
    if "subject" not in sheet.columns:
        return False
    nameless = [row.where for row in rows if not row.subject]
    for where in nameless:
        found.add("no_subject", "names no subject, so all presentations were taken as independent.", where)
    people = {row.subject for row in rows}
    if len(people) == 1 and not nameless:
        words = (
            "is the only person judged: presentations were taken as independent, and nothing follows for other people."
        )
        found.add("one_person", words, *people)
    return not nameless and len(people) > 1


def _presentations(rows: Sequence[_Row], names: Sequence[str], people: Sequence[str] | None) -> Presentations:
    number = {name: index for index, name in enumerate(names)} | {"": BONA_FIDE}
    person = {name: index for index, name in enumerate(people or ())}
    scores: F64 = np.array([row.score for row in rows], np.float64)
    species: I64 = np.array([number[row.species] for row in rows], np.int64)
    subject: I64 | None = None
    if people is not None:
        subject = np.array([person[row.subject] for row in rows], np.int64)
    return Presentations(scores, species, tuple(names), subject)


def _both_kinds(found: Presentations, where: str, names: Sequence[str]) -> None:
    for kind, count in (("bona fide presentation", len(found.bona_fide)), ("attack", len(found.pooled))):
        if not count:
            listed = f"; species found: {', '.join(names)[:200]}" if names else ""
            raise EvidenceError(
                f"There is no {kind} among {where}{listed}.",
                "The column species is empty or bona_fide for bona fide presentations, and names the attack otherwise.",
            )
    if np.all(np.isneginf(found.scores)):
        raise InputError(f"There is no score in {where}.", "Every presentation is without response.")


def _doubts(rows: Sequence[_Row], dev: Sequence[_Row], names: Sequence[str], found: Found) -> None:
    """What makes the result doubtful, though every row can be read."""
    if len({row.score for row in rows}) == 1:
        words = "is the score of every presentation to judge: it tells nothing apart. Look at what wrote the file."
        found.add("one_score", words, f"{abs(rows[0].score):g}")
    judged = {row.species for row in rows}
    for name in names:
        if name not in judged:
            words = "is a species of the development split without a presentation to judge: nothing is known of it."
            found.add("species_without_presentations", words, name)
    for person in sorted({row.subject for row in rows if row.subject} & {row.subject for row in dev}):
        words = "is in the development split and judged as well: the threshold has seen this person."
        found.add("subject_in_both_splits", words, person)

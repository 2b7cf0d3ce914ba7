"""What looks wrong with a labelled data set: copies, one person under two names, pictures under a wrong name.

A suspicion is no verdict: every case is listed with its evidence, and nothing is taken out of the data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mien.audit.captures.captures import Captures
from mien.audit.metrics import I64, Bools
from mien.decide import in_words
from mien.report import Problem
from mien.types import F32, OperatingPoint

TOP = 50  # cases listed of a kind, the most striking first; all are counted
SAME = 1 - 1e-5  # cosine from which two templates are of the same pixels
# Of 200 photos saved again as JPEG of quality 75, 19 in 20 keep a cosine of 0.9966 or more to the original (default model;
# ORL and LFW). Two shots of one moment may reach it: 33 of 1,800 pairs in ORL did, none of 450 in LFW.
NEAR = 0.9966
MOST = 100_000  # copies that are remembered; frames of a video may have more
_BLOCK = 256  # rows of the score matrix at a time


def suspicions(captures: Captures, points: Sequence[OperatingPoint] = (), top: int = TOP) -> tuple[Problem, ...]:
    """Suspicions about `captures`. `points`: operating points of their template space, as `engine.points` has them.

    Looks for copies (same bytes, same pixels, almost the same template) of one person and of two, people who look the same
    (from the strictest of `points`; left out without one), pictures that look like none of their subject's others (below the
    loosest), and people with a single picture. Takes the time of n x n comparisons and the memory of n."""
    fitting = sorted(
        (one for one in points if one.fmr and one.space in ("", captures.space)), key=lambda one: one.threshold
    )
    strict = fitting[-1] if fitting else None
    named = np.array([bool(subject) for subject in captures.subjects], bool)
    seen = _Seen(captures, named, strict.threshold if strict else np.inf)
    for start in range(0, len(captures), _BLOCK):
        seen.block(start)
    found = [*_files(captures), *_copies(captures, seen)]
    if strict is not None:
        found += _lookalikes(captures, seen, strict, top)
        found += _unlike(captures, seen, fitting[0], top)
    found += _single(captures)
    return tuple(found)


@dataclass(slots=True)
class _Seen:
    """What one pass over all pairs remembers."""

    captures: Captures
    named: Bools  # (n,) the subject is known
    strict: float
    owner: I64 = field(init=False)
    usable: Bools = field(init=False)
    own: F32 = field(init=False)  # (n,) best score with another picture of the subject; -inf: there is none
    copies: list[tuple[float, int, int]] = field(default_factory=list)  # the first MOST
    # Pair of people -> picture pairs at or above the strict threshold, best score, its two pictures.
    alike: dict[tuple[int, int], tuple[int, float, int, int]] = field(default_factory=dict)
    strangers: int = 0  # comparisons of different people

    def __post_init__(self) -> None:
        self.owner, self.usable = self.captures.owner, ~self.captures.failed
        self.own = np.full(len(self.captures), -np.inf, np.float32)

    def block(self, start: int) -> None:
        """Rows from `start` on against all that follow."""
        rows = slice(start, start + _BLOCK)
        scores = self.captures.vectors[rows] @ self.captures.vectors[start:].T
        valid = self.usable[rows, None] & self.usable[None, start:]
        valid &= np.arange(len(scores))[:, None] < np.arange(scores.shape[1])[None]
        known = valid & self.named[rows, None] & self.named[None, start:]
        same = self.owner[rows, None] == self.owner[None, start:]
        mine = np.where(known & same, scores, -np.inf)
        self.own[rows] = np.maximum(self.own[rows], mine.max(1))
        self.own[start:] = np.maximum(self.own[start:], mine.max(0))
        self.strangers += int((known & ~same).sum())
        for row, column in np.argwhere(valid & (scores >= NEAR)):
            if len(self.copies) < MOST:
                self.copies.append((float(scores[row, column]), start + int(row), start + int(column)))
        for row, column in np.argwhere(known & ~same & (scores >= self.strict)):
            self._meet(start + int(row), start + int(column), float(scores[row, column]))

    def _meet(self, one: int, other: int, score: float) -> None:
        first, second = sorted((int(self.owner[one]), int(self.owner[other])))
        count, best, *pictures = self.alike.get((first, second), (0, -np.inf, one, other))
        if score > best:
            best, pictures = score, [one, other]
        self.alike[first, second] = (count + 1, best, pictures[0], pictures[1])


def _files(captures: Captures) -> list[Problem]:
    """Files with the same bytes."""
    by_digest: dict[str, list[int]] = defaultdict(list)
    for index, digest in enumerate(captures.digests):
        if digest:
            by_digest[digest].append(index)
    within: list[str] = []
    across: list[str] = []
    for members in by_digest.values():
        if len(members) > 1:
            people = {captures.subjects[index] for index in members}
            case = " = ".join(captures.names[index] for index in members)
            (within if len(people) == 1 else across).append(case)
    return _listed(
        ("duplicate", "The same file twice for one person; comparing it with itself flatters the system.", within),
        ("duplicate_across", "The same file under two names; one of them is wrong.", across),
    )


def _copies(captures: Captures, seen: _Seen) -> list[Problem]:
    """Pictures whose templates are (almost) the same though their bytes are not."""
    cases: dict[str, list[str]] = defaultdict(list)
    for score, one, other in sorted(seen.copies, key=lambda copy: -copy[0]):
        if captures.digests and captures.digests[one] == captures.digests[other]:
            continue
        across = "_across" if captures.subjects[one] != captures.subjects[other] else ""
        kind = ("same_pixels" if score >= SAME else "near_copy") + across
        cases[kind].append(f"{captures.names[one]} and {captures.names[other]} ({score:.4f})")
    near = f"as alike (cosine {NEAR} or more) as a photo and its copy saved again, or two shots of one moment"
    return _listed(
        (
            "same_pixels",
            "Two files of one person with the same pixels; comparing them flatters the system.",
            cases["same_pixels"],
        ),
        (
            "same_pixels_across",
            "Two files with the same pixels under two names; one is wrong.",
            cases["same_pixels_across"],
        ),
        ("near_copy", f"Two pictures of one person {near}.", cases["near_copy"]),
        (
            "near_copy_across",
            f"Two pictures under two names {near}; one name is probably wrong.",
            cases["near_copy_across"],
        ),
    )


def _lookalikes(captures: Captures, seen: _Seen, strict: OperatingPoint, top: int) -> list[Problem]:
    """People under two names who look the same."""
    names = np.unique(np.array(captures.subjects, np.str_))
    pictures = np.bincount(seen.owner[seen.usable], minlength=len(names))
    pairs = sorted(seen.alike.items(), key=lambda item: -item[1][1])
    cases = tuple(
        f"{names[first]} / {names[second]}: {count} of {pictures[first] * pictures[second]} picture pairs, the best "
        f"{best:.4f} ({captures.names[one]}, {captures.names[other]})"
        for (first, second), (count, best, one, other) in pairs[:top]
    )
    if not cases:
        return []
    reached = sum(count for count, *_ in seen.alike.values())
    words = (
        f"Two names whose pictures match at {strict.threshold:.4f} or more, the strictest threshold of the model's card "
        f"({in_words(strict.fmr or 0)} strangers). {reached:,} of {seen.strangers:,} comparisons did, and about "
        f"{(strict.fmr or 0) * seen.strangers:,.1f} would by chance; look at the first ones, they may be one person."
    )
    return [Problem("two_names", words, cases, len(pairs))]


def _unlike(captures: Captures, seen: _Seen, loose: OperatingPoint, top: int) -> list[Problem]:
    """Pictures that match none of their subject's others."""
    unlike = np.flatnonzero(np.isfinite(seen.own) & (seen.own < loose.threshold))
    if not len(unlike):
        return []
    order = unlike[np.argsort(seen.own[unlike], kind="stable")]
    cases = tuple(f"{captures.names[index]} (best {seen.own[index]:.4f})" for index in order[:top])
    words = (
        f"A picture below {loose.threshold:.4f}, the loosest threshold of the model's card, with every other picture of its "
        "subject: mislabelled, or a face the model cannot tell; look at it."
    )
    return [Problem("unlike_own", words, cases, len(unlike))]


def _single(captures: Captures) -> list[Problem]:
    """People who can give no genuine comparison."""
    total = Counter(captures.subjects)
    usable = Counter(
        subject for subject, reason in zip(captures.subjects, captures.failures, strict=True) if not reason
    )
    single = [subject for subject, count in total.items() if subject and count == 1]
    none = [subject for subject in total if subject and not usable[subject]]
    return _listed(
        (
            "single_picture",
            "A person with one picture; no genuine comparison, still an impostor to the others.",
            single,
        ),
        ("no_template", "A person none of whose pictures gave a template.", none),
    )


def _listed(*kinds: tuple[str, str, list[str]]) -> list[Problem]:
    return [Problem(kind, words, tuple(cases)) for kind, words, cases in kinds if cases]

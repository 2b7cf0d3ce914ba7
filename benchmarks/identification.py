"""Open-set identification on lfw_grey: one photo of half the people is enrolled, the others are strangers.

    python benchmarks/identification.py --data ../shared/data

Three questions, each answered on development people and judged on the other half of the people:

- FNIR at FPIR 1 % with one photo per person, threshold from development people.
- Does a normalised score (lead over the runner-up, distance from the nearest strangers, z- and s-norm) miss fewer?
- One person, three photos: keep all and take the best, or fuse them into one?

A probe or an enrolment without a face is a miss. Intervals draw people with replacement; differences are paired.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accuracy import Photo, faces, halves, photos, shown, vectors
from numpy.typing import NDArray
from record import save

from mien.embed import OnnxEmbedder
from mien.judge.quality import assess
from mien.types import Face, Frame, Metric

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
FPIR = 0.01
ROUNDS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Searches:
    """What an open-set trial compares."""

    mated: F32  # (m, N) scores of probes of enrolled people
    mate: I64  # (m,) column of each probe's person
    strangers: F32  # (s, N) scores of probes of people who are not enrolled
    gallery: F32  # (N, D) the enrolled

    @property
    def inner(self) -> F32:
        """(N, N) scores among the enrolled."""
        return self.gallery @ self.gallery.T


Rule = Callable[[F32, Searches], F32]  # scores (p, N) to normalised scores (p, N)


def one_photo(found: F32, person: I64, chosen: NDArray[np.bool_], seed: int = 0) -> Searches:
    """Enrol the first photo of a random half of the `chosen` people; search the second photos and the others' first."""
    first = {int(p): int(i) for i, p in reversed(list(enumerate(person))) if chosen[p]}
    people = np.random.default_rng(seed).permutation(sorted(first))
    enrolled, others = people[: len(people) // 2], people[len(people) // 2 :]
    second = {p: first[p] + 1 for p in enrolled if first[p] + 1 < len(person) and person[first[p] + 1] == p}
    gallery = found[[first[p] for p in enrolled]]
    mate = np.array([index for index, p in enumerate(enrolled) if p in second])
    mated = found[[second[enrolled[index]] for index in mate]] @ gallery.T
    strangers = found[[first[p] for p in others]]
    strangers = strangers[strangers.any(1)] @ gallery.T  # a stranger without a face cannot be searched
    return Searches(mated, mate, strangers, gallery)


def raw(scores: F32, _: Searches) -> F32:
    """The cosine as it is."""
    return scores


def lead(share: float) -> Rule:
    """Plus a share of the lead over the best other person."""

    def rule(scores: F32, _: Searches) -> F32:
        top = -np.partition(-scores, 1, axis=1)[:, :2]
        other = np.where(scores >= top[:, :1], top[:, 1:], top[:, :1])
        return scores + np.float32(share) * (scores - other)

    return rule


def less_neighbours(share: float, count: int) -> Rule:
    """Minus a share of the mean of the probe's `count` nearest others (its top, without the candidate)."""

    def rule(scores: F32, _: Searches) -> F32:
        top = -np.partition(-scores, count, axis=1)[:, : count + 1]
        total = top.sum(1, keepdims=True)
        within = scores >= top.min(1, keepdims=True)
        others = np.where(within, total - scores, total - top.min(1, keepdims=True)) / count
        return scores - np.float32(share) * others

    return rule


def both_neighbours(share: float, count: int) -> Rule:
    """The same on both sides: also minus the mean of the enrolled person's nearest others in the gallery (s-norm)."""

    def rule(scores: F32, trial: Searches) -> F32:
        inner = trial.inner
        np.fill_diagonal(inner, -np.inf)
        near = -np.partition(-inner, count - 1, axis=1)[:, :count].mean(1)
        return less_neighbours(share, count)(scores, trial) - np.float32(share) * near[None]

    return rule


def z_norm(scores: F32, _: Searches) -> F32:
    """Standard deviations above the mean of the probe's scores."""
    return (scores - scores.mean(1, keepdims=True)) / scores.std(1, keepdims=True)


RULES: dict[str, Rule] = {
    "cosine": raw,
    **{f"lead x {share}": lead(share) for share in (0.25, 0.5, 1.0)},
    **{
        f"less {share} of {count} neighbours": less_neighbours(share, count)
        for share in (0.3, 0.6)
        for count in (5, 30)
    },
    **{f"both less {share} of {count}": both_neighbours(share, count) for share in (0.25, 0.5) for count in (5, 30)},
    "z-norm": z_norm,
}


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a rule made of a trial."""

    best: F64  # (s,) best score of each stranger
    mate: F64  # (m,) score of each mate, -inf where somebody else came first

    def threshold(self, weights: F64 | None = None) -> float:
        """Where FPIR is at most 1 %."""
        order = np.argsort(-self.best)
        mass = np.cumsum(np.ones(len(order)) if weights is None else weights[order])
        allowed = int(np.searchsorted(mass, FPIR * mass[-1], side="right"))
        return float(np.nextafter(self.best[order[allowed]], np.inf))

    def missed(self, threshold: float, weights: F64 | None = None) -> float:
        """FNIR."""
        return float(np.average(self.mate < threshold, weights=weights))


def outcome(rule: Rule, trial: Searches) -> Outcome:
    """The scores that decide, under a rule."""
    mated, strangers = rule(trial.mated, trial), rule(trial.strangers, trial)
    score = mated[np.arange(len(mated)), trial.mate].astype(np.float64)
    failed = ~trial.mated.any(1) | (mated.max(1) > score)
    return Outcome(strangers.max(1).astype(np.float64), np.where(failed, -np.inf, score))


def draws(trial: Outcome, rounds: int = ROUNDS) -> list[tuple[F64, F64]]:
    """Weights of strangers and of mated probes; each probe is another person."""
    rng = np.random.default_rng(0)
    sizes = len(trial.best), len(trial.mate)
    return [
        tuple(np.bincount(rng.integers(n, size=n), minlength=n).astype(float) for n in sizes) for _ in range(rounds)
    ]  # type: ignore[misc]


def difference(rule: Outcome, base: Outcome) -> Metric:
    """FNIR of a rule minus that of another at FPIR 1 % each, on the same people."""
    values = [rule.missed(rule.threshold(s), m) - base.missed(base.threshold(s), m) for s, m in draws(base)]
    point = rule.missed(rule.threshold()) - base.missed(base.threshold())
    return metric_of(point, values, len(base.mate))


def level(rule: Outcome) -> Metric:
    """FNIR at FPIR 1 %, threshold from the same strangers."""
    values = [rule.missed(rule.threshold(s), m) for s, m in draws(rule)]
    return metric_of(rule.missed(rule.threshold()), values, len(rule.mate))


def metric_of(value: float, values: list[float], n: int) -> Metric:
    low, high = np.quantile(values, [0.025, 0.975])
    return Metric(value, float(low), float(high), n)


def normalisation(found: F32, person: I64, development: NDArray[np.bool_]) -> dict[str, Any]:
    """Choose a rule on development people, judge it on the others."""
    trials = {"development": one_photo(found, person, development), "others": one_photo(found, person, ~development)}
    outcomes = {half: {name: outcome(rule, trial) for name, rule in RULES.items()} for half, trial in trials.items()}
    tried = {
        name: shown(difference(o, outcomes["development"]["cosine"])) for name, o in outcomes["development"].items()
    }
    chosen = min(tried, key=lambda name: tried[name]["value"])
    judged, base = outcomes["others"][chosen], outcomes["others"]["cosine"]
    carried = outcomes["development"]["cosine"].threshold()
    return {
        "enrolled": trials["others"].mated.shape[1],
        "mated searches": len(base.mate),
        "searches by strangers": len(base.best),
        "FNIR at FPIR 1 %, cosine": shown(level(base)),
        "with the threshold of development people": {
            "threshold": round(carried, 4),
            "FPIR": round(float((base.best >= carried).mean()), 4),
            "FNIR": round(base.missed(carried), 4),
        },
        "development: FNIR minus that of the cosine": tried,
        "chosen on development": chosen,
        "others: FNIR of the chosen minus that of the cosine": shown(difference(judged, base)),
    }


# One person, several photos.


def qualities(pictures: Sequence[Photo], person: I64, cache: Path) -> F64:
    """(n,) overall quality of each picture of a person who has at least three; 1 elsewhere, 0 without a face."""
    points, boxes, scores = faces(pictures, cache / "lfw_grey_faces.npz")
    result = np.ones(len(pictures))
    for index in np.flatnonzero(np.bincount(person)[person] > 2):
        face = Face(Frame(pictures[index].read()), boxes[index], points[index], float(scores[index]))
        result[index] = assess(face).scores["overall"] if scores[index] else 0.0
    return np.maximum(result, 0.01)  # a weight of nothing at all has no mean


def fused(group: F32, weights: F64 | None = None) -> F32:
    """(D,) unit mean of a person's unit vectors (k, D)."""
    mean = np.average(group, axis=0, weights=weights)
    return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)


def several_photos(
    found: F32, person: I64, quality: F64, chosen: NDArray[np.bool_], count: int = 3
) -> dict[str, Outcome]:
    """Enrol `count` photos of half the people who have more, search their next photo and one of everybody else."""
    sizes = np.bincount(person, minlength=len(chosen))
    start = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    people = np.random.default_rng(1).permutation(np.flatnonzero((sizes > count) & chosen))
    enrolled = people[: (len(people) + 1) // 2]
    others = np.setdiff1d(np.flatnonzero((sizes > 0) & chosen), enrolled)
    groups = [np.arange(start[p], start[p] + count) for p in enrolled]
    seen = [group[found[group].any(1)] for group in groups]
    probes, strangers = found[start[enrolled] + count], found[start[others]]
    strangers = strangers[strangers.any(1)]
    ways = {
        "one photo": np.stack([found[group[0]] for group in groups]),
        "mean": np.stack([fused(found[group]) for group in seen]),
        "quality-weighted mean": np.stack([fused(found[group], quality[group]) for group in seen]),
    }
    mate = np.arange(len(enrolled))
    result = {
        name: outcome(raw, Searches(probes @ gallery.T, mate, strangers @ gallery.T, gallery))
        for name, gallery in ways.items()
    }
    every = np.stack([found[group] for group in groups])  # (N, count, D)
    scores = [np.einsum("pd,nkd->pnk", part, every) for part in (probes, strangers)]
    result["all, the best counts"] = outcome(raw, Searches(scores[0].max(2), mate, scores[1].max(2), every[:, 0]))
    both = [part.max(2) + part.mean(2) for part in scores]
    result["all, best plus mean score"] = outcome(raw, Searches(both[0], mate, both[1], every[:, 0]))
    return result


def fusion(found: F32, person: I64, quality: F64, development: NDArray[np.bool_]) -> dict[str, Any]:
    """FNIR at FPIR 1 % per way, and its difference to keeping all and taking the best."""
    report: dict[str, Any] = {}
    for half, chosen in (("development", development), ("others", ~development)):
        for count in (2, 3, 5):
            ways = several_photos(found, person, quality, chosen, count)
            base = ways["all, the best counts"]
            report[f"{half}, {count} photos"] = {
                "enrolled": len(base.mate),
                "searches by strangers": len(base.best),
                **{
                    name: {"FNIR": shown(level(way)), "minus keeping all": shown(difference(way, base))}
                    for name, way in ways.items()
                },
            }
    return report


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy"))
    parser.add_argument("--plain", action="store_true", help="without the mirrored chip")
    options = parser.parse_args()
    pictures = photos(options.data, "lfw_grey")
    embedder = OnnxEmbedder("dlib_resnet", mirrored=not options.plain)
    found = vectors(pictures, options.cache, embedder, "lfw_grey")
    names, person = np.unique([photo.person for photo in pictures], return_inverse=True)
    development = halves(options.data, names)
    quality = qualities(pictures, person, options.cache)
    results = {
        "one photo each": normalisation(found, person, development),
        "several photos each": fusion(found, person, quality, development),
    }
    for name, result in results.items():
        print(name, result, flush=True)
    save("identification", results, sys.argv)


if __name__ == "__main__":
    main()

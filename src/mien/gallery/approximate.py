"""Approximate search behind a gate: handed out only where its recall was measured on the user's own templates.

    gate = open_gate(gallery, recall=0.999)     # builds a graph (HNSW) and measures; nothing is switched on by itself
    if gate.open:
        matches = gate.search(probe)            # evidence: exact=False, measured_recall=…

Why a gate: with one template per person the mate of a probe is a lone point that no neighbour leads to, and graphs miss it
silently, most often where it scores low. Recall here is that of the first answer: how often the graph's best is the true best
by an exhaustive comparison. The gate shuts when the gallery has grown by more than a tenth or anybody was erased.
"""

from __future__ import annotations

import hashlib
import math
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError, UsageError
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.matrix import check_template
from mien.types import F32, Match, SearchEvidence, Template

FEWEST = 1000  # probes, and templates
GROWN = 1.1  # times the templates it was measured with
LINKS, BUILDING = 32, 100  # of the graph: neighbours per template, and how many are weighed when one is added
WEAK = 0.25  # the share of the probes, those with the lowest scores, that is judged by itself too
_TIE = 1e-6  # scores closer than this are one score: float32 sums differ with their order
_BLOCK = 256  # probes compared with everybody at a time


@dataclass(frozen=True, slots=True)
class Recall:
    """How often the graph's first answer was the true one."""

    wanted: float
    recall: float
    low: float  # 95 % interval (Clopper and Pearson)
    high: float
    probes: int
    held_out: int  # probes that are somebody's second template, left out of the graph; the rest are noised templates
    held_out_recall: float | None
    noised_recall: float | None
    weak_recall: float  # over the quarter of the probes whose best score is lowest
    weak_score: float  # the score below which that quarter lies
    people: int
    templates: int
    effort: int  # candidates that the graph keeps while it searches

    @property
    def passed(self) -> bool:
        """Whether the interval is as good as was wanted, and so is each kind of probe and the weak quarter by itself."""
        kinds = (self.weak_recall, self.held_out_recall, self.noised_recall)
        return self.low >= self.wanted and all(one is None or one >= self.wanted for one in kinds)


@dataclass(slots=True, eq=False)
class _Held:
    """Templates of a gallery at one moment."""

    vectors: F32  # (n, D)
    owners: NDArray[np.intp]  # (n,) index into names
    names: list[str]


class Gate:
    """An approximate searcher of one gallery, or the reason why there is none. Made by `open_gate`."""

    def __init__(self, gallery: EmbeddedGallery, measured: Recall, held: _Held, epoch: int) -> None:
        self.measured = measured
        self.why_shut = "" if measured.passed else _too_low(measured)
        self._gallery, self._held, self._epoch = gallery, held, epoch
        self._lock = threading.Lock()
        self._known: set[bytes] = set()
        self._graph: Any = None
        if measured.passed:
            self._known = {_mark(held.names[owner], row) for owner, row in zip(held.owners, held.vectors, strict=True)}
            self._graph = _graph(held.vectors, measured.effort)

    @property
    def open(self) -> bool:
        """Whether it still answers; looks at the gallery."""
        with self._lock:
            self._look()
            return not self.why_shut

    def search(self, probe: Template, k: int = 5, *, floor: float | None = None) -> list[Match]:
        """Up to k subjects, best first, ties by name; each may be missing somebody. Scores are as those of the exact search.

        Raises UsageError where the gate is shut, SpaceMismatch, InputError."""
        if k < 1:
            raise UsageError(f"{k} matches were asked for.", "Ask for at least one.")
        with self._lock:
            self._look()
            if self.why_shut:
                raise UsageError(
                    f"Approximate search of {self._gallery.where} is shut: {self.why_shut}.",
                    "Search the gallery itself, which is exact, or measure again with open_gate.",
                )
            check_template(probe, self._gallery.space, self._held.vectors.shape[1], self._gallery.where)
            return self._found(probe.vector, k, floor)

    def _found(self, probe: F32, k: int, floor: float | None) -> list[Match]:
        count = len(self._held.vectors)
        wanted, scores = min(4 * k, count), dict[int, float]()
        while True:
            rows = _nearest(self._graph, probe[None], wanted, self.measured.effort)[0]
            for row in rows[rows >= 0].tolist():
                owner = int(self._held.owners[row])
                score = math.fsum((self._held.vectors[row].astype(np.float64) * probe).tolist())
                scores[owner] = max(max(-1.0, min(1.0, score)), scores.get(owner, -1.0))
            if len(scores) >= min(k, len(self._held.names)) or wanted == count:
                break
            wanted = min(4 * wanted, count)
        best = sorted(scores.items(), key=lambda one: (-one[1], self._held.names[one[0]]))[:k]
        evidence = SearchEvidence(False, self._proof(), wanted, self.measured.low)
        return [Match(self._held.names[one], score, evidence) for one, score in best if floor is None or score >= floor]

    def _proof(self) -> str:
        one = self.measured
        return (
            f"HNSW, {one.probes:,} probes of which {one.held_out:,} were second pictures, {one.templates:,} templates"
        )

    def _look(self) -> None:
        """Shut after an erasure or much growth; take in who came since."""
        if self.why_shut:
            return
        head, before = self._gallery.revision(), self.measured.templates
        if head.epoch != self._epoch:
            self._shut("somebody was erased since it was measured")
        elif head.samples > GROWN * before:
            self._shut(f"the gallery has grown from {before:,} to {head.samples:,} templates since it was measured")
        elif head.samples != len(self._held.vectors):
            self._catch_up()

    def _shut(self, why: str) -> None:
        """For good; what was copied of the templates goes."""
        self.why_shut, self._graph, self._known = why, None, set()
        self._held = _Held(np.empty((0, self._held.vectors.shape[1]), np.float32), np.empty(0, np.intp), [])

    def _catch_up(self) -> None:
        places = {name: place for place, name in enumerate(self._held.names)}
        rows, owners = [], []
        for name, sample in self._gallery.samples():
            mark = _mark(name, sample.template.vector)
            if mark not in self._known:
                self._known.add(mark)
                rows.append(sample.template.vector)
                owners.append(places.setdefault(name, len(places)))
        if rows:
            self._graph.add(np.stack(rows))
            self._held.vectors = np.concatenate([self._held.vectors, np.stack(rows)])
            self._held.owners = np.concatenate([self._held.owners, np.array(owners, np.intp)])
            self._held.names = list(places)


def open_gate(
    gallery: EmbeddedGallery, *, recall: float = 0.999, probes: int | None = None, effort: int = 256, seed: int = 0
) -> Gate:
    """Measure a graph over the gallery's templates; the gate is open where the lower end of the interval reaches `recall`.

    probes: how many to measure with, by default enough to show `recall` with a few misses. First everybody's second template,
    which the graph then does not hold; then templates with noise, at the scores that second templates have here (without
    thirty of those: evenly from where strangers score up to 0.95). effort: candidates kept while searching; more is slower.

    Raises UsageError for an engine that keeps no file, or without the package faiss; EvidenceError for fewer than 1,000
    templates or probes, or too few probes for `recall`."""
    if not 0.5 <= recall < 1:
        raise UsageError(f"{recall} is no recall to ask for.", "Ask for one from 0.5 up to, not including, 1.")
    if not isinstance(gallery, EmbeddedGallery):
        raise UsageError(f"The gallery {gallery!r} is not one file.", "Approximate search is for people.db galleries.")
    _faiss()
    count = max(FEWEST, math.ceil(6 / (1 - recall))) if probes is None else probes
    needed = max(FEWEST, math.ceil(math.log(0.025) / math.log(recall)))
    if count < needed:
        raise EvidenceError(f"{count:,} probes cannot show a recall of {recall}.", f"Measure with {needed:,} or more.")
    epoch = gallery.revision().epoch
    held = _read(gallery)
    if len(held.vectors) < FEWEST:
        raise EvidenceError(
            f"The gallery {gallery.where} holds {len(held.vectors):,} templates, too few to measure recall with.",
            f"Search it exactly: {FEWEST:,} are compared in a millisecond.",
        )
    return Gate(gallery, _measure(held, recall, count, effort, seed), held, epoch)


def _measure(held: _Held, wanted: float, count: int, effort: int, seed: int) -> Recall:
    rng = np.random.default_rng(seed)
    left_out = _second_ones(held.owners, rng)[:count]
    kept = np.ones(len(held.vectors), bool)
    kept[left_out] = False
    reference, owners = held.vectors[kept], held.owners[kept]
    probes = held.vectors[left_out]
    if len(left_out) < count:
        mates = _mate_scores(probes, held.owners[left_out], reference, owners)
        probes = np.concatenate([probes, _noised(reference, owners, mates, count - len(left_out), rng)])
    graph = _graph(reference, effort)
    hits, best = np.empty(count, bool), np.empty(count, np.float32)
    for start in range(0, count, _BLOCK):
        part = probes[start : start + _BLOCK]
        scores = part @ reference.T
        best[start : start + _BLOCK] = scores.max(axis=1)
        found = _nearest(graph, part, 1, effort)[:, 0]
        reached = np.where(found >= 0, scores[np.arange(len(part)), found], -2.0)
        hits[start : start + _BLOCK] = reached >= scores.max(axis=1) - _TIE
    second = np.arange(count) < len(left_out)
    border = float(np.quantile(best, WEAK))
    low, high = _interval(int(hits.sum()), count)

    def share(of: NDArray[np.bool_]) -> float | None:
        return float(hits[of].mean()) if of.any() else None

    return Recall(
        wanted, float(hits.mean()), low, high, count, len(left_out), share(second), share(~second),
        share(best <= border) or 0.0, border, len(held.names), len(held.vectors), effort,
    )  # fmt: skip


def _read(gallery: EmbeddedGallery) -> _Held:
    places: dict[str, int] = {}
    rows, owners = [], []
    for name, sample in gallery.samples():
        rows.append(sample.template.vector)
        owners.append(places.setdefault(name, len(places)))
    vectors = np.stack(rows) if rows else np.empty((0, 1), np.float32)
    return _Held(vectors, np.array(owners, np.intp), list(places))


def _second_ones(owners: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """One template of each person who has several, drawn, in drawn order."""
    drawn = rng.permutation(len(owners))
    _, first = np.unique(owners[drawn], return_index=True)
    several = np.bincount(owners) > 1
    chosen = drawn[first[several[owners[drawn[first]]]]]
    return np.asarray(rng.permutation(chosen), np.intp)


def _mate_scores(probes: F32, of: NDArray[np.intp], reference: F32, owners: NDArray[np.intp]) -> NDArray[np.float64]:
    """Each probe's best score with its own person."""
    order = np.argsort(owners, kind="stable")
    starts = np.searchsorted(owners[order], of, "left"), np.searchsorted(owners[order], of, "right")
    pairs = zip(probes, *starts, strict=True)
    return np.array([float((reference[order[a:b]] @ probe).max()) for probe, a, b in pairs])


def _noised(
    reference: F32, owners: NDArray[np.intp], mates: NDArray[np.float64], count: int, rng: np.random.Generator
) -> F32:
    """Templates turned away from themselves until they score as a mate would, in directions drawn evenly."""
    rows = np.concatenate([rng.permutation(len(reference)) for _ in range(-(-count // len(reference)))])[:count]
    if len(mates) >= 30:
        cosines = rng.choice(np.clip(mates, -1, 1), count)
    else:
        sample = rng.choice(len(reference), min(500, len(reference)), replace=False)
        scores = reference[sample] @ reference.T
        scores[owners[sample][:, None] == owners[None, :]] = -1.0
        cosines = rng.uniform(min(0.9, float(np.median(scores.max(axis=1)))), 0.95, count)
    base = reference[rows].astype(np.float64)
    noise = rng.normal(size=base.shape)
    noise -= (noise * base).sum(axis=1, keepdims=True) * base
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    turned = cosines[:, None] * base + np.sqrt(1 - cosines[:, None] ** 2) * noise
    probes: F32 = (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32)
    return probes


def _interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Clopper and Pearson, Biometrika 1934), by halving: no library for two numbers."""

    def at_least(successes: int, rate: float) -> float:  # P(X >= successes)
        terms = (
            math.lgamma(count + 1) - math.lgamma(x + 1) - math.lgamma(count - x + 1)
            + x * math.log(rate) + (count - x) * math.log1p(-rate)
            for x in range(successes, count + 1)
        )  # fmt: skip
        return math.fsum(math.exp(term) for term in terms)

    def solve(successes: int, level: float) -> float:
        low, high = 0.0, 1.0
        for _ in range(40):
            middle = (low + high) / 2
            low, high = (middle, high) if at_least(successes, middle) < level else (low, middle)
        return (low + high) / 2

    return (solve(hits, 0.025) if hits else 0.0), (solve(hits + 1, 0.975) if hits < count else 1.0)


def _too_low(measured: Recall) -> str:
    interval = f"{measured.recall:.4f} ({measured.low:.4f} to {measured.high:.4f})"
    weak = f"{measured.weak_recall:.4f} where mates score below {measured.weak_score:.2f}"
    return f"its measured recall is {interval}, {weak}, and {measured.wanted} is wanted"


def _mark(name: str, vector: F32) -> bytes:
    return hashlib.blake2b(vector.tobytes() + name.encode(), digest_size=16).digest()


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise UsageError(
            "Approximate search needs the package faiss, which is absent.", "Install mien[approximate]."
        ) from error
    return faiss


def _graph(vectors: F32, effort: int) -> Any:
    faiss = _faiss()
    graph = faiss.IndexHNSWFlat(vectors.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction, graph.hnsw.efSearch = BUILDING, effort
    graph.add(np.ascontiguousarray(vectors))
    return graph


def _nearest(graph: Any, probes: F32, k: int, effort: int) -> NDArray[np.int64]:
    """(q, k) rows, best first; -1 where the graph led to fewer."""
    graph.hnsw.efSearch = max(effort, k)
    _, rows = graph.search(np.ascontiguousarray(probes), k)
    return np.asarray(rows, np.int64)

"""People to search for: simulated templates of any number, and real ones of Labeled Faces in the Wild as grey crops.

Simulated templates are unit vectors whose coordinates have a power-law spectrum (an exponent of 0.7 makes them spread like
those of a recogniser with about 130 independent directions of 512); a probe has a drawn cosine to its mate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import I64
from mien.errors import EvidenceError
from mien.report import Problem
from mien.reproduce.claim import Context
from mien.types import F32

ARCHIVE = "lfw_grey.zip"
PAD = 0.3  # of each side: the face fills these crops
SPECTRUM = 0.7
EASY, HARD = (0.65, 0.08), (0.45, 0.10)  # mean and standard deviation of a probe's cosine to its mate
Step = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """A gallery with one template each, probes of people in it, and templates of people who are not."""

    name: str
    gallery: F32  # (n, d) unit length
    probes: F32  # (p, d) unit length; a row of zeros where no face was found
    mate: I64  # (p,) row of the gallery
    others: F32  # (k, d) of further people: what a preselection may be fitted on
    simulated: bool = True
    problems: tuple[Problem, ...] = ()

    @property
    def failed(self) -> NDArray[np.bool_]:
        """(p,) probes without a template: searches that find nobody, in plaintext and sealed alike."""
        return np.asarray(~self.probes.any(axis=1), np.bool_)


def simulated(people: int, probes: int, genuine: tuple[float, float], seed: int, dimension: int = 512) -> People:
    """Simulated templates; `genuine`: mean and standard deviation of the cosine of a probe and its mate."""
    rng = np.random.default_rng(seed)
    spread: F32 = (np.arange(1, dimension + 1) ** (-SPECTRUM / 2)).astype(np.float32)
    gallery = unit(rng.standard_normal((people, dimension), np.float32) * spread)
    mate = rng.integers(0, people, probes)
    cosine = np.clip(rng.normal(*genuine, probes), 0.05, 0.99).astype(np.float32)[:, None]
    away: F32 = rng.standard_normal((probes, dimension), np.float32) * spread
    mated = gallery[mate]
    away = unit(away - (away * mated).sum(1, keepdims=True) * mated)
    others = unit(rng.standard_normal((3000, dimension), np.float32) * spread)
    name = f"simulated, {people:,} people, cosine to the mate {genuine[0]} ± {genuine[1]}"
    return People(
        name, gallery, unit((cosine * mated + np.sqrt(1 - cosine**2) * away).astype(np.float32)), mate, others
    )


def real(context: Context, sizes: tuple[int, ...], most: int | None = None, seed: int = 0) -> list[People]:
    """Galleries of `sizes` people of lfw_grey.zip, one photo each, people with a second photo first; that is their probe.

    most: how many people are looked at in all, default everybody. People outside the largest gallery are the `others`.
    Whose photo shows no face is not enrolled and is listed. Raises MediaNotFound."""
    from mien.audit.captures.capturing import capture, lost
    from mien.audit.data import pictures
    from mien.engine import Engine

    listed, _ = pictures(context.need(ARCHIVE), PAD)
    of_person: dict[str, list[int]] = {}
    for number, one in enumerate(listed):
        of_person.setdefault(one.subject, []).append(number)
    order = np.random.default_rng(seed).permutation(sorted(of_person))
    names = sorted(order.tolist(), key=lambda name: len(of_person[name]) < 2)[
        :most
    ]  # stable: the draw decides the rest
    chosen = [number for name in names for number in of_person[name][:2]]
    captured = capture(
        Engine(), [listed[n] for n in chosen], progress=lambda n, total: context.progress("photos", n, total)
    )
    row = {number: place for place, number in enumerate(chosen)}
    first = captured.vectors[[row[of_person[name][0]] for name in names]]
    second = np.zeros_like(first)
    has = np.array([len(of_person[name]) > 1 for name in names])
    second[has] = captured.vectors[[row[of_person[name][1]] for name in names if len(of_person[name]) > 1]]
    enrolled = first.any(axis=1)
    return list(_galleries(first[enrolled], second[enrolled], has[enrolled], sizes, lost(captured)))


def _galleries(
    first: F32,
    second: F32,
    has: NDArray[np.bool_],
    sizes: tuple[int, ...],
    lost: tuple[Problem, ...],
) -> Iterator[People]:
    for size in sizes:
        if len(first) < size:
            raise EvidenceError(
                f"{ARCHIVE} has {len(first):,} people with a face that is found, and {size:,} are wanted."
            )
        mate = np.flatnonzero(has[:size])
        yield People(
            f"lfw_grey, {size:,} people",
            first[:size],
            second[mate],
            mate.astype(np.int64),
            first[max(sizes) :],
            simulated=False,
            problems=lost,
        )


def unit(rows: F32) -> F32:
    """Rows at unit length."""
    scaled: F32 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return scaled

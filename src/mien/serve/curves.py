"""What the people enrolled say about a gallery's thresholds: a DET curve, and how many false alarms a day are to be expected.

Everybody with two samples or more gives genuine comparisons, everybody together those of strangers. A large gallery is
sampled, seeded, so that it is a second or so of work; the counts say of how many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mien import wire
from mien.decide import expected_fpir
from mien.gallery import BaseGallery
from mien.types import F32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mien.audit.metrics.curves import Judged

PEOPLE = 300  # people looked at, at most: those with several samples first
EACH = 3  # samples of one of them
SHOWN = 33  # points of the curve
ROUNDS = 200  # resamples of people
LEAST_PAIRS = 30  # of people: fewer show no rate below 1 in 10
FEW = 30  # people with two samples below which the misses say little
ALARMS = (
    "Every search is taken for a stranger's, and comparisons for independent: 1 - (1 - FMR)^templates. Both make it too "
    "high rather than too low: the share of strangers among searches is yours to know, and strangers look alike to several."
)


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Templates of some of a gallery's people."""

    vectors: F32  # (n, D)
    owner: NDArray[np.int64]  # (n,) number of the person
    enrolled: int  # people in the gallery
    templates: int  # in the gallery

    @property
    def people(self) -> int:
        """People drawn."""
        return len(np.unique(self.owner))

    @property
    def several(self) -> int:
        """Those of them with two samples or more."""
        return int((np.bincount(self.owner) > 1).sum()) if len(self.owner) else 0


def drawn(gallery: BaseGallery, seed: int = 0) -> Drawn:
    """At most PEOPLE of the people, those with several samples first, and EACH samples of each."""
    listed = gallery.people()
    order = [listed[index] for index in np.random.default_rng(seed).permutation(len(listed))]
    chosen = sorted(order, key=lambda one: one.samples < 2)[:PEOPLE]
    vectors: list[F32] = []
    owner: list[int] = []
    for number, person in enumerate(chosen):
        for _, (_, sample) in zip(range(EACH), gallery.samples(person.subject), strict=False):
            vectors.append(sample.template.vector)
            owner.append(number)
    held = np.stack(vectors) if vectors else np.empty((0, 1), np.float32)
    return Drawn(held, np.array(owner, np.int64), len(listed), sum(one.samples for one in listed))


def curve(found: Drawn, thresholds: tuple[float, ...]) -> dict[str, Any]:
    """The DET curve, what each of `thresholds` does, and what the reader must know. No template is in it."""
    from mien.audit.metrics.curves import measure
    from mien.audit.metrics.pairing import every

    counts = {"people": found.people, "with_two_samples": found.several, "templates": len(found.owner)}
    if found.people < 2 or not found.several:
        counts |= {"pairs": 0, "genuine": 0, "impostors": 0}
        return {"counts": counts, "det": [], "at": [], "eer": None, "notes": _notes(found, 0)}
    det = every(found.vectors, found.owner)
    # Where scores change the errors: evenly spread over the rates that the people here can show.
    places = measure(det, (), (), rounds=2).curve.threshold
    wanted = tuple(float(one) for one in places[np.linspace(0, len(places) - 1, SHOWN).round().astype(int)])
    measured = measure(det, (), (*wanted, *thresholds), ROUNDS)
    rows = [_row(one) for one in measured.at]
    counts |= {"pairs": det.pairs, "genuine": det.genuine.total, "impostors": det.impostor.total}
    return {
        "counts": counts,
        "det": sorted(rows[: len(wanted)], key=lambda row: row["threshold"]),
        "at": rows[len(wanted) :],
        "eer": wire.encode(measured.eer),
        "notes": _notes(found, det.pairs),
    }


def _notes(found: Drawn, pairs: int) -> list[str]:
    """What the reader must know of the figures."""
    said = []
    if found.people < 2:
        there = "Nobody is" if not found.enrolled else "One person is"
        said.append(f"{there} enrolled: it takes two to say anything of strangers.")
    elif not found.several:
        said.append(
            "Nobody has two samples: how often your own people would be missed cannot be said. Enrol second ones."
        )
    elif found.several < FEW:
        few = "One person has" if found.several == 1 else f"Only {found.several} people have"
        said.append(f"{few} two samples: how often people are missed is a rough figure.")
    if 0 < pairs < LEAST_PAIRS:
        said.append(f"{found.people} people are too few to show any false-match rate: use the card's thresholds.")
    elif pairs:
        said.append(f"{pairs:,} pairs of people show false-match rates down to {3 / pairs:.2g} (rule of three).")
    if found.people < found.enrolled:
        said.append(f"{found.people:,} of {found.enrolled:,} people were drawn, those with several samples first.")
    return said


def alarms(fmr: Mapping[str, float], templates: int, per_day: float) -> dict[str, float]:
    """False alarms a day at a false-match rate (value, low, high), in a gallery of so many templates."""
    return {
        name: round(per_day * expected_fpir(min(1.0, fmr[name]), max(1, templates)), 4)
        for name in ("value", "low", "high")
    }


def _row(one: Judged) -> dict[str, Any]:
    return {"threshold": round(one.threshold, 6), "fmr": wire.encode(one.fmr), "fnmr": wire.encode(one.fnmr)}

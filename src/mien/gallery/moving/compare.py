"""Who would be taken for whom, before and after: the same crops as probes in two spaces.

Every crop that both galleries hold is a probe, and the template made of it is left out of its own person (leave one out).
In each space the probe is named after whoever holds the template most like it. Somebody with a single template cannot be
probed so: a mirrored, coarser, brighter copy of the crop is searched for instead, which is easier than another photo and
counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import numpy as np

from mien.errors import SpaceMismatch
from mien.gallery.base import BaseGallery
from mien.gallery.moving.follow import Progress, crop_key
from mien.protocols import Embedder
from mien.types import Face, Match, Metric, OperatingPoint, Person, Sample, Template

Change = Literal["same", "lost", "mended", "other"]
Verdict = Literal["safe", "look", "unclear"]
NEAREST = 10  # other people that a probe is held against
_CHUNK = 64  # probes searched at a time
_Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, slots=True)
class Named:
    """Whom one probe is taken for in one space."""

    first: str  # whoever holds the most similar template
    own: float  # score of the person's own best other template
    other: float  # of anybody else's best template; -1 where nobody else is enrolled
    rival: str  # who holds that; "" where nobody else is enrolled

    @property
    def margin(self) -> float:
        """How far the person's own score is ahead; below 0 somebody else is."""
        return self.own - self.other


@dataclass(frozen=True, slots=True)
class Probe:
    """One crop in both spaces."""

    subject: str
    number: int  # of the crop among the person's samples in the gallery that is moved from
    source: str
    augmented: bool  # a changed copy of the only crop, in place of another photo
    before: Named
    after: Named

    @property
    def change(self) -> Change:
        """lost: named after the person and no longer. mended: the other way round. other: another wrong name."""
        was, is_now = (named.first == self.subject for named in (self.before, self.after))
        if was != is_now:
            return "lost" if was else "mended"
        return "same" if self.before.first == self.after.first else "other"


@dataclass(frozen=True, slots=True)
class Confused:
    """Two people of whom one is taken for the other, or might be at the threshold, on one side only."""

    subject: str  # whose crop it is
    number: int
    rival: str
    score: float  # of the crop with the rival, on the side where they are confused


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changes for people when the space does."""

    verdict: Verdict
    words: str  # the verdict as a sentence
    look: tuple[str, ...]  # people to look at: not found any more, not accepted any more, or newly confused
    people: int  # probed with another photo of theirs
    probes: int  # those photos
    crops: int  # crops kept of all people; more than were probed when a sample was drawn
    single: int  # people probed with a changed copy of their only crop
    unprobed: tuple[str, ...]  # people of whom nothing could be probed: no crop in both, or the models were not given
    spaces: tuple[str, str]
    thresholds: tuple[float | None, float | None]
    metrics: Mapping[str, Metric]
    margins: Mapping[str, tuple[float, float, float]]  # 5 %, 50 %, 95 % of own minus other, in each space's own unit
    changed: tuple[Probe, ...]  # every probe whose name changed
    rejected: tuple[str, ...]  # people of whom a probe was accepted before and none is after
    confused: tuple[Confused, ...]  # pairs that are confused after and were not before
    mended: tuple[Confused, ...]  # the other way round


def compare(
    before: BaseGallery,
    after: BaseGallery,
    *,
    embedders: tuple[Embedder | None, Embedder | None] = (None, None),
    points: tuple[OperatingPoint | None, OperatingPoint | None] = (None, None),
    probes: int = 5000,
    progress: Progress | None = None,
) -> Comparison:
    """Compare who is taken for whom in two galleries of the same people, of any engines.

    embedders: of the two spaces, for people with one crop; without both, those are listed as unprobed. points: where each
    space accepts. probes: with more crops than that, people are drawn at random (always the same ones) until there are as
    many. Raises SpaceMismatch for embedders or points of other spaces."""
    _check(before, after, embedders, points)
    everybody = before.people()
    chosen = _drawn([person for person in everybody if person.images], probes)
    unprobed: list[str] = [person.subject for person in everybody if not person.images]
    asked = _asked(before, after, chosen, embedders, unprobed)
    found: list[Probe] = []
    pairs: tuple[dict[tuple[str, str], Confused], dict[tuple[str, str], Confused]] = ({}, {})
    total, done = sum(person.images for person in chosen), 0
    while chunk := list(islice(asked, _CHUNK)):
        sides = [_name(gallery, [one.sides[at] for one in chunk]) for at, gallery in enumerate((before, after))]
        for one, was, is_now in zip(chunk, *sides, strict=True):
            found.append(Probe(one.subject, one.number, one.source, one.augmented, was[0], is_now[0]))
            for held, point, (named, others) in zip(pairs, points, (was, is_now), strict=True):
                _note(held, one, named, others, point)
        done += len(chunk)
        if progress is not None:
            progress(min(done, total), total)
    crops = sum(person.images for person in everybody)
    spaces = (before.space or "", after.space or "")
    return _summed(found, pairs, points, (crops, tuple(unprobed), spaces))


@dataclass(frozen=True, slots=True)
class _Side:
    """A probe in one space, with the person's other templates."""

    subject: str
    probe: Template
    own: float  # best score with those


@dataclass(frozen=True, slots=True)
class _Asked:
    subject: str
    number: int
    source: str
    augmented: bool
    sides: tuple[_Side, _Side]


def altered(face: Face) -> Face:
    """The face mirrored, at half the resolution and a little brighter; the same every time."""
    from PIL import Image

    pixels = np.ascontiguousarray(face.frame.pixels[:, ::-1])
    height, width = pixels.shape[:2]
    small = Image.fromarray(pixels).resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.BILINEAR)
    coarse = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.float32) / 255
    brighter = np.clip(np.rint(255 * coarse**0.85), 0, 255).astype(np.uint8)
    points = face.points[[1, 0, 2, 4, 3]] * np.array([-1, 1]) + np.array([width - 1, 0])
    x0, y0, x1, y1 = face.box
    box = np.array([width - 1 - x1, y0, width - 1 - x0, y1], np.float32)
    return replace(face, frame=replace(face.frame, pixels=brighter), points=points.astype(np.float32), box=box)


def _check(
    before: BaseGallery,
    after: BaseGallery,
    embedders: tuple[Embedder | None, Embedder | None],
    points: tuple[OperatingPoint | None, OperatingPoint | None],
) -> None:
    for gallery, embedder, point in zip((before, after), embedders, points, strict=True):
        for what, space in (("model", embedder and embedder.space), ("operating point", point and point.space)):
            if space and gallery.space not in (None, space):
                raise SpaceMismatch(
                    f"The {what} given for {gallery.where} is of space {space}, but it holds {gallery.space}.",
                    "Give the one that belongs to it.",
                )


def _drawn(people: list[Person], probes: int) -> list[Person]:
    """All people, or some at random until they have as many crops as wanted."""
    if sum(person.images for person in people) <= probes:
        return people
    chosen, crops = [], 0
    for at in np.random.default_rng(0).permutation(len(people)):
        if crops >= probes:
            break
        chosen.append(people[at])
        crops += people[at].images
    return sorted(chosen, key=lambda person: person.subject)


def _asked(
    before: BaseGallery,
    after: BaseGallery,
    people: Sequence[Person],
    embedders: tuple[Embedder | None, Embedder | None],
    unprobed: list[str],
) -> Iterator[_Asked]:
    """The probes of everybody; who has none is added to `unprobed`."""
    for person in people:
        olds = [sample for _, sample in before.samples(person.subject)]
        news = [sample for _, sample in after.samples(person.subject)] if person.subject in after else []
        place = {crop_key(sample): at for at, sample in enumerate(news) if sample.face is not None}
        asked = []
        for number, sample in enumerate(olds):
            there = place.get(crop_key(sample)) if sample.face is not None else None
            if there is None:
                continue
            sides = (_left_out(person.subject, olds, number), _left_out(person.subject, news, there))
            one = _probe(person.subject, number, sample, sides) or _alone(
                person.subject, number, (sample, olds, news), embedders
            )
            if one is not None:
                asked.append(one)
        if not asked:
            unprobed.append(person.subject)
        yield from asked


def _left_out(subject: str, samples: list[Sample], at: int) -> _Side | None:
    """A template of a person against their others; None where there is no other."""
    others = [sample.template for number, sample in enumerate(samples) if number != at]
    return _Side(subject, samples[at].template, _best(samples[at].template, others)) if others else None


def _probe(subject: str, number: int, sample: Sample, sides: tuple[_Side | None, _Side | None]) -> _Asked | None:
    if sides[0] is None or sides[1] is None:
        return None
    return _Asked(subject, number, sample.source, False, (sides[0], sides[1]))


def _alone(
    subject: str,
    number: int,
    held: tuple[Sample, list[Sample], list[Sample]],
    embedders: tuple[Embedder | None, Embedder | None],
) -> _Asked | None:
    """The changed copy of a person's only crop, where both models are at hand."""
    sample, olds, news = held
    if embedders[0] is None or embedders[1] is None or sample.face is None:
        return None
    copy = altered(sample.face)
    made = [embedder.embed([copy])[0] for embedder in embedders if embedder is not None]
    sides = [
        _Side(subject, template, _best(template, [one.template for one in samples]))
        for template, samples in zip(made, (olds, news), strict=True)
    ]
    return _Asked(subject, number, sample.source, True, (sides[0], sides[1]))


def _best(probe: Template, others: Sequence[Template]) -> float:
    """The best score, rounded once as a gallery's search rounds it."""
    wide = probe.vector.astype(np.float64)
    return max(max(-1.0, min(1.0, math.fsum((wide * other.vector).tolist()))) for other in others)


def _name(gallery: BaseGallery, sides: Sequence[_Side]) -> list[tuple[Named, list[Match]]]:
    """Whom each probe is taken for, and the other people nearest to it."""
    found = []
    for side, matches in zip(sides, gallery.search_many([side.probe for side in sides], NEAREST + 1), strict=True):
        others = [match for match in matches if match.subject != side.subject][:NEAREST]
        other, rival = (others[0].score, others[0].subject) if others else (-1.0, "")
        ahead = not others or (-side.own, side.subject) < (-other, rival)  # ties by name, as a search has them
        found.append((Named(side.subject if ahead else rival, side.own, other, rival), others))
    return found


def _note(
    held: dict[tuple[str, str], Confused], one: _Asked, named: Named, others: list[Match], point: OperatingPoint | None
) -> None:
    """Write down whom a probe is confused with on one side."""
    for match in others:
        if match.subject == named.first or (point is not None and match.score >= point.threshold):
            key = (min(one.subject, match.subject), max(one.subject, match.subject))
            if key not in held or held[key].score < match.score:
                held[key] = Confused(one.subject, one.number, match.subject, match.score)


def _summed(
    found: list[Probe],
    pairs: tuple[dict[tuple[str, str], Confused], dict[tuple[str, str], Confused]],
    points: tuple[OperatingPoint | None, OperatingPoint | None],
    about: tuple[int, tuple[str, ...], tuple[str, str]],  # crops kept, people not probed, spaces
) -> Comparison:
    crops, unprobed, spaces = about
    real = [probe for probe in found if not probe.augmented]
    changed = tuple(probe for probe in found if probe.change != "same")
    confused = tuple(pairs[1][key] for key in sorted(pairs[1].keys() - pairs[0].keys()))
    mended = tuple(pairs[0][key] for key in sorted(pairs[0].keys() - pairs[1].keys()))
    rejected = _rejected(found, points)
    look = {probe.subject for probe in changed if probe.change == "lost"} | set(rejected)
    look |= {name for pair in confused for name in (pair.subject, pair.rival)}
    people = len({probe.subject for probe in real})
    verdict, words = _verdict(sorted(look), people, len(real), len(found) - len(real))
    return Comparison(
        verdict=verdict,
        words=words,
        look=tuple(sorted(look)),
        people=people,
        probes=len(real),
        crops=crops,
        single=len({probe.subject for probe in found if probe.augmented}),
        unprobed=unprobed,
        spaces=spaces,
        thresholds=(points[0].threshold if points[0] else None, points[1].threshold if points[1] else None),
        metrics=_metrics(real, [probe for probe in found if probe.augmented], points),
        margins={
            side: _quantiles([getattr(probe, side).margin for probe in real if getattr(probe, side).rival])
            for side in ("before", "after")
            if any(getattr(probe, side).rival for probe in real)
        },
        changed=changed,
        rejected=rejected,
        confused=confused,
        mended=mended,
    )


def _rejected(found: list[Probe], points: tuple[OperatingPoint | None, OperatingPoint | None]) -> tuple[str, ...]:
    """People of whom a probe was accepted before and none is after."""
    if points[0] is None or points[1] is None:
        return ()
    accepted = [
        {
            probe.subject
            for probe in found
            if getattr(probe, side).first == probe.subject and getattr(probe, side).own >= point.threshold
        }
        for side, point in zip(("before", "after"), (points[0], points[1]), strict=True)
    ]
    return tuple(sorted(accepted[0] - accepted[1]))


def _verdict(look: list[str], people: int, probes: int, altered_copies: int) -> tuple[Verdict, str]:
    if look:
        names = ", ".join(look[:10]) + (f" and {len(look) - 10} more" if len(look) > 10 else "")
        return "look", f"Look at {'this person' if len(look) == 1 else f'these {len(look)} people'} first: {names}."
    if not probes:
        what = f"only changed copies of {altered_copies} single crops were" if altered_copies else "nothing could be"
        return "unclear", f"Cannot tell: {what} probed, and no person has two crops to hold against each other."
    bound, noun = 100 * _wilson(0.0, people)[1], "person" if people == 1 else "people"
    return (
        "safe",
        f"Safe as far as these pictures show: {probes} probes of {people} {noun}, nobody is lost, rejected or newly confused"
        f" (with so many people, at most {bound:.2g} % of people at 95 % confidence).",
    )


def _metrics(
    real: list[Probe], copies: list[Probe], points: tuple[OperatingPoint | None, OperatingPoint | None]
) -> dict[str, Metric]:
    """Shares of probes with 95 % intervals, as if each person were one trial: probes of one person are not independent."""
    found = {}
    for probes, suffix in ((real, ""), (copies, "_single")):
        if not probes:
            continue
        people = len({probe.subject for probe in probes})

        def share(hits: Sequence[bool], people: int = people) -> Metric:
            value = sum(hits) / len(hits)
            return Metric(value, *_wilson(value, people), len(hits))

        found[f"same_name{suffix}"] = share([probe.before.first == probe.after.first for probe in probes])
        for side, point in zip(("before", "after"), points, strict=True):
            named: list[Named] = [getattr(probe, side) for probe in probes]
            right = [one.first == probe.subject for one, probe in zip(named, probes, strict=True)]
            found[f"rank1_{side}{suffix}"] = share(right)
            if point is not None:
                found[f"tar_{side}{suffix}"] = share([one.own >= point.threshold for one in named])
                found[f"stranger_{side}{suffix}"] = share([one.other >= point.threshold for one in named])
    return found


def _wilson(value: float, trials: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson, 1927)."""
    spread = _Z * math.sqrt(value * (1 - value) / trials + _Z**2 / (4 * trials**2))
    scale, centre = 1 + _Z**2 / trials, value + _Z**2 / (2 * trials)
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def _quantiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(values, (0.05, 0.5, 0.95))
    return float(low), float(middle), float(high)

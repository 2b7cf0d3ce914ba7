"""Accuracy in plaintext and sealed on one population, what preselection would lose there, and times of everything in turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mien.audit.metrics import F64, I64, supports, threshold_at_fmr, wilson
from mien.gallery.sealed.preselection import Preselection, components, hits, signs
from mien.gallery.sealed.profiles import Profile
from mien.reproduce import pfip_rivals as rivals
from mien.reproduce.pfip_people import People
from mien.reproduce.pfip_sealed import Open, Sealed
from mien.reproduce.pfip_timing import Work, in_turns
from mien.types import F32, Metric

RATES = (1e-4, 1e-3, 1e-2)  # the strictest that the comparisons support is used
SHORTLISTS = (10, 50)
PAPER = "64 components"
Step = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of searching made of a population."""

    rank1: Metric  # share of all probes, failures to acquire among them, whose mate came first
    tar: Metric | None  # true-accept rate at the false-match rate `Outcome.rate`


@dataclass(frozen=True, slots=True)
class Outcome:
    """One population, searched in plaintext and sealed."""

    name: str
    people: int
    simulated: bool
    plain: Way
    sealed: Way
    rate: float | None  # false-match rate
    hit: Metric  # of probes whose mate comes first in plaintext: whose comes first sealed too
    error: Metric  # largest difference of a sealed score from the float64 product; n comparisons
    preselected: Mapping[tuple[str, int], Metric]  # (code, shortlist) -> of the same probes: whose mate is on the list


def judge(people: People, profile: Profile, most: int, step: Step) -> Outcome:
    """Search `most` of the probes sealed and in plaintext; preselection is judged on all probes, in the open."""
    chosen = np.flatnonzero(~people.failed)[:most]
    failed = round(float(people.failed.mean()) * len(chosen) / max(1e-9, 1 - float(people.failed.mean())))
    sealed = Sealed(people.gallery, profile)
    plain, found, error = [], [], 0.0
    for number, row in enumerate(chosen.tolist(), 1):
        probe = people.probes[row]
        plain.append(people.gallery @ probe)
        scores = sealed.scores(probe)
        error = max(error, float(np.abs(scores - people.gallery.astype(np.float64) @ probe).max()))
        found.append(scores.astype(np.float32))
        step(number, len(chosen))
    mate = people.mate[chosen]
    rate = next((one for one in RATES if supports(one, len(chosen) * (len(people.gallery) - 1))), None)
    ours, theirs = (_way(np.stack(scores), mate, failed, rate) for scores in (found, plain))
    both = [np.stack(scores).argmax(1) == mate for scores in (plain, found)]
    return Outcome(
        people.name,
        len(people.gallery),
        people.simulated,
        theirs,
        ours,
        rate,
        wilson(int((both[0] & both[1]).sum()), int(both[0].sum())),
        Metric(error, error, error, len(chosen) * len(people.gallery)),
        _preselected(people),
    )


def _way(scores: F32, mate: I64, failed: int, rate: float | None) -> Way:
    """scores (p, n) of the probes that have a template; `failed` more have none."""
    own = np.take_along_axis(scores, mate[:, None], 1)[:, 0]
    trials = len(mate) + failed
    rank1 = wilson(int((scores.argmax(1) == mate).sum()), trials)
    if rate is None:
        return Way(rank1, None)
    impostor = scores[np.arange(scores.shape[1]) != mate[:, None]]
    threshold = threshold_at_fmr(impostor, rate)
    return Way(rank1, wilson(int((own >= threshold).sum()), trials))


def codes_for(people: People) -> dict[str, Preselection]:
    """The preselections that are tried; components are fitted on people who are not in the gallery."""
    most = min(people.others.shape)
    found = {f"{size} components": components(people.others, size) for size in (64, 128) if size <= most}
    return {**found, "signs": signs()}


def _preselected(people: People) -> dict[tuple[str, int], Metric]:
    seen = ~people.failed
    found = {}
    for name, code in codes_for(people).items():
        for one in hits(code, people.gallery, people.probes[seen], people.mate[seen], SHORTLISTS):
            found[name, one.size] = wilson(one.found, one.of)
    return found


# --- times ------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Timed:
    """Times of one size, all from one run, and bytes."""

    people: int
    times: dict[str, F64] = field(default_factory=dict)  # step -> (rounds,) ms CPU
    bytes: dict[str, Mapping[str, int]] = field(default_factory=dict)  # way -> what -> bytes
    answers: dict[str, int] = field(default_factory=dict)  # way -> row found, which is tested, not only timed
    mate: int = 0
    few: int = 0  # templates of the naive loop that were timed
    errors: dict[str, float] = field(default_factory=dict)  # way -> largest error of a score


@dataclass(slots=True)
class Bench:
    """Everything set up for one size. Rivals only where asked for: they take a quarter of a megabyte per template."""

    people: People
    profiles: Mapping[str, Profile]  # name of the way -> profile
    few: int = 0  # templates of the naive loop; 0: without the rivals

    def run(self, rounds: int) -> Timed:
        """Set up, time, and keep what each way answered."""
        done = Timed(len(self.people.gallery), mate=int(self.people.mate[0]), few=self.few)
        probe = self.people.probes[0]
        works: dict[str, Work] = {"plain": lambda: self.people.gallery @ probe}
        done.answers["plain"] = int((self.people.gallery @ probe).argmax())
        for name, profile in self.profiles.items():
            works |= _sealed_works(name, Sealed(self.people.gallery, profile), probe, done)
        works |= _open_works(Open(self.people.gallery), probe, done)
        if self.few:
            works |= self._rivals(probe, done)
        done.times = in_turns(works, rounds)
        return done

    def _rivals(self, probe: F32, done: Timed) -> dict[str, Work]:
        rebuilt = rivals.Rebuild(self.people.gallery, components(self.people.others, 64))
        rebuilt.encrypt(probe)
        rebuilt.coarse()
        rebuilt.choose()
        rebuilt.fine()
        done.answers["rebuild"] = rebuilt.decide()
        done.bytes["rebuild"] = rebuilt.bytes()
        mate = done.mate
        few = np.concatenate([self.people.gallery[mate : mate + 1], self.people.gallery[: self.few - 1]])
        naive = rivals.Naive(few)
        done.answers["naive"] = mate if int(naive.search(probe).argmax()) == 0 else -1
        done.bytes["naive"] = {"gallery": naive.bytes_each() * done.people}
        return {
            "rebuild: encrypt": lambda: rebuilt.encrypt(probe),
            "rebuild: first round": rebuilt.coarse,
            "rebuild: choose": rebuilt.choose,
            "rebuild: second round": rebuilt.fine,
            "rebuild: decide": rebuilt.decide,
            "naive": lambda: naive.search(probe),
        }


def _sealed_works(name: str, sealed: Sealed, probe: F32, done: Timed) -> dict[str, Work]:
    scores = sealed.scores(probe)
    done.answers[name] = int(scores.argmax())
    wanted = sealed.whole(probe) if sealed.profile.exact else sealed.gallery.astype(np.float64) @ probe
    done.errors[name] = float(np.abs(scores - wanted).max())
    done.bytes[name] = sealed.bytes()
    return {
        f"{name}: encrypt": lambda: sealed.encrypt(probe),
        f"{name}: search": sealed.search,
        f"{name}: decrypt": sealed.decrypt,
    }


def _open_works(opened: Open, probe: F32, done: Timed) -> dict[str, Work]:
    scores = opened.scores(probe)
    done.answers["open"] = int(scores.argmax())
    done.errors["open"] = float(np.abs(scores - opened.gallery.astype(np.float64) @ probe).max())
    done.bytes["open"] = opened.bytes()
    return {"open: search": lambda: opened.search(probe), "open: decrypt": opened.decrypt}

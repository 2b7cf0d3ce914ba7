"""MIDAS: clips mixed in pairs with their soft labels, against hard labels, soft labels alone, and hard labels mixed.

DFEW and FERV39k-Plus cannot be had here. Clips are synthetic: two expressions at once with known shares; ten simulated raters
vote by these shares, and only their votes are learnt from. Judged by the true shares, on other people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from mien.learn.moving import arrays
from mien.learn.predict import predict
from mien.learn.recipe import Arrays
from mien.learn.recipes.midas import Midas
from mien.learn.synth.program import Expression, Program
from mien.report import Bars, Report, Row
from mien.reproduce import clip_worlds as worlds
from mien.reproduce.claim import Check, Context, Reproduction
from mien.reproduce.clip_training import F64, calibration, mean, trained
from mien.reproduce.clip_worlds import Sizes, World
from mien.reproduce.learnt import if_learnt
from mien.reproduce.spoof_training import one_thread
from mien.types import Metric

CLAIM = (
    "Mixing pairs of clips and their soft labels makes models of dynamic expressions better than training on the original "
    "data (MIDAS, arXiv 2503.00202, abstract); it helps most where labels are ambiguous (as its aim is told there)."
)
SHOWN = ("happiness", "surprise", "anger", "sadness")
RATERS = 10
VARIANTS: Mapping[str, tuple[bool, bool]] = {  # soft labels, mixed
    "hard": (False, False),
    "soft": (True, False),
    "hard + mixup": (False, True),
    "MIDAS": (True, True),
}
OURS = "MIDAS"
SIZES = Sizes(40, 10, 40, 6, 32)
SMOKE = Sizes(6, 2, 6, 4, 32)
STRATA = {"clear": (0.8, 1.01), "between": (0.65, 0.8), "ambiguous": (0.0, 0.65)}  # larger share of the two
MEASURES = ("top-1", "KL", "Brier", "ECE")


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What networks say of the test clips: variant -> (seeds, n, classes)."""

    said: Mapping[str, F64]
    shares: F64  # (n, classes) of the truth
    subjects: np.ndarray  # (n,)

    def values(self, variant: str, what: str) -> F64:
        """(seeds, n) of each clip: 1 where the top class is right, KL divergence from the truth in nats, Brier score."""
        p, q = self.said[variant], self.shares
        if what == "top-1":
            return np.asarray(p.argmax(2) == q.argmax(1), np.float64)
        if what == "KL":
            return np.asarray((q * (np.log(np.maximum(q, 1e-12)) - np.log(np.maximum(p, 1e-12)))).sum(2))
        return np.asarray(((p - q) ** 2).sum(2))

    def metric(self, variant: str, what: str) -> Metric:
        """Over all clips."""
        if what == "ECE":
            return calibration(self.said[variant], self.shares, self.subjects)
        return mean(self.values(variant, what), self.subjects)

    def gain(self, what: str, base: str, rows: np.ndarray | None = None, ours: str = OURS) -> Metric:
        """`ours` less `base` on the same clips; below 0 is better but for top-1."""
        kept = np.ones(len(self.shares), bool) if rows is None else rows
        if what == "ECE":
            subjects = self.subjects[kept]
            return calibration(self.said[ours][:, kept], self.shares[kept], subjects, self.said[base][:, kept])
        return mean((self.values(ours, what) - self.values(base, what))[:, kept], self.subjects[kept])

    def stratum(self, name: str) -> np.ndarray:
        """(n,) whether a clip is of it."""
        low, high = STRATA[name]
        return np.asarray((self.shares.max(1) >= low) & (self.shares.max(1) < high))

    def more(self, what: str, base: str) -> Metric:
        """How much more is gained per ambiguous clip than per clear one; above 0: helps most where ambiguous."""
        sign = 1.0 if what == "top-1" else -1.0
        gained = sign * (self.values(OURS, what) - self.values(base, what)).mean(0)
        return between(gained, self.stratum("ambiguous"), self.stratum("clear"), self.subjects)


def between(values: F64, first: np.ndarray, second: np.ndarray, subjects: np.ndarray) -> Metric:
    """Mean of (n,) values over some rows less that over others, with an interval over people."""
    from mien.audit.metrics.people import measure, numbered, tally

    _, person = numbered(subjects)
    people = int(person.max()) + 1
    sums = tally(np.stack([values * first, first, values * second, second], 1).astype(np.float64), person, people)

    def statistic(weights: F64) -> F64:
        total = weights @ sums
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(total[:, 0] / total[:, 1] - total[:, 2] / total[:, 3])[:, None]

    (found,) = measure(statistic, people, {"value": int((first | second).sum())}).values()
    return found


def pairs() -> Program:
    """All pairs of four expressions, shares drawn evenly from 0 to 1."""
    plain = {name: worlds.event(name, (0.7, 1.0), (0.1, 0.5), (0.3, 0.5), (0.6, 1.0)) for name in SHOWN}
    blends = tuple(
        Expression(f"{one}+{other}", parts=((one, (0.0, 1.0), plain[one]), (other, (0.0, 1.0), plain[other])))
        for one, other in combinations(SHOWN, 2)
    )
    return worlds.program("pairs", blends, 2.4)


def recipe(sizes: Sizes, smoke: bool) -> Midas:
    """Small; the same for all variants."""
    return Midas(classes=SHOWN, frames=sizes.frames, size=sizes.size, epochs=4 if smoke else 60, batch=16)


def run(context: Context) -> Reproduction:
    """With the face model in the data folder clips are rendered, otherwise drawn. A few minutes of one core."""
    sizes = SMOKE if context.smoke else SIZES
    seeds = context.seeds[:1] if context.smoke else context.seeds
    world = worlds.world(context, pairs(), sizes)
    plain = recipe(sizes, context.smoke)
    said: dict[str, list[F64]] = {name: [] for name in VARIANTS}
    for number, seed in enumerate(seeds):
        context.progress("seeds", number, len(seeds))
        for name, one in runs(world, plain, seed).items():
            said[name].append(one)
    context.progress("seeds", len(seeds), len(seeds))
    return told(world, {name: np.stack(one) for name, one in said.items()}, worlds.told(world, sizes), seeds)


def runs(world: World, plain: Midas, seed: int) -> dict[str, F64]:
    """Probabilities of the test clips by each variant; votes, first weights and order are the seed's."""
    votes = voted(world.clips.soft, seed)
    train, dev, test = (_part(world, votes, name) for name in ("train", "dev", "test"))
    found = {}
    with one_thread():
        for name, (soft, mixed) in VARIANTS.items():
            how = replace(plain, soft=soft, mix=plain.mix if mixed else 0.0)
            found[name] = predict(how, trained(how, train, dev, seed), test)
    return found


def voted(shares: np.ndarray, seed: int) -> F64:
    """(n, k) shares of RATERS simulated raters, who each say a class with the chance of its true share."""
    random = np.random.default_rng([seed, 5])
    exact = shares.astype(np.float64)
    return np.asarray(random.multinomial(RATERS, exact / exact.sum(1, keepdims=True)) / RATERS)


def _part(world: World, votes: F64, name: str) -> Arrays:
    rows = world.splits[name]
    tie = np.random.default_rng(7).random(votes.shape) * 1e-3  # equal votes: by lot
    return arrays(world.pixels[rows], votes[rows], (votes + tie)[rows].argmax(1), world.subjects[rows].tolist())


def told(world: World, said: Mapping[str, F64], data: str, seeds: tuple[int, ...]) -> Reproduction:
    """Figures, checks and report."""
    rows = world.splits["test"]
    shares = world.clips.soft[rows].astype(np.float64)
    judged = Judged(said, shares / shares.sum(1, keepdims=True), world.subjects[rows])
    gains = {
        f"{what}: MIDAS less {base}": judged.gain(what, base) for base in VARIANTS if base != OURS for what in MEASURES
    }
    more = {
        f"{what} gained over {base}, ambiguous less clear": judged.more(what, base)
        for base in ("hard", "soft") for what in ("top-1", "KL")
    }  # fmt: skip
    table = tuple({"variant": name, **{what: judged.metric(name, what) for what in MEASURES}} for name in VARIANTS)
    best = judged.metric(OURS, "KL")
    report = Report(
        "midas", gains | more, _cases(judged), {},
        f"KL divergence from the true shares: MIDAS {best.value:.3f}, hard labels {judged.metric('hard', 'KL').value:.3f}.",
        ("Clips are synthetic: this tries a mechanism, and says nothing of accuracy in the wild.",),
        (), {"Variants": table, "By ambiguity": _strata(judged)},
        (Bars("Gain over hard labels by ambiguity", "KL, MIDAS less hard", {
            name: judged.gain("KL", "hard", judged.stratum(name)) for name in STRATA}),),
    )  # fmt: skip
    metrics = {f"{what}: {OURS}": judged.metric(OURS, what) for what in MEASURES}
    baseline = {f"{what}: hard": judged.metric("hard", what) for what in MEASURES}
    made = {"data": [data], "models": ["ClipNet, width 8"], "seeds": list(seeds), "raters": RATERS}
    checks = if_learnt(_checks(gains, more), judged.metric("hard", "top-1"), len(SHOWN), "the network of hard labels")
    return Reproduction("midas", CLAIM, checks, metrics | gains | more, baseline, report, made)


def _checks(gains: Mapping[str, Metric], more: Mapping[str, Metric]) -> tuple[Check, ...]:
    checks = []
    for base in ("hard", "soft", "hard + mixup"):
        one = gains[f"top-1: MIDAS less {base}"]
        checks.append(Check(f"top-1 above that of {base}: interval above 0", one.low > 0, one))
        one = gains[f"KL: MIDAS less {base}"]
        checks.append(
            Check(f"shares nearer to the truth than those of {base}: KL, interval below 0", one.high < 0, one)
        )
    for name, one in more.items():
        checks.append(Check(f"{name}: interval above 0", one.low > 0, one))
    return (*checks, Check("on DFEW and FERV39k-Plus", None))


def _strata(judged: Judged) -> tuple[Row, ...]:
    return tuple(
        {"stratum": name, "clips": int(judged.stratum(name).sum()), "against": base}
        | {what: judged.gain(what, base, judged.stratum(name)) for what in MEASURES}
        for name in STRATA for base in VARIANTS if base != OURS
    )  # fmt: skip


def _cases(judged: Judged) -> tuple[Row, ...]:
    means = {name: judged.said[name].mean(0) for name in VARIANTS}
    return tuple(
        {"person": str(judged.subjects[row]), "shares": [round(float(one), 3) for one in judged.shares[row]]}
        | {name: [round(float(one), 3) for one in means[name][row]] for name in VARIANTS}
        for row in range(len(judged.shares))
    )

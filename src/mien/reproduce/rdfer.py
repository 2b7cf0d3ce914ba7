"""RDFER: agreement of sampled clips tells hard videos from wrong labels; with key clips and two streams, labels may be noisy.

DFEW and FERV39k cannot be had here, nor is it known which of their labels are wrong. Videos are synthetic: some expressions are
weak and short (hard), and labels are flipped at random (noisy), so both are known. Judged by the true labels, on other people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from mien.learn.moving import arrays
from mien.learn.nets.clips import ClipNet
from mien.learn.predict import predict
from mien.learn.recipe import Arrays
from mien.learn.recipes.rdfer import Rdfer, judged
from mien.learn.synth.program import Expression, Program
from mien.learn.votes import votes
from mien.report import Bars, Report, Row
from mien.reproduce import clip_worlds as worlds
from mien.reproduce.claim import Check, Context, Reproduction
from mien.reproduce.clip_training import F64, above, mean, trained
from mien.reproduce.clip_worlds import Sizes, World
from mien.reproduce.learnt import if_learnt
from mien.reproduce.spoof_training import one_thread
from mien.types import Metric

CLAIM = (
    "Agreement of predictions on different sampled clips distinguishes hard from noisy videos; with it, key-expression "
    "re-sampling and two sequence models, training is more robust (RDFER, arXiv 2502.16129, abstract)."
)
SHOWN = ("happiness", "surprise", "anger", "disgust")
LABELS = ("neutral", *SHOWN)
HARD = len(LABELS)  # the place in the program from which expressions are weak and short
PLAIN: Mapping[str, Any] = {"judge": "none", "key": 0.0, "group": 0}
VARIANTS: Mapping[str, Mapping[str, Any]] = {
    "cross-entropy": PLAIN,
    "RDFER": {},
    "without agreement": {"judge": "none"},
    "every disputed label is noise": {"judge": "loss"},
    "without key clips": {"key": 0.0},
    "one stream": {"group": 0},
}
MAIN, OURS = "cross-entropy", "RDFER"
NOISES = (0.2, 0.4)
FULL = 0.4  # at which all variants are run
SIZES = Sizes(40, 10, 30, 12, 32)
SMOKE = Sizes(6, 2, 6, 8, 32)
NEAR = 0.25  # nats; losses that are nearer count as equal


@dataclass(slots=True)
class Found:
    """What runs left: (noise, variant) -> probabilities per seed; scores of the training videos per seed, at noise FULL."""

    said: dict[tuple[float, str], list[F64]] = field(default_factory=dict)
    scores: list[Mapping[str, F64]] = field(
        default_factory=list
    )  # "loss", "agreement", "other"; "noisy", "hard" as 0, 1


def doubtful() -> Program:
    """Neutral, four expressions that last, and the same weak and short."""
    lasting = (worlds.event(name, (0.7, 1.0), (0.2, 1.0), (0.3, 0.5), (0.8, 1.4)) for name in SHOWN)
    short = (worlds.event(name, (0.4, 0.7), (0.2, 2.2), (0.15, 0.25), (0.1, 0.3)) for name in SHOWN)
    return worlds.program("doubtful", (Expression("neutral"), *lasting, *short), 3.2)


def recipe(sizes: Sizes, smoke: bool) -> Rdfer:
    """Small; variants change its parts. Length and warm-up were chosen on dev, by how cross-entropy learns: see the page."""
    epochs = 4 if smoke else 60
    view = sizes.frames // 2
    return Rdfer(classes=LABELS, frames=sizes.frames, view=view, size=sizes.size, epochs=epochs, warm=0.6)


def run(context: Context) -> Reproduction:
    """With the face model in the data folder videos are rendered, otherwise drawn. A few minutes of one core."""
    sizes = SMOKE if context.smoke else SIZES
    seeds = context.seeds[:1] if context.smoke else context.seeds
    world = worlds.world(context, doubtful(), sizes)
    found = Found()
    for number, seed in enumerate(seeds):
        context.progress("seeds", number, len(seeds))
        runs(world, recipe(sizes, context.smoke), seed, found)
    context.progress("seeds", len(seeds), len(seeds))
    return told(world, found, worlds.told(world, sizes), seeds)


def runs(world: World, plain: Rdfer, seed: int, found: Found) -> None:
    """All trainings of one seed: it draws which labels are flipped, first weights and order."""
    for noise in NOISES:
        labels = flipped(world.clips.truth, noise, seed)
        for name, change in VARIANTS.items():
            if noise != FULL and name not in (MAIN, OURS):
                continue
            how = replace(plain, **change)
            train, dev, test = (_part(world, labels, part, how) for part in ("train", "dev", "test"))
            look = _Look(how, train, world, labels) if (noise, name) == (FULL, MAIN) else None
            with one_thread():
                net = trained(how if look is None else Watched(**how.settings(), look=look), train, dev, seed)
                found.said.setdefault((noise, name), []).append(predict(how, net, test))
            if look is not None:
                found.scores.append(look.scores)


def flipped(truth: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """(n,) labels of which a share is another class, drawn evenly."""
    random = np.random.default_rng([seed, 6])
    wrong = random.random(len(truth)) < noise
    shift = random.integers(1, len(LABELS), len(truth))
    return np.where(wrong, (truth + shift) % len(LABELS), truth)


def _part(world: World, labels: np.ndarray, name: str, how: Rdfer) -> Arrays:
    rows = world.splits[name]
    given = np.eye(len(LABELS))[labels[rows]]
    return judged(arrays(world.pixels[rows], given, labels[rows], world.subjects[rows].tolist()))


@dataclass(frozen=True, kw_only=True)
class Watched(Rdfer):
    """A training that somebody looks at before each epoch."""

    look: Callable[[int, nn.Module], None]

    def turned(self, net: nn.Module, data: Arrays, epoch: int) -> None:
        """The look comes first, and leaves the draws of the epoch as they were."""
        with torch.random.fork_rng(devices=[]):
            self.look(epoch, net)
        super().turned(net, data, epoch)


@dataclass(slots=True)
class _Look:
    """Looks at the training videos when the votes would begin, in a run of plain cross-entropy."""

    how: Rdfer
    train: Arrays
    world: World
    labels: np.ndarray
    scores: Mapping[str, F64] = field(default_factory=dict)

    def __call__(self, epoch: int, net: nn.Module) -> None:
        """Scores at that one epoch."""
        if epoch != int(np.ceil(self.how.warm * self.how.epochs)):
            return
        assert isinstance(net, ClipNet)
        found = votes(net, self.train, self.how.view, self.how.looks)
        rows = self.world.splits["train"]
        label = torch.from_numpy(self.labels[rows])
        noisy = self.labels[rows] != self.world.clips.truth[rows]
        own = found.ballots.scatter(1, label[:, None], -1.0)
        self.scores = {
            "loss": -np.log(np.maximum(found.mean.gather(1, label[:, None])[:, 0].double().numpy(), 1e-12)),
            "agreement": found.agreement.double().numpy(),
            "agreement on another class": own.amax(1).double().numpy(),
            "noisy": noisy.astype(np.float64),
            "hard": (hard(self.world)[rows] & ~noisy).astype(np.float64),
        }


def hard(world: World) -> np.ndarray:
    """(n,) whether an expression is weak and short."""
    each = len(doubtful().expressions)
    return np.arange(len(world.pixels)) % each >= HARD


# --- figures ------------------------------------------------------------------------------------------------------------


def separations(scores: Sequence[Mapping[str, F64]], subjects: Sequence[str]) -> dict[str, Metric]:
    """AUROC of noisy against hard videos, by loss alone and by agreement; and where their losses are equal."""
    noisy, weak = (np.stack([one[name] for one in scores]) > 0 for name in ("noisy", "hard"))
    loss = np.stack([one["loss"] for one in scores])
    pairs = [matched(*one) for one in zip(loss, noisy, weak, strict=True)]
    like = [np.stack([pair[side] for pair in pairs]) for side in (0, 1)]
    found = {}
    for name in ("loss", "agreement", "agreement on another class"):
        values = np.stack([one[name] for one in scores])
        found[f"noisy from hard by {name}"] = above(values, noisy, weak, subjects)
        found[f"noisy from hard by {name}, at equal loss"] = above(values, like[0], like[1], subjects)
    return found


def matched(loss: F64, noisy: np.ndarray, weak: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,), (n,) as many of both, each noisy video with the free hard one of the nearest loss, none further than NEAR."""
    kept = np.zeros(len(loss), bool), np.zeros(len(loss), bool)
    free = list(np.flatnonzero(weak))
    for row in np.flatnonzero(noisy):
        if not free:
            break
        nearest = min(free, key=lambda other: abs(loss[other] - loss[row]))
        if abs(loss[nearest] - loss[row]) <= NEAR:
            kept[0][row] = kept[1][nearest] = True
            free.remove(nearest)
    return kept


@dataclass(frozen=True, slots=True)
class _Test:
    """The true classes of the test videos."""

    found: Found
    world: World

    def right(self, noise: float, variant: str) -> F64:
        """(seeds, n)"""
        truth = self.world.clips.truth[self.world.splits["test"]]
        return np.stack([one.argmax(1) == truth for one in self.found.said[noise, variant]]).astype(np.float64)

    def accuracy(self, noise: float, variant: str, rows: np.ndarray | None = None, base: str = "") -> Metric:
        """Of some videos; less that of `base` where it is named."""
        values = self.right(noise, variant) - (self.right(noise, base) if base else 0.0)
        subjects = self.world.subjects[self.world.splits["test"]]
        kept = np.ones(len(subjects), bool) if rows is None else rows
        return mean(values[:, kept], subjects[kept])


def told(world: World, found: Found, data: str, seeds: tuple[int, ...]) -> Reproduction:
    """Figures, checks and report."""
    test = _Test(found, world)
    parted = separations(found.scores, world.subjects[world.splits["train"]].tolist())
    gains = {
        f"accuracy over cross-entropy, {noise:.0%} wrong labels": test.accuracy(noise, OURS, None, MAIN)
        for noise in NOISES
    }
    parts = {
        f"accuracy over '{name}', {FULL:.0%} wrong labels": test.accuracy(FULL, OURS, None, name)
        for name in VARIANTS if name not in (MAIN, OURS)
    }  # fmt: skip
    baseline = {f"accuracy of cross-entropy, {noise:.0%} wrong labels": test.accuracy(noise, MAIN) for noise in NOISES}
    one, other = (test.accuracy(FULL, name).value for name in (OURS, MAIN))
    report = Report(
        "rdfer", gains | parts | parted, _cases(found, world), {},
        f"With {FULL:.0%} of the labels wrong: accuracy {one:.3f} of RDFER, {other:.3f} of cross-entropy.",
        ("Videos are synthetic: this tries a mechanism, and says nothing of accuracy in the wild.",),
        (), {"Variants": _rows(test), "Hard or noisy": tuple({"score": name, "AUROC": one} for name, one in parted.items())},
        (Bars("Accuracy of RDFER over its variants", "difference", gains | parts),),
    )  # fmt: skip
    made = {"data": [data], "models": ["ClipNet, width 8"], "seeds": list(seeds)}
    checks = if_learnt(_checks(parted, gains, parts), test.accuracy(FULL, MAIN), len(LABELS), MAIN)
    return Reproduction("rdfer", CLAIM, checks, gains | parts | parted, baseline, report, made)


def _checks(
    parted: Mapping[str, Metric], gains: Mapping[str, Metric], parts: Mapping[str, Metric]
) -> tuple[Check, ...]:
    checks = []
    for name in ("agreement", "agreement on another class"):
        for where in ("", ", at equal loss"):
            one = parted[f"noisy from hard by {name}{where}"]
            checks.append(
                Check(f"{name} tells noisy from hard videos{where}: AUROC, interval above .5", one.low > 0.5, one)
            )
    checks += [Check(f"{name}: interval above 0", one.low > 0, one) for name, one in {**gains, **parts}.items()]
    return (*checks, Check("on DFEW and FERV39k", None))


def _rows(test: _Test) -> tuple[Row, ...]:
    weak = hard(test.world)[test.world.splits["test"]]
    return tuple(
        {"wrong labels": noise, "variant": name, "accuracy": test.accuracy(noise, name)}
        | {"over cross-entropy": test.accuracy(noise, name, None, MAIN)}
        | {"accuracy, hard videos": test.accuracy(noise, name, weak)}
        | {"accuracy, others": test.accuracy(noise, name, ~weak)}
        for noise, name in test.found.said
    )


def _cases(found: Found, world: World) -> tuple[Row, ...]:
    rows = world.splits["train"]
    return tuple(
        {"run": run, "video": world.clips.names[rows[at]]}
        | {name: round(float(values[at]), 4) for name, values in one.items()}
        for run, one in enumerate(found.scores)
        for at in range(len(rows))
    )

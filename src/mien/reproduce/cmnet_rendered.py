"""What the paper does not ask: does keeping the halves alike erase expressions of one side? On rendered faces.

Smiles (AU12, some with AU14) on the left, on the right or on both sides, of people that nobody has. Networks learn to tell
them, with and without the loss on the halves, and are judged on other people. All pictures are synthetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from mien.audit.metrics import affect
from mien.errors import ModelUnavailable
from mien.learn.recipe import Arrays
from mien.learn.recipes.cmnet import Cmnet
from mien.report import Row
from mien.reproduce.claim import Context
from mien.reproduce.fer_ablation import F64, Ablation, Arm, Run, part, train
from mien.types import Metric

if TYPE_CHECKING:
    from mien.learn.synth.produce import Maker
    from mien.learn.synth.program import Program

LABELS = ("left", "right", "both")
FREE, ALIGNED, STRICT = "no loss on halves", "weight 0.1 (the paper's)", "weight 0.9"
WEIGHTS = {FREE: 0.0, ALIGNED: 0.1, STRICT: 0.9}
MARGIN = 0.05  # of recall: what may be lost
ABLE = 0.5  # of UAR, chance being a third: networks that tell nothing apart have nothing to lose
SIZE, BATCH = 32, 16  # px, and small batches: there are few pictures
MODEL = "ict_face_model_light.npz"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything."""

    people: int = 60  # a half to learn from, a sixth to choose on, a third to judge on
    repeats: int = 3  # of each smile, per person
    passes: int = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """What came of it."""

    found: Ablation
    runs: Sequence[Run]

    def metrics(self) -> dict[str, Metric]:
        """By weight of the loss."""
        scores = {"recall of one-sided smiles": one_sided, "UAR": affect.uar}
        return {
            f"rendered, {n}: {arm}": self.found.metric(arm, m) for n, m in scores.items() for arm in self.found.arms
        }

    def gain(self, arm: str, base: str) -> Metric:
        """Of the recall of one-sided smiles."""
        return self.found.gain(arm, base, one_sided)

    @property
    def able(self) -> bool:
        """Whether networks without the loss tell the smiles apart at all: the whole interval of UAR above ABLE."""
        return self.found.metric(FREE, affect.uar).low > ABLE

    def table(self) -> list[Row]:
        """One row per weight."""
        return [
            {
                "loss on halves": arm, "recall of one-sided smiles": self.found.metric(arm, one_sided),
                **{f"recall {name}": self.found.metric(arm, self.found.recall(name)) for name in LABELS},
            }
            for arm in self.found.arms
        ]  # fmt: skip

    def findings(self) -> list[str]:
        """In words."""
        told = "; ".join(f"{arm}: {self.found.metric(arm, one_sided).value:.3f}" for arm in self.found.arms)
        return [f"Rendered faces (synthetic), recall of one-sided smiles, {told}. Left and right are the subject's."]


def one_sided(counts: F64) -> F64:
    """(...) mean recall of the left and the right class."""
    found: F64 = affect.recalls(counts)[..., :2].mean(-1)
    return found


def experiment(context: Context, plan: Plan, seeds: Sequence[int]) -> Rendered | str:
    """Render, train with each weight and seed, judge on other people; or why not."""
    maker = _maker(context)
    if isinstance(maker, str):
        return maker
    context.progress("rendering", 0, 1)
    learnt, dev, judged = pictures(maker, plan)
    runs: list[Run] = []
    for seed in seeds:
        for name, weight in WEIGHTS.items():
            context.progress("rendered trainings", len(runs), len(seeds) * len(WEIGHTS))
            # Not varied: a mirrored left smile would be a right one.
            recipe = Cmnet(
                width=8, depths=(1, 1, 1), size=SIZE, batch=BATCH, classes=LABELS, align=weight, varied=False
            )
            runs.append(train(Arm(name, recipe, learnt, dev), seed, plan.passes))
    given = {(one.arm, one.seed): one.answers(judged).argmax(1) for one in runs}
    return Rendered(Ablation(judged.tensors["truth"].numpy(), LABELS, given), runs)


def _maker(context: Context) -> Maker | str:
    from hashlib import sha256

    from mien.learn.synth.maker import FaceMaker, face_maker

    path = context.data / MODEL if context.data is not None else None
    if path is not None and path.is_file():
        return FaceMaker(path, sha256(path.read_bytes()).hexdigest())
    try:
        return face_maker()
    except ModelUnavailable as error:
        return f"the face model is not at hand ({error.remedy})"


def program() -> Program:
    """Smiles on one side or on both, under varied light and pose."""
    from mien.learn.synth.program import Event, Expression, Program

    units = {"AU12": (0.4, 1.0), "AU14": (0.0, 0.6)}
    made = tuple(Expression(side, (Event(units=units, side=side),)) for side in LABELS)
    return Program("one-sided smiles", made, seconds=3.0)


def pictures(maker: Maker, plan: Plan) -> tuple[Arrays, Arrays, Arrays]:
    """Grey stills to learn from, choose on and judge on: other people each."""
    from mien.learn.synth.clips import More, clips

    made = clips(program(), subjects=plan.people, frames=1, size=SIZE, more=More(repeats=plan.repeats, make=maker))
    grey = np.rint(made.pixels[:, 0] @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
    order = [made.labels.index(name) for name in LABELS]
    truth = torch.tensor([order.index(int(number)) for number in made.truth])
    whole = Arrays({"pixels": torch.from_numpy(grey)}, truth, made.subjects, made.names)
    people = sorted(set(made.subjects))
    first, second = len(people) // 2, len(people) // 2 + max(1, len(people) // 6)
    sides = (set(people[:first]), set(people[first:second]), set(people[second:]))
    rows = [torch.tensor([row for row, one in enumerate(made.subjects) if one in side]) for side in sides]
    return part(whole, rows[0]), part(whole, rows[1]), part(whole, rows[2])

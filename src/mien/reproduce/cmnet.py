"""A face with its halves against the same backbone without, and what keeping the halves alike gives and takes.

Networks are small, start from drawn weights and see FER2013 at 32 px for a few epochs; the paper's are ResNets that have
seen a million celebrities, on RAF-DB, AffectNet, CAER-S and SFEW. Forms are compared, levels are not the paper's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mien.learn.data.words import BASIC
from mien.learn.recipe import Arrays
from mien.learn.recipes.cmnet import Cmnet
from mien.report import Bars, Problem, Report, Row
from mien.reproduce import cmnet_rendered as rendered
from mien.reproduce import cmnet_sides as sides
from mien.reproduce import fer_corpora as corpora
from mien.reproduce.claim import Check, Context, Reproduction
from mien.reproduce.fer_ablation import MEASURES, Ablation, Arm, Run, one_thread, parameters, train
from mien.reproduce.learnt import if_learnt
from mien.types import Metric

CLAIM = (
    "A whole face with its left and right half, refinement and half-face alignment beat other methods (SCN, LAENet-SA), and "
    "alignment reduces reliance on one side of the face (CMNet, IEEE TIP 2026, arXiv 2605.04439, abstract). Tried here: "
    "it beats the same backbone without halves."
)
BACKBONE, HALVES, ALIGNED, FULL = "backbone", "+ halves", "+ alignment loss", "+ refinement"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of everything; pictures, or pictures seen by a training."""

    train: int = 12_000
    dev: int = 2_000
    test: int = 3_589  # all
    passes: int = 72_000
    smiles: rendered.Plan = field(default_factory=rendered.Plan)


SMOKE = Plan(400, 150, 400, 800, rendered.Plan(8, 1, 150))


def run(context: Context) -> Reproduction:
    """Needs fer2013.zip; the rendered part the face model too. With `smoke` two seeds and little of everything."""
    plan = SMOKE if context.smoke else Plan()
    seeds = context.seeds[:2] if context.smoke else context.seeds
    context.progress("reading", 0, 1)
    source = corpora.fer(context.need(corpora.FER), {"train": plan.train, "dev": plan.dev, "test": plan.test})
    arms = forms()
    first = next(iter(arms.values()))
    learnt, dev, judged = (first.data(source, split) for split in ("train", "dev", "test"))
    runs: list[Run] = []
    with one_thread():
        for seed in seeds:
            for name, made in arms.items():
                context.progress("trainings", len(runs), len(seeds) * len(arms))
                runs.append(train(Arm(name, made, learnt, dev), seed, plan.passes))
        context.progress("sides", 0, 1)
        seen = sides.measured(runs, judged)
        one_sided = rendered.experiment(context, plan.smiles, seeds)
    return _reproduction(judged, runs, seen, one_sided)


def forms() -> Mapping[str, Cmnet]:
    """The recipe small enough for minutes of one core; each form adds one part to that before."""
    full = Cmnet(width=8, depths=(1, 1, 1), size=32, gentle=True)
    return {
        BACKBONE: replace(full, halves=False, refined=False),
        HALVES: replace(full, refined=False, align=0.0),
        ALIGNED: replace(full, refined=False),
        FULL: full,
    }


# --- verdict and report -------------------------------------------------------------------------------------------------


def _reproduction(
    judged: Arrays, runs: Sequence[Run], seen: sides.Sides, one_sided: rendered.Rendered | str
) -> Reproduction:
    truth = judged.tensors["truth"].numpy()
    found = Ablation(truth, BASIC, {key: one.argmax(1) for key, one in seen.plain.items()})
    metrics = {f"{name}: {arm}": found.metric(arm, made) for arm in found.arms for name, made in MEASURES.items()}
    metrics |= {f"{name}: {arm}": seen.metric(arm, name) for arm in found.arms for name in sides.NAMES}
    other = {} if isinstance(one_sided, str) else one_sided.metrics()
    problems = (Problem("no_face_model", one_sided, ()),) if isinstance(one_sided, str) else ()
    return Reproduction(
        name="cmnet",
        claim=CLAIM,
        checks=(*_checks(found, seen), *_rendered_checks(one_sided)),
        metrics={name: one for name, one in metrics.items() if not name.endswith(f": {BACKBONE}")} | other,
        baseline={name: one for name, one in metrics.items() if name.endswith(f": {BACKBONE}")},
        report=_report(found, runs, seen, one_sided, problems),
        made={
            "data": [
                f"fer2013.zip: {runs[0].pictures:,} training pictures",
                *(["rendered faces (synthetic)"] if other else []),
            ],
            "models": [f"{one.arm}: {parameters(one.net):,} parameters" for one in runs[: len(found.arms)]],
            "seeds": list(found.seeds),
            "processor seconds": round(sum(one.seconds for one in runs), 1),
        },
    )


def _checks(found: Ablation, seen: sides.Sides) -> list[Check]:
    """The claim, part by part. Every difference is paired by seed and picture."""
    war = MEASURES["accuracy"]
    pairs = [
        ("all parts beat the same backbone without halves: accuracy", FULL, BACKBONE),
        ("halves alone beat the backbone: accuracy", HALVES, BACKBONE),
        ("refinement adds to halves and loss: accuracy", FULL, ALIGNED),
    ]
    checks = []
    for words, arm, base in pairs:
        gain = found.gain(arm, base, war)
        checks.append(Check(f"{words} ({arm} minus {base}): interval above 0", gain.low > 0, gain))
    apart = seen.gain(ALIGNED, HALVES, sides.OCCLUDED_APART)
    words = "the loss brings the readings of the left- and the right-occluded face together"
    checks.append(
        Check(f"{words} ({ALIGNED} minus {HALVES}, {sides.OCCLUDED_APART}): interval below 0", apart.high < 0, apart)
    )
    checks = list(if_learnt(checks, found.metric(BACKBONE, war), len(BASIC), "the backbone alone"))
    return [*checks, Check("beats SCN and LAENet-SA on RAF-DB, AffectNet, CAER-S, SFEW: none is at hand", None)]


def _rendered_checks(one_sided: rendered.Rendered | str) -> list[Check]:
    words = "not the paper's: one-sided smiles are still told from both-sided ones, on rendered faces"
    if isinstance(one_sided, str):
        return [Check(f"{words}: {one_sided}", None)]
    if not one_sided.able:
        return [Check(f"{words}: even without the loss the networks did not learn to tell them", None)]
    lost = one_sided.gain(rendered.ALIGNED, rendered.FREE)
    rule = f"loss of their recall by the alignment loss below {rendered.MARGIN}: interval above -{rendered.MARGIN}"
    return [Check(f"{words}; {rule}", lost.low > -rendered.MARGIN, lost)]


def _report(
    found: Ablation,
    runs: Sequence[Run],
    seen: sides.Sides,
    one_sided: rendered.Rendered | str,
    problems: tuple[Problem, ...],
) -> Report:
    def row(arm: str) -> Row:
        mine = [one for one in runs if one.arm == arm]
        plain = {name: found.metric(arm, made) for name, made in MEASURES.items()}
        seconds = sum(one.seconds for one in mine) / len(mine)
        return {"form": arm, "parameters": parameters(mine[0].net), "processor s per training": seconds, **plain}

    tables = {
        "Forms": tuple(row(arm) for arm in found.arms),
        "One side hidden or in the dark": tuple(
            {"form": arm, **{name: seen.metric(arm, name) for name in sides.NAMES}} for arm in found.arms
        ),
    }
    findings = [
        "Budgets are small and all forms see the same number of pictures, so those with halves cost more processor time.",
        "Half of a face hidden: the half of the crop is set to the picture's mean. Light from one side: brightness falls to a "
        "quarter across the crop. Both are simulated on the test pictures and never trained on.",
    ]
    if not isinstance(one_sided, str):
        tables["One-sided smiles on rendered faces"] = tuple(one_sided.table())
        findings += one_sided.findings()
    gain = found.gain(FULL, BACKBONE, MEASURES["accuracy"])
    bars: dict[str, Metric] = {arm: found.metric(arm, MEASURES["accuracy"]) for arm in found.arms}
    note = "FER2013 private test. Bars: the wider of the intervals over pictures and over seeds."
    return Report(
        name="cmnet",
        metrics={},
        rows=tuple(found.rows(runs)),
        headline=(
            f"All parts change the backbone's accuracy by {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}); "
            f"{len(found.seeds)} seeds, {gain.n:,} pictures."
        ),
        findings=tuple(findings),
        tables=tables,
        charts=(Bars("Accuracy of each form", "accuracy", bars, note=note),),
        problems=problems,
    )

"""Equal accuracy can hide very different error rates of groups.

The claim is about systems, and the paper's own tables are not at hand: its mechanism is tested on simulated systems whose
error rates are planted, and the audit then looks at the default model on real photos, by the groups that can be had honestly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from mien.audit.captures.capturing import capture, lost
from mien.audit.fairness import Fairness, of_captures
from mien.audit.fairness.found import System
from mien.audit.fairness.words import report as in_words
from mien.audit.metrics import F64, wilson
from mien.engine import Engine
from mien.report import Bars, Report
from mien.reproduce import fairness_photos as photos_of
from mien.reproduce.claim import Check, Context, Reproduction
from mien.reproduce.fairness_models import ALIKE, THRESHOLD, UNLIKE, Planted, simulate
from mien.types import Metric

CLAIM = (
    "Systems with similar overall accuracy can have substantially different error rates of groups, which a single "
    "aggregate number hides (argument paper on facial recognition in law enforcement, arXiv 2603.28675, abstract)."
)
PEOPLE, PICTURES = 250, 4  # per simulated group
SEEN = (900, 2)  # people and photos of each, of the real audit
SMOKE = (200, 2)
LEVEL = 0.05
NEAR = 0.005  # difference of balanced accuracies that counts as similar


def run(context: Context) -> Reproduction:
    """Simulated systems first; then the default model, where the photos are at hand."""
    rounds = 300 if context.smoke else 1000
    seeds = context.seeds[:2] if context.smoke else context.seeds
    context.progress("simulated systems", 0, len(seeds))
    pairs = []
    for done, seed in enumerate(seeds, 1):
        audit = Fairness(threshold=THRESHOLD, rounds=rounds, seed=seed)
        pairs.append([audit.judge(simulate(one, PEOPLE, PICTURES, seed)) for one in (ALIKE, UNLIKE)])
        context.progress("simulated systems", done, len(seeds))
    checks, metrics = _simulated(pairs)
    real = _real(context, rounds)
    seen, measured = _seen(real)
    shown = [pairs[0][0], pairs[0][1], *real]
    report = in_words(shown, 0.5, Fairness().least)
    return Reproduction(
        name="fairness_fr",
        claim=CLAIM,
        checks=(*checks, *seen),
        metrics={**metrics, **measured},
        baseline=_planted(),
        report=_with_recovery(report, pairs),
        made={
            "data": ["simulated scores", *(["lfw_grey.zip"] if real else [])],
            "models": list(real[0].data.made.values()) if real else [],
            "seeds": list(seeds),
        },
    )


# --- simulated systems ------------------------------------------------------------------------------------------------


def _simulated(pairs: Sequence[Sequence[System]]) -> tuple[list[Check], dict[str, Metric]]:
    first, second = ([pair[place] for pair in pairs] for place in (0, 1))
    gap = _mean([one.accuracy - other.accuracy for one, other in zip(first, second, strict=True)])
    inside, rates = _recovered(pairs)
    covered = wilson(inside, rates)
    ratios = {
        planted.name: _over_seeds(runs, "fmr_max_min")
        for planted, runs in zip((ALIKE, UNLIKE), (first, second), strict=True)
    }
    differs = all(_p(one, kind) < LEVEL for one in second for kind in ("fmr", "fnmr"))
    checks = [
        Check(
            f"simulated: the balanced accuracies of the two systems differ by less than {NEAR:g}",
            abs(gap.value) < NEAR,
            gap,
        ),
        Check(
            "simulated: the unlike system's FMR max/min is above 3, interval above 3; planted 12",
            all(one.groupings[0].measures["fmr_max_min"].low > 3 for one in second),
            ratios["unlike"],
        ),
        Check(
            "simulated: the audit finds the unlike system's FMR and FNMR to differ beyond chance (p < 0.05, every seed)",
            differs,
        ),
        Check(
            "simulated: most seeds find no difference in the alike system (p >= 0.05)",
            float(np.mean([_p(one, kind) >= LEVEL for one in first for kind in ("fmr", "fnmr")])) > 0.5,
        ),
        Check(
            "simulated: planted group rates lie within the audit's 95 % intervals as often as they should "
            "(interval of the share reaches .95)",
            covered.high >= 0.95,
            covered,
        ),
    ]
    metrics = {
        "balanced accuracy, alike": _mean([one.accuracy for one in first]),
        "balanced accuracy, unlike": _mean([one.accuracy for one in second]),
        "planted rates within intervals": covered,
        **{f"FMR max/min, {name}": metric for name, metric in ratios.items()},
        **{
            f"{name}, {planted.name}": _over_seeds(runs, key)
            for planted, runs in zip((ALIKE, UNLIKE), (first, second), strict=True)
            for key, name in (("fnmr_max_min", "FNMR max/min"), ("garbe", "GARBE"), ("fdr", "FDR"))
        },
    }
    return checks, metrics


def _recovered(pairs: Sequence[Sequence[System]]) -> tuple[int, int]:
    """How many planted rates lie within the audit's intervals, of how many."""
    inside = [bool(row["within"]) for row in _recovery(pairs)]
    return sum(inside), len(inside)


def _recovery(pairs: Sequence[Sequence[System]]) -> list[dict[str, object]]:
    rows = []
    for number, pair in enumerate(pairs):
        for planted, system in zip((ALIKE, UNLIKE), pair, strict=True):
            groups = {group.name: group for group in system.groupings[0].groups}
            for place, group in enumerate(dict.fromkeys(system.data.labels["group"].tolist())):
                for kind, true in (("fmr", planted.fmr[place]), ("fnmr", planted.fnmr[place])):
                    seen: Metric | None = getattr(groups[group], kind)
                    within = seen is not None and seen.low <= true <= seen.high
                    rows.append(
                        {
                            "run": number,
                            "system": system.data.system,
                            "group": group,
                            "rate": kind.upper(),
                            "planted": true,
                            "measured": seen,
                            "within": bool(within),
                        }
                    )
    return rows


def _planted() -> dict[str, Metric]:
    """The truth, as metrics without width."""
    from mien.audit.metrics import differentials as measure

    def rates(system: Planted) -> tuple[F64, F64]:
        return np.array(system.fmr), np.array(system.fnmr)

    found: dict[str, Metric] = {}
    for system in (ALIKE, UNLIKE):
        fmr, fnmr = rates(system)
        values = {
            "balanced accuracy": system.accuracy,
            "FMR max/min": float(measure.max_to_min(fmr)),
            "FNMR max/min": float(measure.max_to_min(fnmr)),
            "GARBE": float(measure.garbe(fmr, fnmr)),
            "FDR": float(measure.fdr(fmr, fnmr)),
        }
        found |= {f"{name}, {system.name}": Metric(value, value, value, len(fmr)) for name, value in values.items()}
    return found


# --- the default model on real photos ---------------------------------------------------------------------------------


def _real(context: Context, rounds: int) -> list[System]:
    """The default model on photos as they are, and with simulated cameras; nothing where the photos are not at hand."""
    if context.data is None or not (context.data / "lfw_grey.zip").is_file():
        return []
    engine = Engine()
    people, most = SMOKE if context.smoke else SEEN
    photos = photos_of.read(context.need("lfw_grey.zip"), people, most, seed=0)
    spoilt, camera = photos_of.cameras(photos, seed=0)
    total = len(photos.listed) + sum(word != photos_of.UNSPOILT for word in camera)
    done = 0

    def step(_: int, __: int) -> None:
        nonlocal done
        done += 1
        context.progress("photos", done, total)

    plain = capture(engine, photos.listed, progress=step)
    groups = {
        "expression": photos.expression,
        "photos of the person": photos.photos,
        **photos_of.measured(photos, plain),
        "drawn by lot": _lots(plain.subjects),
    }
    changed = [number for number, word in enumerate(camera) if word != photos_of.UNSPOILT]
    other = capture(engine, [spoilt[number] for number in changed], progress=step)
    mixed = photos_of.mixed(plain, other, changed)
    audit = Fairness(fmr=1e-2 if context.smoke else 1e-3, own=True, crossed=False, rounds=rounds)
    made = {"detector": engine.detector.name, "embedder": engine.embedder.name}
    compared = (
        of_captures("default model", plain, groups),
        of_captures("default model, simulated cameras", mixed, {"camera": camera}),
    )
    problems = (lost(plain), lost(mixed))
    return [
        audit.judge(replace(one, made=made, problems=(*told, *one.problems)))
        for one, told in zip(compared, problems, strict=True)
    ]


def _lots(subjects: Sequence[str]) -> tuple[str, ...]:
    """A grouping that means nothing, to see what the audit says of one."""
    people = sorted(set(subjects))
    order = np.random.default_rng(1).permutation(len(people)).tolist()
    lot = {people[number]: f"lot {1 + place % 3}" for place, number in enumerate(order)}
    return tuple(lot[subject] for subject in subjects)


def _seen(real: Sequence[System]) -> tuple[list[Check], dict[str, Metric]]:
    """Checks of the real audit. What no label says stays untested."""
    untested = [
        Check(f"real photos: error rates by {what}; no label says it here, and mien does not guess it", None)
        for what in photos_of.NOT_AVAILABLE
    ]
    if not real:
        return [Check("real photos: lfw_grey.zip is not at hand", None), *untested], {}
    plain, camera = real
    tested = _corrected(real)
    natural = {key: p for key, p in tested.items() if key[0] not in ("camera", "drawn by lot")}
    differ = [f"{name} ({kind.upper()})" for (name, kind), p in natural.items() if p < LEVEL]
    spoilt = [p for (name, _), p in tested.items() if name == "camera"]
    lots = [p for (name, _), p in tested.items() if name == "drawn by lot"]
    checks = [
        Check(
            "real photos: one accuracy hides differences beyond chance between groups of photos or people, corrected for "
            f"{len(tested)} tests; found: {', '.join(differ) or 'none'}",
            bool(differ) if natural else None,
            _largest(plain),
        ),
        Check(
            "real photos with simulated cameras: the audit finds the cameras to differ (p < 0.05)",
            min(spoilt) < LEVEL if spoilt else None,
            camera.groupings[0].measures.get("fnmr_max_min"),
        ),
        Check(
            "real photos: groups drawn by lot are not found to differ (p >= 0.05)", min(lots) >= LEVEL if lots else None
        ),
    ]
    metrics = {f"default model, {kind.upper()}": metric for kind, metric in plain.pooled.items()}
    for system in real:
        for grouping in system.groupings:
            for name in ("fmr_max_min", "fnmr_max_min"):
                if name in grouping.measures:
                    metrics[f"default model, {name}[{grouping.name}]"] = grouping.measures[name]
    return [*checks, *untested], metrics


def _corrected(real: Sequence[System]) -> Mapping[tuple[str, str], float]:
    from mien.audit.metrics.differentials import holm

    found = {
        (grouping.name, kind): one.p.value
        for system in real
        for grouping in system.groupings
        for kind, one in grouping.chance.items()
    }
    return {key: float(p) for key, p in zip(found, holm(np.array(list(found.values()), np.float64)), strict=True)}


def _largest(system: System) -> Metric | None:
    """The largest ratio found of groups that are not drawn by lot."""
    found = [
        grouping.measures[name]
        for grouping in system.groupings
        if grouping.name != "drawn by lot"
        for name in ("fmr_max_min", "fnmr_max_min")
        if name in grouping.measures
    ]
    return max(found, key=lambda metric: metric.value, default=None)


# --- sums -------------------------------------------------------------------------------------------------------------


def _p(system: System, kind: str) -> float:
    chance = system.groupings[0].chance.get(kind)
    return chance.p.value if chance else 1.0


def _over_seeds(systems: Sequence[System], name: str) -> Metric:
    """Mean over seeds of a measure and of its interval's ends; n: of one seed."""
    found = [one.groupings[0].measures[name] for one in systems]
    value, low, high = (float(np.mean([getattr(one, end) for one in found])) for end in ("value", "low", "high"))
    return Metric(value, low, high, found[0].n)


def _mean(values: Sequence[float]) -> Metric:
    """Mean over seeds with its interval (normal; of one seed, no width is known and none is shown)."""
    value = float(np.mean(values))
    half = 1.96 * float(np.std(values, ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return Metric(value, value - half, value + half, len(values))


def _with_recovery(report: Report, pairs: Sequence[Sequence[System]]) -> Report:
    rows = tuple(_recovery(pairs))
    kept = {f"{row['system']}, {row['group']}, {row['rate']}": row["measured"] for row in rows if row["run"] == 0}
    bars = {name: metric for name, metric in kept.items() if isinstance(metric, Metric)}
    missing = f"Not available for these photos, and never guessed: {', '.join(photos_of.NOT_AVAILABLE)}."
    chart = Bars("Rates of the simulated systems", "error rate", bars, note="Planted values are in the table beside.")
    return replace(
        report,
        findings=(missing, *report.findings),
        tables={"Planted and measured": rows, **report.tables},
        charts=(chart, *report.charts),
    )

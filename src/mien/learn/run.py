"""From data and a recipe to a card: train, choose on dev, calibrate on dev, export, look at the test split once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mien.audit import document
from mien.audit.affect.data import AffectData, Classes
from mien.audit.metrics.confidence import temperature, tempered
from mien.audit.provenance import provenance
from mien.learn import runs
from mien.learn.data.example import Dataset
from mien.learn.export import export
from mien.learn.fit import Settings, Told, Trained, fit
from mien.learn.nets.deployed import Calibrated
from mien.learn.predict import F64, predict
from mien.learn.recipe import Arrays, Recipe
from mien.learn.recipe_card import Told as Said
from mien.learn.recipe_card import write_card
from mien.learn.splits import with_dev
from mien.report import Line, Lines, Problem, Report

FLOOR = 0.4  # an answer less probable than this is not given: it would be wrong in three of five cases


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a run leaves behind."""

    card: Path | None  # None while the run was stopped before its last epoch
    graph: Path | None
    report: Report | None
    trained: Trained
    temperature: float = 1.0
    difference: float = 0.0  # largest of a probability between torch and the exported graph


def learn(
    recipe: Recipe,
    source: Dataset,
    folder: Path,
    settings: Settings | None = None,
    told: Told | None = None,
    called: str = "",
) -> Learnt:
    """Carry a run out, or on. The folder gets checkpoints, history.csv, a log for TensorBoard, NAME.onnx, NAME.toml and
    report/.

    Raises EvidenceError for data that lack a split or a class, UsageError for the folder of another run,
    TrainingFailed, CannotWrite."""
    settings = settings or Settings()
    source = with_dev(source, settings.seed)
    runs.begin(folder, recipe, source, settings.seed, settings.start)
    parts = {"train": recipe.data(source, "train"), "dev": recipe.data(source, "dev")}
    trained = fit(recipe, parts, folder, settings, told)
    if not trained.whole:
        return Learnt(None, None, None, trained)
    work = _Work(recipe, source, settings, parts, trained, called or source.layout)
    on_dev = predict(recipe, trained.net, parts["dev"])
    warmth = _temperature(recipe, on_dev, parts["dev"])
    graph = folder / f"{recipe.name}.onnx"
    trial = recipe.crops(parts["dev"].__getitems__(list(range(min(16, len(parts["dev"])))))).contiguous()
    difference = export(Calibrated(recipe.deployed(trained.net), warmth), recipe.mouth, graph, trial)
    runs.note(folder, {"state": "exported", "best": trained.best, "temperature": warmth})
    report = _judged(work, graph)
    document.write(report, document.prepare(folder / "report"))
    card = write_card(
        recipe,
        graph,
        recipe.name,
        _said(work, report, tempered(on_dev, warmth), (runs.record(folder) or {}) | {"warmth": warmth}),
    )
    runs.note(folder, {"state": "finished", "card": card.name})
    return Learnt(card, graph, report, trained, warmth, difference)


@dataclass(frozen=True, slots=True)
class _Work:
    """What was learnt from what."""

    recipe: Recipe
    source: Dataset
    settings: Settings
    parts: dict[str, Arrays]
    trained: Trained
    called: str  # the data


def _temperature(recipe: Recipe, probabilities: F64, dev: Arrays) -> float:
    if not recipe.calibrate:
        return 1.0
    truth = dev.tensors["truth"].numpy()
    there = truth >= 0
    subjects = [name for name, known in zip(dev.subjects, there, strict=True) if known]
    fitted = temperature(probabilities[there], truth[there], subjects)
    return float(fitted.value)


def _judged(work: _Work, graph: Path) -> Report:
    """The exported graph on the test split; on dev, and said so, where there is none."""
    recipe = work.recipe
    has_test = any(one.split == "test" for one in work.source.examples)
    data = recipe.data(work.source, "test") if has_test else work.parts["dev"]
    report = recipe.measured(_affect(recipe, data, run_graph(graph, recipe, data)))
    parts = {**work.parts, "test": data} if has_test else work.parts
    unread = [problem for part in parts.values() for problem in part.problems]
    problems = (*work.source.problems, *unread, *report.problems)
    if not has_test:
        words = "There is no test split: the figures are of the dev split, on which the epoch and the temperature were chosen."
        problems = (Problem("no_test_split", words, (), len(data)), *problems)
    made = {**provenance(), **report.made, "called": f"{work.called}, {'test' if has_test else 'dev'} split"}
    return replace(report, charts=(*report.charts, _curve(recipe, work.trained)), problems=problems, made=made)


def _affect(recipe: Recipe, data: Arrays, probabilities: F64) -> AffectData:
    classes = Classes(recipe.labels, data.tensors["truth"].numpy(), probabilities.argmax(1), probabilities)
    names = data.names or tuple(str(index) for index in range(len(data)))
    named = bool(data.subjects) and tuple(data.subjects) != tuple(names)
    subjects = np.array(data.subjects if named else names)
    return AffectData(subjects, names, named, "people" if named else "rows", classes=classes)


def run_graph(graph: Path, recipe: Recipe, data: Arrays, batch: int = 64) -> F64:
    """(n, labels) probabilities of the exported graph in ONNX Runtime: what is measured is what is deployed."""
    from onnxruntime import InferenceSession

    session = InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    (entry,) = session.get_inputs()
    found = []
    for start in range(0, len(data), batch):
        rows = data.__getitems__(list(range(start, min(start + batch, len(data)))))
        found.append(session.run(None, {entry.name: recipe.crops(rows).contiguous().numpy()})[0])
    return np.concatenate(found).astype(np.float64)


def _curve(recipe: Recipe, trained: Trained) -> Lines:
    epochs = tuple(row["epoch"] + 1 for row in trained.history)
    name = f"dev {recipe.select}"
    lines = (Line(name, epochs, tuple(row[name] for row in trained.history)),)
    note = f"Epoch {trained.best + 1} was taken. The dev split chose it, so its value there is flattering."
    return Lines("Learning", "epoch", name, lines, note=note)


def _said(work: _Work, report: Report, on_dev: F64, run: Mapping[str, Any]) -> Said:
    from mien.learn.data.layouts import LAYOUTS

    begun, trained, dev = run.get("begun", {}), work.trained, work.parts["dev"]
    commit = str(begun.get("commit") or f"version {begun.get('mien')}")[:20]
    training = (
        f"Recipe {work.recipe.name} on {len(work.parts['train']):,} examples of {work.called}, seed {work.settings.seed}, "
        f"{work.recipe.epochs} epochs of which epoch {trained.best + 1} was chosen on {len(dev):,} dev examples "
        f"({work.recipe.select} {trained.score:.4f}), precision {trained.precision}, torch {torch.__version__}, commit "
        f"{commit}, {begun.get('date')}. Temperature {run['warmth']:.3f} fitted on the dev split."
    )
    layout = LAYOUTS.get(work.source.layout)
    results = tuple(
        replace(one, source=one.source.replace("mien audit affect", "mien learn")) for one in document.results(report)
    )
    start = run.get("asked", {}).get("start")
    if start is not None:
        before = str(start.get("commit") or "not known")[:20]
        training += (
            f" It began from the weights of a run of {start['settings'].get('epochs')} epochs with seed {start['seed']}, "
            f"commit {before}."
        )
    floor, words = _floor(on_dev, dev)
    return Said(training, layout.terms if layout is not None else "not known", results, floor, words)


def _floor(on_dev: F64, dev: Arrays) -> tuple[float, str]:
    """Below which confidence nothing is said, and what that means on the dev split."""
    there = dev.tensors["truth"].numpy() >= 0
    chances, truth = on_dev[there], dev.tensors["truth"].numpy()[there]
    sure, right = chances.max(1), chances.argmax(1) == truth
    given = sure >= FLOOR
    below = f"{right[~given].mean():.2f}" if (~given).any() else "none"
    above = f"{right[given].mean():.2f}" if given.any() else "none"
    words = (
        f"Calibrated on dev: answers are given for {given.mean():.1%} of {len(truth):,} faces, of which {above} are right; "
        f"of those held back {below} would have been."
    )
    return FLOOR, words


__all__ = ["Learnt", "learn", "run_graph"]

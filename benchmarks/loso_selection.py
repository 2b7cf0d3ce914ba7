"""How much UF1 comes from keeping, for each held-out person, the epoch that is best on that person.

    python benchmarks/loso_selection.py --data ../shared/data

Leave-one-subject-out on the MEGC 2019 composite as optical flow (442 clips, 68 people, three classes). One small network
(50 principal components of the training people, 32 hidden units, 100 epochs, classes balanced), several seeds, three
ways to say which epoch counts:

- the last epoch, fixed beforehand;
- the epoch chosen on an inner split of the training people, as `mien.audit.evaluator` does;
- the best epoch on the held-out person, as some published code does. The evaluator refuses this one, so it is done here.

Intervals draw people with replacement and are of the mean over seeds; differences are paired.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import save

from mien.audit.evaluator import Outcome, Samples, evaluate, leave_one_out
from mien.audit.metrics.affect import by_person, macro_f1, uar
from mien.audit.metrics.people import measure, numbered
from mien.types import Metric

F64 = NDArray[np.float64]
COMPONENTS, HIDDEN, EPOCHS, RATE, DECAY = 50, 32, 100, 3e-3, 1e-3


@dataclass(frozen=True, eq=False)
class Epoch:
    """The network as it was after an epoch."""

    classes: NDArray[Any]
    mean: F64
    basis: F64  # (features, components), whitening
    weights: tuple[F64, ...]

    def predict(self, features: F64) -> NDArray[Any]:
        first, bias, second, last = self.weights
        hidden = np.maximum((features - self.mean) @ self.basis @ first + bias, 0)
        return self.classes[(hidden @ second + last).argmax(1)]


@dataclass(frozen=True)
class Network:
    """One training, a candidate per epoch."""

    seed: int

    def stages(self, features: F64, labels: NDArray[Any]) -> Sequence[Epoch]:
        rng = np.random.default_rng(self.seed)
        classes, truth = np.unique(labels, return_inverse=True)
        mean, basis = whitening(features)
        inputs = (features - mean) @ basis
        wanted = np.eye(len(classes))[truth]
        balance = (len(truth) / (len(classes) * np.bincount(truth)))[truth][:, None] / len(truth)
        weights = [rng.normal(0, inputs.shape[1] ** -0.5, (inputs.shape[1], HIDDEN)), np.zeros(HIDDEN)]
        weights += [rng.normal(0, HIDDEN**-0.5, (HIDDEN, len(classes))), np.zeros(len(classes))]
        moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
        epochs = []
        for step in range(1, EPOCHS + 1):
            for w, m, gradient in zip(weights, moments, gradients(inputs, wanted, balance, weights, rng), strict=True):
                adam(w, m, gradient + DECAY * w, step)
            epochs.append(Epoch(classes, mean, basis, tuple(w.copy() for w in weights)))
        return epochs


def whitening(features: F64) -> tuple[F64, F64]:
    """Mean, and the basis of the principal components scaled to one standard deviation each."""
    mean = features.mean(0)
    moved = features - mean
    values, vectors = np.linalg.eigh(moved @ moved.T)
    values, vectors = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
    return mean, moved.T @ vectors / values * np.sqrt(len(features))


def gradients(inputs: F64, wanted: F64, balance: F64, weights: list[F64], rng: np.random.Generator) -> list[F64]:
    """Of the balanced cross-entropy, half of the hidden units dropped."""
    first, bias, second, last = weights
    raw = inputs @ first + bias
    kept = (rng.random(raw.shape) < 0.5) * 2.0 * (raw > 0)
    hidden = raw * kept
    logits = hidden @ second + last
    powers = np.exp(logits - logits.max(1, keepdims=True))
    wrong = (powers / powers.sum(1, keepdims=True) - wanted) * balance
    back = wrong @ second.T * kept
    return [inputs.T @ back, back.sum(0), hidden.T @ wrong, wrong.sum(0)]


def adam(weight: F64, moments: tuple[F64, F64], gradient: F64, step: int) -> None:
    """One step of Adam, in place."""
    first, second = moments
    first += 0.1 * (gradient - first)
    second += 0.001 * (gradient**2 - second)
    weight -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)


def seen_by_the_test(network: Network, data: Samples) -> tuple[F64, F64]:
    """(people, k, k + 1) counts with the last epoch, and with the best epoch on each held-out person (the last such)."""
    classes, truth = numbered(data.labels)
    _, person = numbered(data.subjects)
    last, best = np.empty(len(truth), np.int64), np.empty(len(truth), np.int64)
    for fold in leave_one_out(data.subjects):
        epochs = network.stages(data.features[fold.train], data.labels[fold.train])
        answers = np.stack([np.searchsorted(classes, epoch.predict(data.features[fold.test])) for epoch in epochs])
        right = (answers == truth[fold.test]).mean(1)
        last[fold.test] = answers[-1]
        best[fold.test] = answers[len(right) - 1 - int(np.argmax(right[::-1]))]
    people = int(person.max()) + 1
    return tuple(by_person(truth, answer, len(classes), person, people) for answer in (last, best))  # type: ignore


def by_people(outcome: Outcome) -> F64:
    """(people, k, k + 1)."""
    names, person = numbered(outcome.subjects)
    return by_person(outcome.truth, outcome.predicted, len(outcome.classes), person, len(names))


def means(tables: Sequence[F64], minus: Sequence[F64] | None = None, rounds: int = 2000) -> dict[str, Metric]:
    """UF1 and UAR, mean over seeds, with intervals over people; of a paired difference where `minus` is given."""

    def statistic(weights: F64) -> F64:
        def one(each: Sequence[F64]) -> F64:
            pooled = [np.tensordot(weights, table, 1) for table in each]
            return np.stack([np.mean([f(p) for p in pooled], axis=0) for f in (macro_f1, uar)], axis=1)

        return one(tables) - (one(minus) if minus is not None else 0.0)

    n = int(tables[0].sum())
    return measure(statistic, len(tables[0]), {"UF1": n, "UAR": n}, rounds)


def shown(tables: Sequence[F64], minus: Sequence[F64] | None = None) -> dict[str, Any]:
    """Metrics as they are kept, with every seed's value."""
    each = [float(macro_f1(table.sum(0))) for table in tables]
    if minus is not None:
        each = [value - float(macro_f1(table.sum(0))) for value, table in zip(each, minus, strict=True)]
    found = means(tables, minus)
    return {
        name: {"value": round(m.value, 4), "low": round(m.low, 4), "high": round(m.high, 4), "n": m.n}
        for name, m in found.items()
    } | {"UF1 of each seed": [round(value, 4) for value in each]}


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    held = np.load(options.data / "golden" / "megc2019_flow.npz")
    flow = held["flow"].reshape(len(held["flow"]), -1) / 255.0
    data = Samples(flow, held["label_names"][held["label"]], held["subject"])
    last, inner, best = [], [], []
    for seed in range(options.seeds):
        a, b = seen_by_the_test(Network(seed), data)
        outcome = evaluate(Network(seed), data, leave_one_out(data.subjects))
        last.append(a)
        best.append(b)
        inner.append(by_people(outcome))
        values = [round(float(macro_f1(tables[-1].sum(0))), 4) for tables in (last, inner, best)]
        print(f"seed {seed}: last epoch, inner choice, best on the held-out person: {values}", flush=True)
    results = {
        "people": len(last[0]),
        "clips": int(last[0].sum()),
        "last epoch": shown(last),
        "epoch chosen on an inner split": shown(inner),
        "best epoch on the held-out person": shown(best),
        "best on the held-out person minus last epoch": shown(best, last),
        "best on the held-out person minus inner choice": shown(best, inner),
    }
    save("loso_selection", results, sys.argv)
    for name, value in results.items():
        print(name, value)


if __name__ == "__main__":
    main()

"""What a sealed gallery gives away: what is left of chosen-probe attacks after quota and rounding, and linkability.

    python benchmarks/sealed_privacy.py

Simulated templates of 512 dimensions, on our own arithmetic in this process. The attacker holds a probe device and a picture
that is accepted (cosine 0.65 at a threshold of 0.5); every further probe lies near it, so that it is accepted too, and every
accepted score is an equation for the template. `blind` has no picture and sees scores of random probes, as a key holder does.
`tests/gallery/sealed/test_privacy.py` runs the same through the key holder's own code.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import save

from mien.audit.metrics import linkability
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.profiles import Layout, profile
from mien.gallery.sealed.scheme import encrypt_template

F64 = NDArray[np.float64]
D, START, THRESHOLD = 512, 0.65, 0.5
QUOTAS = (10, 30, 100, 300, 600, 1000)
REPEATS = 20
PEOPLE = 500  # of the linkability trial


def unit(values: F64) -> F64:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def mate(of: F64, cosine: float, rng: np.random.Generator) -> F64:
    away = rng.standard_normal(of.shape)
    away = unit(away - (away * of).sum(-1, keepdims=True) * of)
    return cosine * of + np.sqrt(1 - cosine**2) * away


def solved(probes: F64, scores: F64, guess: F64, step: float) -> F64:
    """Least squares about a guess; the ridge is what rounding in steps of `step` calls for."""
    ridge = max(1e-12, step**2 / 12 * D)
    gram = probes @ probes.T + ridge * np.eye(len(probes))
    return unit(guess + probes.T @ np.linalg.solve(gram, scores - probes @ guess))


def climbing(quota: int, digits: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    template = unit(rng.standard_normal(D))
    start = mate(template, START, rng)
    probes = unit(start + 0.6 * unit(rng.standard_normal((quota, D))))
    probes[0] = start
    scores = probes @ template
    accepted = scores >= THRESHOLD
    released = np.round(scores[accepted], digits)
    return float(solved(probes[accepted], released, released[0] * start, 10.0**-digits) @ template)


def decided(quota: int, seed: int) -> float:
    """Yes and no only: near the threshold a random step is accepted or not; the mean of accepted less refused points on."""
    rng = np.random.default_rng(seed)
    template = unit(rng.standard_normal(D))
    start = mate(template, START, rng)
    here, length = start, 1.0
    for _ in range(12):  # walk away from the template until about half is accepted: spends 12 questions of the quota
        trial = unit(start + length * unit(np.random.default_rng(0).standard_normal(D)))
        length *= 1.1 if trial @ template >= THRESHOLD else 1 / 1.1
    steps = unit(rng.standard_normal((max(0, quota - 12), D)))
    answers = unit(here + length * steps) @ template >= THRESHOLD
    if not len(steps) or answers.all() or not answers.any():
        return float(start @ template)
    direction = (np.where(answers, 1.0, -1.0) - (2 * answers.mean() - 1)) @ steps
    direction -= direction @ start * start
    # the best mixture of the start and the direction, as an attacker who tries a few more could find
    return float(max(unit(start + share * unit(direction)) @ template for share in np.linspace(0, 1.5, 31)))


def blind(quota: int, digits: int, seed: int) -> float:
    rng = np.random.default_rng(seed)
    template = unit(rng.standard_normal(D))
    probes = unit(rng.standard_normal((quota, D)))
    return float(solved(probes, np.round(probes @ template, digits), np.zeros(D), 10.0**-digits) @ template)


def attacks() -> dict[str, Any]:
    ways = {
        "accepted picture, scores of 3 digits": lambda quota, seed: climbing(quota, 3, seed),
        "accepted picture, scores of 2 digits": lambda quota, seed: climbing(quota, 2, seed),
        "accepted picture, decisions only": decided,
        "blind, every score of 3 digits": lambda quota, seed: blind(quota, 3, seed),
    }
    return {
        name: {str(quota): round(float(np.mean([way(quota, seed) for seed in range(REPEATS)])), 3) for quota in QUOTAS}
        for name, way in ways.items()
    }


def linkable() -> dict[str, Any]:
    """D_sys of 500 people captured twice, plain and sealed under two keys."""
    rng, layout, of = np.random.default_rng(0), Layout(64, 64), profile("standard")
    first = unit(rng.standard_normal((PEOPLE, 64)))
    second = mate(first, 0.9, rng)
    keys = [Keys.generate(of).public for _ in range(2)]
    sealed = [
        np.stack([encrypt_template(key, layout, row.astype(np.float32)).ravel() for row in rows]).astype(np.float64)
        for key, rows in zip(keys, (first, second), strict=True)
    ]
    sides = [unit(side - side.mean(1, keepdims=True)) for side in sealed]
    return {"plain": told(first @ second.T), "sealed": told(sides[0] @ sides[1].T)}


def told(scores: F64) -> dict[str, float]:
    mated, nonmated = np.diag(scores).copy(), scores[~np.eye(len(scores), dtype=bool)][:50_000]
    value = linkability.d_sys(mated, nonmated)
    resampled = linkability.replicates(
        mated,
        nonmated,
        1.0,
        linkability.edges_of(mated, nonmated),
        linkability.draws_of_scores((len(mated), len(nonmated)), 200, 0),
    )
    floor = float(np.quantile(linkability.shuffled(mated, nonmated), 0.975))
    metric = linkability.with_interval(value, resampled, floor, (len(mated), len(nonmated)))
    return {
        "value": round(value, 4),
        "low": round(metric.low, 4),
        "high": round(metric.high, 4),
        "n": metric.n,
        "by chance": round(floor, 4),
    }


def main() -> None:
    results = {f"cosine of the rebuilt template by searches, {D} dimensions": attacks(), "D_sys": linkable()}
    print(save("sealed_privacy", results, sys.argv).read_text("utf8"))


if __name__ == "__main__":
    main()

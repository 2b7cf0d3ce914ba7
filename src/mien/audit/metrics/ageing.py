"""How genuine scores change with time: people, days, trend and noise told apart by a mixed model.

    score = level + trend * t  +  u_i + b_i * t  +  c_d  +  v_id  +  e

for person i on day d, t in years since the reference was taken (and a level for each further device): u_i and b_i are the
person's own level and trend, c_d is what all people share on that day (camera, light), v_id what only this person has on that
day, e one capture's noise. All but level and trend are normal with mean 0; u and b may be correlated, the rest is independent.

Fitted by restricted maximum likelihood (Patterson and Thompson, Biometrika 1971), as Best-Rowden and Jain (PAMI 2018) do for
ageing faces; the day terms are added. A day's scores of one person enter through their number, mean and sum of squares,
which loses nothing; people are eliminated two numbers at a time and days by one Cholesky factor, so that a
quarter of a million scores take seconds. `tests/audit/test_ageing.py` holds it against statsmodels.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mien.audit.metrics.recognition import F64, I64
from mien.errors import EvidenceError

YEAR = 365.25  # days
NOTHING = 1e-3  # a standard deviation below this share of all spread is as good as none
Parts = dict[str, float]  # variances by name: people, trends, covariance, shared, own, within


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Scores in the form the model needs: one cell for each person, day and device; k cells."""

    person: I64  # (k,) number of the person
    day: I64  # (k,) number of the day (of one device)
    years: F64  # (k,) since the reference
    mean: F64  # (k,) of the cell's scores
    count: F64  # (k,) how many scores
    squares: F64  # (k,) sum of squared deviations from the cell's mean
    device: I64  # (k,) number of the device
    changes: F64 = field(
        default_factory=lambda: np.empty((0, 0))
    )  # (c, k) known changes that all share, each of size 1

    @property
    def people(self) -> int:
        """How many people."""
        return int(self.person.max()) + 1

    @property
    def days(self) -> int:
        """How many days (of one device each)."""
        return int(self.day.max()) + 1

    @property
    def devices(self) -> int:
        """How many devices."""
        return int(self.device.max()) + 1

    def without(self, sizes: F64) -> Cells:
        """The same cells with the known changes, of these sizes, taken out of their means."""
        return replace(self, mean=self.mean - sizes @ self.changes) if len(self.changes) else self

    @property
    def replicated(self) -> bool:
        """Whether enough cells hold several scores for telling a day from noise."""
        return float((self.count - 1).sum()) >= 10

    @property
    def crossed(self) -> bool:
        """Whether enough days were shared by people for telling a shared day from a person's own."""
        return int((np.bincount(self.day) >= 2).sum()) >= 5

    @property
    def sloped(self) -> bool:
        """Whether enough people were seen on three days or more for telling own trends."""
        return int((np.bincount(self.person) >= 3).sum()) >= 5


def cells(person: I64, day: I64, years: F64, score: F64, device: I64 | None = None) -> Cells:
    """Finite scores (n,) gathered by person and day; numbers of people and days from 0, all of them used.

    day: of one device each, so that a day on which two devices were used has two numbers; device: (n,) from 0."""
    keys, where, count = np.unique(np.stack([person, day]), axis=1, return_inverse=True, return_counts=True)
    where = where.reshape(-1)  # numpy 2.0 gave it two axes
    mean = np.bincount(where, score) / count
    squares = np.bincount(where, (score - mean[where]) ** 2).astype(float)
    elapsed = np.bincount(where, years) / count
    on = np.zeros(len(mean), np.int64)
    if device is not None:
        on[where] = device
    return Cells(keys[0].astype(np.int64), keys[1].astype(np.int64), elapsed, mean, count.astype(float), squares, on)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """What the model found. Variances are of scores; `trends` of scores per year."""

    level: float  # mean score at `centre`, on the first device
    devices: F64  # (devices,) how far scores on each device lie above those on the first
    changes: F64  # (c,) sizes of the known changes, score
    trend: float  # mean change of the score per year
    trend_error: float  # its standard error, days shared by all included
    trend_error_of_days: float  # the part of it that is owed to days that all share
    centre: float  # years since the reference at which levels are told
    variances: Parts
    person_level: F64  # (people,) u, predicted
    person_trend: F64  # (people,) b, predicted, score per year
    person_trend_variance: F64  # (people,) how uncertain b is
    day_effect: F64  # (days,) c, predicted
    likelihood: float  # restricted log-likelihood, up to a constant
    model: Any = field(repr=False, default=None)  # for likelihoods nearby: `shared_likelihood`

    @property
    def day(self) -> float:
        """Variance between days: shared and own."""
        return self.variances["shared"] + self.variances["own"]

    def expected(self, data: Cells) -> F64:
        """(k,) means of cells expected of these people after so many years on that device; days and changes left out."""
        since, who = data.years - self.centre, data.person
        trend = (self.trend + self.person_trend[who]) * since
        answer: F64 = self.level + self.devices[data.device] + self.person_level[who] + trend
        return answer


def one_thread() -> AbstractContextManager[Any]:
    """Linear algebra on one thread: with hundreds of small products, threads do little but wait for each other."""
    import scipy.linalg  # noqa: F401  # it brings a library of its own, which only knows of limits set once it is there
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(1, "blas")
    return limits


def fit(data: Cells) -> Fit:
    """Fit the model. Raises EvidenceError for fewer than two people, two days, or three cells beyond the people.

    What the data cannot tell apart is not guessed: without repeated captures on a day `own` is 0 and `within` holds both;
    without shared days `shared` is 0; with fewer than five people seen three times `trends` is 0."""
    _require(data)
    with one_thread():
        return _Model(data).best()


def _require(data: Cells) -> None:
    if data.people < 2:
        raise EvidenceError("One person cannot show what differs between people.", "It takes two or more.")
    if float(np.ptp(data.years)) <= 0:
        raise EvidenceError("All scores have the same age.", "A trend needs scores of several days.")
    if len(data.mean) < data.people + 3:
        raise EvidenceError(
            f"{len(data.mean):,} days of {data.people:,} people cannot show a trend.",
            "Most people must have been seen on several days.",
        )


class _Model:
    """The restricted likelihood of cells, with scores and years scaled to one."""

    def __init__(self, data: Cells) -> None:
        self.data = data
        self.centre = float(np.average(data.years))
        self.span = float(np.std(data.years))
        self.offset = float(np.average(data.mean, weights=data.count))
        spread = float(np.sqrt(((data.mean - self.offset) ** 2).mean() + data.squares.sum() / data.count.sum()))
        if not spread:
            raise EvidenceError("All scores are equal.", "These are no comparison scores.")
        self.scale = spread
        self.t = (data.years - self.centre) / self.span
        further = [(data.device == number).astype(float) for number in range(1, data.devices)]
        further += list(data.changes)
        # What is estimated without being drawn from anything, and the scores last: (f + 1, k).
        self.columns = np.stack([np.ones(len(self.t)), self.t, *further, (data.mean - self.offset) / spread])
        self.squares = float(data.squares.sum()) / spread**2
        self.spare = float((data.count - 1).sum())
        self.free = [True, data.sloped, data.sloped, data.crossed, data.replicated, True]

    def best(self) -> Fit:
        from scipy.optimize import minimize

        start = np.array([np.log(0.5), 0.0, np.log(0.1), np.log(0.1), np.log(0.3), np.log(0.5)])
        chosen = np.array(self.free)

        def loss(some: F64) -> float:
            full = start.copy()
            full[chosen] = some
            return -float(self.solve(self.parts(full))["likelihood"]) / len(self.t)

        bounds = [(-4.0, 4.0) if number == 1 else (np.log(NOTHING) - 1, 3.0) for number in np.flatnonzero(chosen)]
        found = minimize(loss, start[chosen], method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-11, "gtol": 1e-7})
        full = start.copy()
        full[chosen] = found.x
        return self.told(self.parts(full))

    def parts(self, full: F64) -> Parts:
        """Variances from the six numbers that are optimised: a Cholesky factor of u and b, and logs of three deviations."""
        first, cross = np.exp(full[0]), full[1] if self.free[1] else 0.0
        second, shared, own, within = (
            float(np.exp(value)) if free and value > np.log(NOTHING) else 0.0
            for value, free in zip(full[2:], self.free[2:], strict=True)
        )
        within = max(within, NOTHING)
        return {
            "people": float(first**2),
            "trends": float(cross**2 + second**2),
            "covariance": float(first * cross),
            "shared": shared**2,
            "own": own**2,
            "within": within**2,
        }

    def solve(self, parts: Parts) -> dict[str, Any]:
        """Likelihood, and what the predictions need, at given (scaled) variances."""
        from scipy.linalg import cho_factor, cho_solve

        data, t, columns = self.data, self.t, self.columns
        weight = 1 / (parts["own"] + parts["within"] / data.count)
        factor = _root(parts)
        seen = _by(data.person, np.stack([weight, weight * t, weight * t * t]), data.people)  # (3, people)
        inner = np.eye(2) + factor.T @ np.stack([seen[:2].T, seen[1:].T], 1) @ factor  # (people, 2, 2)
        root = factor @ np.linalg.inv(np.linalg.cholesky(inner)).transpose(0, 2, 1)  # (people, 2, 2): root root' = H
        moved = np.stack(
            [_by(data.person, weight * columns, data.people), _by(data.person, weight * t * columns, data.people)]
        )
        pulled = root.transpose(0, 2, 1) @ moved.transpose(2, 0, 1)  # (people, 2, f + 1)
        plain = (columns * weight) @ columns.T - np.einsum("pij,pik->jk", pulled, pulled)
        scores = 0.0  # minus twice the log-likelihood, as it adds up
        crossed = factored = None
        if parts["shared"] > 0:
            spread = self._spread(weight, root)
            crossed = _by(data.day, weight * columns, data.days).T - spread @ pulled.reshape(
                -1, len(columns)
            )  # (days, f + 1)
            product = spread @ spread.T
            system = -parts["shared"] * (product if isinstance(product, np.ndarray) else product.toarray())
            system[np.diag_indices(data.days)] += 1 + parts["shared"] * np.bincount(data.day, weight, data.days)
            factored = cho_factor(system, lower=True, overwrite_a=True, check_finite=False)
            plain = plain - parts["shared"] * crossed.T @ cho_solve(factored, crossed, check_finite=False)
            scores = 2 * float(np.log(np.diag(factored[0])).sum())
        information = plain[:-1, :-1]
        solution = np.linalg.solve(information, plain[:-1, -1])
        left = float(plain[-1, -1] - plain[:-1, -1] @ solution)
        scores += float(-np.log(weight).sum() + np.linalg.slogdet(inner)[1].sum() + np.linalg.slogdet(information)[1])
        scores += left + self.spare * np.log(parts["within"]) + self.squares / parts["within"]
        state = {"weight": weight, "root": root, "pulled": pulled, "crossed": crossed, "factored": factored}
        return {"likelihood": -scores / 2, "effects": solution, "information": information, **state}

    def pull(self, parts: Parts) -> tuple[F64, F64]:
        """D'Py (days,) and D'PD (days, days): by how much, and how surely, days pull the scores they have; scaled."""
        data, state = self.data, self.solve({**parts, "shared": 0.0})
        spread = self._spread(state["weight"], state["root"])
        product = spread @ spread.T
        alone = -(product if isinstance(product, np.ndarray) else product.toarray())
        alone[np.diag_indices(data.days)] += np.bincount(data.day, state["weight"], data.days)
        columns = _by(data.day, state["weight"] * self.columns, data.days).T
        columns -= spread @ state["pulled"].reshape(-1, len(self.columns))
        both = np.linalg.solve(np.eye(data.days) + parts["shared"] * alone, np.hstack([alone, columns]))
        seen, columns = both[:, : data.days], both[:, data.days :]  # D'V^-1 D, D'V^-1 [X y]
        final = self.solve(parts)
        fixed = columns[:, :-1]
        covariance = seen - fixed @ np.linalg.solve(final["information"], fixed.T)
        return columns[:, -1] - fixed @ final["effects"], (covariance + covariance.T) / 2

    def _spread(self, weight: F64, root: F64) -> Any:
        """(days, 2 people) what a day shares with a person; dense where people were seen on many of all days."""
        from scipy.sparse import csr_matrix

        data, t = self.data, self.t
        values = weight * (root[data.person, 0] + t[:, None] * root[data.person, 1]).T  # (2, k)
        column = np.stack([2 * data.person, 2 * data.person + 1])
        shape = (data.days, 2 * data.people)
        sparse = csr_matrix((values.ravel(), (np.tile(data.day, 2), column.ravel())), shape)
        return sparse.toarray() if len(t) > 0.1 * data.days * data.people else sparse

    def told(self, parts: Parts) -> Fit:
        """The fit in the units of the data."""
        from scipy.linalg import cho_solve

        data, state = self.data, self.solve(parts)
        scale, slope = self.scale, self.scale / self.span
        contrast = np.append(-state["effects"], 1.0)  # y - X beta, from columns
        covariance = np.linalg.inv(state["information"])
        effect, owed = np.zeros(data.days), 0.0
        if state["crossed"] is not None:
            solved = parts["shared"] * cho_solve(state["factored"], state["crossed"], check_finite=False)
            effect = solved @ contrast
            owed = float(((solved[:, :-1] @ covariance[:, 1]) ** 2).sum()) / parts["shared"]
        residual = contrast @ self.columns - effect[data.day]
        weighted = state["weight"] * residual
        pulled = _by(data.person, np.stack([weighted, weighted * self.t]), data.people).T[:, :, None]
        predicted = (state["root"] @ (state["root"].transpose(0, 2, 1) @ pulled))[:, :, 0]
        known = (state["root"][:, 1, :] ** 2).sum(1)
        units = {"trends": slope**2, "covariance": scale * slope}
        return Fit(
            level=self.offset + scale * float(state["effects"][0]),
            devices=np.append(0.0, scale * state["effects"][2 : data.devices + 1]),
            changes=scale * state["effects"][data.devices + 1 :],
            trend=slope * float(state["effects"][1]),
            trend_error=slope * float(np.sqrt(covariance[1, 1])),
            trend_error_of_days=slope * float(np.sqrt(owed)),
            centre=self.centre,
            variances={name: value * units.get(name, scale**2) for name, value in parts.items()},
            person_level=scale * predicted[:, 0],
            person_trend=slope * predicted[:, 1],
            person_trend_variance=slope**2 * known,
            day_effect=scale * effect,
            likelihood=float(state["likelihood"]),
            model=(self, parts),
        )


def shared_likelihood(found: Fit, deviations: F64) -> F64:
    """(m,) restricted log-likelihood when the deviation of shared days were as given, all else as fitted."""
    model, parts = found.model
    with one_thread():
        return np.array(
            [model.solve({**parts, "shared": (one / model.scale) ** 2})["likelihood"] for one in deviations]
        )


def day_scores(found: Fit) -> tuple[F64, F64]:
    """Score statistics of days: q (days,) and its covariance Q (days, days) under the model, in 1 / score.

    For a change of shape h (days,) common to all people, (h'q)**2 / (h'Qh) is the score test of the mixed model: what people's
    own levels and trends, the common trend and the days' own variance explain is taken out of both."""
    model, parts = found.model
    with one_thread():
        pull, covariance = model.pull(parts)
    return pull / model.scale, covariance / model.scale**2


def _root(parts: Parts) -> F64:
    """(2, 2) lower factor of the covariance of levels and trends; also where it is singular."""
    first = np.sqrt(parts["people"])
    cross = parts["covariance"] / first if first else 0.0
    return np.array([[first, 0.0], [cross, np.sqrt(max(parts["trends"] - cross**2, 0.0))]])


def _by(group: I64, rows: F64, groups: int) -> F64:
    """(m, groups) sums of each row (m, k) by group."""
    return np.stack([np.bincount(group, row, groups) for row in rows])

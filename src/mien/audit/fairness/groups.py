"""Comparisons of captures whose people and groups are known: counted by group, resampled by person, dealt anew by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64, I64, Bools
from mien.audit.metrics.differentials import cells
from mien.errors import EvidenceError
from mien.report import Problem
from mien.types import OperatingPoint

Words = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Scored pairs of captures, by number."""

    first: I64  # (k,)
    second: I64  # (k,)
    scores: F64  # (k,) -inf where a capture had no face

    def of(self, kept: Bools) -> Pairs:
        """Some of them."""
        return Pairs(self.first[kept], self.second[kept], self.scores[kept])

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One system's comparisons of n captures."""

    system: str
    people: tuple[str, ...]  # (P,)
    owner: I64  # (n,) number of the person of each capture
    failed: Bools  # (n,) failures to acquire
    labels: Mapping[str, Words]  # what groups -> (n,) group of each capture; "" where unknown
    genuine: Pairs
    impostor: Pairs  # all there are, or of a complete design those that reach `floor`
    complete: bool  # every two captures of different people were compared
    floor: float = -np.inf
    points: tuple[OperatingPoint, ...] = ()  # of the model's card
    problems: tuple[Problem, ...] = ()
    made: Mapping[str, Any] = field(default_factory=dict)  # data, embedder

    def of(self, chosen: Bools) -> Compared:
        """Only the people chosen (P,); comparisons with others are left out."""
        captures = chosen[self.owner]
        genuine = self.genuine.of(captures[self.genuine.first])
        impostor = self.impostor.of(captures[self.impostor.first] & captures[self.impostor.second])
        hidden = {name: np.where(captures, words, "") for name, words in self.labels.items()}
        # Captures keep their numbers: those of others stay as nobody's, without comparisons and without a group.
        return replace(self, labels=hidden, genuine=genuine, impostor=impostor, failed=self.failed & captures)

    def trials(self, chosen: Bools | None = None) -> int:
        """Impostor comparisons among the people chosen, kept or not."""
        if not self.complete:
            return len(self.impostor if chosen is None else self.of(chosen).impostor)
        held = np.bincount(self.owner, minlength=len(self.people))[slice(None) if chosen is None else chosen]
        return int((held.sum() ** 2 - (held**2).sum()) // 2)


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Trials and errors at one threshold, by items: people where the group is the person's, captures where it is not."""

    groups: tuple[str, ...]
    owner: I64  # (m,) person of each item
    code: I64  # (m,) its group; -1 where unknown
    captures: F64  # (m,)
    failed: F64  # (m,)
    genuine: tuple[I64, I64, F64, F64]  # first item, second item, trials, misses
    accepted: tuple[I64, I64, F64]  # first item, second item, false matches
    explicit: tuple[I64, I64, F64] | None  # impostor trials; None: all items of different people with each other
    constant: bool  # one group per person

    @property
    def people(self) -> I64:
        """(G,) people with a capture in the group."""
        known = self.code >= 0
        both = np.unique(np.stack([self.code[known], self.owner[known]]), axis=1)[0]
        return np.bincount(both, minlength=len(self.groups))

    @property
    def mated(self) -> I64:
        """(G,) people with a genuine comparison in the group."""
        first, second, trials, _ = self.genuine
        inside = (self.code[first] == self.code[second]) & (self.code[first] >= 0) & (trials > 0)
        both = np.unique(np.stack([self.code[first][inside], self.owner[first][inside]]), axis=1)[0]
        return np.bincount(both, minlength=len(self.groups))

    @property
    def pairs(self) -> I64:
        """(G,) pairs of different people compared within the group: what a rate of false matches rests on."""
        if self.explicit is None:
            return self.people * (self.people - 1) // 2
        first, second, _ = self.explicit
        inside = (self.code[first] == self.code[second]) & (self.code[first] >= 0)
        ends = np.sort(np.stack([self.owner[first][inside], self.owner[second][inside]]), axis=0)
        both = np.unique(np.vstack([self.code[first][inside], ends]), axis=1)[0]
        return np.bincount(both, minlength=len(self.groups))

    def resampled(self, draws: F64) -> Rates:
        """Errors and trials within each group where people are drawn as often as `draws` (R, P) says."""
        people = draws.shape[1]
        captures, failed = (self._of_person(self.owner, column, people) for column in (self.captures, self.failed))
        first, second, trials, misses = self.genuine
        alike = self.code[first] == self.code[second]
        genuine, missed = (self._of_person(first, column * alike, people, True) for column in (trials, misses))
        if self.explicit is not None:
            impostor = self._paired(self.explicit, draws)
        else:  # of everybody with everybody: those of a person with himself taken off
            impostor = ((draws @ captures) ** 2 - (draws**2) @ captures**2) / 2
        matched = self._paired(self.accepted, draws)
        return Rates(draws @ failed, draws @ captures, draws @ missed, draws @ genuine, matched, impostor)

    def _of_person(self, index: I64, number: F64, people: int, items: bool = False) -> F64:
        """(P, G) `number` summed over each person's items in each group; items: `index` numbers items, not people."""
        owner, code = (self.owner[index], self.code[index]) if items else (index, self.code)
        size, known = len(self.groups), code >= 0
        return _sums(owner[known] * size + code[known], number[known], people * size).reshape(people, size)

    def _paired(self, pairs: tuple[I64, I64, F64], draws: F64) -> F64:
        """(R, G) pairs within each group, each as often as both people are drawn."""
        from scipy.sparse import csr_array

        first, second, count = pairs
        out, across = np.zeros((len(draws), len(self.groups))), np.ascontiguousarray(draws.T)
        for group in range(len(self.groups)):
            inside = (self.code[first] == group) & (self.code[second] == group)
            ends = self.owner[first][inside], self.owner[second][inside]
            rows, row = np.unique(ends[0], return_inverse=True)
            table = csr_array((count[inside], (row, ends[1])), shape=(len(rows), draws.shape[1]))
            out[:, group] = np.einsum("pr,pr->r", table @ across, across[rows])
        return out

    def grid(self) -> tuple[F64, F64]:
        """False matches and impostor trials of each group with each (G, G)."""
        size = len(self.groups)
        table = cells(size)
        matched = _by_cell(self.accepted, self.code, table)
        if self.explicit is not None:
            return matched[table], _by_cell(self.explicit, self.code, table)[table]
        of_person = self._of_person(self.owner, self.captures, int(self.owner.max()) + 1)
        held, own = of_person.sum(axis=0), of_person.T @ of_person
        trials = np.outer(held, held) - own
        np.fill_diagonal(trials, np.diagonal(trials) / 2)
        return matched[table], trials

    def dealt(self, rng: np.random.Generator, times: int) -> tuple[tuple[F64, F64], tuple[F64, F64]]:
        """(errors, trials) of FMR and of FNMR per group (1 + times, G): as they are, then with labels dealt anew.

        Labels go from person to person. Where captures of a person differ in group, a person's whole series of labels
        goes to somebody with as many captures, so that what belongs together stays so."""
        size = len(self.groups)
        fmr, fnmr = (np.zeros((2, 1 + times, size)) for _ in range(2))
        for row in range(1 + times):
            code = self._shuffled(rng) if row else self.code
            fmr[0, row], fnmr[0, row] = _within(self.accepted, code, size), _within(self._misses(), code, size)
            fnmr[1, row] = _within(self.genuine[:3], code, size)
            if self.explicit is not None:
                fmr[1, row] = _within(self.explicit, code, size)
            else:
                held = np.bincount(
                    self.owner * (size + 1) + code + 1, self.captures, (self.owner.max() + 1) * (size + 1)
                )
                of_person = held.reshape(-1, size + 1)[:, 1:]
                fmr[1, row] = (of_person.sum(axis=0) ** 2 - (of_person**2).sum(axis=0)) / 2
        return (fmr[0], fmr[1]), (fnmr[0], fnmr[1])

    def _misses(self) -> tuple[I64, I64, F64]:
        first, second, _, misses = self.genuine
        return first, second, misses

    def _shuffled(self, rng: np.random.Generator) -> I64:
        code = self.code.copy()
        if self.constant:
            known = np.flatnonzero(code >= 0)
            code[known] = code[rng.permutation(known)]
            return code
        order = np.argsort(self.owner, kind="stable")
        starts = np.flatnonzero(np.diff(self.owner[order], prepend=-1))
        sizes = np.diff(np.append(starts, len(order)))
        for size in np.unique(sizes):
            blocks = order[starts[sizes == size][:, None] + np.arange(size)]
            code[blocks] = code[blocks[rng.permutation(len(blocks))]]
        return code


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """Errors and trials per group, (..., G) each."""

    failed: F64
    captures: F64
    missed: F64
    genuine: F64
    matched: F64
    impostor: F64


def count(data: Compared, words: Words, threshold: float) -> Counted:
    """Trials and errors at `threshold` by the groups in `words` (n,); "" is no group. Groups in the order of their names.

    Raises EvidenceError for a threshold below what was kept of the comparisons."""
    if data.complete and threshold < data.floor:
        raise EvidenceError(
            f"A threshold of {threshold:.4f} is too loose to be of use.", "Ask for an FMR of 0.02 or less."
        )
    groups, code = coded(words)
    seen = code >= 0
    low, high = (np.full(len(data.people), end) for end in (len(groups), -1))
    np.minimum.at(low, data.owner[seen], code[seen])
    np.maximum.at(high, data.owner[seen], code[seen])
    constant = bool((low >= high)[np.unique(data.owner[seen])].all()) if seen.any() else True
    item = np.unique(data.owner, return_inverse=True)[1].astype(np.int64) if constant else np.arange(len(data.owner))
    total = int(item.max()) + 1
    owner, kind = np.zeros(total, np.int64), np.full(total, -1, np.int64)
    owner[item] = data.owner
    kind[item[seen]] = code[seen]
    # A capture without a group may be of somebody who has one: it is then not among his in that group.
    captures, failed = _sums(item, seen, total), _sums(item, seen & data.failed, total)
    inside = seen if constant else np.ones(len(seen), bool)
    genuine = _merged(data.genuine, item, inside, data.genuine.scores < threshold)
    hits = data.impostor.of(data.impostor.scores >= threshold)
    first, second, found, _ = _merged(hits, item, inside)
    explicit = None if data.complete else _merged(data.impostor, item, inside)[:3]
    return Counted(groups, owner, kind, captures, failed, genuine, (first, second, found), explicit, constant)


def product(one: Words, other: Words) -> Words:
    """(n,) the intersection of two groupings; unknown where either is."""
    both = np.char.add(np.char.add(one, " × "), other)
    return np.where((one == "") | (other == ""), "", both)


def draws(people: int, rounds: int, seed: int) -> F64:
    """(R, P) how often each person is drawn, with replacement."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(people, np.full(people, 1 / people), size=rounds).astype(np.float64)


def coded(words: Words) -> tuple[tuple[str, ...], I64]:
    """The groups by name, and (n,) the number of each capture's; -1 where unknown."""
    groups = tuple(str(word) for word in np.unique(words) if word)
    code = np.searchsorted(np.array(groups, np.str_), words) if groups else np.zeros(len(words), np.int64)
    return groups, np.where(words == "", -1, code).astype(np.int64)


def _merged(pairs: Pairs, item: I64, kept: Bools, errors: Bools | None = None) -> tuple[I64, I64, F64, F64]:
    """Pairs of captures as pairs of items: how many, and how many of them errors."""
    chosen = kept[pairs.first] & kept[pairs.second]
    ends = np.sort(np.stack([item[pairs.first[chosen]], item[pairs.second[chosen]]]), axis=0)
    width = int(item.max()) + 1
    key, at = np.unique(ends[0] * width + ends[1], return_inverse=True)
    wrong = np.zeros(int(chosen.sum())) if errors is None else errors[chosen]
    return key // width, key % width, _sums(at, np.ones(len(at)), len(key)), _sums(at, wrong, len(key))


def _within(pairs: tuple[I64, I64, F64], code: I64, size: int) -> F64:
    first, second, number = pairs
    inside = (code[first] == code[second]) & (code[first] >= 0)
    return _sums(code[first][inside], number[inside], size)


def _by_cell(pairs: tuple[I64, I64, F64], code: I64, table: I64) -> F64:
    first, second, number = pairs
    known = (code[first] >= 0) & (code[second] >= 0)
    return _sums(table[code[first][known], code[second][known]], number[known], int(table.max()) + 1)


def _sums(index: I64, number: F64 | Bools, size: int) -> F64:
    return np.asarray(np.bincount(index, number, size), np.float64)

"""Canaries: templates that are nobody, so that an answer which was tampered with does not add up.

A canary is a weighted sum of templates in its own group, and every template that a key holder writes is in two of them. Scores
are linear, so whatever was asked, a canary must score the same sum of the others' scores. The weights follow from the key
holder's vault: whoever moves a score does not know by how much to move the canaries with it.

Templates that an enroller without the vault added are in no canary until the key holder writes everything anew (`rotate`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.sealed.profiles import MARGIN, Layout, Profile
from mien.types import F32

F64 = NDArray[np.float64]
EACH = 2  # canaries that a template is in
FEWEST = 8  # slots of a group that has canaries
_BYTES = 12  # of the stream, for one slot: two choices and two weights


def how_many(layout: Layout, of: Profile) -> int:
    """Canaries of a group: each covers about `Profile.cover` templates."""
    return 0 if layout.slots < FEWEST else max(EACH, EACH * layout.slots // of.cover)


def weights(key: bytes, group: int, slots: int, count: int) -> F64:
    """(count, slots): in each column two entries, of either sign and of 0.5 to 1 in magnitude; the same for the same key."""
    seed = b"mien sealed canaries\0" + key + group.to_bytes(8, "little") + slots.to_bytes(4, "little")
    drawn = np.frombuffer(hashlib.shake_256(seed).digest(_BYTES * slots), "<u2").reshape(slots, 6).astype(np.int64)
    first = drawn[:, 0] % count
    second = (first + 1 + drawn[:, 1] % (count - 1)) % count
    found = np.zeros((count, slots))
    for chosen, sign, size in ((first, drawn[:, 2], drawn[:, 3]), (second, drawn[:, 4], drawn[:, 5])):
        found[chosen, np.arange(slots)] = np.where(sign & 1, 1, -1) * (1 + size / 65536) / 2
    return found


def scales(table: F64) -> F64:
    """(count,) what sums of unit vectors are divided by, so that none is longer than 1 whoever is in the group."""
    return np.asarray(np.maximum(np.abs(table).sum(axis=1), 1.0))


@dataclass(frozen=True, slots=True)
class Content:
    """What a key holder writes into a group."""

    number: int
    vectors: Mapping[int, F32]  # by slot, canaries not among them
    covered: frozenset[int]  # slots whose templates are in canaries
    canaries: Sequence[int]  # slots, in the order of their samples

    def rows(self, layout: Layout, key: bytes) -> F32:
        """(slots, d) everything in its place."""
        rows = np.zeros((layout.slots, layout.dimension), np.float32)
        for slot, vector in self.vectors.items():
            rows[slot] = vector
        if self.canaries:
            table = weights(key, self.number, layout.slots, len(self.canaries))
            seen = np.zeros(rows.shape)
            seen[list(self.covered)] = rows[list(self.covered)]
            rows[list(self.canaries)] = (table @ seen / scales(table)[:, None]).astype(np.float32)
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which sums of scores must be equal, for all groups at once. Flat positions are group * slots + slot."""

    canaries: NDArray[np.intp]  # (m,) flat positions
    scale: F64  # (m,)
    slack: F64  # (m,) how far a sum may be off
    sums: NDArray[np.intp]  # (k,) index of a canary, and …
    terms: NDArray[np.intp]  # … the flat position of a template in it, with …
    weights: F64  # … that weight

    def broken(self, scores: F64) -> bool:
        """Whether scores (groups * slots,) do not add up."""
        sums = np.bincount(self.sums, self.weights * scores[self.terms], len(self.canaries))
        return bool((np.abs(self.scale * scores[self.canaries] - sums) > self.slack).any())


@dataclass(frozen=True, slots=True)
class Members:
    """One group as a plan wants it: slots of canaries, of templates in them, and how many others an edge brought."""

    number: int
    position: int  # of the group's first slot
    canaries: Sequence[int]
    covered: Sequence[int]
    edge: int


def plan(groups: Sequence[Members], layout: Layout, of: Profile, key: bytes) -> Plan:
    """The sums of a gallery in one state."""
    spots, scale, slack, sums, terms, factors = [], [], [], [], [], []
    start = 0
    for one in groups:
        if not one.canaries:
            continue
        table = weights(key, one.number, layout.slots, len(one.canaries))
        size = scales(table)
        covered = np.array(one.covered, np.intp)
        row, column = np.nonzero(table[:, covered])
        spots.append(one.position + np.array(one.canaries, np.intp))
        scale.append(size)
        slack.append(allowed(table, size, of, layout, one.edge))
        sums.append(start + row)
        terms.append(one.position + covered[column])
        factors.append(table[row, covered[column]])
        start += len(size)
    none, nothing = np.empty(0, np.intp), np.empty(0)
    return Plan(
        np.concatenate([none, *spots]),
        np.concatenate([nothing, *scale]),
        np.concatenate([nothing, *slack]),
        np.concatenate([none, *sums]),
        np.concatenate([none, *terms]),
        np.concatenate([nothing, *factors]),
    )


def allowed(table: F64, scale: F64, of: Profile, layout: Layout, edge: int = 0) -> F64:
    """(count,) how far an honest sum may be off: noise and rounding of all its scores, and the noise of sanitising, whose sum
    over the templates counts as normal while its share in the canary counts whole."""
    error = float(np.hypot(of.noise(layout, edge), of.rounding))
    length = np.linalg.norm(table, axis=1)
    return np.asarray(MARGIN * error * (scale + length) + of.flood * (scale + MARGIN * length / np.sqrt(3)) + 1e-5)

"""The key holder: the only one who can read scores. It checks an answer, decides, and lets as little out as will do.

Every score says something about the template behind it: some hundred searches with chosen probes rebuild a face's template from
three digits, and many more from yes and no alone. So only matches above the threshold leave here, rounded to three digits, and
searches are counted against a quota per day.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryError, UsageError
from mien.gallery.sealed.canaries import Plan, plan
from mien.gallery.sealed.cipher import cipher
from mien.gallery.sealed.index import Index, Table
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.ledger import Ledger
from mien.gallery.sealed.matcher import Response, check_identity
from mien.gallery.sealed.preselection import groups_of, shortlist
from mien.gallery.sealed.probe_device import Probe
from mien.gallery.sealed.profiles import Layout
from mien.gallery.sealed.records import U32, Marker, Sealer, anchor
from mien.types import F32, Match

F64 = NDArray[np.float64]
DIGITS = 3  # of a released score
BEYOND = 1.05  # no honest score of unit vectors lies outside ±this …
NOTHING = 0.02  # … and none of an empty slot outside ±this, beside what rounding does


@dataclass(frozen=True, slots=True)
class Released:
    """All that leaves a key holder."""

    accepted: bool
    matches: tuple[Match, ...]  # at or above the threshold, best first, scores rounded


class Vault:
    """What only the key holder may read, under a key derived from the secret key: templates as they were enrolled, canaries."""

    def __init__(self, keys: Keys, gallery: bytes) -> None:
        key = hashlib.sha256(b"mien sealed vault\0" + keys.secret.body + keys.mac).digest()
        self._sealer = Sealer(key, gallery)
        self.weights = hashlib.sha256(b"mien sealed weights\0" + key + gallery).digest()  # of canaries

    def seal(self, vector: bytes, about: bytes) -> bytes:
        """A template's bytes."""
        return self._sealer.seal(vector, b"vector" + about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """What `seal` was given. Raises GalleryCorrupt."""
        return self._sealer.open(sealed, b"vector" + about)


class KeyHolder:
    """Reads answers. ledger: where searches are counted and galleries remembered (see `Ledger`)."""

    def __init__(self, keys: Keys, ledger: Ledger | None = None) -> None:
        self.keys = keys
        self.ledger = Ledger() if ledger is None else ledger
        self._by = cipher(keys.public.profile)
        self._plan: tuple[Table, Plan] | None = None  # of the state that was searched last

    @property
    def digits(self) -> int:
        """Digits after the point that a score is let out with."""
        return DIGITS

    def marker(self, gallery: bytes) -> Marker:
        """For rows of a gallery."""
        return Marker(self.keys.mac, self.keys.identity, gallery)

    def sealer(self, gallery: bytes) -> Sealer:
        """For records of a gallery."""
        return Sealer(self.keys.records, gallery)

    def vault(self, gallery: bytes) -> Vault:
        """For templates of a gallery."""
        return Vault(self.keys, gallery)

    def encrypt(self, layout: Layout, rows: F32) -> U32:
        """Groups of templates (m, d), more quietly than the public key can."""
        return self._by.encrypt(self.keys.secret, layout, rows)

    def templates(self, layout: Layout, groups: U32) -> F64:
        """(groups, slots, d) what groups hold."""
        found = self._by.templates(self.keys.secret, layout, groups)
        return found.reshape(len(groups), layout.slots, layout.dimension)

    def release(self, index: Index, probe: Probe, response: Response, threshold: float, k: int = 1) -> Released:
        """The decision, and the k best at or above the threshold.

        probe: as the device made it, got from the device and not from the matcher. Raises GalleryError for an
        answer that fails its checks or a quota that is used up, UsageError for k < 1 or no finite threshold."""
        if not -1 <= threshold <= 1:
            raise UsageError(f"{threshold} is no threshold.", "Give a cosine.")
        found = self.matches(index, probe, response, k)
        kept = tuple(
            Match(match.subject, round(match.score, self.digits)) for match in found if match.score >= threshold
        )
        return Released(bool(kept), kept)

    def matches(self, index: Index, probe: Probe, response: Response, k: int) -> list[Match]:
        """The k best with their scores as they are: not for anybody outside the key holder's own process."""
        if k < 1:
            raise UsageError(f"{k} matches were asked for.", "Ask for at least one.")
        self.ledger.spend()
        for identity in (self.keys.identity, probe.identity):
            check_identity(identity, index.head)
        if not index.groups:
            return []
        table = index.table(probe.numbers)
        scores = self._scores(index, table, probe, response)
        best = np.full(len(table.names), -2.0)
        np.maximum.at(best, table.owners, scores[table.rows])
        best = np.round(np.clip(best, -1, 1), 5)  # below that is noise
        order = np.lexsort((np.arange(len(best)), -best))[:k]  # names are in order, so ties go by name
        return [Match(table.names[number], float(best[number])) for number in order]

    def shortlist(self, index: Index, probe: Probe, response: Response, size: int) -> tuple[int, ...]:
        """The groups of the `size` best rows by the first coordinates, for a second round; never fewer than are compared.

        In rising order, so that they do not also tell who came first. Not counted: the second round is."""
        table = index.table()
        if not table.numbers:
            return ()
        scores = self._scores(index, table, probe, response)
        rows = table.rows[shortlist(scores[table.rows], size)]
        return tuple(table.numbers[number] for number in groups_of(rows, index.head.layout.slots).tolist())

    def _scores(self, index: Index, table: Table, probe: Probe, response: Response) -> F64:
        """Raises GalleryError for an answer that fails its checks, and counts those that a matcher could learn from."""
        try:
            return self._checked(index, table, probe, response)
        except _Refused:
            self.ledger.refuse()
            raise

    def _checked(self, index: Index, table: Table, probe: Probe, response: Response) -> F64:
        layout = index.head.layout
        if response.revision != index.head.revision or response.numbers != table.numbers:
            raise _refused("it is of another state of the gallery")
        if len(response.body) != len(table.numbers):
            raise _refused("it is of another number of groups")
        scores = self._by.scores(self.keys.secret, layout, response.body, probe.body)
        # An answer is right for one public polynomial: what was computed with another, or not at all, decrypts to noise.
        for number, public in zip(table.numbers, self._by.publics(response.body), strict=True):
            if anchor(public) != index.groups[number].anchor:
                raise _refused("it was not computed with the gallery's own groups")
        sums = self._sums(index, table)
        taken = np.zeros(len(scores), bool)
        taken[table.rows] = taken[sums.canaries] = True
        nothing = NOTHING + float(np.sqrt(layout.dimension)) / self.keys.public.profile.steps
        if np.abs(scores).max() > BEYOND or np.abs(scores[~taken]).max(initial=0.0) > nothing:
            raise _refused("it holds scores that cannot be")
        if sums.broken(scores):
            raise _refused("its scores do not add up")
        return scores

    def _sums(self, index: Index, table: Table) -> Plan:
        """What the canaries of this state, or of some of its groups, must score."""
        if self._plan is None or self._plan[0] is not table:
            key = self.vault(index.head.gallery).weights
            made = plan(table.groups, index.head.layout, self.keys.public.profile, key)
            self._plan = (table, made)
        return self._plan[1]


class _Refused(GalleryError):
    """An answer failed its checks."""


def _refused(why: str) -> _Refused:
    return _Refused(
        f"The matcher's answer is refused: {why}.", "Check the gallery, then the matcher; nothing was decided."
    )

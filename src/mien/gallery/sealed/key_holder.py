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
from mien.gallery.sealed.cipher import cipher
from mien.gallery.sealed.index import Index
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.ledger import Ledger
from mien.gallery.sealed.matcher import Response, check_identity
from mien.gallery.sealed.profiles import Layout, profile
from mien.gallery.sealed.records import U32, Marker, Sealer
from mien.types import F32, Match

F64 = NDArray[np.float64]
DIGITS = 3  # of a released score
BEYOND = 1.05  # no honest score of unit vectors lies outside ±this …
NOTHING = 0.02  # … none of an empty slot outside ±this …
CANARY = 5e-3  # … and none of a canary farther than this, beside what rounding does, from what it must be


@dataclass(frozen=True, slots=True)
class Released:
    """All that leaves a key holder."""

    accepted: bool
    matches: tuple[Match, ...]  # at or above the threshold, best first, scores rounded


class Vault:
    """What only the key holder may read, under a key derived from the secret key: templates as they were enrolled, canaries."""

    def __init__(self, keys: Keys, gallery: bytes) -> None:
        self._key = hashlib.sha256(b"mien sealed vault\0" + keys.secret.signs.tobytes() + keys.mac).digest()
        self._gallery = gallery
        self._sealer = Sealer(self._key, gallery)

    def seal(self, vector: bytes, about: bytes) -> bytes:
        """A template's bytes."""
        return self._sealer.seal(vector, b"vector" + about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """What `seal` was given. Raises GalleryCorrupt."""
        return self._sealer.open(sealed, b"vector" + about)

    def canary(self, group: int, dimension: int) -> F32:
        """(dimension,) the unit vector that is nobody in a group; that of the next odd group is its opposite."""
        seed = b"mien sealed canary\0" + self._key + self._gallery + (group // 2).to_bytes(8, "little")
        raw = np.frombuffer(hashlib.shake_256(seed).digest(2 * dimension), "<i2").astype(np.float64) + 0.5
        sign = -1 if group % 2 else 1
        vector: F32 = (sign * raw / np.linalg.norm(raw)).astype(np.float32)
        return vector


class KeyHolder:
    """Reads answers. ledger: where searches are counted and galleries remembered (see `Ledger`)."""

    def __init__(self, keys: Keys, ledger: Ledger | None = None) -> None:
        self.keys = keys
        self.ledger = Ledger() if ledger is None else ledger
        self._by = cipher(keys.public.profile)

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

    def release(
        self, index: Index, response: Response, threshold: float, k: int = 1, probe: F32 | None = None
    ) -> Released:
        """The decision, and the k best at or above the threshold.

        probe: where the key holder knows it, so that canaries are held against their true scores; in the profile open-probe it
        must be known. Raises GalleryError for an
        answer that fails its checks or a quota that is used up, UsageError for k < 1 or no finite threshold."""
        if not -1 <= threshold <= 1:
            raise UsageError(f"{threshold} is no threshold.", "Give a cosine.")
        found = self.matches(index, response, k, probe)
        kept = tuple(
            Match(match.subject, round(match.score, self.digits)) for match in found if match.score >= threshold
        )
        return Released(bool(kept), kept)

    def matches(self, index: Index, response: Response, k: int, probe: F32 | None = None) -> list[Match]:
        """The k best with their scores as they are: not for anybody outside the key holder's own process."""
        if k < 1:
            raise UsageError(f"{k} matches were asked for.", "Ask for at least one.")
        self.ledger.spend()
        check_identity(self.keys.identity, index.head)
        if not index.groups:
            return []
        table, scores = index.table(), self._scores(index, response, probe)
        best = np.full(len(table.names), -2.0)
        np.maximum.at(best, table.owners, scores[table.rows])
        best = np.round(np.clip(best, -1, 1), 5)  # below that is noise
        order = np.lexsort((np.arange(len(best)), -best))[:k]  # names are in order, so ties go by name
        return [Match(table.names[number], float(best[number])) for number in order]

    def _scores(self, index: Index, response: Response, probe: F32 | None) -> F64:
        table, layout = index.table(), index.head.layout
        if response.revision != index.head.revision or response.numbers != table.numbers:
            raise _refused("it is of another state of the gallery")
        if len(response.body) != len(table.numbers):
            raise _refused("it is of another number of groups")
        scores = self._by.scores(self.keys.secret, layout, response.body, probe)
        taken = np.zeros(len(scores), bool)
        taken[table.rows] = taken[table.canaries] = True
        if np.abs(scores).max() > BEYOND or np.abs(scores[~taken]).max(initial=0.0) > NOTHING + self._rounding(layout):
            raise _refused("it holds scores that cannot be")
        self._check_canaries(index, scores, probe)
        return scores

    def _check_canaries(self, index: Index, scores: F64, probe: F32 | None) -> None:
        table, layout = index.table(), index.head.layout
        vault, slack = self.vault(index.head.gallery), CANARY + self._rounding(layout)
        seen = dict(zip(table.canary_groups, scores[table.canaries].tolist(), strict=True))
        for group, score in seen.items():
            if probe is not None:
                wanted = float(vault.canary(group, layout.dimension).astype(np.float64) @ probe)
            else:  # whatever was asked, opposite canaries score oppositely
                wanted = -seen.get(group ^ 1, -score)
            if abs(score - wanted) > slack:
                raise _refused("a template with a known score has another")

    def _rounding(self, layout: Layout) -> float:
        """What keeping coordinates to steps may do to a score, at most."""
        return float(np.sqrt(layout.dimension)) / profile(self.keys.public.profile.name).steps


def _refused(why: str) -> GalleryError:
    return GalleryError(
        f"The matcher's answer is refused: {why}.", "Check the gallery, then the matcher; nothing was decided."
    )

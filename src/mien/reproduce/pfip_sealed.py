"""The sealed gallery in the steps that are timed and judged: encrypt the probe, search, decrypt.

Groups hold canaries as a gallery's do, and decrypting includes what a key holder checks: public polynomials and sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64
from mien.types import F32

if TYPE_CHECKING:
    from mien.gallery.sealed.canaries import Plan
    from mien.gallery.sealed.cipher import Cipher
    from mien.gallery.sealed.keys import Keys
    from mien.gallery.sealed.profiles import Layout, Profile
    from mien.gallery.sealed.ring import U32


@dataclass(slots=True)
class Sealed:
    """Gallery and probe both encrypted; the roles are separate in what they hold and share this process."""

    gallery: F32  # (n, d)
    profile: Profile
    layout: Layout = field(init=False)
    keys: Keys = field(init=False)
    packed: Packed = field(init=False)
    probe: U32 = field(init=False)
    response: U32 | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        from mien.gallery.sealed.keys import Keys
        from mien.gallery.sealed.profiles import layout_for

        self.keys = Keys.generate(self.profile)
        self.layout = layout_for(self.gallery.shape[1], len(self.gallery), self.profile)
        self.packed = Packed(self.gallery, self.keys, self.layout)

    def encrypt(self, probe: F32) -> None:
        """The device, with the public key."""
        from mien.gallery.sealed.scheme import encrypt_probe

        self.probe = encrypt_probe(self.keys.public, self.layout, probe)

    def search(self) -> None:
        """The matcher, without a key."""
        from mien.gallery.sealed.scheme import search

        self.response = search(self.packed.groups, self.probe, self.layout, self.profile, out=self.response)

    def decrypt(self) -> F64:
        """The key holder: (n,) scores, checked."""
        assert self.response is not None  # searched before
        return self.packed.scores(self.response, self.probe)

    def scores(self, probe: F32) -> F64:
        """(n,) all three."""
        self.encrypt(probe)
        self.search()
        return self.decrypt()

    def whole(self, probe: F32) -> F64:
        """(n,) scores that an exact profile must give: integer products of integer coordinates."""
        mine, theirs = self.profile.steps, self.profile.probe_steps
        gallery = np.rint(self.gallery.astype(np.float64) * mine)
        exact: F64 = gallery @ np.rint(probe.astype(np.float64) * theirs) / (mine * theirs)
        return exact

    def bytes(self) -> dict[str, int]:
        """Of what is stored and sent."""
        return self.packed.bytes(self.probe, self.response)


@dataclass(slots=True)
class Packed:
    """A gallery in groups, with canaries, and what a key holder knows of it."""

    gallery: F32  # (n, d)
    keys: Keys
    layout: Layout
    groups: U32 = field(init=False)
    places: NDArray[np.intp] = field(init=False)  # (n,) flat positions of the templates
    anchors: list[bytes] = field(init=False)
    plan: Plan = field(init=False)
    _by: Cipher = field(init=False)

    def __post_init__(self) -> None:
        from mien.gallery.sealed.canaries import Content, Members, how_many, plan
        from mien.gallery.sealed.cipher import cipher
        from mien.gallery.sealed.records import anchor

        layout, of, key = self.layout, self.keys.public.profile, self.keys.mac
        canaries = list(range(how_many(layout, of)))
        each = layout.slots - len(canaries)
        count = -(-len(self.gallery) // each)
        self._by = cipher(of)
        self.groups = np.empty((count, *layout.row_shape(of)), np.uint32)
        members, places = [], []
        for number in range(count):
            part = self.gallery[number * each : (number + 1) * each]
            slots = range(len(canaries), len(canaries) + len(part))
            content = Content(number, dict(zip(slots, part, strict=True)), frozenset(slots), canaries)
            self.groups[number] = self._by.encrypt(self.keys.secret, layout, content.rows(layout, key))[0]
            members.append(Members(number, number * layout.slots, canaries, list(slots), 0))
            places.append(number * layout.slots + np.arange(slots.start, slots.stop))
        self.places = np.concatenate(places)
        self.anchors = [anchor(group[:, 0] if group.ndim == 3 else group[0]) for group in self.groups]
        self.plan = plan(members, layout, of, key)

    def scores(self, response: U32, probe: U32) -> F64:
        """(n,) as a key holder reads them. Raises ValueError for an answer that it would refuse."""
        from mien.gallery.sealed.records import anchor

        found = self._by.scores(self.keys.secret, self.layout, response, probe)
        same = all(anchor(one) == own for one, own in zip(self._by.publics(response), self.anchors, strict=True))
        if not same or self.plan.broken(found):
            raise ValueError("the answer does not add up")
        return found[self.places]

    def bytes(self, probe: U32, response: U32 | None) -> dict[str, int]:
        """Of what is stored and sent."""
        return {
            "gallery": self.groups.nbytes,
            "places": len(self.groups) * self.layout.slots,
            "probe": probe.nbytes,
            "response": 0 if response is None else response.nbytes,
            "evaluation keys": 0,
        }


@dataclass(slots=True)
class Open:
    """Gallery encrypted, probe in the open: for one organisation, against theft of the gallery."""

    gallery: F32  # (n, d)
    packed: Packed = field(init=False)
    probe: U32 = field(init=False)
    response: U32 | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        from mien.gallery.sealed.keys import Keys
        from mien.gallery.sealed.profiles import OPEN, Layout

        self.packed = Packed(self.gallery, Keys.generate(OPEN), Layout(self.gallery.shape[1], 1))

    def search(self, probe: F32) -> None:
        """The matcher, which sees the probe and no score."""
        from mien.gallery.sealed.open_probe import open_probe, scan

        asked, groups = open_probe(probe), self.packed.groups
        self.probe = asked.view(np.uint32)
        self.response = scan(groups, asked, len(groups) * self.packed.layout.slots, out=self.response)

    def decrypt(self) -> F64:
        """The key holder: (n,) scores, checked."""
        assert self.response is not None  # searched before
        return self.packed.scores(self.response, self.probe)

    def scores(self, probe: F32) -> F64:
        """(n,) both."""
        self.search(probe)
        return self.decrypt()

    def bytes(self) -> dict[str, int]:
        """Of what is stored and sent."""
        return self.packed.bytes(self.probe, self.response)

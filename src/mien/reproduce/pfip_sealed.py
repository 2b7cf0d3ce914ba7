"""The sealed gallery in the steps that are timed and judged: encrypt the probe, search, decrypt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.audit.metrics import F64
from mien.types import F32

if TYPE_CHECKING:
    from mien.gallery.sealed.keys import Keys
    from mien.gallery.sealed.open_probe import OpenKey
    from mien.gallery.sealed.profiles import Layout, Profile
    from mien.gallery.sealed.ring import U32


@dataclass(slots=True)
class Sealed:
    """Gallery and probe both encrypted; the roles are separate in what they hold and share this process."""

    gallery: F32  # (n, d)
    profile: Profile
    layout: Layout = field(init=False)
    keys: Keys = field(init=False)
    groups: U32 = field(init=False)
    probe: U32 = field(init=False)
    response: U32 = field(init=False)

    def __post_init__(self) -> None:
        from mien.gallery.sealed.keys import Keys
        from mien.gallery.sealed.profiles import layout_for
        from mien.gallery.sealed.scheme import encrypt_templates

        self.keys = Keys.generate(self.profile)
        self.layout = layout_for(self.gallery.shape[1], len(self.gallery), self.profile)
        self.groups = encrypt_templates(self.keys.secret, self.layout, self.gallery)

    def encrypt(self, probe: F32) -> None:
        """The device, with the public key."""
        from mien.gallery.sealed.scheme import encrypt_probe

        self.probe = encrypt_probe(self.keys.public, self.layout, probe)

    def search(self) -> None:
        """The matcher, without a key."""
        from mien.gallery.sealed.scheme import search

        self.response = search(self.groups, self.probe, self.layout, self.profile)

    def decrypt(self) -> F64:
        """The key holder: (n,) scores."""
        from mien.gallery.sealed.scheme import decrypt

        return decrypt(self.keys.secret, self.layout, self.response)[: len(self.gallery)]

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
        return {
            "gallery": self.groups.nbytes,
            "places": len(self.groups) * self.layout.slots,
            "probe": self.probe.nbytes,
            "response": self.response.nbytes,
            "evaluation keys": 0,
        }


@dataclass(slots=True)
class Open:
    """Gallery encrypted, probe in the open: for one organisation, against theft of the gallery."""

    gallery: F32  # (n, d)
    key: OpenKey = field(init=False)
    groups: U32 = field(init=False)
    probe: NDArray[np.int32] = field(init=False)
    response: U32 = field(init=False)

    def __post_init__(self) -> None:
        from mien.gallery.sealed.open_probe import OpenKey, seal_templates

        self.key = OpenKey.generate(self.gallery.shape[1])
        self.groups = seal_templates(self.key, self.gallery)

    def search(self, probe: F32) -> None:
        """The matcher, which sees the probe and no score."""
        from mien.gallery.sealed.open_probe import open_probe, scan

        self.probe = open_probe(probe)
        self.response = scan(self.groups, self.probe, len(self.gallery))

    def decrypt(self) -> F64:
        """The key holder: (n,) scores."""
        from mien.gallery.sealed.open_probe import open_scores

        return open_scores(self.key, self.probe, self.response, len(self.gallery))

    def scores(self, probe: F32) -> F64:
        """(n,) both."""
        self.search(probe)
        return self.decrypt()

    def bytes(self) -> dict[str, int]:
        """Of what is stored and sent."""
        return {
            "gallery": self.groups.nbytes,
            "places": self.groups.shape[0] * self.groups.shape[2],
            "probe": self.probe.nbytes,
            "response": self.response.nbytes,
            "evaluation keys": 0,
        }

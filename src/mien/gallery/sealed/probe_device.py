"""The probe device: it sees a face and holds the public key. It can ask, and cannot read any answer.

Whether the matcher sees what was asked is up to the profile of the device's own key, never to what a matcher says."""

from __future__ import annotations

from dataclasses import dataclass

from mien.gallery.sealed.cipher import cipher
from mien.gallery.sealed.keys import PublicKey
from mien.gallery.sealed.profiles import Layout
from mien.gallery.sealed.records import U32
from mien.types import F32


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """A probe on its way to a matcher: encrypted, except in the profile open-probe."""

    identity: str  # of the keys it was made for
    body: U32  # (limbs, blocks, 2, ring); in the open (2, d), whole numbers modulo 2^32
    numbers: tuple[int, ...] | None = None  # the groups that are asked; None: all


class ProbeDevice:
    """Makes probes with the public key."""

    def __init__(self, public: PublicKey) -> None:
        self.public = public

    def encrypt(self, layout: Layout, vector: F32, numbers: tuple[int, ...] | None = None) -> Probe:
        """A probe (d,) of unit length, for a gallery of this layout. Raises InputError for anything else."""
        return Probe(self.public.identity, cipher(self.public.profile).probe(self.public, layout, vector), numbers)

    def encrypt_coarse(self, layout: Layout, vector: F32, size: int) -> Probe:
        """Of a turned probe (d,) the first `size` coordinates (see `coarse`)."""
        return self.encrypt(Layout(size, layout.block), vector[:size])

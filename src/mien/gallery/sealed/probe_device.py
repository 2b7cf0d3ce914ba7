"""The probe device: it sees a face and holds the public key. It can ask, and cannot read any answer."""

from __future__ import annotations

from dataclasses import dataclass

from mien.gallery.sealed import scheme
from mien.gallery.sealed.keys import PublicKey
from mien.gallery.sealed.profiles import Layout
from mien.gallery.sealed.records import U32
from mien.types import F32


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """An encrypted probe on its way to a matcher."""

    identity: str  # of the keys it was made for
    body: U32  # (limbs, blocks, 2, ring)


class ProbeDevice:
    """Encrypts probes with the public key."""

    def __init__(self, public: PublicKey) -> None:
        self.public = public

    def encrypt(self, layout: Layout, vector: F32) -> Probe:
        """A probe (d,) of unit length, for a gallery of this layout. Raises InputError for anything else."""
        return Probe(self.public.identity, scheme.encrypt_probe(self.public, layout, vector))

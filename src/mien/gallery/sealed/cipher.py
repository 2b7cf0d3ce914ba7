"""How groups of templates are encrypted, searched and read: one way per kind of profile. All other rooms ask here.

Most profiles encrypt the probe too (`scheme`); in the profile open-probe the matcher sees it (`open_probe`); in the profile
seal all encryption is Microsoft SEAL's (`backend_seal`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, UsageError
from mien.gallery.sealed import open_probe, scheme
from mien.gallery.sealed.keys import PublicKey, SecretKey
from mien.gallery.sealed.profiles import Layout, OpenProfile, Profile, SealProfile, layout_for
from mien.gallery.sealed.ring import U32
from mien.gallery.sealed.scheme import F64
from mien.types import F32

SHORT = 64  # vectors of fewer coordinates, which no embedder makes, get a block of as many: fewer slots, less noise


class Cipher(Protocol):
    """The verbs of one profile. Each raises InputError for arrays of another."""

    def layout(self, dimension: int, size: int) -> Layout:
        """For a gallery of `size` templates."""

    def encrypt(self, secret: SecretKey, layout: Layout, rows: F32) -> U32:
        """Groups of templates (m, d), by slot; rows of zeros are empty slots. Everything in them is drawn anew."""

    def templates(self, secret: SecretKey, layout: Layout, groups: U32) -> F64:
        """(groups * slots, d) what groups hold."""

    def template(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """A template from where there is no secret key. Raises UsageError where that cannot be."""

    def placed(self, body: U32 | None, slot: int, row: U32, layout: Layout) -> U32:
        """A group, or none yet, with such a template in a slot."""

    def probe(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """What a matcher is asked."""

    def search(self, groups: U32, probe: U32, layout: Layout, threads: int, out: U32 | None = None) -> U32:
        """Every score of every group, encrypted; no key. out: an earlier response to write over, if it fits."""

    def sanitise(self, public: PublicKey, layout: Layout, response: U32) -> U32:
        """A response that tells who decrypts it scores and not templates; it may be written over."""

    def scores(self, secret: SecretKey, layout: Layout, response: U32, probe: U32) -> F64:
        """(groups * slots,) the scores in a response to what a matcher was asked."""

    def publics(self, response: U32) -> U32:
        """(groups, …) the public polynomials that a response says it was computed with (`records.anchor`)."""


class BothSealed:
    """`scheme`: the matcher sees neither probe nor gallery."""

    def __init__(self, of: Profile) -> None:
        self._of = of

    def layout(self, dimension: int, size: int) -> Layout:
        """By size."""
        return Layout(dimension, SHORT) if dimension < SHORT else layout_for(dimension, size, self._of)

    def encrypt(self, secret: SecretKey, layout: Layout, rows: F32) -> U32:
        """More quietly than with the public key."""
        return scheme.encrypt_templates(secret, layout, rows)

    def templates(self, secret: SecretKey, layout: Layout, groups: U32) -> F64:
        """To the step."""
        return scheme.decrypt_templates(secret, layout, groups)

    def template(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """At slot 0."""
        return scheme.encrypt_template(public, layout, vector)

    def placed(self, body: U32 | None, slot: int, row: U32, layout: Layout) -> U32:
        """No key, no noise."""
        moved = scheme.place(row, slot, layout, self._of)
        return moved if body is None else scheme.add(body, moved, self._of)

    def probe(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """Encrypted."""
        return scheme.encrypt_probe(public, layout, vector)

    def search(self, groups: U32, probe: U32, layout: Layout, threads: int, out: U32 | None = None) -> U32:
        """(groups, limbs, 3, ring)."""
        return scheme.search(groups, probe, layout, self._of, threads, out)

    def sanitise(self, public: PublicKey, layout: Layout, response: U32) -> U32:
        """With encryptions of zero, masks and noise."""
        return scheme.sanitise(public, layout, response, response)

    def scores(self, secret: SecretKey, layout: Layout, response: U32, probe: U32) -> F64:
        """Their part of the public polynomials is taken away, which needs the encrypted probe."""
        return scheme.decrypt(secret, layout, response, probe)

    def publics(self, response: U32) -> U32:
        """(groups, limbs, ring)."""
        return response[:, :, 2]


class OpenProbe:
    """`open_probe`: the matcher sees the probe, not the gallery and not the scores.

    Only whoever holds the secret key writes a group, and always with a fresh public polynomial: no slot is ever written twice
    under the same one."""

    def __init__(self, of: Profile) -> None:
        self._of = of

    def layout(self, dimension: int, size: int) -> Layout:
        """One coordinate a polynomial, one template a coefficient."""
        return Layout(dimension, 1)

    def encrypt(self, secret: SecretKey, layout: Layout, rows: F32) -> U32:
        """Under a fresh public polynomial each."""
        return open_probe.seal_templates(secret.open_key(layout.dimension), rows)

    def templates(self, secret: SecretKey, layout: Layout, groups: U32) -> F64:
        """With the noise of encryption."""
        return open_probe.open_templates(secret.open_key(layout.dimension), groups)

    def template(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """Not to be had."""
        raise _where_the_key_is(self._of)

    def placed(self, body: U32 | None, slot: int, row: U32, layout: Layout) -> U32:
        """Not to be had: it would write under a public polynomial that was used."""
        raise UsageError(
            f"Nothing is added to a stored group of the profile {self._of.name}.", "Write the group anew with its keys."
        )

    def probe(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """(2, d) whole numbers, in the clear."""
        if vector.shape != (layout.dimension,):
            raise InputError(
                f"The probe is of shape {vector.shape}, not ({layout.dimension},).", "Use its own embedder."
            )
        return open_probe.open_probe(vector).view(np.uint32)

    def search(self, groups: U32, probe: U32, layout: Layout, threads: int, out: U32 | None = None) -> U32:
        """(groups, 3, ring); people stand anywhere in a group, so all of it is read."""
        asked = _whole_numbers(probe, layout)
        return open_probe.scan(groups, asked, len(groups) * layout.slots, threads, out)

    def sanitise(self, public: PublicKey, layout: Layout, response: U32) -> U32:
        """As it is: two numbers per template are all there is in it, its score in two parts and the noise on them."""
        return response

    def scores(self, secret: SecretKey, layout: Layout, response: U32, probe: U32) -> F64:
        """The secrets of the coordinates are weighed as the probe weighed those, and taken away."""
        asked = _whole_numbers(probe, layout)
        return open_probe.open_scores(secret.open_key(layout.dimension), asked, response, len(response) * layout.slots)

    def publics(self, response: U32) -> U32:
        """(groups, ring)."""
        return response[:, 0]


class Seal:
    """`backend_seal`: Microsoft SEAL makes the keys, encrypts and decrypts; the matcher sees neither probe nor gallery.

    There are no public polynomials that answers could be bound to, no enrolling at an edge and no sanitising."""

    def __init__(self, of: Profile) -> None:
        self._of = of

    def layout(self, dimension: int, size: int) -> Layout:
        """64 of SEAL's coordinates to a block, 64 templates to a group, whatever the size."""
        return Layout(dimension, SHORT // 2)

    def encrypt(self, secret: SecretKey, layout: Layout, rows: F32) -> U32:
        """With the secret key."""
        return secret.seal(layout).encrypt_templates(rows)

    def templates(self, secret: SecretKey, layout: Layout, groups: U32) -> F64:
        """With the noise of encryption."""
        return secret.seal(layout).decrypt_templates(groups)

    def template(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """Not to be had."""
        raise _where_the_key_is(self._of)

    def placed(self, body: U32 | None, slot: int, row: U32, layout: Layout) -> U32:
        """Not to be had."""
        raise _where_the_key_is(self._of)

    def probe(self, public: PublicKey, layout: Layout, vector: F32) -> U32:
        """Encrypted."""
        return public.seal(layout).encrypt_probe(vector)

    def search(self, groups: U32, probe: U32, layout: Layout, threads: int, out: U32 | None = None) -> U32:
        """(groups, limbs, 3, 4096), on one thread."""
        from mien.gallery.sealed import backend_seal

        return backend_seal.search(groups, probe, self._of.row_shape(layout), out)

    def sanitise(self, public: PublicKey, layout: Layout, response: U32) -> U32:
        """Not to be had."""
        check_sanitising(self._of)
        return response

    def scores(self, secret: SecretKey, layout: Layout, response: U32, probe: U32) -> F64:
        """Whatever was asked."""
        return secret.seal(layout).decrypt(response)

    def publics(self, response: U32) -> U32:
        """None."""
        return response[:, :0, 0, 0]


def check_sanitising(of: Profile) -> None:
    """Raise UsageError where answers of a profile cannot be sanitised."""
    if isinstance(of, SealProfile):
        raise UsageError(
            f"Answers of the profile {of.name} cannot be sanitised: whoever decrypts them can solve for templates.",
            "Trust the key holder (serve-matcher --trust-key-holder), or seal with another profile.",
        )


def _where_the_key_is(of: Profile) -> UsageError:
    return UsageError(
        f"A gallery of the profile {of.name} takes people in where its secret key is.",
        "Enrol with all its keys, or seal it with another profile.",
    )


def _whole_numbers(probe: U32, layout: Layout) -> NDArray[np.int32]:
    fits = probe.ndim == 2 and len(probe) == 2 and 0 < probe.shape[1] <= layout.dimension
    if not fits or probe.dtype != np.uint32:
        raise InputError(
            f"The probe is {probe.dtype} of shape {probe.shape}, not uint32 of (2, {layout.dimension}).",
            "Ask with the profile of the gallery.",
        )
    return np.ascontiguousarray(probe).view(np.int32)


def cipher(of: Profile) -> Cipher:
    """The verbs of a profile."""
    if isinstance(of, SealProfile):
        return Seal(of)
    return OpenProbe(of) if isinstance(of, OpenProfile) else BothSealed(of)

"""Parameters of the scheme: which ring, which primes, which scales, and what that means for security and precision.

Ring learning with errors over Z_q[x] / (x^2048 + 1) with a ternary secret and centred binomial errors. How large q may be is
read off the tables of the homomorphic encryption standard (Albrecht et al., Homomorphic Encryption Security Standard,
HomomorphicEncryption.org, November 2018, tables 1 and 2: n = 2048, ternary secret). A modulus above those is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mien.errors import UsageError

RING = 2048  # degree: coefficients per polynomial
ERROR_BITS = 21  # of the centred binomial distribution: standard deviation sqrt(21 / 2) = 3.24
CLASSICAL_128 = 54.0  # log2 of the largest q with 128 bits of security against classical attacks …
QUANTUM_128 = 51.0  # … and against quantum ones
FORMAT = 1  # version of everything that is stored: keys, rows, messages


@dataclass(frozen=True, slots=True)
class Profile:
    """One choice of parameters."""

    name: str
    primes: tuple[int, ...]  # q is their product; each is 1 modulo 2 RING, so that number-theoretic transforms exist
    template_scale: float  # a coordinate enters as the nearest integer to this times it
    probe_scale: float
    exact: bool  # whether rounding the decrypted score gives the integer score without error
    words: str

    @property
    def bits(self) -> float:
        """log2 of the modulus."""
        return math.log2(math.prod(self.primes))

    @property
    def limbs(self) -> int:
        """How many primes."""
        return len(self.primes)

    @property
    def scale(self) -> float:
        """A score comes out multiplied by this."""
        return self.template_scale * self.probe_scale


# The largest primes of 25 and of 27 bits that are 1 modulo 4096.
PROFILES: Mapping[str, Profile] = {
    "standard": Profile(
        name="standard",
        primes=(33550337, 33538049),
        template_scale=2**20.5,
        probe_scale=2**26.5,
        exact=False,
        words="128 bits also against quantum computers; scores within 1e-4",
    ),
    "exact": Profile(
        name="exact",
        primes=(134176769, 134111233),
        template_scale=256.0,
        probe_scale=256.0,
        exact=True,
        words="128 bits against classical computers; scores are those of templates in steps of 1/256, without error",
    ),
}


def profile(name: str) -> Profile:
    """The profile of that name. Raises UsageError for a name there is not."""
    if name not in PROFILES:
        raise UsageError(f"There is no profile {name!r}.", f"Choose among {', '.join(PROFILES)}.")
    return PROFILES[name]

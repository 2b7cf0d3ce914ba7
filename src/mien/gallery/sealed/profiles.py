"""Parameters of the scheme: which ring, which primes, which scales, and what that means for security and precision.

Ring learning with errors over Z_q[x] / (x^2048 + 1) with a ternary secret and centred binomial errors. How large q may be is
read off the tables of the homomorphic encryption standard (Albrecht et al., Homomorphic Encryption Security Standard,
HomomorphicEncryption.org, November 2018, tables 1 and 2: n = 2048, ternary secret). A modulus above those is refused.
`benchmarks/sealed_security.py` estimates the same by another way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from mien.errors import InputError, UsageError

RING = 2048  # degree: coefficients per polynomial
ERROR_BITS = 21  # of the centred binomial distribution …
ERROR_SD = math.sqrt(ERROR_BITS / 2)  # … whose standard deviation is 3.24; the standard's tables want 3.2
PUBLIC_SD = ERROR_SD * math.sqrt(1 + 2 * RING * 2 / 3)  # of what a public-key encryption carries: e u + e0 + e1 s
# log2 of the largest q by bits of security, for this ring and a ternary secret (the tables named above).
CLASSICAL: Mapping[int, int] = {128: 54, 192: 37, 256: 29}
QUANTUM: Mapping[int, int] = {128: 51, 192: 35, 256: 27}
CLASSICAL_128 = float(CLASSICAL[128])
QUANTUM_128 = float(QUANTUM[128])
FORMAT = 2  # version of everything that is stored: keys, rows, messages; 1 had a public polynomial for each block
MAX_BLOCKS = (
    64  # polynomials of coordinates per group: so many secrets, and so many public keys for enrolling at the edge
)
SCORE_BOUND = 1.1  # scores beyond this would wrap around; vectors that could make one are refused
MARGIN = 7.0  # standard deviations of noise that a bound leaves room for: passed once in 4e11 scores
SEAL_RING = 4096
SEAL_NOISE = 8e-6  # standard deviation of scores' errors with 64 templates per group; 7.1e-6 was measured
OPEN_FINE = 2**6  # parts of a step in which open-probe searches what its coarse steps leave
FLOOD = 2.0**-11  # half width, in score units, of the noise that sanitising adds


@dataclass(frozen=True, slots=True)
class Layout:
    """How vectors stand in polynomials: `block` coordinates of `slots` templates in each of `blocks` polynomials.

    Coordinate b * block + i of the template in slot j is coefficient i * slots + j of polynomial b.
    """

    dimension: int
    block: int  # a power of two

    def __post_init__(self) -> None:
        if self.dimension < 1:
            raise UsageError(f"A vector of {self.dimension} coordinates cannot be sealed.", "Give at least one.")
        if self.block < 1 or self.block > RING or self.block & (self.block - 1):
            raise UsageError(f"A block of {self.block} coordinates does not divide {RING}.", "Use a power of two.")

    @property
    def blocks(self) -> int:
        """Polynomials per group, B."""
        return -(-self.dimension // self.block)

    @property
    def slots(self) -> int:
        """Templates per group, n."""
        return RING // self.block

    def groups(self, count: int) -> int:
        """How many groups hold `count` templates."""
        return -(-count // self.slots)

    def row_shape(self, profile: Profile) -> tuple[int, ...]:
        """The shape of one group."""
        return profile.row_shape(self)

    def group_bytes(self, profile: Profile) -> int:
        """Size of one group."""
        return 4 * math.prod(self.row_shape(profile))

    def probe_bytes(self, profile: Profile) -> int:
        """Size of one probe."""
        return 4 * math.prod(profile.probe_shape(self))


@dataclass(frozen=True, slots=True)
class Profile:
    """One choice of parameters. A vector's coordinate enters as round(steps x coordinate) times its lift.

    Raises UsageError for a modulus that the standard does not give 128 bits.
    """

    name: str
    primes: tuple[int, ...]  # q is their product; each is 1 modulo 2 RING, so that number-theoretic transforms exist
    steps: int  # a template's coordinates are kept to 1 / steps
    template_lift: int  # raises them above the noise of encryption
    probe_steps: int
    probe_lift: int
    exact: bool  # whether rounding the decrypted score gives the integer score without error
    words: str

    def __post_init__(self) -> None:
        if self.bits > CLASSICAL_128:
            raise UsageError(
                f"The profile {self.name} has a modulus of {self.bits:.2f} bits, and the standard gives 128 bits of security "
                f"to at most {CLASSICAL_128:.0f}.",
                "Use smaller primes.",
            )
        if len(self.primes) not in (1, 2) or len(set(self.primes)) < len(self.primes):
            raise UsageError(f"The profile {self.name} wants one or two different primes.", "Name them so.")
        for prime in self.primes:
            if prime % (2 * RING) != 1 or prime >= 1 << 29:  # 8 q must fit 32 bits
                raise UsageError(
                    f"{prime} is no modulus for the profile {self.name}.",
                    f"Use primes of at most 29 bits, 1 mod {2 * RING}.",
                )

    @property
    def modulus(self) -> int:
        """q."""
        return math.prod(self.primes)

    @property
    def bits(self) -> float:
        """log2 of the modulus."""
        return math.log2(self.modulus)

    @property
    def quantum(self) -> bool:
        """Whether the standard gives 128 bits against quantum computers too."""
        return self.bits <= QUANTUM_128

    @property
    def limbs(self) -> int:
        """How many primes, L."""
        return len(self.primes)

    @property
    def template_scale(self) -> int:
        """A template's coordinate enters multiplied by this."""
        return self.steps * self.template_lift

    @property
    def probe_scale(self) -> int:
        """A probe's coordinate enters multiplied by this."""
        return self.probe_steps * self.probe_lift

    @property
    def scale(self) -> int:
        """A score comes out multiplied by this."""
        return self.template_scale * self.probe_scale

    @property
    def lift(self) -> int:
        """An integer score comes out multiplied by this."""
        return self.template_lift * self.probe_lift

    @property
    def rounding(self) -> float:
        """Standard deviation of what rounding the coordinates of unit vectors does to a score."""
        return math.hypot(1 / self.steps, 1 / self.probe_steps) / math.sqrt(12)

    @property
    def cover(self) -> int:
        """About how many templates a canary covers: fewer where scores carry more noise (see `canaries`)."""
        return 32

    @property
    def flood(self) -> float:
        """Half width, in score units, of what sanitising adds."""
        return 1.1 * FLOOD

    def row_shape(self, layout: Layout) -> tuple[int, ...]:
        """(L, B + 1, N): the shape of one group and of a template on its way; the public polynomial comes first."""
        return (self.limbs, layout.blocks + 1, RING)

    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """(L, B, 2, N): the shape of a probe."""
        return (self.limbs, layout.blocks, 2, RING)

    def slack(self, layout: Layout) -> float:
        """How far a decrypted coordinate may lie from what was enrolled, at most.

        Each template that was placed at the edge brings its noise to all of the group."""
        return 1 / self.steps + 6 * PUBLIC_SD * math.sqrt(layout.slots) / self.template_scale

    def noise(self, layout: Layout, edge: int = 0) -> float:
        """Standard deviation, in score units, of the noise that encryption leaves on a score of a public-key probe.

        edge: how many of the group's templates were encrypted with the public key and placed there since the key holder
        last wrote it; each adds its noise to the whole group.
        """
        template = math.hypot(ERROR_SD, math.sqrt(edge) * PUBLIC_SD)
        cross = math.sqrt(RING * layout.blocks) * template * PUBLIC_SD / self.scale
        return math.hypot(template / self.template_scale, math.sqrt(layout.slots) * PUBLIC_SD / self.probe_scale, cross)

    def check(self, layout: Layout) -> None:
        """Raise UsageError where this profile and this layout together overflow or break the profile's promise."""
        most = max(self.primes) - 1
        # Sums of B products are kept in 64 bits until the end, and Montgomery's reduction must leave less than 8 q.
        fits = layout.blocks * most**2 + (max(self.primes) << 32) < 1 << 64 and layout.blocks * most < 7 << 32
        if not fits or layout.blocks > MAX_BLOCKS:
            raise UsageError(
                f"{layout.blocks} polynomials per group are more than the {MAX_BLOCKS} that there are keys for.",
                "Use a larger block.",
            )
        noise = self.noise(layout)
        if SCORE_BOUND + MARGIN * noise + FLOOD >= self.modulus / 2 / self.scale:
            raise UsageError(
                f"Scores of the profile {self.name} do not fit its modulus with {layout.slots} templates per group.",
                "Use a larger block.",
            )
        if self.exact and MARGIN * noise * self.steps * self.probe_steps >= 0.5:
            raise UsageError(
                f"The profile {self.name} is not exact with {layout.slots} templates per group.", "Use a larger block."
            )


class OpenProfile(Profile):
    """Only the gallery and the scores are encrypted (`open_probe`): integers modulo 2^32, one coordinate a row."""

    __slots__ = ()

    def __post_init__(self) -> None:
        if self.bits > QUANTUM_128:  # the probe in the open was never offered at less
            raise UsageError(f"The profile {self.name} has too large a modulus.", "Use 32 bits.")

    @property
    def modulus(self) -> int:
        """q."""
        return 1 << 32

    @property
    def rounding(self) -> float:
        """Standard deviation of what rounding the coordinates of unit vectors does to a score."""
        return math.hypot(1 / self.steps, 1 / (self.probe_steps * OPEN_FINE)) / math.sqrt(12)

    @property
    def cover(self) -> int:
        """More, as there is little noise and no sanitising."""
        return 256

    @property
    def flood(self) -> float:
        """Nothing is added."""
        return 0.0

    def row_shape(self, layout: Layout) -> tuple[int, ...]:
        """(d + 1, N): the public polynomial of a group, then its coordinates."""
        return (layout.dimension + 1, RING)

    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """(2, d): the probe in coarse steps, and what those leave."""
        return (2, layout.dimension)

    def slack(self, layout: Layout) -> float:
        """How far a decrypted coordinate may lie from what was enrolled, at most: the largest error, and rounding."""
        return (ERROR_BITS + 1) / self.steps

    def noise(self, layout: Layout, edge: int = 0) -> float:
        """Standard deviation, in score units, of the noise that encryption leaves on a score."""
        return ERROR_SD / self.steps

    def check(self, layout: Layout) -> None:
        """Refuse what `scheme` does: nothing of this profile meets an encrypted probe."""
        raise UsageError(f"The profile {self.name} has no encrypted probes.", "Use its own functions (`open_probe`).")


class SealProfile(Profile):
    """Keys, encryption and decryption by Microsoft SEAL (`backend_seal`), in a ring of 4096; SEAL itself checks for 128 bits.

    A layout's block counts half of SEAL's, as its ring is twice ours: `slots` is right for both."""

    __slots__ = ()

    def __post_init__(self) -> None:
        pass  # SEAL refuses what is not secure

    @property
    def quantum(self) -> bool:
        """81 bits with the prime for keys, and the standard's row for 4096 gives 101."""
        return True

    def row_shape(self, layout: Layout) -> tuple[int, ...]:
        """(L, B, 2, N): two polynomials a block, as SEAL has them."""
        return (self.limbs, -(-layout.dimension // (2 * layout.block)), 2, SEAL_RING)

    def probe_shape(self, layout: Layout) -> tuple[int, ...]:
        """As a group's."""
        return self.row_shape(layout)

    @property
    def rounding(self) -> float:
        """Nothing beside the noise."""
        return 0.0

    @property
    def flood(self) -> float:
        """Answers are not sanitised."""
        return 0.0

    def slack(self, layout: Layout) -> float:
        """How far a decrypted coordinate may lie from what was enrolled, at most."""
        return 7 * SEAL_NOISE

    def noise(self, layout: Layout, edge: int = 0) -> float:
        """Standard deviation, in score units, of the noise that encryption leaves on a score."""
        return SEAL_NOISE

    def check(self, layout: Layout) -> None:
        """Refuse what `scheme` does: its arrays are others."""
        raise UsageError(f"The profile {self.name} is SEAL's.", "Use its own functions (`backend_seal`).")


PROFILES: Mapping[str, Profile] = {  # those of `scheme`: probe and gallery are encrypted
    # The largest primes of 25 bits that are 1 modulo 4096. Half of the modulus is left empty, so that answers that are
    # none show. The rest is split so that scores err least in large groups: most of the noise is the probe's. A step is five
    # standard deviations of the noise of a key holder's encryption; templates are kept exactly in the vault beside that.
    "standard": Profile(
        name="standard",
        primes=(33550337, 33538049),
        steps=2**16,
        template_lift=2**4,
        probe_steps=2**28,
        probe_lift=1,
        exact=False,
        words="128 bits also against quantum computers; scores within 1e-4",
    ),
    # The largest primes of 27 bits that are 1 modulo 4096. The lifts fill the modulus and split the noise evenly between
    # template and probe at 64 templates per group.
    "exact": Profile(
        name="exact",
        primes=(134176769, 134111233),
        steps=256,
        template_lift=17_000,
        probe_steps=256,
        probe_lift=7_300_000,
        exact=True,
        words="128 bits against classical computers; scores are those of templates in steps of 1/256, without error",
    ),
}


# A score is below 2^31 with both scales: 1.1 * 2^(20 + 10). A template's coordinate is fine beside the noise (sd 3.24 steps).
# The probe's steps are coarse; what they leave is searched with it, in 1 / OPEN_FINE of a step.
OPEN = OpenProfile(
    name="open-probe",
    primes=(),
    steps=2**20,
    template_lift=1,
    probe_steps=2**10,
    probe_lift=1,
    exact=False,
    words="128 bits also against quantum computers; the matcher sees the probe, not the gallery and not the scores",
)
SEAL = SealProfile(
    name="seal",
    primes=(134012929, 134111233),  # those that SEAL chooses for 27 bits, without the one for keys
    steps=2**24,
    template_lift=1,
    probe_steps=2**24,
    probe_lift=1,
    exact=False,
    words="keys, encryption and decryption by Microsoft SEAL; scores within 1e-4; slower, and answers are not sanitised",
)
EVERY: Mapping[str, Profile] = {**PROFILES, OPEN.name: OPEN, SEAL.name: SEAL}  # that a gallery may be of


def profile(name: str) -> Profile:
    """The profile of that name. Raises UsageError for a name there is not."""
    if name not in EVERY:
        raise UsageError(f"There is no profile {name!r}.", f"Choose among {', '.join(EVERY)}.")
    return EVERY[name]


def check_format(version: object, what: str) -> None:
    """Raise InputError for a version of the stored formats that this mien does not read."""
    if version != FORMAT:
        raise InputError(
            f"{what} is of format {version!r}, and this mien reads {FORMAT}.",
            "Open it with the mien that made it, copy it into a plain gallery (backup), and seal that again.",
        )


def layout_for(dimension: int, size: int, of: Profile | None = None) -> Layout:
    """The layout for a gallery of `size` templates: a small gallery wants a small probe, a large one a small response.

    of: the profile, where a smaller block would break its promise (the exact profile keeps to 32 and more).
    """
    block = next((block for block, most in ((64, 4_096), (32, 40_960), (16, 409_600)) if size <= most), 8)
    block = min(block, 1 << max(0, math.ceil(math.log2(dimension))))  # no block of mostly nothing
    while block * MAX_BLOCKS < dimension:
        block *= 2
    layout = Layout(dimension, block)
    while of is not None and block < 64:
        try:
            of.check(layout)
        except UsageError:
            block *= 2
            layout = Layout(dimension, block)
        else:
            break
    return layout

"""Parameters: what the standard's table allows, and that nothing overflows."""

from __future__ import annotations

import dataclasses

import pytest

from mien.errors import InputError, UsageError
from mien.gallery.sealed.canaries import how_many
from mien.gallery.sealed.profiles import (
    ERROR_SD,
    FORMAT,
    MAX_BLOCKS,
    PROFILES,
    RING,
    SCORE_BOUND,
    Layout,
    Profile,
    check_format,
    layout_for,
    profile,
)

BLOCKS = (1, 2, 4, 8, 16, 32, 64, 128, 512)


def prime(number: int) -> bool:
    return all(number % divisor for divisor in range(2, int(number**0.5) + 1))


@pytest.mark.parametrize("of", PROFILES.values(), ids=PROFILES)
def test_primes_are_the_largest_that_fit(of: Profile) -> None:
    bits = max(of.primes).bit_length()
    wanted = (number for number in range((1 << bits) - 2 * RING + 1, 0, -2 * RING) if prime(number))
    assert of.primes == tuple(next(wanted) for _ in of.primes)


def test_security_is_that_of_the_table() -> None:
    assert profile("standard").bits < 50 and profile("standard").quantum
    assert 53 < profile("exact").bits <= 54 and not profile("exact").quantum


def test_a_modulus_above_the_table_is_refused() -> None:
    standard = profile("standard")
    with pytest.raises(UsageError, match=r"54\.\d\d bits.*128 bits of security"):
        dataclasses.replace(standard, primes=(134250497, 134254593))  # 54.001 bits
    with pytest.raises(UsageError, match="no modulus"):
        dataclasses.replace(standard, primes=(33550337, 33550339))
    with pytest.raises(UsageError, match="different primes"):
        dataclasses.replace(standard, primes=(12289, 12289))


def test_unknown_names_and_versions_are_refused() -> None:
    with pytest.raises(UsageError, match=r"no profile 'fast'.*standard, exact"):
        profile("fast")
    check_format(FORMAT, "a key")
    with pytest.raises(InputError, match="format 1"):
        check_format(1, "A key")


@pytest.mark.parametrize("of", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("blocks", range(1, 65))
def test_sums_do_not_overflow(of: Profile, blocks: int) -> None:
    """Checked with integers of any size: the largest residues everywhere, up to 64 blocks."""
    of.check(Layout(blocks * 64, 64))
    most, prime_ = max(of.primes) - 1, max(of.primes)
    whole = blocks * most * most  # numpy's sums; numba's are the same, and three halvings reach [0, q)
    assert whole < 1 << 64 and (whole + prime_ * ((1 << 32) - 1)) >> 32 < 8 * prime_ < 1 << 32


def test_too_many_blocks_are_refused() -> None:
    with pytest.raises(UsageError, match="65 polynomials per group are more than the 64 that there are keys for"):
        profile("exact").check(Layout(65 * 64, 64))
    for dimension in (1, 63, 64, 512, 1024, 4096, 4097, 65_535):  # whatever is asked for is packed into so many
        for size in (1, 1_000_000):
            assert layout_for(dimension, size).blocks <= MAX_BLOCKS


@pytest.mark.parametrize("of", PROFILES.values(), ids=PROFILES)
@pytest.mark.parametrize("block", BLOCKS)
def test_message_and_noise_fit_the_modulus(of: Profile, block: int) -> None:
    layout = Layout(512, block)
    try:
        of.check(layout)
    except UsageError:
        # There are keys for so many blocks, and only the promise of exactness fails, for crowded groups.
        assert layout.blocks > 64 or (of.exact and layout.slots > 64)
    else:
        assert (SCORE_BOUND + 7 * of.noise(layout)) * of.scale < of.modulus / 2
        assert not of.exact or 7 * of.noise(layout) * of.steps * of.probe_steps < 0.5


def test_standard_profile_is_within_its_promise() -> None:
    of = profile("standard")
    for size in (1_000, 10_000, 100_000, 1_000_000):
        layout = layout_for(512, size, of)
        assert 7 * (of.noise(layout) ** 2 + of.rounding**2) ** 0.5 < 1e-4
        taken = layout.slots - how_many(layout, of)  # 4 KiB for 512 coordinates, and shares of the public polynomial …
        assert 4096 < layout.group_bytes(of) / taken < 4936  # … and of the canaries
    assert of.template_lift / 2 > 2.4 * ERROR_SD  # most steps survive being decrypted and encrypted again


def test_layouts_by_size() -> None:
    sizes = (1, 4_096, 4_097, 40_960, 40_961, 409_600, 409_601)
    assert [layout_for(512, size).block for size in sizes] == [64, 64, 32, 32, 16, 16, 8]
    assert [layout_for(512, size, profile("exact")).block for size in sizes] == [64, 64, 32, 32, 32, 32, 32]
    assert layout_for(3, 1) == Layout(3, 4)
    assert layout_for(500, 1).blocks == 8


def test_odd_layouts_are_refused() -> None:
    for dimension, block in ((0, 64), (512, 0), (512, 48), (512, 4096)):
        with pytest.raises(UsageError):
            Layout(dimension, block)

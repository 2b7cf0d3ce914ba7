"""An estimate of how secure the sealed gallery's parameters are, beside the standard's table; see results/sealed_security.json.

    python benchmarks/sealed_security.py

One attack only: the primal one, which embeds the key in a lattice and reduces it (unique shortest vector, geometric series
assumption, success condition of Alkim, Ducas, Pöppelmann and Schwabe, USENIX Security 2016), with block sizes turned into bits
as the homomorphic encryption standard does (sieving, 0.292 per block dimension, 0.265 with a quantum computer, + 16.4 + log2 of
8 times the lattice's dimension). This is not the lattice estimator (Albrecht, Player, Scott): it knows no dual and no hybrid
attack. Run that too before you rely on parameters of your own. The rows of the table are estimated as well, to show how
far this agrees with it.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from record import save

from mien.gallery.sealed.backend_seal import PRIME_BITS
from mien.gallery.sealed.profiles import CLASSICAL, ERROR_SD, PROFILES, QUANTUM, RING, SEAL_RING

SECRET_SD = math.sqrt(2 / 3)  # ternary
CLASSICAL_EXPONENT, QUANTUM_EXPONENT, CORE_QUANTUM_EXPONENT = 0.292, 0.265, 0.257


def root_hermite(block: int) -> float:
    """log2 of the root Hermite factor that reduction with this block size reaches."""
    return math.log2((math.pi * block) ** (1 / block) * block / (2 * math.pi * math.e)) / (2 * (block - 1))


def block_size(ring: int, bits: float) -> tuple[int, int]:
    """The smallest block size that finds the key of a modulus of 2^bits, and the dimension of the lattice it does it in."""
    samples = np.arange(max(64, ring // 4), 3 * ring, 16)
    dimension = ring + samples + 1
    volume = (samples * bits + ring * math.log2(ERROR_SD / SECRET_SD)) / dimension
    for block in range(50, 4000):
        reach = (2 * block - dimension - 1) * root_hermite(block) + volume
        found = np.flatnonzero(0.5 * math.log2(block) + math.log2(ERROR_SD) <= reach)
        if found.size:
            return block, int(dimension[found[0]])
    raise ValueError("No block size up to 4000 finds the key.")


def estimate(ring: int, bits: float) -> dict[str, float]:
    """Bits of security by three ways of counting."""
    block, dimension = block_size(ring, bits)
    overhead = 16.4 + math.log2(8 * dimension)
    return {
        "ring": ring,
        "log2_q": round(bits, 3),
        "block_size": block,
        "dimension": dimension,
        "classical_bits": round(CLASSICAL_EXPONENT * block + overhead, 1),
        "quantum_bits": round(QUANTUM_EXPONENT * block + overhead, 1),
        "core_classical_bits": round(CLASSICAL_EXPONENT * block, 1),
        "core_quantum_bits": round(CORE_QUANTUM_EXPONENT * block, 1),
    }


def main() -> None:
    results = {f"profile {name}": estimate(RING, of.bits) for name, of in PROFILES.items()}
    results["open probe"] = estimate(RING, 32)
    results["seal backend"] = estimate(SEAL_RING, sum(PRIME_BITS))
    for name, table in (("classical", CLASSICAL), ("quantum", QUANTUM)):
        for level, bits in table.items():
            results[f"table, {name} {level}"] = estimate(RING, bits)
    results["table, classical 128, ring 1024"] = estimate(1024, 27)
    results["table, classical 128, ring 4096"] = estimate(4096, 109)
    for name, found in results.items():
        print(
            f"{name:32} ring {found['ring']} log2 q {found['log2_q']:7.3f}: block size {found['block_size']:4}, "
            f"{found['classical_bits']:.0f} bits classical, {found['quantum_bits']:.0f} quantum "
            f"(lattice part alone {found['core_classical_bits']:.0f} and {found['core_quantum_bits']:.0f})"
        )
    print("The primal attack only; not the lattice estimator.")
    save("sealed_security", results, sys.argv)


if __name__ == "__main__":
    main()

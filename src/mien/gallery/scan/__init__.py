"""Probes to row numbers: a scan of short codes that provably misses no row it is asked for.

    codes = encode(vectors)                                # unit rows float32 (n, D) -> codes, D + 12 bytes a row
    rows, threshold, tops = candidates([base, tail], probe, m)    # every row that may be among the m best, a threshold
    scores = exact(vectors[rows], probe)                   # float64 scores of those rows, rounded once

What holds, and why, is in ``docs/concepts/exact-search.md``. In short: every row whose score (the exact inner product,
clipped to -1..1) reaches the returned threshold is among the returned rows; without a floor at least m rows reach it.
So if rows that reach it belong to at least k subjects, the k best subjects are among them, with their scores and ties.

Codes are arrays and no more: they can be slices of larger arrays, maps of files, or grow by `encode(..., into=tail[a:b])`.
A search takes one `Codes` or a sequence of them; rows are numbered through, first block first, and so is the mask.
A row whose scale is NaN is dead: `Codes.wipe` makes rows so and zeroes their codes.

The kernel is compiled C (AVX-512 VNNI, AVX2 or portable, chosen as it runs) where the extension was built, numpy where
not; all give the same rows. MIEN_SCAN=avx512|avx2|portable|numpy forces one.
"""

from mien.gallery.scan.codes import REACH, Codes, encode
from mien.gallery.scan.scoring import exact
from mien.gallery.scan.search import Candidates, candidates, candidates_many, kernel

__all__ = ["REACH", "Candidates", "Codes", "candidates", "candidates_many", "encode", "exact", "kernel"]

"""Scores and labels to error rates: the one metrics core that every report goes through.

`recognition` has the rates of comparisons, one by one; `pairing`, `streaming` and `curves` have them with their intervals,
for any number of comparisons in bounded memory; `searches` has those of galleries. `attacks` and `morphing` tell genuine
from attack, `linkability` protects templates, `affect` reads faces, `differentials` and `bias` compare groups, `people`
resamples anything else. Each file names the standard or paper of its definitions.
"""

from __future__ import annotations

from mien.audit.metrics.recognition import (
    F64,
    I64,
    Bools,
    Comparisons,
    TenFold,
    bootstrap,
    eer,
    error_versus_discard,
    expected_fpir,
    far,
    fmr,
    fnir,
    fnmr,
    fpir,
    frr,
    gfar,
    gfrr,
    hter,
    require_support,
    supports,
    tar_at_fmr,
    ten_fold,
    threshold_at_fmr,
    wilson,
)

__all__ = [
    "F64",
    "I64",
    "Bools",
    "Comparisons",
    "TenFold",
    "bootstrap",
    "eer",
    "error_versus_discard",
    "expected_fpir",
    "far",
    "fmr",
    "fnir",
    "fnmr",
    "fpir",
    "frr",
    "gfar",
    "gfrr",
    "hter",
    "require_support",
    "supports",
    "tar_at_fmr",
    "ten_fold",
    "threshold_at_fmr",
    "wilson",
]

"""Which audits there are, by the word they are asked for, and what they need installed. Loads none of them."""

from __future__ import annotations

from importlib.util import find_spec

from mien.errors import UsageError

# Audit -> what it does, in one line.
AUDITS = {
    "verification": "Error rates of comparing two faces: FMR, FNMR, DET, EER, at thresholds with their evidence.",
    "identification": "Error rates of searching a gallery: FPIR and FNIR at its size and at others, ranks.",
    "detection": "Faces found and missed, and false ones in pictures that show none.",
    "quality": "The components of ISO/IEC 29794-5, picture by picture, and whether quality predicts errors.",
    "fairness": "Error rates per group at one threshold, with intervals, and what the group sizes allow to say.",
    "longitudinal": "Whether scores fall with time: trend, days and people told apart, drift found, when to re-enrol.",
    "attack": "Presentation attacks from a file of scores: APCER per species, BPCER, and the whole system's IAPAR.",
    "morph": "Morphs from a file of scores: MMPMR, Morphing Attack Potential, detection errors.",
    "unlinkability": "Whether protected templates of one person can be linked: D of ISO/IEC 24745 from scores.",
    "affect": "Predictions of expressions, action units, intervals or valence and arousal against the truth.",
    "trust": "One report on a model that reads faces: accuracy, calibration, fairness, robustness, explanation.",
}

EXTRA = (
    "jinja2",
    "matplotlib",
    "pandas",
    "scipy",
    "sklearn",
    "statsmodels",
    "threadpoolctl",
    "tomlkit",
)  # of mien[audit]


def missing() -> list[str]:
    """Packages of the extra `audit` that are not installed."""
    return [name for name in EXTRA if find_spec(name) is None]


def need_extra() -> None:
    """Say at once, not after an hour, that packages are missing. Raises UsageError."""
    if absent := missing():
        raise UsageError(f"This needs {', '.join(absent)}, not installed here.", 'Run: pip install "mien[audit]".')

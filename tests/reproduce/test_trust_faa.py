"""`mien reproduce trust_faa`: what is planted, and what the verdict follows from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mien.audit.document import encode
from mien.errors import MediaNotFound
from mien.reproduce import run
from mien.reproduce.claim import Context
from mien.reproduce.trust_planted import mark, spectacles

GREY = np.full((3, 48, 48), 120, np.uint8)


def test_what_is_drawn_leaves_the_rest_alone() -> None:
    marked, wearing = mark(GREY), spectacles(GREY)
    assert (marked[:, 9:] == 120).all() and (marked[:, :, 9:] == 120).all() and (marked[:, 3:7, 3:7] == 255).all()
    changed = (wearing != 120).any(0)
    assert 100 < changed.sum() < 250 and not changed[:8].any() and not changed[32:].any()
    assert (GREY == 120).all()


def test_it_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFound, match=r"fer2013\.zip"):
        run("trust_faa", Context(tmp_path))


@pytest.mark.slow
def test_the_planted_defects_are_found_and_the_clean_twin_is_not_accused(data: Path) -> None:
    found = run("trust_faa", Context(data, smoke=True))
    assert [check.words for check in found.checks if not check.holds] == []
    assert found.verdict == "reproduced" and len(found.checks) == 8
    assert set(found.report.tables) >= {"Planted defects", "Requirements"}
    assert found.metrics and found.baseline and not set(found.metrics) & set(found.baseline)
    encode(found.report)

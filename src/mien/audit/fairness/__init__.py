"""Compared captures with their groups to a report: error rates per group, and what the group sizes allow to say."""

from __future__ import annotations

from mien.audit.fairness.groups import Compared, Pairs
from mien.audit.fairness.judging import Fairness
from mien.audit.fairness.reading import of_captures, read_scores

__all__ = ["Compared", "Fairness", "Pairs", "of_captures", "read_scores"]

"""Compared captures with their groups to a report: error rates per group, and what the group sizes allow to say."""

from __future__ import annotations

from mien.audit.fairness.groups import Compared, Pairs
from mien.audit.fairness.judging import Fairness
from mien.audit.fairness.reading import chosen, of_captures, read_scores, thinned

__all__ = ["Compared", "Fairness", "Pairs", "chosen", "of_captures", "read_scores", "thinned"]

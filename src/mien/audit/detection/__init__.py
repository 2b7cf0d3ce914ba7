"""Pictures through a detector to a report: faces missed, and faces seen where there are none."""

from __future__ import annotations

from mien.audit.detection.audit import Detection

__all__ = ["Detection"]

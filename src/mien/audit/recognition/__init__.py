"""Captures, pairs or scores to reports on comparing faces and on searching for them."""

from __future__ import annotations

from mien.audit.recognition.identification import Identification
from mien.audit.recognition.verification import Verification

__all__ = ["Identification", "Verification"]

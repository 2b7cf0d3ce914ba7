"""Labelled pictures to captures: each through detector and embedder once, failures kept, work resumed after a kill."""

from __future__ import annotations

from mien.audit.captures.captures import Captures, at_most

__all__ = ["Captures", "at_most"]

"""Names to models: cards, licence verdicts, checked files, sessions."""

from __future__ import annotations

from mien.models.card import Card
from mien.models.catalogue import card, catalogue
from mien.models.fetch import Progress
from mien.models.licence import accept, accepted, revoke
from mien.models.session import DEVICES, on, session
from mien.models.store import FileStatus, Pulled, digest, pull, ready, verify

__all__ = [
    "DEVICES",
    "Card",
    "FileStatus",
    "Progress",
    "Pulled",
    "accept",
    "accepted",
    "card",
    "catalogue",
    "digest",
    "on",
    "pull",
    "ready",
    "revoke",
    "session",
    "verify",
]

"""Frames to frames: faces hidden so that nobody is known by them."""

from __future__ import annotations

from typing import Any

from mien.edit.anonymise import TRACKING, WATCHFUL, Again, Edited, Keep, Plan, anonymised, plan
from mien.edit.hide import HOW, Hide
from mien.errors import UsageError

__all__ = ["HOW", "TRACKING", "WATCHFUL", "Again", "Edited", "Hide", "Keep", "Plan", "anonymised", "load", "plan"]


def load(name: str = "blur", **settings: Any) -> Hide:
    """The editor of that name, `blur`, `pixelate` or `cover`; `settings` are the fields of `Hide`.

    Raises UsageError for another name, a setting that there is not, or one too weak to hide anybody."""
    if name not in HOW:
        raise UsageError(f"There is no editor {name!r}.", f"Choose among {', '.join(HOW)}.")
    known = [field for field in Hide.__dataclass_fields__ if field != "name"]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise UsageError(f"The editor {name} has no setting {unknown[0]!r}.", f"Choose among {', '.join(known)}.")
    return Hide(name, **settings)

"""The data sets that an operator lets audits read, by name, and the audits that run on one. Light: loads no audit."""

from __future__ import annotations

from pathlib import Path

from mien.audit.listing import need_extra
from mien.errors import NotFound, UsageError

__all__ = ["AUDITS", "LABELS", "names", "need_extra", "place"]

AUDITS = ("verification", "identification", "quality", "detection", "fairness")
LABELS = "labels.csv"  # of a data set: what `fairness` knows its groups by


def names(folder: Path | None) -> list[str]:
    """The data sets there are."""
    if folder is None or not folder.is_dir():
        return []
    return sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))


def place(folder: Path | None, name: str) -> Path:
    """Where a data set is. A name only: nothing above or beside `folder` can be meant; what an operator links there may be
    elsewhere. Raises UsageError, NotFound."""
    if folder is None:
        raise UsageError("The operator has set no folder of data sets.", "Set `datasets`.")
    if name not in names(folder):
        raise NotFound(f"There is no data set {name[:60]!r}.", "See which there are at /v1/audits.")
    return folder / name

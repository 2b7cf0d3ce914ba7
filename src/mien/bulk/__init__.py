"""Folders, lists and buckets of photos to a gallery: millions of them, on many cores or machines, each exactly once.

    outcome = bulk.enrol(gallery, bulk.open_source("photos/"), options=bulk.Options(workers=8))

Killed at any moment, the same call goes on and ends with the templates of a run that nobody stopped (see `journal`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mien.bulk.makers import Photos
    from mien.bulk.outcome import Outcome
    from mien.bulk.run import Options, enrol, open_source

__all__ = ["Options", "Outcome", "Photos", "enrol", "open_source"]
_HOME = {"Photos": "makers", "Outcome": "outcome"}


def __getattr__(name: str) -> Any:
    if name in __all__:  # a worker process has no use for the rest
        return getattr(import_module(f"mien.bulk.{_HOME.get(name, 'run')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

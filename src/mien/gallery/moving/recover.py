"""What a switch that was killed left behind: finished or undone, before anything else is done."""

from __future__ import annotations

from dataclasses import replace
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING

from mien.gallery.moving.state import Ledger
from mien.gallery.store import remove

if TYPE_CHECKING:
    from mien.gallery.embedded import EmbeddedGallery


def recover(gallery: EmbeddedGallery, ledger: Ledger) -> bool:
    """Finish or undo a switch that was cut short; the caller holds the lock. Returns whether the gallery was switched.

    The gallery's people are replaced in one transaction, so its space says on which side of it the process died."""
    state = ledger.reread()
    if not state.pending:
        return False
    if gallery.space == state.space:
        finish(ledger)
        return True
    clear(ledger.gallery.with_name(state.pending))
    ledger.write(replace(state, pending="", pending_epoch=0))
    return False


def finish(ledger: Ledger) -> None:
    """The gallery has been replaced: what was its index is the second one now, and the second one is in use."""
    state = ledger.state
    clear(ledger.second)  # first: once the state speaks of another file, nobody would know of this one
    ledger.write(
        replace(state, phase=state.other, second=state.pending, epoch=state.pending_epoch, pending="", pending_epoch=0)
    )


def clear(path: Path) -> None:
    """Take away a gallery's file and copies of it that were never finished."""
    remove(path)
    for half in path.parent.glob(f".{escape(path.name[:100])}.*.new*"):
        half.unlink(missing_ok=True)

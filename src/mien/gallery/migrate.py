"""Move a gallery to another model by embedding its kept crops again.

From one gallery into another of any engine with `migrate`; a file in place with `migrate_in_place`, or step by step with
what `mien.gallery.moving` holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mien.errors import MienError, SpaceMismatch
from mien.gallery.base import BaseGallery
from mien.gallery.moving.follow import BATCH, Progress, embed_again
from mien.gallery.moving.state import kept_files, state_path
from mien.gallery.moving.steps import Migration, drop, prepare, switch
from mien.protocols import Embedder
from mien.types import Sample


def migrate(
    source: BaseGallery, embedder: Embedder, target: BaseGallery, progress: Progress | None = None
) -> Migration:
    """Enrol everybody of `source` into `target` with templates made anew from their crops; `source` stays as it is.

    Names, metadata, dates, sources and crops come along. Raises SpaceMismatch when `target` holds another space than
    the embedder makes, and whatever `target.enrol` raises; then the people moved so far are in the target.
    """
    if target.space not in (None, embedder.space):
        raise SpaceMismatch(
            f"The gallery {target.where} holds {target.space}, but {embedder.name} makes {embedder.space}.",
            "Migrate into a new gallery.",
        )
    everybody = source.people()
    total, done, moved = sum(person.samples for person in everybody), 0, 0
    without_crop: list[str] = []
    for person in everybody:
        if not person.images:
            without_crop.append(person.subject)
        else:
            samples = source.samples(person.subject)
            for batch in _batches(sample for _, sample in samples if sample.face is not None):
                target.enrol(person.subject, embed_again(batch, embedder), person.metadata, enrolled=person.enrolled)
                moved += len(batch)
        done += person.samples
        if progress is not None:
            progress(done, total)
    return Migration(moved, total - moved, tuple(without_crop), embedder.space)


def _batches(samples: Iterator[Sample]) -> Iterator[list[Sample]]:
    while batch := list(islice(samples, BATCH)):
        yield batch


def migrate_in_place(
    path: str | os.PathLike[str],
    embedder: Embedder,
    *,
    allow_loss: bool = False,
    keep_backup: bool = True,
    workers: int = 1,
    progress: Progress | None = None,
) -> Migration:
    """Migrate the gallery file at `path`: all of it or nothing, while other processes go on reading and enrolling.

    allow_loss: go on although some people or samples have no crop and will be gone. keep_backup: keep the gallery as it
    was beside it, as people.db.<time>.bak, for `roll_back`, until `drop`. Killed, the same call goes on where it was.
    Raises InputError for a loss that was not allowed, UsageError when it is of that space already; then all is as before.
    """
    begun = not state_path(Path(path).absolute()).exists()
    try:
        prepare(path, embedder, allow_loss=allow_loss, workers=workers, progress=progress)
        result = switch(path, embedder, allow_loss=allow_loss, workers=workers, progress=progress)
    except MienError:
        if begun and state_path(Path(path).absolute()).exists():
            drop(path)
        raise
    if not keep_backup:
        drop(path)
        return Migration(result.moved, result.left, result.without_crop, result.space, "", result.points)
    return result


def backups(path: str | os.PathLike[str]) -> list[Path]:
    """Copies that migrations left beside the gallery at `path`, oldest first, and one that is being made.

    `forget` reaches the one that a migration keeps for its way back or is making; `mien forget` goes through all of them."""
    return kept_files(Path(path).absolute())

"""Move a gallery to another model by embedding its kept crops again.

From one gallery into another of any engine with `migrate`; a file in place with `migrate_in_place`, or step by step with
what `mien.gallery.moving` holds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from mien.errors import MienError, SpaceMismatch
from mien.gallery.base import BaseGallery
from mien.gallery.moving.follow import BATCH, Progress, embed_again
from mien.gallery.moving.state import kept_files, state_path
from mien.gallery.moving.steps import Migration, drop, prepare, switch
from mien.protocols import Embedder
from mien.types import Person, Sample


def migrate(
    source: BaseGallery, embedder: Embedder, target: BaseGallery, progress: Progress | None = None
) -> Migration:
    """Enrol everybody of `source` into `target` with templates made anew from their crops; `source` stays as it is.

    Names, metadata, dates, sources and crops come along. Raises SpaceMismatch when `target` holds another space than
    the embedder makes, and whatever `target.enrol_many` raises; then the people moved so far are in the target.
    """
    if target.space not in (None, embedder.space):
        raise SpaceMismatch(
            f"The gallery {target.where} holds {target.space}, but {embedder.name} makes {embedder.space}.",
            "Migrate into a new gallery.",
        )
    everybody = source.people()
    total, moved = sum(person.samples for person in everybody), 0
    left = total - sum(person.images for person in everybody)
    faces = _faces(source, everybody)
    while batch := list(islice(faces, BATCH)):
        fresh = embed_again([sample for _, sample in batch], embedder)
        people = [(who.subject, [one], who.metadata, who.enrolled) for (who, _), one in zip(batch, fresh, strict=True)]
        target.enrol_many(people)
        moved += len(batch)
        if progress is not None:
            progress(left + moved, total)
    without_crop = tuple(person.subject for person in everybody if not person.images)
    return Migration(moved, total - moved, without_crop, embedder.space)


def _faces(source: BaseGallery, everybody: Sequence[Person]) -> Iterator[tuple[Person, Sample]]:
    """Who has a crop, with each sample that has one."""
    for person in everybody:
        if person.images:
            yield from ((person, sample) for _, sample in source.samples(person.subject) if sample.face is not None)


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

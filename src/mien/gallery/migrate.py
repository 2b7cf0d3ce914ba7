"""Move a gallery to another model by embedding its kept crops again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from glob import escape
from itertools import islice
from pathlib import Path
from uuid import uuid4

from mien.errors import InputError, SpaceMismatch, UsageError
from mien.gallery.base import BaseGallery
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.store import is_sealed, remove
from mien.protocols import Embedder
from mien.types import Face, Sample

Progress = Callable[[int, int], None]  # (samples done, samples in all)
_BATCH = 32  # faces embedded at a time


@dataclass(frozen=True, slots=True)
class Migration:
    """What a migration moved, and what it could not."""

    moved: int  # samples embedded again
    left: int  # samples without a crop, which cannot be
    without_crop: tuple[str, ...]  # people who have no crop at all and so are not in the target, by name
    space: str  # of the target
    backup: str = ""  # where the gallery as it was is kept, when it was migrated in place


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
            for batch in _batches((sample, sample.face) for _, sample in samples if sample.face is not None):
                fresh = _embed(batch, embedder)
                target.enrol(person.subject, fresh, person.metadata, enrolled=person.enrolled)
                moved += len(fresh)
        done += person.samples
        if progress is not None:
            progress(done, total)
    return Migration(moved, total - moved, tuple(without_crop), embedder.space)


def _batches(pairs: Iterator[tuple[Sample, Face]]) -> Iterator[list[tuple[Sample, Face]]]:
    while batch := list(islice(pairs, _BATCH)):
        yield batch


def _embed(batch: list[tuple[Sample, Face]], embedder: Embedder) -> list[Sample]:
    templates = embedder.embed([face for _, face in batch])
    return [
        replace(
            sample,
            template=template if template.quality is not None else replace(template, quality=sample.template.quality),
        )
        for (sample, _), template in zip(batch, templates, strict=True)
    ]


def migrate_in_place(
    path: str | os.PathLike[str],
    embedder: Embedder,
    *,
    allow_loss: bool = False,
    keep_backup: bool = True,
    progress: Progress | None = None,
) -> Migration:
    """Migrate the gallery file at `path`: all of it or nothing, while other processes go on reading.

    allow_loss: go on although some people or samples have no crop and will be gone. keep_backup: leave the gallery as
    it was beside it, as people.db.<time>.bak. Raises InputError for a loss that was not allowed, GalleryBusy when the
    gallery was changed meanwhile, UsageError when it is of that space already.
    """
    home = Path(path).absolute()
    if is_sealed(home):
        raise UsageError(
            f"The sealed gallery {path} cannot change models in place.",
            "Seal a migrated plain gallery, or in Python migrate() from this one into a new sealed one.",
        )
    fresh = home.with_name(f".{home.name[:100]}.{uuid4().hex[:12]}.migrating")
    with EmbeddedGallery(path, create=False) as source:
        if source.space == embedder.space:
            raise UsageError(
                f"The gallery {path} is of the space {embedder.space} already.", "There is nothing to migrate."
            )
        source.require_write()
        seen = source.revision()
        if not allow_loss:
            _refuse_loss(source)
        with ExitStack() as undo:
            undo.callback(remove, fresh)
            with EmbeddedGallery(fresh) as target:
                result = migrate(source, embedder, target, progress)
            if keep_backup:
                stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
                kept = home.with_name(f"{home.name}.{stamp}.bak")
                source.backup(kept)
                undo.callback(_remove_needless, kept, source, embedder)
                result = replace(result, backup=str(kept))
            source.replace_with(fresh, seen)
    return result


def backups(path: str | os.PathLike[str]) -> list[Path]:
    """Copies that migrations left beside the gallery at `path`, oldest first. Forgetting somebody does not reach them."""
    home = Path(path).absolute()
    return sorted(home.parent.glob(f"{escape(home.name)}.*.bak"))


def _remove_needless(backup: Path, source: BaseGallery, embedder: Embedder) -> None:
    """Nothing was replaced: the backup is one copy of people too many."""
    if source.space != embedder.space:
        remove(backup)


def _refuse_loss(source: BaseGallery) -> None:
    losing = [person for person in source.people() if person.images < person.samples]
    if losing:
        names = ", ".join(person.subject for person in losing[:5]) + (" …" if len(losing) > 5 else "")
        count = sum(person.samples - person.images for person in losing)
        raise InputError(
            f"{count} samples of {len(losing)} people in {source.where} have no crop to embed again: {names}.",
            "Enrol those people again from photos, or allow the loss.",
        )

"""Sealing a plain gallery, and moving a sealed one to new keys. Both happen as a whole or not at all."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mien.errors import EvidenceError, GalleryBusy, GalleryCorrupt, GalleryNotFound, UsageError
from mien.gallery import store as plain
from mien.gallery.base import BaseGallery, Newcomer
from mien.gallery.sealed import folder as home
from mien.gallery.sealed.coarse import Coarse, fitted
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.groups_file import shred
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.keys import Keys, load
from mien.gallery.sealed.matcher import Matcher
from mien.gallery.sealed.opening import (
    FILES,
    NEXT,
    check_place,
    finish_rotation,
    holder_of,
    new_head,
    public_bytes,
    signed,
    warn_permissions,
)
from mien.gallery.sealed.records import Head
from mien.gallery.sealed.store import ROTATING, Store

Progress = Callable[[int, int], None]  # (templates done, templates in all)
_BATCH = 256  # templates sealed in one step


@dataclass(frozen=True, slots=True)
class Sealing:
    """What was sealed."""

    people: int
    templates: int
    images: int
    bytes: int  # on the disk, everything
    identity: str  # of the keys
    profile: str
    preselection: tuple[str, ...] = ()  # what shortlists lose, a sentence each


def seal(
    source: BaseGallery, out: str | Path, keys: Keys, progress: Progress | None = None, preselect: int | None = None
) -> Sealing:
    """Write everybody of `source` into a new sealed gallery at `out`; `source` stays as it is.

    preselect: components by which it can be searched first (`coarse`); what that loses is measured now.

    The copy is read back and checked before it takes its name. People are written in random order, because a matcher could
    guess at names from their order. Raises UsageError where something is at `out` already, and whatever `source` raises."""
    target = Path(out).absolute()
    if target.exists():
        raise UsageError(f"There is already something at {out}.", "Choose another name; nothing is overwritten.")
    if not target.parent.is_dir():
        raise GalleryNotFound(f"There is no folder {target.parent} to put the gallery in.", "Make the folder first.")
    fresh = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.sealing")
    coarse = None if preselect is None else _fitted(source, preselect)
    with _building(fresh, new_head(keys), keys) as gallery:
        if coarse is not None:
            gallery.preselect(coarse)
        _pour(source, gallery, progress)
        made = _told(gallery, fresh)
        _check(source, gallery)
        gallery.close()
        if target.exists():
            raise UsageError(f"There is already something at {out}.", "Choose another name; nothing is overwritten.")
        fresh.rename(target)
        plain.sync_folder(target.parent)
    return made


def rotate(path: str | Path, at: str | Path, progress: Progress | None = None) -> Sealing:
    """Move a sealed gallery to new keys, in place: readers see the old or the new; old keys and old bytes are erased.

    at: the folder of the keys. The new ones wait in its subfolder `next` until the gallery is theirs, so a rotation that was
    stopped goes on when it is run again. Raises UsageError where the keys open other galleries too, GalleryBusy where the
    gallery was changed meanwhile."""
    folder, keys_folder = Path(path).absolute(), Path(at)
    check_place(keys_folder, folder)
    store = Store(folder)
    try:
        store.require_write()
        old = store.head()
        holder = holder_of(keys_folder, old.identity)
        others = holder.ledger.others(old)
        if others:
            raise UsageError(
                f"The keys in {at} also open {', '.join(others)}, which would be lost with them.",
                "Give each gallery keys of its own: seal or enrol into a new one with new keys.",
            )
        keys = _next(keys_folder, holder.keys)
        fresh = folder / ROTATING
        home.remove(fresh)
        head = signed(replace(new_head(keys, old.gallery), revision=old.revision, epoch=old.epoch + 1), keys)
        with (
            SealedGallery(Matcher(Store(folder)), holder, str(path)) as source,
            _building(fresh, head, keys) as gallery,
        ):
            if source.coarse is not None:
                gallery.preselect(source.coarse)
            _pour(source, gallery, progress)
            made = _told(gallery, fresh)
            _check(source, gallery)
            gallery.close()
            if store.head() != old:
                raise GalleryBusy(f"The gallery {path} was changed meanwhile.", "Run the same again.")
            source.close()
            store.adopt(fresh)
    finally:
        store.close()
    finish_rotation(keys_folder, keys.identity)
    return made


def remove_plain(path: str | Path) -> list[str]:
    """Overwrite and remove a plain gallery that was sealed; returns the copies that migrations left beside it.

    Disks that remap blocks, snapshots and backups may keep what was overwritten: only a whole-disk erasure reaches those."""
    from mien.gallery.migrate import backups

    home_of = Path(path).absolute()
    for each in (plain.side_file(home_of), home_of.with_name(home_of.name + "-shm"), home_of):
        shred(each)
    return [str(each) for each in backups(home_of)]


@contextmanager
def _building(folder: Path, head: Head, keys: Keys) -> Iterator[SealedGallery]:
    """A sealed gallery in a folder that is removed at the end, unless it got another name."""
    try:
        home.build(folder, head, public_bytes(keys))
        with SealedGallery(Matcher(Store(folder)), KeyHolder(keys), str(folder)) as gallery:
            yield gallery
    finally:
        home.remove(folder)


def _fitted(source: BaseGallery, size: int) -> Coarse:
    """All templates are held at once here: 2 KiB each."""
    owners, vectors = [], []
    for name, sample in source.samples():
        owners.append(name)
        vectors.append(sample.template.vector)
    if not owners:
        raise EvidenceError("A preselection cannot be measured: nobody is enrolled.", "Enrol people first.")
    return fitted(np.stack(vectors), owners, size)


def _pour(source: BaseGallery, target: SealedGallery, progress: Progress | None) -> None:
    everybody = source.people()
    total, done = sum(person.samples for person in everybody), 0
    secrets.SystemRandom().shuffle(everybody)
    batch: list[Newcomer] = []
    held = 0
    for person in everybody:
        samples = [sample for _, sample in source.samples(person.subject)]
        metadata = json.dumps(dict(person.metadata), allow_nan=False, sort_keys=True)
        batch.append(Newcomer(person.subject, samples, metadata, person.enrolled))
        held += len(samples)
        if held >= _BATCH or person is everybody[-1]:
            done += target.take_in(batch, total)
            batch, held = [], 0
            if progress is not None:
                progress(done, total)
    if source.points:
        target.keep_points(source.points)


def _check(source: BaseGallery, target: SealedGallery) -> None:
    """Read back what was written. Raises GalleryCorrupt."""
    faults = target.verify()
    if source.people() != target.people():
        faults.append("people are missing or were changed meanwhile")
    if faults:
        raise GalleryCorrupt(f"The sealed copy of {source.where} is not what it must be: {faults[0]}", "Try again.")


def _told(gallery: SealedGallery, folder: Path) -> Sealing:
    people = gallery.people()
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    return Sealing(
        len(people),
        gallery.templates,
        sum(person.images for person in people),
        size,
        gallery.identity,
        gallery.profile,
        () if gallery.coarse is None else tuple(map(str, gallery.coarse.hits)),
    )


def _next(at: Path, old: Keys) -> Keys:
    """The keys to move to: those that wait since a rotation that was stopped, or new ones."""
    fresh = at / NEXT
    if all((fresh / name).exists() for name in FILES):
        warn_permissions(fresh)
        return load(fresh)
    for name in FILES:
        shred(fresh / name)
    keys = Keys.generate(old.public.profile)
    keys.save(fresh)
    return keys

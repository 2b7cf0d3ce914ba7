"""The steps of a migration, each a command of its own: prepare, switch, roll back, drop, and how far it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryFull, InputError, SpaceMismatch, UsageError
from mien.gallery.base import BaseGallery, now
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.moving.beside import alone, gate_path, held, lock_path
from mien.gallery.moving.follow import Follower, Progress
from mien.gallery.moving.recover import clear, finish, recover
from mien.gallery.moving.state import Ledger, Phase, State, discard, new_key, state_path
from mien.gallery.store import Head, is_sealed
from mien.protocols import Embedder

_ATTEMPTS = 5  # switches begun anew because somebody who knows of no migration changed the gallery
_ROUNDS = 3  # through a gallery that others change all the while; the switch does the rest while they wait
_WAIT = 60.0  # s for the lock; what holds it is one batch written or one erasure


@dataclass(frozen=True, slots=True)
class Migration:
    """What a migration moved, and what it could not."""

    moved: int  # samples that have a template of the target's space
    left: int  # samples without a crop, which cannot be embedded again
    without_crop: tuple[str, ...]  # people who have no crop at all and so are not in the target, by name
    space: str  # of the target
    backup: str = ""  # where the other index is kept, when it was migrated in place
    points: int = 0  # operating points that were kept in the gallery, measured in the space it left


@dataclass(frozen=True, slots=True)
class Status:
    """How far a migration is."""

    phase: Phase  # preparing: the gallery answers in the old space; switched: in the new one
    embedder: str
    space: str  # in which the gallery answers
    other: str  # space of the second index
    second: str  # path of the second index
    second_bytes: int
    pictures: int  # samples in the gallery
    done: int  # those that are dealt with
    lost: int  # those of them that have no crop, and so no counterpart
    waiting: int  # people who came, went or changed since, for the next `prepare` or the switch
    interrupted: bool  # a switch was cut short; the next step finishes or undoes it
    started: str
    compared: str  # the verdict of the last comparison


def prepare(
    path: str | os.PathLike[str],
    embedder: Embedder,
    *,
    allow_loss: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Status:
    """Make the second index beside the gallery, or bring it up to date; killed, it goes on where it was.

    Raises InputError for people without crops unless `allow_loss`, UsageError when the gallery is of that space already,
    is on its way to another one or has been switched, GalleryBusy while another process prepares."""
    with _working(path) as (source, home):
        with held(home, _WAIT):
            ledger = _begun(source, home, embedder, allow_loss)
        with ledger:
            with EmbeddedGallery(ledger.second) as second:
                Follower(source, second, ledger, embedder, workers).catch_up(progress, _ROUNDS)
            return _status(source, ledger)


def switch(
    path: str | os.PathLike[str],
    embedder: Embedder,
    *,
    allow_loss: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Migration:
    """Bring the second index up to date and put it in the gallery's place at one stroke; the old index is kept beside it.

    Readers see the old or the new, writers wait. Called again, after a kill too, it finishes or does nothing. Raises
    UsageError when nothing is prepared, InputError for people without crops unless `allow_loss`."""
    with _under_way(path) as (source, ledger):
        if ledger.state.new != embedder.space:
            raise _elsewhere(ledger.state, embedder, source.where)
        return _swap(source, ledger, "switched", embedder, (allow_loss, workers, progress))


def roll_back(
    path: str | os.PathLike[str],
    embedder: Embedder | None = None,
    *,
    allow_loss: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Migration:
    """Put the old index back, with what was enrolled, forgotten and noted since; the new one stays prepared beside it.

    embedder: of the old space, for people enrolled since. Raises UsageError where it is missing and needed or nothing was
    switched, InputError for people enrolled since without crops unless `allow_loss`."""
    with _under_way(path) as (source, ledger):
        if embedder is not None and embedder.space != ledger.state.old:
            raise SpaceMismatch(
                f"{embedder.name} makes {embedder.space}, but the index kept of {source.where} is of {ledger.state.old}.",
                "Name the model that it was made with.",
            )
        return _swap(source, ledger, "preparing", embedder, (allow_loss, workers, progress))


def drop(path: str | os.PathLike[str]) -> list[str]:
    """Erase the index that is not in use, with all that is known of the migration; returns the paths of what went.

    Before the switch this gives up the migration, after it this accepts it. Raises UsageError where there is none."""
    home = plain_file(path)
    growing = home.with_name(home.name + ".migrating")
    with alone(home), EmbeddedGallery(path, create=False) as source:
        source.require_write()
        if not state_path(home).exists() and not growing.exists():
            raise _nothing(source.where)
        with held(home, _WAIT):
            gone = [growing]
            try:
                with Ledger(home) as ledger:
                    recover(source, ledger)
                    gone = [ledger.second]
            except (FileNotFoundError, GalleryCorrupt):
                pass  # of no use, and about to go; a copy that was kept by then is named by `backups`
            existed = [str(each) for each in gone if each.exists()]
            for each in gone:
                overwrite(each)
                clear(each)
            discard(state_path(home))
            gate_path(home).unlink(missing_ok=True)
            lock_path(home).unlink(missing_ok=True)  # held, so nobody else has it; who waits for it looks again
        if source.revision().purge:
            raise GalleryBusy(
                f"The other index of {source.where} is gone, but old bytes may be in the gallery's own file.",
                "Close the gallery everywhere and open it once: that clears them.",
            )
    return existed


def status(path: str | os.PathLike[str]) -> Status | None:
    """How far a migration of the gallery is; None where none is under way."""
    home = Path(path).absolute()
    if not state_path(home).exists():
        return None
    with EmbeddedGallery(path, create=False, read_only=True) as source, Ledger(home) as ledger:
        return _status(source, ledger)


def plain_file(path: str | os.PathLike[str]) -> Path:
    """The file of a gallery that can change models in place. Raises UsageError for others."""
    if is_sealed(path):
        raise UsageError(
            f"The sealed gallery {path} cannot change models in place.",
            "Seal a migrated plain gallery, or in Python migrate() from this one into a new sealed one.",
        )
    if "://" in os.fspath(path):
        raise UsageError(
            f"The gallery {path} is no file, and cannot change models in place.",
            "Migrate into another gallery with --to, and point to that one.",
        )
    return Path(path).absolute()


def refuse_loss(source: BaseGallery) -> None:
    """Raise InputError when somebody has pictures without a crop."""
    losing = {person.subject: person.samples - person.images for person in source.people()}
    _refuse({subject: count for subject, count in losing.items() if count}, source.where)


def overwrite(path: Path) -> None:
    """Zeros over a gallery's file and the codes beside it, before they are taken away."""
    from mien.gallery.sealed.groups_file import shred

    for each in (path, *path.with_name(path.name + "-codes").glob("*")):
        shred(each)


@contextmanager
def _working(path: str | os.PathLike[str]) -> Iterator[tuple[EmbeddedGallery, Path]]:
    home = plain_file(path)
    with EmbeddedGallery(path, create=False) as source:
        source.require_write()
        with alone(home):
            yield source, home


@contextmanager
def _under_way(path: str | os.PathLike[str]) -> Iterator[tuple[EmbeddedGallery, Ledger]]:
    """The gallery and its ledger, mended where a switch was cut short."""
    with _working(path) as (source, home):
        if not state_path(home).exists():
            raise _nothing(source.where)
        with held(home, _WAIT), Ledger(home) as ledger:
            recover(source, ledger)
        with Ledger(home) as ledger:
            yield source, ledger


def _begun(source: EmbeddedGallery, home: Path, embedder: Embedder, allow_loss: bool) -> Ledger:
    """The ledger of the migration to this embedder, a new one where there is none; the caller holds the lock."""
    if state_path(home).exists():
        ledger = Ledger(home)
        recover(source, ledger)
        if ledger.state.phase == "switched" or ledger.state.new != embedder.space:
            ledger.close()
            raise _elsewhere(ledger.state, embedder, source.where)
        if allow_loss and not ledger.state.allow_loss:
            ledger.write(replace(ledger.state, allow_loss=True))
        return ledger
    if source.space == embedder.space:
        raise UsageError(
            f"The gallery {source.where} is of the space {embedder.space} already.", "There is nothing to migrate."
        )
    if source.space is None:
        raise UsageError(f"Nobody is enrolled in {source.where}.", f"Just enrol with {embedder.name}.")
    if not allow_loss:
        refuse_loss(source)
    second = home.with_name(home.name + ".migrating")
    clear(second)
    state = State(
        phase="preparing",
        embedder=embedder.name,
        old=source.space,
        new=embedder.space,
        second=second.name,
        started=now(),
        key=new_key(),
        epoch=source.revision().epoch,
        allow_loss=allow_loss,
    )
    return Ledger.create(home, state)


def _swap(
    source: EmbeddedGallery,
    ledger: Ledger,
    to: Phase,
    embedder: Embedder | None,
    how: tuple[bool, int, Progress | None],  # whether loss is allowed, workers, progress
) -> Migration:
    """Change the places of the index in use and the second one, once both hold the same people."""
    points = len(source.points)
    if ledger.state.phase == to:
        return _result(source, ledger, 0)
    if ledger.state.phase == "switched" and not ledger.second.exists():
        raise UsageError(f"The old index {ledger.second} is gone.", "Accept the new one with --drop.")
    allow_loss, workers, progress = how
    for attempt in range(1, _ATTEMPTS + 1):
        with EmbeddedGallery(ledger.second) as second:  # what takes long, while others go on
            Follower(source, second, ledger, embedder, workers).catch_up(progress, _ROUNDS)
        with held(ledger.gallery, _WAIT, first=True):
            with EmbeddedGallery(ledger.second) as second:
                follower = Follower(source, second, ledger, embedder, workers)
                head = follower.catch_up()
                if not (allow_loss or (to == "switched" and ledger.state.allow_loss)):
                    _refuse(follower.lost(), source.where)
            if _exchange(source, ledger, head, last=attempt == _ATTEMPTS):
                break
    return _result(source, ledger, points)


def _exchange(source: EmbeddedGallery, ledger: Ledger, head: Head, last: bool) -> bool:
    """Keep the index in use beside the gallery and put the second one in its place; whether that was done.

    What is about to happen is written down first, so that whoever comes after a kill can tell how far it came."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    kept = (
        f"{ledger.gallery.name}.{stamp}.bak" if ledger.state.other == "switched" else f"{ledger.gallery.name}.migrating"
    )
    ledger.write(replace(ledger.state, pending=kept, pending_epoch=head.epoch + 1))
    clear(ledger.gallery.with_name(kept))
    try:
        source.backup(ledger.gallery.with_name(kept))
        source.replace_with(ledger.second, head)
    except (GalleryBusy, GalleryFull):
        # Either the gallery was changed by somebody who knows of no migration, or it is replaced and only its file could
        # not be tidied yet, which the next one to open it does.
        if recover(source, ledger):
            return True
        if last:
            raise
        return False
    finish(ledger)
    return True


def _status(source: EmbeddedGallery, ledger: Ledger) -> Status:
    state = ledger.state
    done, lost = ledger.total()
    size, waiting = 0, 0
    if ledger.second.exists():
        size = ledger.second.stat().st_size
        with EmbeddedGallery(ledger.second, create=False, read_only=True) as second:
            waiting = Follower(source, second, ledger, None).waiting()
    return Status(
        phase=state.phase,
        embedder=state.embedder,
        space=source.space or "",
        other=state.space,
        second=str(ledger.second),
        second_bytes=size,
        pictures=source.templates,
        done=done,
        lost=lost,
        waiting=waiting,
        interrupted=bool(state.pending),
        started=state.started,
        compared=state.compared,
    )


def _result(source: EmbeddedGallery, ledger: Ledger, points: int) -> Migration:
    with EmbeddedGallery(ledger.second, create=False, read_only=True) as second:
        left = sum(count.staying for count in ledger.counts().values())
        without = tuple(sorted({person.subject for person in second.people()} - {p.subject for p in source.people()}))
    return Migration(source.templates, left, without, source.space or "", str(ledger.second), points)


def _refuse(losing: dict[str, int], where: str) -> None:
    if losing:
        names = ", ".join(list(losing)[:5]) + (" …" if len(losing) > 5 else "")
        raise InputError(
            f"{sum(losing.values())} samples of {len(losing)} people in {where} have no crop to embed again: {names}.",
            "Enrol those people again from photos, or allow the loss.",
        )


def _nothing(where: str) -> UsageError:
    return UsageError(f"No migration of {where} is under way.", f"Begin one with: mien migrate {where} --embedder NAME")


def _elsewhere(state: State, embedder: Embedder, where: str) -> UsageError:
    if state.phase == "switched" and state.new == embedder.space:
        return UsageError(
            f"The gallery {where} is of the space {embedder.space} already, and its way back is kept.",
            "There is nothing to migrate: accept it with --drop, or go back with --roll-back.",
        )
    if state.phase == "switched":
        return UsageError(
            f"The gallery {where} still keeps the way back from its migration to {state.embedder}.",
            "Accept that one first with --drop, or go back with --roll-back.",
        )
    return UsageError(
        f"The gallery {where} is on its way to {state.embedder}, not to {embedder.name}.",
        "Go on with that model, or give it up with --drop.",
    )

"""Two subjects of a gallery become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mien.errors import UnknownSubject, UsageError
from mien.gallery.names import subject_name
from mien.protocols import Gallery
from mien.types import Person


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did."""

    subject: str  # who is left
    gone: str  # the name that is there no more
    moved: int  # templates that were new to the one who is left
    samples: int  # templates of the two together
    dropped: tuple[str, ...]  # metadata keys that both had with different values: those of the one who is gone


def merge(gallery: Gallery, keep: str, gone: str) -> Merged:
    """Move all samples of `gone` to `keep` and take `gone` away; metadata that only `gone` has come along.

    First everything is enrolled under `keep`, durably and at once, then `gone` is erased. Stopped in between, both are
    there and nothing is lost: the same merge again finishes it. Raises UnknownSubject, UsageError, GalleryError."""
    people = {person.subject: person for person in gallery.people()}
    one, other = _known(people, keep), _known(people, gone)
    if one.subject == other.subject:
        raise UsageError(f"{keep!r} cannot be merged with itself.", "Name two people.")
    joined: dict[str, Any] = {**other.metadata, **one.metadata}
    dropped = [key for key in other.metadata if joined[key] != other.metadata[key]]
    samples = [sample for _, sample in gallery.samples(other.subject)]
    moved = gallery.enrol(one.subject, samples, joined if joined != dict(one.metadata) else None)
    gallery.forget(other.subject)
    return Merged(one.subject, other.subject, moved, one.samples + moved, tuple(dropped))


def _known(people: dict[str, Person], name: str) -> Person:
    spelt = subject_name(name)
    if spelt not in people:
        raise UnknownSubject(f"Nobody called {name!r} is enrolled.", "See who is with `mien people`.")
    return people[spelt]

"""Changes of people in a gallery that touch more than one name, or all of somebody's samples: each whole, or not at all.

How they outlive a kill stands in `moves`. All of them take the gallery's turn; enrolling and searching go on meanwhile, and
samples that somebody enrols during a change stay under the name they were enrolled under."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from mien.errors import BadSubject, Conflict, InputError, NotFound, UnknownSubject, UsageError
from mien.gallery import BaseGallery, subject_name
from mien.serve.galleries import Galleries
from mien.serve.moves import Taken
from mien.serve.samples import numbered, sample_id
from mien.types import Person, Sample

Where = tuple[str, str]  # tenant and gallery
Noting = Callable[[Mapping[str, Any]], dict[str, Any] | None]
CARE = ("consent", "purpose", "expires")  # keys of the metadata that say why somebody is enrolled, and until when
LONGEST = 1000  # characters of consent and purpose


@dataclass(frozen=True, slots=True)
class Moved:
    """What a merge or a split did."""

    subject: str  # to whom
    other: str  # from whom
    moved: int  # samples that are new to `subject`
    samples: int  # of `subject` now
    gone: bool  # whether `other` is there no more
    dropped: tuple[str, ...] = ()  # keys that both had, with different values: those of `other`


def addressed(text: str) -> str:
    """A subject's name as it is kept, of those that an address can hold. Raises BadSubject."""
    name = subject_name(text)
    if name in (".", ".."):
        raise BadSubject(f"No address can hold the name {name!r}.", "Choose another name.")
    return name


def cared(given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` metadata with consent, purpose and expires as they are kept. Raises InputError for what they cannot be."""
    found = dict(given)
    for name in ("consent", "purpose"):
        text = found.get(name)
        if text is not None and not (isinstance(text, str) and 0 < len(text.strip()) <= LONGEST):
            raise InputError(f"{name!r} is no text of up to {LONGEST} characters.", "Say it in words.")
    if found.get("expires") is not None:
        found["expires"] = _day(found["expires"])
    return found


def patched(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with `changes`: what is None in them goes (JSON merge patch, RFC 7396, one level deep)."""
    merged = dict(old) | cared(changes)
    return {key: value for key, value in merged.items() if value is not None}


def noted(galleries: Galleries, where: Where, subject: str, changes: Mapping[str, Any]) -> Person:
    """Change somebody's metadata. Raises UnknownSubject, InputError."""
    with galleries.turn(*where) as gallery:
        person = gallery.person(subject)
        gallery.enrol(person.subject, [], patched(person.metadata, changes))
        return gallery.person(subject)


def replaced(
    galleries: Galleries, where: Where, subject: str, samples: Sequence[Sample], noting: Noting
) -> tuple[int, int]:
    """Give a subject these samples in place of all others: (how many are new, how many went). Raises as `enrol`.

    noting: what was noted to what shall be, or None to leave it."""
    with galleries.turn(*where) as gallery:
        person = known(gallery, subject)
        metadata = noting(person.metadata if person else {})
        ids = {sample_id(one.template) for one in samples}
        name = subject_name(subject)
        old = [number for number, _ in numbered(gallery, name)] if person else []
        taken = Taken(name, tuple(number for number in old if number not in ids))
        new = galleries.moves.move(where, gallery, name, samples, taken, metadata=metadata)
        return new, len(taken.samples)


def renamed(galleries: Galleries, where: Where, subject: str, to: str) -> Person:
    """Call a subject otherwise. Raises UnknownSubject, BadSubject, Conflict when somebody is called so."""
    with galleries.turn(*where) as gallery:
        person, name = gallery.person(subject), addressed(to)
        if name == person.subject:
            return person
        if name in gallery:
            raise Conflict(f"Somebody is called {name!r} already.", "Merge the two, or choose another name.")
        held = dict(numbered(gallery, person.subject))
        taken = Taken(person.subject, tuple(held), whole=True)
        more = {"metadata": person.metadata, "enrolled": person.enrolled}
        galleries.moves.move(where, gallery, name, list(held.values()), taken, **more)
        return gallery.person(name)


def merged(galleries: Galleries, where: Where, into: str, other: str) -> Moved:
    """Two subjects become one, called `into`; metadata that only `other` has come along, and the earlier expiry holds.

    Raises UnknownSubject, UsageError."""
    with galleries.turn(*where) as gallery:
        one, two = gallery.person(into), gallery.person(other)
        if one.subject == two.subject:
            raise UsageError(f"{into!r} cannot be merged with itself.", "Name two people.")
        joined: dict[str, Any] = {**two.metadata, **one.metadata}
        ends = [each["expires"] for each in (one.metadata, two.metadata) if isinstance(each.get("expires"), str)]
        if ends:
            joined["expires"] = min(ends)
        dropped = tuple(sorted(key for key in two.metadata if joined[key] != two.metadata[key]))
        held = dict(numbered(gallery, two.subject))
        new = galleries.moves.move(
            where,
            gallery,
            one.subject,
            list(held.values()),
            Taken(two.subject, tuple(held), whole=True),
            metadata=joined if joined != dict(one.metadata) else None,
        )
        return Moved(one.subject, two.subject, new, gallery.person(into).samples, two.subject not in gallery, dropped)


def split(galleries: Galleries, where: Where, subject: str, ids: Sequence[str], to: str) -> Moved:
    """Give samples of a subject to another one, who is made when new, with the metadata of care. Raises UnknownSubject,
    NotFound, UsageError."""
    with galleries.turn(*where) as gallery:
        person, name = gallery.person(subject), addressed(to)
        if name == person.subject:
            raise UsageError(f"The samples are {name!r}'s already.", "Name somebody else to give them to.")
        held = dict(numbered(gallery, person.subject))
        if unknown := [number for number in ids if number not in held]:
            raise NotFound(f"{person.subject!r} has no sample {unknown[0][:40]!r}.", "See the list of samples.")
        if not ids:
            raise UsageError("No samples were named.", "Name those to give away by their ids.")
        care = {key: person.metadata[key] for key in CARE if key in person.metadata}
        new = galleries.moves.move(
            where,
            gallery,
            name,
            [held[number] for number in dict.fromkeys(ids)],
            Taken(person.subject, tuple(dict.fromkeys(ids))),
            metadata=care if care and name not in gallery else None,
        )
        return Moved(name, person.subject, new, gallery.person(name).samples, person.subject not in gallery)


def sample_dropped(galleries: Galleries, where: Where, subject: str, number: str) -> int:
    """Erase one sample of a subject; returns how many are left. Raises UnknownSubject, NotFound, UsageError for the last."""
    with galleries.turn(*where) as gallery:
        held = dict(numbered(gallery, subject))
        if number not in held:
            raise NotFound(f"{subject!r} has no sample {number[:40]!r}.", "See the list of samples.")
        if len(held) == 1:
            raise UsageError(f"{subject!r} has no other sample.", "Forget the person.")
        gallery.forget_sample(subject, held[number].template)
        return len(held) - 1


def known(gallery: BaseGallery, subject: str) -> Person | None:
    """Somebody, if enrolled."""
    try:
        return gallery.person(subject)
    except UnknownSubject:
        return None


def _day(value: Any) -> str:
    try:
        day = date.fromisoformat(value)
    except (TypeError, ValueError):
        raise InputError(f"'expires' is no date: {str(value)[:40]!r}.", "Write it as 2027-12-31.") from None
    if day < datetime.now(UTC).date():
        raise InputError(f"'expires' has passed: {day}.", "Name a day to come, or forget the person.")
    return day.isoformat()

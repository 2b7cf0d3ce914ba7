"""The second index follows the gallery: what was enrolled, forgotten or noted in the one comes to the other.

What is to be done is found by subject and sample: by how many of each stand in the gallery, in the second index and in
the pairs. Rows that were added are told by their counts alone; when rows were removed by somebody who did not know of
the migration, the gallery's epoch differs and everybody is gone through.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import count, islice

from mien.errors import UsageError
from mien.gallery.embedded import EmbeddedGallery
from mien.gallery.moving.beside import turn
from mien.gallery.moving.state import Count, Ledger, Pair
from mien.gallery.store import Head
from mien.protocols import Embedder
from mien.types import Person, Sample, Template

Progress = Callable[[int, int], None]  # (samples done, samples in all)
_WAIT = 60.0  # s for others to finish a change
BATCH = 32  # faces embedded at a time
_NOBODY = Count(0, 0, 0, 0)


def crop_key(sample: Sample) -> bytes:
    """(16 bytes) the same for a sample with the same crop of the same origin, whatever its template."""
    if sample.face is None:
        return b""
    face = sample.face
    digest = hashlib.blake2b(
        f"{sample.source}\0{face.frame.pixels.shape}".encode("utf8", "surrogatepass"), digest_size=16
    )
    digest.update(face.frame.pixels.tobytes())
    digest.update(face.points.tobytes() + face.box.tobytes())
    return digest.digest()


def embed_again(samples: list[Sample], embedder: Embedder) -> list[Sample]:
    """The same samples with templates made anew from their crops; a quality that the embedder does not say stays."""
    faces = [sample.face for sample in samples if sample.face is not None]
    fresh = []
    for sample, template in zip(samples, embedder.embed(faces), strict=True):
        quality = template.quality if template.quality is not None else sample.template.quality
        fresh.append(replace(sample, template=replace(template, quality=quality)))
    return fresh


def erase_there(ledger: Ledger, subject: str, gone: list[Pair] | None) -> None:
    """Take a subject out of the second index, or only the counterparts of the pairs `gone`; the caller holds the lock."""
    if ledger.second.exists():
        with EmbeddedGallery(ledger.second, create=False) as second:
            _erase(second, ledger, subject, gone)
    else:
        ledger.remove(ledger.person(subject), gone)


def _erase(second: EmbeddedGallery, ledger: Ledger, subject: str, gone: list[Pair] | None) -> None:
    person = ledger.person(subject)
    if gone is None:
        if subject in second:
            second.erase(subject)
    elif gone and subject in second:
        left = ledger.pairs(person)
        for pair in gone:
            left.remove(pair)
        wanted = {pair.there for pair in gone if pair.there is not None} - {pair.there for pair in left}
        _forget(second, ledger, subject, wanted)
    ledger.remove(person, gone)


def _forget(second: EmbeddedGallery, ledger: Ledger, subject: str, marks: Set[bytes | None]) -> None:
    if not marks:
        return
    held: list[Template] = [sample.template for _, sample in second.samples(subject)]
    for template in held:
        if ledger.mark(subject, template.vector.tobytes()) in marks:
            second.forget_sample(subject, template)


@dataclass(slots=True)
class _Piece:
    """A sample that has to be embedded for the second index."""

    person: Person
    mark: bytes  # of its template in the gallery
    sample: Sample
    epoch: int  # of the gallery, before it was read


@dataclass(slots=True)
class _Walk:
    """One person as they were found in both indexes."""

    pairs: list[Pair]
    orphans: dict[bytes, bytes]  # crop -> template mark, of samples in the second index that no pair names
    seen: set[bytes] = field(default_factory=set)  # marks of the gallery's templates
    rows: list[Pair] = field(default_factory=list)  # pairs found without embedding


class Follower:
    """Brings the second index up to date with the gallery. Each step is durable, so it may be killed and called again.

    embedder: makes the second index's templates; None where nobody new is expected. workers: threads that embed."""

    def __init__(
        self,
        source: EmbeddedGallery,
        second: EmbeddedGallery,
        ledger: Ledger,
        embedder: Embedder | None,
        workers: int = 1,
    ) -> None:
        self._source = source
        self._second = second
        self._ledger = ledger
        self._embedder = embedder
        self._workers = workers
        self._everybody = False  # whether this round goes through all people
        self._done = 0  # samples of the gallery that have a pair

    def catch_up(self, progress: Progress | None = None, rounds: int | None = None) -> Head:
        """Go on until nothing is left to do; returns the revision of the gallery that the second index is in step with.

        rounds: the most to go through a gallery that others are changing all the while; the last may leave something."""
        for number in count():
            head = self._source.revision()
            todo = self._todo(head)
            if todo:
                self._walk_all(todo, progress)
            if self._everybody:
                with turn(self._ledger.gallery, _WAIT, first=True):
                    self._ledger.write(replace(self._ledger.reread(), epoch=head.epoch))
            if not todo or number + 1 == rounds:
                return head
        raise AssertionError("a count has no end")

    def waiting(self) -> int:
        """How many people there is something to do for."""
        todo, _, gone = self._differing(self._source.revision())
        return len(todo) + len(gone)

    def lost(self) -> dict[str, int]:
        """{subject: samples} of the gallery that have no counterpart, because no crop of them was kept."""
        counts = self._ledger.counts()
        found = {
            person.subject: counts.get(self._ledger.person(person.subject), _NOBODY).lost
            for person in self._source.people()
        }
        return {subject: lost for subject, lost in found.items() if lost}

    # --- what is to be done ---------------------------------------------------------------------------------------

    def _differing(self, head: Head) -> tuple[list[Person], dict[str, Person], list[str]]:
        """(people to go through, everybody in the second index, people there who are not here any more)."""
        here, there = self._source.people(), {person.subject: person for person in self._second.people()}
        counts = self._ledger.counts()
        self._everybody = head.epoch != self._ledger.reread().epoch
        todo, known = [], set()
        for person in here:
            mark = self._ledger.person(person.subject)
            known.add(mark)
            if self._everybody or not _in_step(person, there.get(person.subject), counts.get(mark, _NOBODY)):
                todo.append(person)
        names = {person.subject for person in here}
        gone = []
        for subject in there.keys() - names:
            count = counts.get(self._ledger.person(subject), _NOBODY)
            # Who was lost at the switch stays for the way back, unless there is more of them: they have been here since.
            if not count.staying or count.here:
                gone.append(subject)
        return todo, there, sorted(gone)

    def _todo(self, head: Head) -> list[tuple[Person, Person | None]]:
        todo, there, gone = self._differing(head)
        for subject in gone:
            with turn(self._ledger.gallery, _WAIT, first=True):
                if subject not in self._source:
                    self._leave(subject)
        if self._everybody:
            self._drop_pairs_of_nobody()
        return [(person, there.get(person.subject)) for person in todo]

    def _leave(self, subject: str) -> None:
        """Somebody was forgotten. What was lost of them at the switch was forgotten with the rest."""
        _erase(self._second, self._ledger, subject, None)

    def _drop_pairs_of_nobody(self) -> None:
        """Pairs of people without a crop who were forgotten by somebody who did not know of the migration."""
        with turn(self._ledger.gallery, _WAIT, first=True):
            names = [person.subject for gallery in (self._source, self._second) for person in gallery.people()]
            alive = {self._ledger.person(name) for name in names}
            for person in self._ledger.counts().keys() - alive:
                self._ledger.remove(person)

    # --- doing it -------------------------------------------------------------------------------------------------

    def _walk_all(self, todo: list[tuple[Person, Person | None]], progress: Progress | None) -> None:
        total = sum(person.samples for person in self._source.people())
        self._done = self._ledger.total()[0]
        pieces = self._pieces(todo)
        with ThreadPoolExecutor(self._workers, thread_name_prefix="migrate") as pool:
            ahead: deque[tuple[list[_Piece], Future[list[Sample]]]] = deque()
            try:
                while True:
                    while len(ahead) <= self._workers and (batch := list(islice(pieces, BATCH))):
                        ahead.append((batch, pool.submit(self._embed, batch)))
                    if ahead:
                        batch, fresh = ahead.popleft()
                        self._write(batch, fresh.result())
                    if progress is not None:
                        progress(min(self._done, total), total)
                    if not ahead:
                        return
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _embed(self, batch: list[_Piece]) -> list[Sample]:
        if self._embedder is None:
            names = list(dict.fromkeys(piece.person.subject for piece in batch))
            raise UsageError(
                f"{', '.join(names[:5])} came or changed since and must be embedded for the other index.",
                f"Name its model with --embedder; it makes the space {self._ledger.state.space}.",
            )
        return embed_again([piece.sample for piece in batch], self._embedder)

    def _pieces(self, todo: list[tuple[Person, Person | None]]) -> Iterator[_Piece]:
        """What is to be embedded, after everything that can be settled without."""
        for person, other in todo:
            epoch = self._source.revision().epoch
            if person.subject not in self._source:
                continue  # forgotten since; the next round takes them out
            if other is not None and not self._same_date(person, other):
                with turn(self._ledger.gallery, _WAIT, first=True):
                    _erase(self._second, self._ledger, person.subject, None)
                other = None
            walk = self._look_there(person.subject, other)
            here = {pair.here for pair in walk.pairs}
            for _, sample in self._source.samples(person.subject):
                mark = self._ledger.mark(person.subject, sample.template.vector.tobytes())
                walk.seen.add(mark)
                if mark in here:
                    continue
                if sample.face is None:
                    walk.rows.append(Pair(mark, None))
                elif (there := walk.orphans.pop(crop_key(sample), None)) is not None:
                    walk.rows.append(Pair(mark, there))
                else:
                    yield _Piece(person, mark, sample, epoch)
            self._settle(person, other, walk)

    def _same_date(self, person: Person, other: Person) -> bool:
        """People enrolled anew under the same name have another date; who was lost at the switch has their own."""
        staying = any(pair.here is None for pair in self._ledger.pairs(self._ledger.person(person.subject)))
        return staying or person.enrolled == other.enrolled

    def _look_there(self, subject: str, other: Person | None) -> _Walk:
        """The person's pairs, mended where a process died between writing the index and the pairs."""
        digest = self._ledger.person(subject)
        pairs, orphans = self._ledger.pairs(digest), {}
        there = {pair.there for pair in pairs if pair.there is not None}
        if (other.samples if other is not None else 0) != len(there):
            held = {}
            if subject in self._second:
                for _, sample in self._second.samples(subject):
                    held[self._ledger.mark(subject, sample.template.vector.tobytes())] = crop_key(sample)
            broken = [pair for pair in pairs if pair.there is not None and pair.there not in held]
            with turn(self._ledger.gallery, _WAIT, first=True):
                self._ledger.remove(digest, broken)
            pairs = [pair for pair in pairs if pair not in broken]
            orphans = {key: mark for mark, key in held.items() if mark not in there}
        return _Walk(pairs, orphans)

    def _settle(self, person: Person, other: Person | None, walk: _Walk) -> None:
        """Write down what needs no embedding: no crop, removed, left over, other metadata."""
        digest = self._ledger.person(person.subject)
        gone = [pair for pair in walk.pairs if pair.here is not None and pair.here not in walk.seen]
        with turn(self._ledger.gallery, _WAIT, first=True):
            if person.subject not in self._source:
                return
            self._ledger.add((digest, pair) for pair in walk.rows)
            self._done += len(walk.rows)
            if gone:
                _erase(self._second, self._ledger, person.subject, gone)
            if person.subject in self._second:
                known = {pair.there for pair in self._ledger.pairs(digest)}
                _forget(self._second, self._ledger, person.subject, set(walk.orphans.values()) - known)
            if other is not None and other.metadata != person.metadata and person.subject in self._second:
                self._second.enrol(person.subject, [], person.metadata)

    def _write(self, batch: list[_Piece], fresh: list[Sample]) -> None:
        """Enrol a batch in the second index, but nobody who was forgotten while it was embedded."""
        with turn(self._ledger.gallery, _WAIT, first=True):
            epoch = self._source.revision().epoch
            doubtful = {piece.person.subject for piece in batch if piece.epoch != epoch}
            alive = {subject: self._marks(subject) for subject in doubtful}
            groups: dict[str, list[tuple[_Piece, Sample]]] = {}
            for piece, sample in zip(batch, fresh, strict=True):
                if piece.person.subject not in alive or piece.mark in alive[piece.person.subject]:
                    groups.setdefault(piece.person.subject, []).append((piece, sample))
            people = [(subject, [one for _, one in group], group[0][0].person) for subject, group in groups.items()]
            self._second.enrol_many([(subject, mine, who.metadata, who.enrolled) for subject, mine, who in people])
            rows = []
            for subject, group in groups.items():
                for piece, one in group:
                    there = self._ledger.mark(subject, one.template.vector.tobytes())
                    rows.append((self._ledger.person(subject), Pair(piece.mark, there)))
            self._ledger.add(rows)
            self._done += len(rows)

    def _marks(self, subject: str) -> set[bytes]:
        if subject not in self._source:
            return set()
        return {
            self._ledger.mark(subject, sample.template.vector.tobytes()) for _, sample in self._source.samples(subject)
        }


def _in_step(person: Person, other: Person | None, count: Count) -> bool:
    """Whether a person's counts, metadata and date agree."""
    if (person.samples, other.samples if other is not None else 0) != (count.here, count.there):
        return False
    if other is None:
        return True
    return other.metadata == person.metadata and (count.staying > 0 or other.enrolled == person.enrolled)


__all__ = ["BATCH", "Follower", "Progress", "crop_key", "embed_again", "erase_there"]

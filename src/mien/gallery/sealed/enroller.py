"""The enroller: it takes people in. It holds the public key, the MAC key and the record key, and no secret key:
it can add templates and read names, and cannot read templates or scores.

A key holder that enrols by itself lends it two things: the hand that writes groups anew, without added noise, and the vault,
where the templates are kept exactly as they were (see `key_holder`, `repacker`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mien.gallery.base import Newcomer
from mien.gallery.crops import pack_face
from mien.gallery.matrix import check_samples
from mien.gallery.sealed.canaries import Content, how_many
from mien.gallery.sealed.cipher import cipher
from mien.gallery.sealed.index import Index, about
from mien.gallery.sealed.keys import PublicKey
from mien.gallery.sealed.profiles import Layout
from mien.gallery.sealed.records import U32, Change, Detail, GroupRow, GroupWrite, Marker, SampleRow, Sealer, SubjectRow
from mien.types import F32, Sample

if TYPE_CHECKING:
    from mien.gallery.sealed.key_holder import Vault
    from mien.gallery.sealed.repacker import Repacker

Fetch = Callable[[Sequence[int]], dict[int, tuple[GroupRow, U32]]]


@dataclass(slots=True)
class _Draft:
    """A change in the making."""

    index: Index
    layout: Layout
    subjects: dict[bytes, SubjectRow]
    samples: list[SampleRow]
    details: dict[int, Detail]
    vectors: dict[int, dict[int, F32]]  # group -> slot -> vector
    canaries: dict[int, list[int]]  # new group -> slots
    free: list[tuple[int, int]]  # (group, slot), the next at the end
    last_sample: int
    last_group: int


class Enroller:
    """Makes changes that add people.

    public: the public key. hand, vault: the key holder's, where it is in the same process; without them templates go as
    public-key ciphertexts, which the matcher places, and add their noise to a group until the key holder writes it anew."""

    def __init__(
        self,
        public: PublicKey,
        marker: Marker,
        sealer: Sealer,
        hand: Repacker | None = None,
        vault: Vault | None = None,
    ) -> None:
        self.public, self._marker, self._sealer = public, marker, sealer
        self._hand, self._vault = hand, vault
        self._by = cipher(public.profile)

    def enrol(
        self, index: Index, newcomers: Sequence[Newcomer], fetch: Fetch, size: int = 0
    ) -> tuple[Change | None, int]:
        """(change, how many templates are new); None where there is nothing to change.

        size: templates that the gallery will hold, where that is known; its layout is chosen by it once.
        Raises InputError, SpaceMismatch as every gallery does."""
        space, dimension = index.notes["space"], index.head.dimension or None
        for one in newcomers:
            if one.samples or one.name not in index.ids:
                space, dimension = check_samples(one.samples, space, dimension, index.where)
        if dimension is None:
            return None, 0
        layout = self._layout(index, newcomers, dimension, size)
        draft = _Draft(index, layout, {}, [], {}, {}, {}, [], index.head.last_sample, index.head.last_group)
        draft.free = self._free(draft)
        added = sum(self._take(draft, one) for one in newcomers)
        if not draft.subjects and not draft.samples:
            return None, 0
        groups = self._groups(draft, fetch)
        head = replace(
            index.head,
            dimension=dimension,
            block=layout.block,
            last_sample=draft.last_sample,
            last_group=draft.last_group,
        )
        change = Change(head, tuple(draft.subjects.values()), tuple(draft.samples), draft.details, groups)
        return index.sealed_head(change, space, index.notes["points"]), added

    def _layout(self, index: Index, newcomers: Sequence[Newcomer], dimension: int, size: int) -> Layout:
        if index.head.dimension:
            return index.head.layout
        return self._by.layout(dimension, max(size, sum(len(one.samples) for one in newcomers)))

    def _free(self, draft: _Draft) -> list[tuple[int, int]]:
        """Free slots of the groups there are, first group last."""
        every = set(range(draft.layout.slots))
        return [
            (group, slot)
            for group in sorted(draft.index.groups, reverse=True)
            if len(draft.index.members(group)) < len(every)
            for slot in sorted(every.difference(row.slot for row in draft.index.members(group)))
        ]

    def _take(self, draft: _Draft, one: Newcomer) -> int:
        """Add the rows of one person; returns how many templates are new."""
        index, subject = draft.index, draft.index.ids.get(one.name)
        old = None if subject is None else index.people[subject]
        if subject is None:
            subject = secrets.token_bytes(16)
        known = {index.record(index.samples[number])["fingerprint"] for number in index.kept.get(subject, ())}
        metadata = one.metadata if one.metadata is not None else old.metadata if old else "{}"
        enrolled = old.enrolled if old else one.enrolled
        if old is None or metadata != old.metadata:
            draft.subjects[subject] = self._subject(subject, one.name, metadata, enrolled)
        added = 0
        for sample in one.samples:
            mark = self._marker.fingerprint(sample.template.vector.tobytes())
            if mark not in known:
                known.add(mark)
                self._sample(draft, subject, sample, mark)
                added += 1
        return added

    def _subject(self, subject: bytes, name: str, metadata: str, enrolled: str) -> SubjectRow:
        record = self._sealer.seal_json([name, metadata, enrolled], b"subject" + subject)
        return self._marker.subject(SubjectRow(subject, record))

    def _sample(self, draft: _Draft, subject: bytes, sample: Sample, fingerprint: str) -> None:
        if not draft.free:
            self._open_group(draft)
        group, slot = draft.free.pop()
        draft.last_sample += 1
        row = SampleRow(draft.last_sample, subject, group, slot, int(self._vault is not None), b"", b"")
        vector, quality = sample.template.vector, sample.template.quality
        picture = b""
        if sample.face is not None:
            png, geometry = pack_face(sample.face)
            text = json.dumps(geometry).encode()
            picture = self._sealer.seal(len(text).to_bytes(4, "little") + text + png, b"picture" + about(row))
        kept = b"" if self._vault is None else self._vault.seal(vector.tobytes(), about(row))
        detail = Detail(kept, picture)
        record = {
            "quality": None if quality is None else float(quality),
            "source": sample.source,
            "fingerprint": fingerprint,
            "image": sample.face is not None,
        }
        self._keep(draft, row, record, detail)
        draft.vectors.setdefault(group, {})[slot] = vector

    def _keep(self, draft: _Draft, row: SampleRow, record: dict[str, Any], detail: Detail) -> None:
        row = replace(row, record=self._sealer.seal_json(record, about(row)), detail=detail.digest)
        draft.samples.append(self._marker.sample(row))
        draft.details[row.number] = detail

    def _open_group(self, draft: _Draft) -> None:
        """Begin a group: its slots in random order, some of them for canaries where there is a key holder to know them."""
        draft.last_group += 1
        slots = list(range(draft.layout.slots))
        secrets.SystemRandom().shuffle(slots)
        draft.free = [(draft.last_group, slot) for slot in slots]
        for _ in range(how_many(draft.layout, self.public.profile) if self._vault is not None else 0):
            self._canary(draft)

    def _canary(self, draft: _Draft) -> None:
        """A row like anybody's; what stands in its slot follows from the others in the group."""
        assert self._vault is not None  # its caller looked
        subject, (group, slot) = secrets.token_bytes(16), draft.free.pop()
        draft.subjects[subject] = self._subject(subject, "", "{}", "")
        draft.last_sample += 1
        row = SampleRow(draft.last_sample, subject, group, slot, 1, b"", b"")
        detail = Detail(self._vault.seal(bytes(4 * draft.layout.dimension), about(row)))
        record = {"quality": None, "source": "0" * 16, "fingerprint": secrets.token_hex(32), "image": False}
        self._keep(draft, row, record, detail)
        draft.canaries.setdefault(group, []).append(slot)

    def _groups(self, draft: _Draft, fetch: Fetch) -> tuple[GroupWrite, ...]:
        there = [number for number in draft.vectors if number in draft.index.groups]
        found = fetch(there) if there else {}
        hand = self._hand
        writes = []
        for number, vectors in draft.vectors.items():
            row, body = found.get(number, (GroupRow(number, -1), None))
            rows: tuple[tuple[int, U32], ...] = ()
            if body is not None:
                draft.index.check_group(number, row, body)
            whole = None
            if hand is not None:
                old = draft.index.others(number)
                kept = {} if body is None else hand.kept(draft.index, number, {member.slot for member in old}, body)
                canaries = [member.slot for member in draft.index.canaries.get(number, ())]
                covered = {member.slot for member in old if member.covered} | vectors.keys()
                content = Content(
                    number, kept | vectors, frozenset(covered), canaries or draft.canaries.get(number, [])
                )
                body = whole = hand.fresh(draft.index, draft.layout, content)
            else:
                body, rows = self._placed(draft, vectors, body)
            writes.append(GroupWrite(self._marker.group(number, row.version + 1, body), whole, rows))
        return tuple(writes)

    def _placed(
        self, draft: _Draft, vectors: dict[int, F32], body: U32 | None
    ) -> tuple[U32, tuple[tuple[int, U32], ...]]:
        """What the matcher is going to make of public-key ciphertexts, and the ciphertexts with their slots."""
        layout = draft.layout
        turned = {slot: draft.index.turned(vector[None])[0] for slot, vector in vectors.items()}
        rows = tuple((slot, self._by.template(self.public, layout, vector)) for slot, vector in turned.items())
        for slot, row in rows:
            body = self._by.placed(body, slot, row, layout)
        assert body is not None
        return body, rows

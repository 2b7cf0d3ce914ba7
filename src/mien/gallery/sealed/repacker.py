"""Writing groups anew, which needs the secret key: to erase somebody, and to keep noise from adding up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mien.gallery.sealed.canaries import Content
from mien.gallery.sealed.index import Index, about
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.matcher import Depot
from mien.gallery.sealed.profiles import Layout
from mien.gallery.sealed.records import U32, Change, GroupRow, GroupWrite, SampleRow
from mien.types import F32


class Repacker:
    """The key holder's hand in the store. Templates come from the vault as they were enrolled; those that an enroller without
    a vault took in come from the group, as they decrypt."""

    def __init__(self, holder: KeyHolder, depot: Depot) -> None:
        self._holder, self._depot = holder, depot

    def fresh(self, index: Index, layout: Layout, content: Content) -> U32:
        """A group of this content, with its canaries and with all its randomness drawn anew."""
        rows = content.rows(layout, self._holder.vault(index.head.gallery).weights)
        group: U32 = self._holder.encrypt(layout, index.turned(rows))[0]
        return group

    def kept(self, index: Index, group: int, slots: set[int], body: U32) -> dict[int, F32]:
        """{slot: vector} of those slots of a stored group."""
        vault, layout = self._holder.vault(index.head.gallery), index.head.layout
        rows = [row for row in index.members(group) if row.slot in slots]
        details = self._depot.details([row.number for row in rows], pictures=False)
        vectors: dict[int, F32] = {}
        for row in rows:
            sealed = details[row.number].vector if row.number in details else b""
            if sealed:
                vectors[row.slot] = np.frombuffer(vault.open(sealed, about(row)), np.float32)
        missing = sorted(slots - set(vectors))
        if missing:
            held = index.straight(self._holder.templates(layout, body[None])[0])
            vectors |= {slot: held[slot].astype(np.float32) for slot in missing}
        return vectors

    def erase(self, index: Index, numbers: Sequence[int]) -> Change:
        """A change without these samples, and without subjects who have none left.

        Neighbours' templates stay as they were. A group without people goes, and with the last group layout and space."""
        gone = set(numbers)
        emptied = {index.samples[number].subject for number in gone}
        subjects = [subject for subject in emptied if gone.issuperset(index.kept[subject])]
        groups: tuple[GroupWrite, ...] = ()
        if len(gone) == index.templates:
            head, space, empty = replace(index.head, dimension=0, block=0), None, list(index.groups)
        else:
            head, space = index.head, index.notes["space"]
            left = self._left(index, gone)
            empty = [group for group, rows in left.items() if not rows]
            groups = self._rewritten(index, {group: rows for group, rows in left.items() if rows})
        canaries = [row for group in empty for row in index.canaries.get(group, ())]
        change = Change(
            head,
            groups=groups,
            gone_subjects=(*subjects, *(row.subject for row in canaries)),
            gone_samples=(*gone, *(row.number for row in canaries)),
            gone_groups=tuple(empty),
        )
        return index.sealed_head(change, space, index.notes["points"])

    def _left(self, index: Index, gone: set[int]) -> dict[int, list[SampleRow]]:
        """{group: people's templates that stay}, of the groups that lose somebody."""
        touched = {index.samples[number].group for number in gone}
        return {group: [row for row in index.others(group) if row.number not in gone] for group in touched}

    def _rewritten(self, index: Index, left: dict[int, list[SampleRow]]) -> tuple[GroupWrite, ...]:
        found = self._depot.groups(list(left))
        layout, marker = index.head.layout, self._holder.marker(index.head.gallery)
        writes = []
        for group, rows in left.items():
            row, body = found.get(group, (GroupRow(group, -1), None))
            index.check_group(group, row, body)
            assert body is not None  # check_group
            vectors = self.kept(index, group, {one.slot for one in rows}, body)
            covered = frozenset(one.slot for one in rows if one.covered)
            canaries = [one.slot for one in index.canaries.get(group, ())]
            body = self.fresh(index, layout, Content(group, vectors, covered, canaries))
            writes.append(GroupWrite(marker.group(group, row.version + 1, body), body))
        return tuple(writes)

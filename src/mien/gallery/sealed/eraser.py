"""Erasing, which needs the secret key: a group is decrypted and encrypted anew without those who go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mien.gallery.sealed.enroller import Fetch
from mien.gallery.sealed.index import Index
from mien.gallery.sealed.key_holder import KeyHolder
from mien.gallery.sealed.records import Change, GroupWrite
from mien.types import F32


class Eraser:
    """Makes changes that take people out."""

    def __init__(self, holder: KeyHolder) -> None:
        self._holder = holder

    def erase(self, index: Index, numbers: Sequence[int], fetch: Fetch) -> Change:
        """A change without these samples, and without subjects who have none left.

        Neighbours' templates stay as they were. A group without people goes, and with the last group layout and space."""
        gone = set(numbers)
        emptied = {index.samples[number].subject for number in gone}
        subjects = [subject for subject in emptied if gone.issuperset(index.kept[subject])]
        if len(gone) == index.templates:
            canaries = list(index.canaries.values())
            change = Change(
                replace(index.head, dimension=0, block=0),
                gone_subjects=(*subjects, *(row.subject for row in canaries)),
                gone_samples=(*gone, *(row.number for row in canaries)),
                gone_groups=tuple(index.groups),
            )
            return index.sealed_head(change, None, index.notes["points"])
        left = self._left(index, gone)
        empty = [group for group, rows in left.items() if not rows]
        canaries = [index.canaries[group] for group in empty if group in index.canaries]
        change = Change(
            index.head,
            groups=self._rewritten(index, {group: rows for group, rows in left.items() if rows}, fetch),
            gone_subjects=(*subjects, *(row.subject for row in canaries)),
            gone_samples=(*gone, *(row.number for row in canaries)),
            gone_groups=tuple(empty),
        )
        return index.sealed_head(change, index.notes["space"], index.notes["points"])

    def _left(self, index: Index, gone: set[int]) -> dict[int, set[int]]:
        """{group: slots that stay taken}, of the groups that lose somebody; none where only the canary would be left."""
        left = {}
        for group in {index.samples[number].group for number in gone}:
            slots = index.slots[group] - {
                index.samples[number].slot for number in gone if index.samples[number].group == group
            }
            canary = index.canaries.get(group)
            left[group] = set() if canary is not None and slots == {canary.slot} else slots
        return left

    def _rewritten(self, index: Index, left: dict[int, set[int]], fetch: Fetch) -> tuple[GroupWrite, ...]:
        found = fetch(list(left))
        layout, marker = index.head.layout, self._holder.marker(index.head.gallery)
        writes = []
        for group, slots in left.items():
            row, body = found[group]
            index.check_group(group, row, body)
            kept: F32 = np.zeros((layout.slots, layout.dimension), np.float32)
            taken = sorted(slots)
            kept[taken] = self._holder.templates(layout, body[None])[0, taken]
            body = self._holder.encrypt(layout, kept)[0]
            writes.append(GroupWrite(marker.group(group, row.version + 1, body), body))
        return tuple(writes)

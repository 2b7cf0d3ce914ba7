"""Samples from one name of a gallery to another, so that a kill at any moment loses nobody.

A move is put down first, with the ids of its samples. Then all of them are enrolled under the new name, in one durable step,
and only then taken from the old. Cut off before the first step, nothing has happened; after it, `settle` takes away what is
left under the old name. In between somebody can be found under both names, never under none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mien.errors import UnknownSubject
from mien.gallery import BaseGallery, subject_name
from mien.serve.records import Records
from mien.serve.samples import numbered, sample_id
from mien.types import Sample, Template

_TABLES = """
CREATE TABLE IF NOT EXISTS moving (
    number INTEGER PRIMARY KEY, tenant TEXT NOT NULL, gallery TEXT NOT NULL, plan TEXT NOT NULL
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken from a name."""

    subject: str
    samples: tuple[str, ...]  # ids
    whole: bool = False  # the person goes too, where nothing is left: one without any sample has no last one


class Moves:
    """The moves under way, in the records. Only who has the gallery's turn may use it (`Galleries.turn`)."""

    def __init__(self, records: Records) -> None:
        self._records = records
        records.keep(_TABLES)

    def move(
        self,
        where: tuple[str, str],
        gallery: BaseGallery,
        to: str,
        samples: Sequence[Sample],
        taken: Taken,
        **more: Any,
    ) -> int:
        """Enrol `samples` under the name `to` and take others away; returns how many were new there.

        where: tenant and gallery. more: `metadata`, `enrolled` of the subject `to`. Raises what `enrol` raises, and
        then nothing has changed; what `taken` could not take away (a full disk) is taken at the gallery's next turn."""
        added = [sample_id(one.template) for one in samples]
        metadata: Mapping[str, Any] | None = more.get("metadata")
        plan: dict[str, Any] = {
            "to": subject_name(to),
            "added": added,
            "metadata": None if metadata is None else dict(metadata),
        }
        plan |= {"from": taken.subject, "taken": list(taken.samples), "whole": taken.whole}
        with self._records.change() as db:
            number = db.execute(
                "INSERT INTO moving (tenant, gallery, plan) VALUES (?, ?, ?)", (*where, json.dumps(plan))
            ).lastrowid
        try:
            new = gallery.enrol(to, samples, metadata, enrolled=more.get("enrolled", ""))
        except BaseException:
            self._struck(number)
            raise
        take_away(gallery, taken)
        self._struck(number)
        return new

    def settle(self, tenant: str, name: str, gallery: BaseGallery) -> None:
        """End the moves in a gallery that were cut off after their first step, and strike out those before it."""
        with self._records.look() as db:
            rows = db.execute("SELECT * FROM moving WHERE tenant = ? AND gallery = ?", (tenant, name)).fetchall()
        for row in rows:
            plan = json.loads(row["plan"])
            with suppress(UnknownSubject):
                held = {number for number, _ in numbered(gallery, plan["to"])}
                if held.issuperset(plan["added"]):
                    if plan["metadata"] is not None:
                        gallery.enrol(plan["to"], [], plan["metadata"])
                    take_away(gallery, Taken(plan["from"], tuple(plan["taken"]), plan["whole"]))
            self._struck(row["number"])

    def unsettled(self) -> list[tuple[str, str]]:
        """(tenant, gallery) of the moves that were begun and not ended."""
        with self._records.look() as db:
            return [tuple(row) for row in db.execute("SELECT DISTINCT tenant, gallery FROM moving").fetchall()]

    def drop(self, tenant: str, name: str) -> None:
        """Strike out all moves in a gallery that goes."""
        with self._records.change() as db:
            db.execute("DELETE FROM moving WHERE tenant = ? AND gallery = ?", (tenant, name))

    def _struck(self, number: int | None) -> None:
        with self._records.change() as db:
            db.execute("DELETE FROM moving WHERE number = ?", (number,))


def take_away(gallery: BaseGallery, taken: Taken) -> None:
    """Take samples from a subject; those enrolled under that name meanwhile stay."""
    with suppress(UnknownSubject):
        found: dict[str, Template] = {number: one.template for number, one in numbered(gallery, taken.subject)}
        for number in taken.samples:
            if number in found:
                gallery.forget_sample(taken.subject, found[number])
        if taken.whole and not gallery.person(taken.subject).samples:
            gallery.forget(taken.subject)

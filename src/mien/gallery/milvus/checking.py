"""Is everything kept as it was written?"""

from __future__ import annotations

from mien.gallery.milvus.batches import Batches
from mien.gallery.milvus.holdings import Holdings
from mien.gallery.milvus.layout import OWNER, PERSON, SAMPLE, crop_fits, intact, owner_of
from mien.gallery.milvus.tables import STRONG, Head, Tables


def faults(tables: Tables, batches: Batches, holdings: Holdings, head: Head | None) -> list[str]:
    """One sentence per fault: templates against their seals, crops against theirs, notes of nobody."""
    found: list[str] = []
    owners: set[str] = set()
    if head is not None:
        for page in tables.link.pages(tables.people, "", SAMPLE, STRONG, size=512):
            rows = batches.seen(page, STRONG)
            owners |= {row["id"][:OWNER] for row in rows}
            found += [f"A template of {row['subject']!r} does not match its seal." for row in rows if not intact(row)]
            crops = holdings.crops([row for row in rows if row["image"]], STRONG)
            for row in rows:
                if row["image"] and not crop_fits(row, crops.get(row["id"], [])):
                    found.append(f"A crop of {row['subject']!r} is missing or does not match its seal.")
    busy = {intent.owner for intent in batches.open()}
    for page in tables.link.pages(tables.records, 'kind == "person"', PERSON, STRONG):
        for row in batches.seen(page, STRONG):
            owner = row["id"][1 : 1 + OWNER]
            if owner_of(row["subject"]) != owner:
                found.append(f"The note about {row['subject']!r} is not under that name.")
            elif owner not in owners and owner not in busy:
                found.append(f"There is a note about {row['subject']!r}, who has no template.")
    return found

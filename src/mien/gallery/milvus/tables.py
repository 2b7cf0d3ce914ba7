"""The collections of one gallery on the server: made, found, loaded, and made anew for another space."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryNotFound
from mien.gallery.milvus.layout import FORMAT
from mien.gallery.milvus.link import Link, Missing, Present

_TEXT = 65_535  # bytes of a text field, at most
STRONG = "Strong"  # reads that must see whatever anybody wrote before


@dataclass(frozen=True, slots=True)
class Head:
    """What a collection of templates is for."""

    space: str
    dimension: int
    number: int  # of the collection: another one when it was made anew


class Tables:
    """`people` holds templates, and is made by the first enrolment, for one space; `records` is there from the start.

    The server makes a collection once, whoever asks first; so two processes that enrol the first people of a gallery at the
    same moment agree about its space."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.people = link.address.collection
        self.records = f"{self.people}__records"

    def open(self, create: bool) -> None:
        """Find the gallery, or make an empty one. Raises GalleryNotFound, GalleryCorrupt."""
        shown = self.link.address.shown
        if not self.link.call("has_collection", self.records):
            if self.link.call("has_collection", self.people):
                raise GalleryCorrupt(f"The collection of {shown} was not made by mien.", "Choose another name.")
            if not create:
                raise GalleryNotFound(
                    f"There is no gallery at {shown}.", "Enrol somebody to make one, or check the name."
                )
            self._make_records()
        found = self.link.call("describe_collection", self.records)["properties"].get("mien.format")
        if found != FORMAT:
            raise GalleryCorrupt(
                f"The records of {shown} are of format {found}; {FORMAT} is what can be read.",
                "Use the mien that made them.",
            )
        self.load(self.records)
        if self.head() is not None:
            self.load(self.people)

    def head(self) -> Head | None:
        """What templates are held; None before the first were."""
        try:
            found = self.link.call("describe_collection", self.people)
        except Missing:
            return None
        kept = found["properties"]
        if "mien.space" not in kept:
            raise GalleryCorrupt(
                f"The collection of {self.link.address.shown} was not made by mien.", "Choose another name."
            )
        return Head(json.loads(kept["mien.space"]), int(kept["mien.dimension"]), int(found["collection_id"]))

    def points(self) -> str:
        """Operating points, as JSON."""
        return str(self.link.call("describe_collection", self.records)["properties"].get("mien.points", "[]"))

    def keep_points(self, points: str) -> None:
        """Replace the operating points."""
        self.link.call("alter_collection_properties", self.records, {"mien.points": points})

    def make(self, space: str, dimension: int) -> Head:
        """The collection for templates of a space; whatever somebody else made meanwhile, if it is there."""
        kind, schema = (
            self.link.types,
            self._schema(json.dumps({"mien": FORMAT, "space": space, "dimension": dimension})),
        )
        schema.add_field("id", kind.VARCHAR, max_length=64, is_primary=True)
        schema.add_field("vector", kind.FLOAT_VECTOR, dim=dimension)
        schema.add_field("quality", kind.DOUBLE)
        schema.add_field("place", kind.INT64)
        lengths = {"owner": 32, "batch": 32, "subject": 2048, "source": _TEXT, "enrolled": 64, "image": 32, "seal": 32}
        for name, length in lengths.items():
            schema.add_field(name, kind.VARCHAR, max_length=length)
        self._create(self.people, schema, {"mien.space": json.dumps(space), "mien.dimension": str(dimension)})
        self.load(self.people)
        head = self.head()
        if head is None:
            raise self._changed()
        return head

    def replace(self, head: Head, space: str, dimension: int) -> Head:
        """A collection for another space instead of one in which nobody is left. Raises GalleryBusy if somebody is."""
        aside = f"{self.people}__left_{time.time_ns()}"
        self.link.call("rename_collection", self.people, aside)
        self.load(aside)
        if self.link.count(aside, "", STRONG):  # somebody enrolled in between
            self.link.call("rename_collection", aside, self.people)
            self.load(self.people)
            raise self._changed()
        made = self.make(space, dimension)
        self.link.call("drop_collection", aside)
        return made

    def load(self, name: str) -> None:
        """Have a collection searchable; at once where it is."""
        if "Loaded" in str(self.link.call("get_load_state", name).get("state")).replace("NotLoad", ""):
            return
        index = self.link.client.prepare_index_params()
        index.add_index("vector", index_type="FLAT", metric_type="IP")
        if not self.link.call("list_indexes", name):
            self.link.call("create_index", name, index)
        self.link.call("load_collection", name, replica_number=self.link.address.replicas)

    def settle_erased(self) -> None:
        """Ask the server to write its files anew without the rows that were taken out."""
        for name in (self.people, self.records):
            self.link.call("flush", name)
            self.link.call("compact", name)

    def _make_records(self) -> None:
        kind, schema = self.link.types, self._schema(json.dumps({"mien": FORMAT}))
        schema.add_field("id", kind.VARCHAR, max_length=96, is_primary=True)
        schema.add_field("vector", kind.FLOAT_VECTOR, dim=2)
        schema.add_field("place", kind.INT64)
        schema.add_field("metadata", kind.JSON)
        lengths = {"kind": 16, "owner": 32, "batch": 32, "subject": 2048, "enrolled": 64, "opaque": 1, "text": _TEXT}
        for name, length in lengths.items():
            schema.add_field(name, kind.VARCHAR, max_length=length)
        self._create(self.records, schema, {"mien.format": FORMAT})

    def _schema(self, description: str) -> Any:
        return self.link.client.create_schema(auto_id=False, enable_dynamic_field=False, description=description)

    def _create(self, name: str, schema: Any, properties: dict[str, str]) -> None:
        try:
            self.link.call(
                "create_collection", name, schema=schema, num_shards=self.link.address.shards, properties=properties
            )
        except Present:
            return

    def _changed(self) -> GalleryBusy:
        return GalleryBusy(f"The gallery {self.link.address.shown} was changed meanwhile.", "Do the same again.")

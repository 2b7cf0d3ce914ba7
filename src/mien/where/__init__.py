"""Words to filters: which people of a gallery are meant, by what was noted about them.

    where = parse("site = 'berlin' and age >= 30 and not blocked")
    where.matches("ana", {"site": "berlin", "age": 41}, "2026-05-01T08:00:00+00:00")  # True

`matches` is the meaning. Every engine translates a filter for its store and is tested against it.

A field is a key of the metadata, dotted into nested objects; `subject` (the name) and `enrolled` (ISO 8601 text) are always
there, and a metadata key of such a name is `metadata.subject`. Two truth values: a comparison is false where the field is
missing or of another JSON type, so `not` of it is true there. true and false are no numbers; 30 and 30.0 are one number.
"""

from mien.where.filters import (
    DEEPEST,
    All,
    AnyOf,
    Between,
    Compare,
    Exists,
    Field,
    Not,
    OneOf,
    StartsWith,
    Value,
    Where,
    kind,
)
from mien.where.text import field_of, parse, where_of

__all__ = [
    "DEEPEST",
    "All",
    "AnyOf",
    "Between",
    "Compare",
    "Exists",
    "Field",
    "Not",
    "OneOf",
    "StartsWith",
    "Value",
    "Where",
    "field_of",
    "kind",
    "parse",
    "where_of",
]

"""Filters to conditions over the table `subject` of a gallery's file.

A condition that no row could fool would need SQLite to read JSON as Python does. It does not: it cuts a text at its first
NUL, reads a real to about 15 digits and rounds whole numbers beyond 64 bits. So each filter becomes two conditions:
`possible` is true of everybody who is meant, `certain` of nobody else, and negation swaps them. Where both are the same, the
answer is exact; where not, the few rows between them are for `Where.matches` to decide.

Equality needs none of that: metadata are written by `json.dumps`, so equal values have equal JSON text, which is compared.
Nothing of a filter is in the text of the condition: values and paths are bound, and a long list is one bound value.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache

from mien.where import All, AnyOf, Between, Compare, Exists, Field, Not, OneOf, StartsWith, Value, Where, kind

LONGEST = 100_000  # characters of a condition: SQLite takes longer ones, and a time that grows with the square of them
_SURE = 2.0**-40  # relative: reals that SQLite reads farther apart than this are apart
_TINY = 1e-300
_COLUMNS = {"subject": "name", "enrolled": "enrolled"}


@dataclass(frozen=True, slots=True)
class SqlFilter:
    """Conditions over `subject (name, enrolled, metadata)`; both bind `parameters` by their names."""

    possible: str  # true of all who are meant, and perhaps of some who are not
    certain: str  # true of those only who are meant
    parameters: Mapping[str, str | int | float]

    @property
    def exact(self) -> bool:
        """Whether nobody needs a second look."""
        return self.possible == self.certain


Pair = tuple[str, str]  # possible, certain


def where_sql(where: Where) -> SqlFilter:
    """A filter as conditions. One that is too long for SQLite is possible for everybody and certain for nobody."""
    writer = _Writer()
    possible, certain = writer.of(where)
    if max(len(possible), len(certain)) > LONGEST:
        return SqlFilter("1", "0", {})
    return SqlFilter(possible, certain, writer.parameters)


class _Writer:
    """Collects what is bound."""

    def __init__(self) -> None:
        self.parameters: dict[str, str | int | float] = {}
        self._names: dict[tuple[type, str], str] = {}

    def of(self, where: Where) -> Pair:
        """The two conditions of a filter; neither is ever NULL."""
        if isinstance(where, Not):
            possible, certain = self.of(where.part)
            return f"NOT {certain}", f"NOT {possible}"
        if isinstance(where, (All, AnyOf)):
            word = " AND " if isinstance(where, All) else " OR "
            parts = _gathered(where.parts) if isinstance(where, AnyOf) else where.parts
            pairs = [self.of(part) for part in parts]
            return _balanced([one for one, _ in pairs], word), _balanced([one for _, one in pairs], word)
        field: Field = where.field  # type: ignore[attr-defined]
        if field.column:
            return self._of_column(where, _COLUMNS[field.keys[0]])
        path = _path(field.keys)
        if path is None:
            return "1", "0"
        return self._of_metadata(where, self._bound(path))

    def _bound(self, value: Value) -> str:
        """The name that stands for a value, the same for the same value."""
        key = (type(value), repr(value))
        if key not in self._names:
            self._names[key] = f"v{len(self._names)}"
            self.parameters[self._names[key]] = value
        return f":{self._names[key]}"

    # --- columns: text as it is -----------------------------------------------------------------------------------

    def _of_column(self, where: Where, column: str) -> Pair:
        if isinstance(where, Compare) and kind(where.value) == "text":
            sign = "=" if where.test == "==" else where.test
            return _both(f"({column} {sign} {self._bound(where.value)})")
        if isinstance(where, Between) and isinstance(where.low, str):
            return _both(f"({column} BETWEEN {self._bound(where.low)} AND {self._bound(where.high)})")
        if isinstance(where, StartsWith):
            if "\0" in where.prefix:
                return "1", "0"
            return _both(f"(substr({column}, 1, {len(where.prefix)}) = {self._bound(where.prefix)})")
        if isinstance(where, OneOf):
            texts = sorted({value for value in where.values if isinstance(value, str)})
            whole = [text for text in texts if "\0" not in text]
            listed = f"({column} IN (SELECT value FROM json_each({self._bound(json.dumps(whole))})))"
            cut = [f"({column} = {self._bound(text)})" for text in texts if "\0" in text]
            return _both(_balanced([listed, *cut], " OR "))
        return _both("1" if isinstance(where, Exists) else "0")

    # --- metadata: JSON -------------------------------------------------------------------------------------------

    def _of_metadata(self, where: Where, path: str) -> Pair:
        written = (
            f"json_extract(metadata, {path}, '$[0]')"  # of two paths: the JSON text [value,null], as it was written
        )
        if isinstance(where, Exists):
            return _both(f"({written} <> '[null,null]')")
        if isinstance(where, StartsWith):
            begins = (
                f"[{json.dumps(where.prefix)[:-1]}"  # each character is written by itself: a beginning is a beginning
            )
            return _both(f"(substr({written}, 1, {len(begins)}) = {self._bound(begins)})")
        if isinstance(where, OneOf):
            texts = sorted({text for value in where.values for text in _written(value)})
            return _both(f"({written} IN (SELECT value FROM json_each({self._bound(json.dumps(texts))})))")
        if isinstance(where, Between):
            pairs = self._ordered(path, ">=", where.low), self._ordered(path, "<=", where.high)
            return _balanced([one for one, _ in pairs], " AND "), _balanced([one for _, one in pairs], " AND ")
        assert isinstance(where, Compare)
        if where.test == "==":
            return _both(f"({self._same(path, where.value)})")
        if where.test == "!=":
            return _both(f"({_typed(path, where.value)} AND NOT {self._same(path, where.value)})")
        return self._ordered(path, where.test, where.value)

    def _same(self, path: str, value: Value) -> str:
        texts = ", ".join(map(self._bound, _written(value)))
        return f"json_extract(metadata, {path}, '$[0]') IN ({texts})"

    def _ordered(self, path: str, test: str, value: Value) -> Pair:
        read, typed = f"json_extract(metadata, {path})", _typed(path, value)
        if isinstance(value, str):
            possible, certain = self._ordered_text(read, path, test, value)
        else:
            possible, certain = self._ordered_number(read, path, test, value)
        return f"({typed} AND {possible})", f"({typed} AND {certain})"

    def _ordered_number(self, read: str, path: str, test: str, value: float) -> Pair:
        margin = abs(value) * _SURE + _TINY
        near, far = (value - margin, value + margin) if test[0] == ">" else (value + margin, value - margin)
        possible, certain = (f"{read} {test} {self._bound(float(limit))}" for limit in (near, far))
        same = self._same(path, value)
        if "=" in test:
            return possible, f"({certain} OR {same})"
        return f"{possible} AND NOT {same}", certain

    def _ordered_text(self, read: str, path: str, test: str, value: str) -> Pair:
        """SQLite cuts texts at their first NUL, and cutting keeps the order but for ties: whoever ties is told apart by
        the written text, which settles it unless the filter's own text was cut."""
        cut = value.split("\0")[0]
        limit = self._bound(cut)
        if cut != value:
            return f"{read} {test[0]}= {limit}", f"{read} {test[0]} {limit}"
        if test in (">=", "<"):
            return _both(f"{read} {test} {limit}")
        same = self._same(path, value)
        return _both(f"{read} >= {limit} AND NOT {same}" if test == ">" else f"({read} < {limit} OR {same})")


def _both(condition: str) -> Pair:
    return condition, condition


def _gathered(parts: Sequence[Where]) -> list[Where]:
    """The same alternatives with equalities of one field as one list: thousands of terms are slow, of values are not."""
    values: dict[Field, list[Value]] = {}
    rest: list[Where] = []
    for part in parts:
        if isinstance(part, Compare) and part.test == "==":
            values.setdefault(part.field, []).append(part.value)
        elif isinstance(part, OneOf):
            values.setdefault(part.field, []).extend(part.values)
        else:
            rest.append(part)
    return [*(OneOf(field, tuple(those)) for field, those in values.items()), *rest]


def _typed(path: str, value: Value) -> str:
    types = {"text": "'text'", "number": "'integer', 'real'", "bool": "'true', 'false'"}[kind(value)]
    return f"ifnull(json_type(metadata, {path}), '') IN ({types})"


def _written(value: Value) -> list[str]:
    """What `[value,null]` looks like for every JSON text that `json.dumps` could have written for an equal value."""
    if isinstance(value, (str, bool)):
        texts = [json.dumps(value)]
    elif value == 0:
        texts = ["0", "0.0", "-0.0"]
    else:
        texts = [str(int(value))] if int(value) == value else []
        texts += [repr(float(value))] if float(value) == value else []
    return [f"[{text},null]" for text in texts]


def _balanced(parts: Sequence[str], word: str) -> str:
    """Joined in pairs of pairs: SQLite takes expressions a thousand deep, and a plain row of terms is as deep as it is long."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return f"({_balanced(parts[:middle], word)}{word}{_balanced(parts[middle:], word)})"


@lru_cache(maxsize=4096)
def _path(keys: tuple[str, ...]) -> str | None:
    """The path of SQLite to a field; None where this SQLite has none, as for keys with quotes.

    Which paths it understands, and whether it reads JSON at all, differs between versions: each is tried once."""
    path = "$" + "".join(f'."{json.dumps(key)[1:-1]}"' for key in keys)
    example: object = "\u00e9"
    for key in reversed(keys):
        example = {key: example}
    try:
        with closing(sqlite3.connect(":memory:")) as db:
            tried = "SELECT json_extract(?1, ?2, '$[0]'), json_type(?1, ?2)"
            found = db.execute(tried, (json.dumps(example), path)).fetchone()
    except sqlite3.Error:
        return None
    return path if found == ('["\\u00e9",null]', "text") else None

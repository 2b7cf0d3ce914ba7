"""Filters to boolean expressions of Milvus (2.3 on) over VARCHAR fields `subject` and `enrolled` and a JSON field `metadata`.

An expression is true of everybody who is meant, and perhaps of others: `exact` says whether it is of nobody else. Over the two
text fields it is exact. Over JSON it never claims to be: servers differ in what they make of a missing key, a null or another
type (two values or three, true or 1), so whatever is found by it has to pass `Where.matches` as well. Where a server could
miss somebody, the expression says less, down to `WITHOUT`, which is true of all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mien.where import All, AnyOf, Between, Compare, Exists, Field, Not, OneOf, StartsWith, Value, Where, kind

WITHOUT = 'subject != ""'  # everybody: a subject has a name
NOBODY = 'subject == ""'
LONGEST = 500_000  # characters of an expression
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ -]*")  # keys that every server reads as they are
_ROUNDED = 2**53  # from here on a server may compare numbers as doubles
_NEGATED = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


@dataclass(frozen=True, slots=True)
class MilvusFilter:
    """text: an expression that is true of all who are meant. exact: and of nobody else."""

    text: str
    exact: bool


def where_milvus(where: Where) -> MilvusFilter:
    """A filter as an expression. One that is too long leaves the choice to the second look."""
    text, exact = _of(where, True)
    return MilvusFilter(text, exact) if len(text) <= LONGEST else MilvusFilter(WITHOUT, False)


_Expression = tuple[str, bool]


def _of(where: Where, wanted: bool) -> _Expression:
    """What is true of all of whom the filter is `wanted`: negations go down to single tests, where each server keeps them."""
    if isinstance(where, Not):
        return _of(where.part, not wanted)
    if isinstance(where, (All, AnyOf)):
        return _joined([_of(part, wanted) for part in where.parts], isinstance(where, All) is wanted)
    field: Field = where.field  # type: ignore[attr-defined]
    if field.column:
        return _of_column(where, field.keys[0], wanted)
    if not all(_KEY.fullmatch(key) for key in field.keys):
        return WITHOUT, False
    name = "metadata" + "".join(f'["{key}"]' for key in field.keys)
    return (_of_json if wanted else _of_no_json)(where, name) or WITHOUT, False


def _joined(parts: Sequence[_Expression], all_of: bool) -> _Expression:
    """The parts without those that change nothing; `WITHOUT` and `NOBODY` swallow what they must."""
    swallows, idle = (NOBODY, WITHOUT) if all_of else (WITHOUT, NOBODY)
    exact = all(one for _, one in parts)
    texts = list(dict.fromkeys(text for text, _ in parts if text != idle))
    if swallows in texts:
        return swallows, exact
    return _balanced(texts, " and " if all_of else " or ") if texts else idle, exact


def _balanced(texts: Sequence[str], word: str) -> str:
    """In pairs of pairs: a plain row of ten thousand is too deep for a server's parser."""
    if len(texts) == 1:
        return texts[0]
    middle = len(texts) // 2
    return f"({_balanced(texts[:middle], word)}{word}{_balanced(texts[middle:], word)})"


# --- text fields: every row has a value, so negation is what it says ------------------------------------------------


def _of_column(where: Where, name: str, wanted: bool) -> _Expression:
    if isinstance(where, Exists) or (isinstance(where, Compare) and not isinstance(where.value, str)):
        return (WITHOUT if isinstance(where, Exists) is wanted else NOBODY), True
    if isinstance(where, OneOf):
        return _among(name, where, wanted)
    if isinstance(where, Between):
        ends = Compare(where.field, ">=", where.low), Compare(where.field, "<=", where.high)
        return _of(All(ends), wanted) if isinstance(where.low, str) else ((NOBODY if wanted else WITHOUT), True)
    if isinstance(where, StartsWith):
        return _begins(name, where.prefix, wanted)
    assert isinstance(where, Compare)
    text = _text(str(where.value))
    test = where.test if wanted else _NEGATED[where.test]
    return (WITHOUT, False) if text is None else (f"{name} {test} {text}", True)


def _among(name: str, where: OneOf, wanted: bool) -> _Expression:
    values = sorted({value for value in where.values if isinstance(value, str)})
    if not values:
        return (NOBODY if wanted else WITHOUT), True
    texts = [_text(value) for value in values]
    known = [text for text in texts if text is not None]
    # Without one that cannot be written, a list misses somebody, and its negation only lets somebody pass.
    if len(known) < len(texts) and (wanted or not known):
        return WITHOUT, False
    return f"{name} {'in' if wanted else 'not in'} [{', '.join(known)}]", len(known) == len(texts)


def _begins(name: str, prefix: str, wanted: bool) -> _Expression:
    """From the prefix up to the next text that does not begin so: `like` has characters of its own."""
    if not prefix:
        return (WITHOUT if wanted else NOBODY), True
    low, high = _text(prefix), _text(_after(prefix))
    if low is None or high is None:
        return (f"{name} >= {low}" if wanted and low else WITHOUT), False
    return (f"({name} >= {low} and {name} < {high})" if wanted else f"({name} < {low} or {name} >= {high})"), True


def _after(prefix: str) -> str:
    """The least text beyond all that begin with `prefix`, by code points; for none "\\0", which cannot be written."""
    last = ord(prefix[-1])
    following = 0xE000 if last == 0xD7FF else last + 1
    return prefix[:-1] + chr(following) if following < 0x110000 else "\0"


# --- JSON -----------------------------------------------------------------------------------------------------------


def _of_json(where: Where, name: str) -> str | None:
    """True of all whom the test is true of; None: nothing can be said."""
    if isinstance(where, Exists):
        return f"(exists {name})"
    if isinstance(where, OneOf):
        return _any_of([_equal(name, value) for value in where.values])
    if isinstance(where, Between):
        ends = _ordered(name, ">=", where.low), _ordered(name, "<=", where.high)
        kept = [one for one in ends if one is not None]
        return _balanced(kept, " and ") if kept else None
    if isinstance(where, StartsWith):
        low, high = _text(where.prefix), _text(_after(where.prefix)) if where.prefix else None
        ends = (f"{name} >= {low}" if low else None), (f"{name} < {high}" if high else None)
        kept = [one for one in ends if one is not None]
        return _balanced(kept, " and ") if kept else None
    assert isinstance(where, Compare)
    if where.test == "==":
        return _equal(name, where.value)
    if where.test != "!=":
        return _ordered(name, where.test, where.value)
    if isinstance(where.value, bool):
        return _equal(name, not where.value)
    return _any_of([_ordered(name, "<", where.value), _ordered(name, ">", where.value)])


def _of_no_json(where: Where, name: str) -> str | None:
    """True of all whom the test is *not* true of: those without the field or with another type among them.

    Only equality can be said so. For an order, a server of three values answers "unknown" about a text or a list."""
    if isinstance(where, OneOf):
        each = [_of_no_json(Compare(where.field, "==", value), name) for value in where.values]
        kept = [one for one in each if one is not None]
        return _balanced(kept, " and ") if kept else None
    if not isinstance(where, Compare) or where.test != "==":
        return None
    value = _literal(where.value)
    if value is None or (kind(where.value) == "number" and abs(where.value) >= _ROUNDED):  # type: ignore[arg-type]
        return None
    others = [f"not (exists {name})", f"{name} != {value}"]
    if isinstance(where.value, bool):  # a server that takes true for 1 must not lose who has 1
        others += [f"{name} >= 0", f"{name} < 0"]
    elif where.value in (0, 1):
        others += [f"{name} == true", f"{name} == false"]
    return _balanced(others, " or ")


def _any_of(parts: Sequence[str | None]) -> str | None:
    kept = [one for one in parts if one is not None]
    if len(kept) < len(parts):
        return None
    return _balanced(kept, " or ") if kept else NOBODY


def _equal(name: str, value: Value) -> str | None:
    literal = _literal(value)
    return None if literal is None else f"{name} == {literal}"


def _ordered(name: str, test: str, value: Value) -> str | None:
    literal = _literal(value)
    if literal is None:
        return None
    rounded = not isinstance(value, str) and abs(value) >= _ROUNDED
    return f"{name} {test[0]}= {literal}" if rounded else f"{name} {test} {literal}"


def _literal(value: Value) -> str | None:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    written = repr(value)
    return written if "e" not in written or "." in written else written.replace("e", ".0e")


def _text(value: str) -> str | None:
    """In quotes; None for what some server would read otherwise than it was meant."""
    if not all(one.isprintable() for one in value):
        return None
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

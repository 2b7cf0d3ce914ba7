"""The filters, and what each means: `Where.matches` is the reference that every store is held to."""

from __future__ import annotations

import dataclasses
import math
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mien.errors import UsageError

Value = str | int | float | bool
DEEPEST = 64  # filters within filters
LARGEST = 2**63 - 1  # of a whole number, either way from zero: what every store can hold
COLUMNS = ("subject", "enrolled")
KEYWORDS = frozenset(("and", "or", "not", "in", "between", "exists", "starts", "with", "true", "false", "null"))

_WORD = re.compile(r"[^\W\d][\w-]*")
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda one, other: bool(one == other),
    "!=": lambda one, other: bool(one != other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}
_MISSING = object()


def kind(value: Any) -> str:
    """The JSON type of a value: text, number, bool, or "" for what no comparison takes."""
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "bool"
    return "number" if isinstance(value, (int, float)) else ""


@dataclass(frozen=True, slots=True)
class Field:
    """What is compared: a path of keys into the metadata, or one of `COLUMNS`."""

    keys: tuple[str, ...]
    column: bool = False  # keys[0] is one of COLUMNS, not a key of the metadata

    def __post_init__(self) -> None:
        if not self.keys or len(self.keys) > DEEPEST:
            raise UsageError(f"A field of a filter is a path of 1 to {DEEPEST} keys, not {len(self.keys)}.")
        if self.column and (len(self.keys) > 1 or self.keys[0] not in COLUMNS):
            raise UsageError(f"There is no column {'.'.join(self.keys)!r}.", "Use subject or enrolled.")
        for key in self.keys:
            _checked(key)

    def of(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> Any:
        """The field's value for one person; a value that equals nothing where it is missing."""
        if self.column:
            return subject if self.keys[0] == "subject" else enrolled
        found: Any = metadata
        for key in self.keys:
            if not isinstance(found, Mapping) or key not in found:
                return _MISSING
            found = found[key]
        return found

    def __str__(self) -> str:
        first, *rest = self.keys
        if not (self.column or _plain(first)) or (not self.column and first in (*COLUMNS, "metadata")):
            first, rest = "metadata", list(self.keys)
        return first + "".join(f".{key}" if _plain(key) else f"[{_quoted(key)}]" for key in rest)


@dataclass(frozen=True, slots=True)
class Where(ABC):
    """A filter. `&`, `|` and `~` combine filters; `str` writes one that `parse` reads back."""

    @abstractmethod
    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        """Whether a person is meant. metadata: as read from JSON."""

    @property
    def depth(self) -> int:
        """How many filters stand within each other here, at most."""
        return 1

    def told(self, people: int, everybody: int) -> str:
        """Who was sought among, in words for a decision."""
        text = str(self)
        return f"sought among {people:,} of {everybody:,} people: where {text[:100]}{'…' if len(text) > 100 else ''}"

    def __and__(self, other: Where) -> Where:
        return All((*_parts(self, All), *_parts(other, All)))

    def __or__(self, other: Where) -> Where:
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    def __invert__(self) -> Where:
        return Not(self)


@dataclass(frozen=True, slots=True)
class Compare(Where):
    """A field against a value: ==, !=, <, <=, >, >=. Text is ordered by code points."""

    field: Field
    test: str
    value: Value

    def __post_init__(self) -> None:
        if self.test not in _TESTS:
            raise UsageError(f"There is no comparison {self.test!r} in filters.", "Use == != < <= > >=.")
        object.__setattr__(self, "value", _of_field(self.field, self.value))
        if self.test[0] in "<>" and kind(self.value) == "bool":
            raise UsageError(f"In a filter, {self.field} is ordered against {_literal(self.value)}.", "Use == or !=.")

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        found = self.field.of(subject, metadata, enrolled)
        return kind(found) == kind(self.value) and _TESTS[self.test](found, self.value)

    def __str__(self) -> str:
        if self.value is True and self.test == "==" and not self.field.column:
            return str(self.field)
        return f"{self.field} {'=' if self.test == '==' else self.test} {_literal(self.value)}"


@dataclass(frozen=True, slots=True)
class OneOf(Where):
    """A field equal to one of several values, thousands if need be; of none: nobody."""

    field: Field
    values: tuple[Value, ...]
    _texts: frozenset[str] = dataclasses.field(init=False, repr=False, compare=False)
    _numbers: frozenset[float] = dataclasses.field(init=False, repr=False, compare=False)
    _bools: frozenset[bool] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        values = tuple(_of_field(self.field, value) for value in self.values)
        object.__setattr__(self, "values", values)
        for slot, wanted in (("_texts", "text"), ("_numbers", "number"), ("_bools", "bool")):
            object.__setattr__(self, slot, frozenset(value for value in values if kind(value) == wanted))

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        found = self.field.of(subject, metadata, enrolled)
        among = {"text": self._texts, "number": self._numbers, "bool": self._bools}.get(kind(found))
        return among is not None and found in among

    def __str__(self) -> str:
        return f"{self.field} in ({', '.join(map(_literal, self.values))})"


@dataclass(frozen=True, slots=True)
class Between(Where):
    """A field from `low` to `high`, both included: two numbers or two texts."""

    field: Field
    low: Value
    high: Value

    def __post_init__(self) -> None:
        for bound in ("low", "high"):
            object.__setattr__(self, bound, _of_field(self.field, getattr(self, bound)))
        shown = f"between {_literal(self.low)} and {_literal(self.high)}"
        if kind(self.low) != kind(self.high) or kind(self.low) == "bool":
            raise UsageError(f"A filter has {self.field} {shown}.", "Give two numbers or two texts.")
        if self.low > self.high:  # type: ignore[operator]
            raise UsageError(f"A filter has {self.field} {shown}, where nothing is.", "Give the lower bound first.")

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        found = self.field.of(subject, metadata, enrolled)
        return kind(found) == kind(self.low) and self.low <= found <= self.high

    def __str__(self) -> str:
        return f"{self.field} between {_literal(self.low)} and {_literal(self.high)}"


@dataclass(frozen=True, slots=True)
class StartsWith(Where):
    """A field whose text begins so."""

    field: Field
    prefix: str

    def __post_init__(self) -> None:
        if not isinstance(self.prefix, str):
            raise UsageError(f"A filter has {self.field} start with something that is no text.", "Put it in quotes.")
        object.__setattr__(self, "prefix", _of_field(self.field, self.prefix))

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        found = self.field.of(subject, metadata, enrolled)
        return isinstance(found, str) and found.startswith(self.prefix)

    def __str__(self) -> str:
        return f"{self.field} starts with {_literal(self.prefix)}"


@dataclass(frozen=True, slots=True)
class Exists(Where):
    """A field that is there and not null."""

    field: Field

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        found = self.field.of(subject, metadata, enrolled)
        return found is not _MISSING and found is not None

    def __str__(self) -> str:
        return f"exists {self.field}"


@dataclass(frozen=True, slots=True)
class _Several(Where):
    """Filters side by side, one at least."""

    parts: tuple[Where, ...]
    _depth: int = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.parts:
            raise UsageError("A filter joins no filters at all.", "Leave it out.")
        object.__setattr__(self, "_depth", _deeper(self.parts))

    @property
    def depth(self) -> int:
        return self._depth

    def _joined(self, word: str) -> str:
        return f" {word} ".join(f"({part})" if isinstance(part, _Several) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class All(_Several):
    """Every part holds."""

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        return all(part.matches(subject, metadata, enrolled) for part in self.parts)

    def __str__(self) -> str:
        return self._joined("and")


@dataclass(frozen=True, slots=True)
class AnyOf(_Several):
    """One part holds, at least."""

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        return any(part.matches(subject, metadata, enrolled) for part in self.parts)

    def __str__(self) -> str:
        return self._joined("or")


@dataclass(frozen=True, slots=True)
class Not(Where):
    """The part does not hold."""

    part: Where
    _depth: int = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_depth", _deeper((self.part,)))

    @property
    def depth(self) -> int:
        return self._depth

    def matches(self, subject: str, metadata: Mapping[str, Any], enrolled: str) -> bool:
        return not self.part.matches(subject, metadata, enrolled)

    def __str__(self) -> str:
        return f"not ({self.part})" if isinstance(self.part, _Several) else f"not {self.part}"


def _parts(of: Where, joint: type[_Several]) -> tuple[Where, ...]:
    return of.parts if isinstance(of, joint) else (of,)


def _deeper(parts: Iterable[Where]) -> int:
    """One more than the deepest part; refused where following it could exhaust a stack, ours or a store's."""
    depth = 0
    for part in parts:
        if not isinstance(part, Where):
            raise UsageError(f"A filter joins filters, not {type(part).__name__}.", "Make it with mien.where.parse.")
        depth = max(depth, part.depth)
    if depth >= DEEPEST:
        raise UsageError(f"A filter is nested more than {DEEPEST} deep.", "Write it flatter.")
    return depth + 1


def _of_field(of: Field, value: Any) -> Any:
    """A value that every store can compare with; a name is spelt as galleries spell names. Raises UsageError."""
    if not isinstance(of, Field):
        raise UsageError(f"A filter compares a field, not {type(of).__name__}.", "Make it with mien.where.field_of.")
    if not kind(value):
        named = "null" if value is None else type(value).__name__
        raise UsageError(
            f"A filter compares {of} with {named}.", f"Use text, a number, true or false; or: not exists {of}."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"A filter compares {of} with {value}.", "Use a finite number.")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise UsageError(f"A filter compares {of} with a whole number beyond {LARGEST}.", "Keep such numbers as text.")
    if not isinstance(value, str):
        return value
    _checked(value)
    return unicodedata.normalize("NFC", value) if of == Field(("subject",), True) else value


def _checked(text: str) -> None:
    """Refuse half characters: no store keeps them, and two of them could make one whole."""
    if not isinstance(text, str):
        raise UsageError(f"A field of a filter has a key that is {type(text).__name__}.", "Keys are text.")
    for place, character in enumerate(text):
        if 0xD800 <= ord(character) <= 0xDFFF:
            raise UsageError(f"A text in a filter has half a character (U+{ord(character):04X}) at {place}.")


def _plain(key: str) -> bool:
    return bool(_WORD.fullmatch(key)) and key.lower() not in KEYWORDS


def _literal(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value)
    return repr(value).lower()  # True is written true


def _quoted(text: str) -> str:
    """In single quotes, on one line: what has no shape is written by its number."""
    shown = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "'" + "".join(shown.get(one) or (one if one.isprintable() else _numbered(one)) for one in text) + "'"


def _numbered(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\u{{{code:x}}}"

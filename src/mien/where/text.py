"""Filters as people write them.

    filter: test | not filter | filter and filter | filter or filter | ( filter )
    test:   field                                        (is true)
            field = value            also == != <> < <= > >=
            field [not] in (value, …)
            field [not] between value and value
            field [not] starts with 'text'
            exists field
    field:  subject | enrolled | key | key.key | key['any key'] | metadata.key | metadata['any key']
    value:  'text' | "text" | 30 | -1.5e3 | true | false

`and` binds tighter than `or`, `not` tightest. Words of the language may be written in capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn, TypeVar

from mien.errors import UsageError
from mien.where.filters import (
    COLUMNS,
    DEEPEST,
    KEYWORDS,
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
)

LONGEST = 2**23  # characters; 100,000 names fit
_EXAMPLE = "Write for instance: site = 'berlin' and age >= 30 and not blocked."
_TOKEN = re.compile(
    r"""(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    | (?P<word>[^\W\d][\w-]*)
    | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<sign>==|!=|<>|<=|>=|[=<>(),.\[\]])
    | (?P<other>\S)""",
    re.VERBOSE | re.DOTALL,
)
_SIGNS = {"=": "==", "<>": "!="} | {sign: sign for sign in ("==", "!=", "<", "<=", ">", ">=")}
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_SHAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"} | {one: one for one in "\\'\"/"}
Made = TypeVar("Made")


class Token(NamedTuple):
    """One word, sign, number or text, and where it begins."""

    kind: str  # a group of _TOKEN, or "end"
    text: str
    start: int

    @property
    def keyword(self) -> str:
        """The word of the language that this is, or ""."""
        word = self.text.lower()
        return word if self.kind == "word" and word in KEYWORDS else ""


def parse(text: str) -> Where:
    """A filter from its text form (see ``docs/guides/filters.md``). Raises UsageError that names the place."""
    return Parser(text).filter()


def where_of(given: Where | str | None) -> Where | None:
    """A filter that was given as such or as text. Raises UsageError."""
    return parse(given) if isinstance(given, str) else given


def field_of(name: str) -> Field:
    """A field from its text form: ``site``, ``address.city``, ``subject``, ``metadata['home town']``. Raises UsageError."""
    return Parser(name).lone_field()


class Parser:
    """Reads one text once."""

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise UsageError(f"A filter is text, not {type(text).__name__}.", _EXAMPLE)
        if len(text) > LONGEST:
            raise UsageError(f"A filter of {len(text):,} characters is too long.", f"{LONGEST:,} is the most.")
        self._text = text
        self._tokens = [Token(str(one.lastgroup), one.group(), one.start()) for one in _TOKEN.finditer(text)]
        self._tokens.append(Token("end", "", len(text)))
        self._next = 0
        self._open = 0  # brackets

    def filter(self) -> Where:
        """The whole text as one filter."""
        found = self._any()
        if self._ahead.kind != "end":
            self._fail("and, or, or the end")
        return found

    def lone_field(self) -> Field:
        """The whole text as one field."""
        found = self._field()
        if self._ahead.kind != "end":
            self._fail("the end of the field")
        return found

    def _any(self) -> Where:
        return self._joined("or", self._all, AnyOf)

    def _all(self) -> Where:
        return self._joined("and", self._not, All)

    def _joined(self, word: str, part: Callable[[], Where], joint: type[All] | type[AnyOf]) -> Where:
        start, parts = self._ahead.start, [part()]
        while self._took(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else self._made(start, joint, tuple(parts))

    def _not(self) -> Where:
        start, negations = self._ahead.start, 0
        while self._took("not"):
            negations += 1
        found = self._test()
        for _ in range(negations):
            found = self._made(start, Not, found)
        return found

    def _test(self) -> Where:
        start = self._ahead.start
        if self._took("("):
            self._open += 1
            if self._open > DEEPEST:
                raise UsageError(f"{self._place(start)}: brackets are more than {DEEPEST} deep.", "Write it flatter.")
            found = self._any()
            self._want(")", "and, or, or a closing bracket")
            self._open -= 1
            return found
        if self._took("exists"):
            return Exists(self._field())
        field, token = self._field(), self._ahead
        if token.text in _SIGNS:
            self._next += 1
            return self._made(start, Compare, field, _SIGNS[token.text], self._value())
        negated = self._took("not")
        test = self._word_test(start, field, negated)
        return self._made(start, Not, test) if negated else test

    def _word_test(self, start: int, field: Field, negated: bool) -> Where:
        if self._took("in"):
            return self._made(start, OneOf, field, self._list())
        if self._took("between"):
            low = self._value()
            self._want("and", "and with the upper bound")
            return self._made(start, Between, field, low, self._value())
        if self._took("starts"):
            self._want("with", "with (as in: starts with)")
            return self._made(start, StartsWith, field, self._value())
        other = self._ahead.kind not in ("end", "sign") and not self._ahead.keyword
        if negated or other:
            self._fail("a comparison such as =, <, in, between or starts with")
        return self._made(start, Compare, field, "==", True)

    def _list(self) -> tuple[Value, ...]:
        self._want("(", "a list of values in round brackets")
        values: list[Value] = []
        if not self._took(")"):
            values.append(self._value())
            while self._took(","):
                values.append(self._value())
            self._want(")", "a comma or a closing bracket")
        return tuple(values)

    def _field(self) -> Field:
        start, first = self._ahead.start, self._ahead
        if first.kind != "word" or first.keyword:
            self._fail("a field")
        self._next += 1
        keys = [first.text]
        while self._ahead.text in (".", "["):
            if self._took("."):
                if self._ahead.kind != "word" or self._ahead.keyword:
                    self._fail("a key; other keys are written like ['this one']")
                keys.append(self._took_any().text)
            else:
                self._took("[")
                if self._ahead.kind != "text":
                    self._fail("a key in quotes")
                keys.append(self._unquoted(self._took_any()))
                self._want("]", "a closing square bracket")
        if keys[0] == "metadata":
            if len(keys) == 1:
                self._fail("the key that is meant, such as metadata.site")
            return self._made(start, Field, tuple(keys[1:]))
        return self._made(start, Field, tuple(keys), len(keys) == 1 and keys[0] in COLUMNS)

    def _value(self) -> Value:
        token = self._ahead
        if token.kind == "text":
            return self._unquoted(self._took_any())
        if token.kind == "number":
            self._next += 1
            if token.text.lstrip("-").isdigit():
                return int(token.text[:40])  # of more digits it is too large as well
            return float(token.text)
        if token.keyword in ("true", "false"):
            return self._took_any().keyword == "true"
        if token.keyword == "null":
            self._fail("a value; instead of a comparison with null write: not exists …")
        return self._fail("a value: text in quotes, a number, true or false")

    def _unquoted(self, token: Token) -> str:
        def shape(found: re.Match[str]) -> str:
            wide, narrow, plain = found.groups()
            if wide or narrow:
                code = int(wide or narrow, 16)
                return chr(code) if code < 0x110000 else self._escape_fails(token, found)
            return _SHAPES.get(plain) or self._escape_fails(token, found)

        text = _ESCAPE.sub(shape, token.text[1:-1])
        if any("\ud800" <= one <= "\udfff" for one in text):  # two escapes may be the halves of one character
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return text

    def _escape_fails(self, token: Token, found: re.Match[str]) -> NoReturn:
        place = self._place(token.start + 1 + found.start())
        raise UsageError(f"{place}: no character is written {found.group()!r}.", "Write a backslash as two.")

    @property
    def _ahead(self) -> Token:
        return self._tokens[self._next]

    def _took_any(self) -> Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _took(self, wanted: str) -> bool:
        """Step over a sign or a word of the language if it is what comes next."""
        token = self._ahead
        if token.keyword == wanted or (token.kind == "sign" and token.text == wanted):
            self._next += 1
            return True
        return False

    def _want(self, wanted: str, words: str) -> None:
        if not self._took(wanted):
            self._fail(words)

    def _made(self, start: int, build: Callable[..., Made], *parts: Any) -> Made:
        """A filter or field; what it refuses is told with its place."""
        try:
            return build(*parts)
        except UsageError as error:
            raise UsageError(f"{self._place(start)}: {error.message}", error.remedy) from error

    def _fail(self, wanted: str) -> NoReturn:
        raise UsageError(f"{self._place(self._ahead.start)}: wanted is {wanted}.", _EXAMPLE)

    def _place(self, start: int) -> str:
        rest = self._text[start : start + 24].strip()
        cut = "…" if len(self._text) > start + 24 else ""
        return f"The filter fails at character {start + 1}, {rest + cut!r}" if rest else "The filter fails at its end"

"""Filters as expressions of Milvus: true of everybody who is meant, whichever of the servers' logics reads them."""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.gallery.names import metadata_text
from mien.gallery.where_milvus import WITHOUT, where_milvus
from mien.where import All, AnyOf, Between, Compare, Exists, Field, Not, OneOf, StartsWith, Where, parse

Row = Mapping[str, Any]
KEYS = ("a", "b", "home town", "é", 'quo"te', "x]y", "'; --", "")
SOME = (
    "",
    "berlin",
    "ber",
    "é",
    "\U0001f600",
    "\U0010ffff",
    "\ud7ff",
    "~",
    "'",
    '"',
    "\\",
    '"] or true or ["',
    "%",
    "1",
    "\n",
    "a\x00",
)
TEXTS = st.sampled_from(SOME) | st.text(st.characters(exclude_categories=["Cs"]), max_size=2)
EDGES = (0, 1, -1, 30, 2**53, 2**53 + 1, 2**63 - 1, 0.0, 1.0, 0.1 + 0.2, 0.3, 1e16, 1e-7)
NUMBERS = st.sampled_from(EDGES) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = TEXTS | NUMBERS | st.booleans()
JSON = VALUES | st.none() | st.just([1]) | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=2)
COLUMNS = [Field(("subject",), True), Field(("enrolled",), True)]
FIELDS = st.one_of(
    st.just(Field(("a",))),
    st.sampled_from(COLUMNS),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=2).map(tuple).map(Field),
)
BOUNDS = st.tuples(NUMBERS, NUMBERS) | st.tuples(TEXTS, TEXTS)


def filters(fields: st.SearchStrategy[Field]) -> st.SearchStrategy[Where]:
    tests = st.one_of(
        st.builds(Compare, fields, st.sampled_from(["==", "!="]), VALUES),
        st.builds(Compare, fields, st.sampled_from(["<", "<=", ">", ">="]), TEXTS | NUMBERS),
        st.builds(OneOf, fields, st.lists(VALUES, max_size=3).map(tuple)),
        st.tuples(fields, BOUNDS).map(lambda one: Between(one[0], min(one[1]), max(one[1]))),
        st.builds(StartsWith, fields, TEXTS),
        st.builds(Exists, fields),
    )
    return st.recursive(
        tests,
        lambda inner: st.one_of(
            st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
            st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
            st.builds(Not, inner),
        ),
        max_leaves=4,
    )


PERSON = st.builds(
    lambda subject, metadata, enrolled: {"subject": subject, "metadata": metadata, "enrolled": enrolled},
    st.sampled_from(["ana", "bo", "é", "\U0001f600", "~", "berlin"]),
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4).map(lambda one: json.loads(metadata_text(one))),
    st.sampled_from(["2026-05-01T08:00:00+00:00", "2025", "ber"]),
)
ORDER = dict(
    zip(
        (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE),
        (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge),
        strict=True,
    )
)


class Oracle(ast.NodeVisitor):
    """Reads an expression, whose grammar is Python's but for `exists`, as one of two kinds of server does.

    two-valued (2.3): what is missing, null or of another type is false, and with != true; a null exists; large numbers are
    doubles. three-valued (milvus-lite): what cannot be compared is unknown, a null does not exist, true is 1."""

    def __init__(self, row: Row, three: bool) -> None:
        self.row, self.three = row, three

    def visit_Expression(self, node: ast.Expression) -> bool:
        return self.visit(node.body) is True

    def visit_BoolOp(self, node: ast.BoolOp) -> bool | None:
        values = [self.visit(one) for one in node.values]
        decides = isinstance(node.op, ast.Or)
        return decides if decides in values else None if None in values else not decides

    def visit_UnaryOp(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.USub):
            return -self.visit(node.operand)
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Invert):
            return value is not ... and not (self.three and value is None)
        return None if value is None else not value

    def visit_Compare(self, node: ast.Compare) -> bool | None:
        one, other, test = self.visit(node.left), self.visit(node.comparators[0]), node.ops[0]
        if isinstance(test, (ast.In, ast.NotIn)):
            return (one in other) is isinstance(test, ast.In)
        unlike = type(test) is ast.NotEq
        if self.three:
            try:
                return None if one in (..., None) else bool(ORDER[type(test)](one, other))
            except TypeError:
                return None
        number = (int, float)
        kinds = [bool if isinstance(x, bool) else float if isinstance(x, number) else type(x) for x in (one, other)]
        if kinds[0] is not kinds[1] or kinds[0] in (list, dict, type(None), type(...)):
            return unlike
        rounded = [float(x) if kinds[0] is float and abs(x) >= 2**53 else x for x in (one, other)]
        return bool(ORDER[type(test)](*rounded))

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        found = self.visit(node.value)
        return found.get(self.visit(node.slice), ...) if isinstance(found, dict) else ...

    def visit_Name(self, node: ast.Name) -> Any:
        return {"true": True, "false": False}[node.id] if node.id in ("true", "false") else self.row[node.id]

    def visit_List(self, node: ast.List) -> list[Any]:
        return [self.visit(one) for one in node.elts]

    def visit_Constant(self, node: ast.Constant) -> Any:
        return node.value

    def generic_visit(self, node: ast.AST) -> Any:
        raise AssertionError(f"{type(node).__name__} is no part of an expression")


def read(text: str) -> ast.Expression:
    pieces = re.split(r'("(?:[^"\\]|\\.)*")', text)
    return ast.parse(
        "".join(one if one.startswith('"') else one.replace("exists ", "~") for one in pieces), mode="eval"
    )


def means(where: Where, row: Row) -> bool:
    return where.matches(row["subject"], row["metadata"], row["enrolled"])


@pytest.mark.parametrize("three", [False, True], ids=["two-valued", "three-valued"])
@settings(max_examples=150, deadline=None)
@given(where=filters(FIELDS), row=PERSON)
def test_nobody_who_is_meant_is_missed(three: bool, where: Where, row: Row) -> None:
    found = where_milvus(where)
    answer = Oracle(row, three).visit(read(found.text))
    assert answer or not means(where, row)
    assert not found.exact or answer == means(where, row)


@settings(max_examples=80, deadline=None)
@given(where=filters(st.sampled_from(COLUMNS)), row=PERSON)
def test_over_text_fields_it_keeps_what_it_claims(where: Where, row: Row) -> None:
    found = where_milvus(where)
    assert not found.exact or Oracle(row, False).visit(read(found.text)) == means(where, row)


@settings(max_examples=80, deadline=None)
@given(where=filters(FIELDS), row=PERSON)
def test_as_milvus_lite_reads_it(where: Where, row: Row) -> None:
    pytest.importorskip("milvus_lite", reason="milvus-lite is absent")
    from milvus_lite.search.filter.eval.python_backend import _eval_row
    from milvus_lite.search.filter.parser import Parser, tokenize

    text = where_milvus(where).text
    answer = _eval_row(Parser(tokenize(text), text).parse(), dict(row)) is True
    assert answer or not means(where, row)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("site = 'berlin'", 'metadata["site"] == "berlin"'),
        ("subject = 'ana' and age >= 30", '(subject == "ana" and metadata["age"] >= 30)'),
        ("not blocked", None),
        (
            "address.city in ('bern', 'basel')",
            '(metadata["address"]["city"] == "bern" or metadata["address"]["city"] == "basel")',
        ),
        ("subject not in ('ana', 'bo')", 'subject not in ["ana", "bo"]'),
        ("subject starts with 'an'", '(subject >= "an" and subject < "ao")'),
        ("site != 'x'", '(metadata["site"] < "x" or metadata["site"] > "x")'),
        ("not age >= 30", WITHOUT),
        ("not age >= 30 and site = 'x'", 'metadata["site"] == "x"'),
        ("metadata['quo\"te'] = 1", WITHOUT),
        ("a >= 9007199254740993", 'metadata["a"] >= 9007199254740993'),
        ("a > 9007199254740993", 'metadata["a"] >= 9007199254740993'),
        ("a = 1e16", 'metadata["a"] == 1.0e+16'),
    ],
)
def test_how_it_is_written(text: str, wanted: str | None) -> None:
    found = where_milvus(parse(text))
    if wanted is not None:
        assert found.text == wanted
    assert found.exact is ("metadata" not in found.text and found.text != WITHOUT)


def test_filters_of_everyday_choose() -> None:
    """Not by letting everybody pass."""
    blocked = {"subject": "ana", "enrolled": "", "metadata": {"blocked": True, "site": "x"}}
    for text in ("not blocked", "not site = 'x'", "site not in ('x', 'y')", "not (site = 'x' or blocked)"):
        for three in (False, True):
            assert Oracle(blocked, three).visit(read(where_milvus(parse(text)).text)) is (
                three and text == "not blocked"
            )


def test_long_ones() -> None:
    names = OneOf(COLUMNS[0], tuple(f"person {number}'s" for number in range(10_000)))
    found = where_milvus(names)
    assert found.exact and Oracle({"subject": "person 77's"}, False).visit(read(found.text))
    terms = where_milvus(parse(" or ".join(f"age >= {number}" for number in range(10_000))))
    assert Oracle({"metadata": {"age": 5}}, False).visit(read(terms.text))
    assert where_milvus(parse(" or ".join(f"a{number} = 'x'" for number in range(50_000)))).text == WITHOUT

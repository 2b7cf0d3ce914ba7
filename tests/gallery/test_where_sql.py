"""Filters as SQL: true of everybody who is meant, certain of nobody else, and proof against whatever is in them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mien.gallery import EmbeddedGallery
from mien.gallery.names import metadata_text
from mien.gallery.where_sql import where_sql
from mien.types import Sample, Template
from mien.where import All, AnyOf, Between, Compare, Exists, Field, Not, OneOf, StartsWith, Where, parse

Row = tuple[str, Mapping[str, Any], str]
KEYS = (
    "a",
    "b",
    "é",
    "home town",
    "x.y",
    'quo"te',
    "back\\slash",
    "",
    "'; DROP TABLE subject; --",
    "nul\x00",
    "$",
    "[0]",
    "名",
)
WHOLE = st.characters(exclude_categories=["Cs"])
ANY = st.characters()  # metadata may hold half characters
SOME = (
    "",
    "berlin",
    "ber",
    "berlin\x00",
    "berlin\x00x",
    "é",
    "\U0001f600",
    "\\u0000",
    "'",
    '"',
    "1",
    "true",
    "null",
    "[1]",
    "%",
)
TEXTS = st.sampled_from(SOME) | st.text(WHOLE, max_size=3)
EDGES = (
    0,
    1,
    -1,
    30,
    2**53,
    2**53 + 1,
    2**62,
    2**63 - 1,
    0.0,
    -0.0,
    1.0,
    30.0,
    0.1 + 0.2,
    0.3,
    29.999999999999996,
    1e16,
    2.0**63,
)
NUMBERS = (
    st.sampled_from(EDGES) | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
HUGE = st.sampled_from([2**63, -(2**64) + 1, 10**30, 10**400])
VALUES = TEXTS | NUMBERS | st.booleans()
JSON = st.recursive(
    VALUES | HUGE | st.none() | st.text(ANY, max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=2),
    max_leaves=3,
)
NAMES = st.sampled_from(["ana", "bo", "é", "\U0001f600", "'; --"])
DATES = st.sampled_from(["2026-05-01T08:00:00+00:00", "2025", "x\x00y", ""])
PEOPLE = st.lists(
    st.tuples(NAMES, st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4), DATES), min_size=1, max_size=5
)
FIELDS = st.one_of(
    st.just(Field(("a",))),
    st.sampled_from([Field(("subject",), True), Field(("enrolled",), True)]),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=2).map(lambda keys: Field(tuple(keys))),
)
BOUNDS = st.tuples(NUMBERS, NUMBERS) | st.tuples(TEXTS, TEXTS)
TESTS = st.one_of(
    st.builds(Compare, FIELDS, st.sampled_from(["==", "!="]), VALUES),
    st.builds(Compare, FIELDS, st.sampled_from(["<", "<=", ">", ">="]), TEXTS | NUMBERS),
    st.builds(OneOf, FIELDS, st.lists(VALUES, max_size=4).map(tuple)),
    st.tuples(FIELDS, BOUNDS).map(lambda one: Between(one[0], min(one[1]), max(one[1]))),
    st.builds(StartsWith, FIELDS, TEXTS),
    st.builds(Exists, FIELDS),
)
FILTERS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=4,
)


def asked(where: Where, people: Sequence[Row]) -> tuple[list[Any], list[Any]]:
    """What SQLite answers for each of the people: possible, certain."""
    sql = where_sql(where)
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE subject (id INTEGER PRIMARY KEY, name TEXT, enrolled TEXT, metadata TEXT)")
        rows = [(name, enrolled, metadata_text(metadata)) for name, metadata, enrolled in people]
        db.executemany("INSERT INTO subject (name, enrolled, metadata) VALUES (?, ?, ?)", rows)
        found = db.execute(f"SELECT {sql.possible}, {sql.certain} FROM subject ORDER BY id", sql.parameters).fetchall()
        assert db.execute("SELECT count(*) FROM subject").fetchone() == (len(people),)
    return [one for one, _ in found], [one for _, one in found]


def meant(where: Where, people: Sequence[Row]) -> list[bool]:
    return [where.matches(name, json.loads(metadata_text(metadata)), enrolled) for name, metadata, enrolled in people]


@settings(max_examples=400, deadline=None)
@example(parse("a > 'berlin'"), [("ana", {"a": "berlin\x00"}, ""), ("bo", {"a": "berlin"}, "")])
@example(parse("a >= 0.3"), [("ana", {"a": 0.1 + 0.2}, ""), ("bo", {"a": 0.3}, ""), ("cy", {"a": 10**400}, "")])
@given(FILTERS, PEOPLE)
def test_nobody_who_is_meant_is_missed_and_nobody_else_is_certain(where: Where, people: list[Row]) -> None:
    possible, certain = asked(where, people)
    truth = meant(where, people)
    assert set(possible) | set(certain) <= {0, 1}
    assert all(one or not true for one, true in zip(possible, truth, strict=True))
    assert all(true or not one for one, true in zip(certain, truth, strict=True))
    if where_sql(where).exact:
        assert possible == truth


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(EDGES),
    st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    st.lists(NUMBERS | HUGE | TEXTS, min_size=1),
)
def test_few_rows_need_a_second_look(value: float, test: str, values: list[Any]) -> None:
    """Only reals and whole numbers closer to the filter's than a millionth of a millionth of it."""
    where, people = Compare(Field(("a",)), test, value), [("ana", {"a": one}, "") for one in values]
    possible, certain = asked(where, people)
    for one, may, must in zip(values, possible, certain, strict=True):
        near = (
            not isinstance(one, str) and one != value and abs(one) < 10**300 and abs(one - value) <= abs(value) * 1e-12
        )
        assert may == must or near or abs(float(one)) <= 1e-300


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("site = 'berlin'", True),
        ("site > 'b' and subject starts with 'a' or not exists site", True),
        ("age in (1, 2.5, true)", True),
        ("not age = 30", True),
        ("enrolled >= '2026'", True),
        ("age >= 30", False),
        ("site > 'b\\u0000'", False),
        ("metadata['quo\"te'] = 1", False),
    ],
)
def test_what_is_exact(text: str, exact: bool) -> None:
    assert where_sql(parse(text)).exact is exact


def test_nothing_of_a_filter_is_in_the_condition() -> None:
    evil = "x'); DROP TABLE subject; --"
    field = Field((evil, '"', "]"))
    for where in (
        Compare(field, "==", evil), Compare(field, ">", evil), OneOf(field, (evil,)), StartsWith(field, evil), Exists(field),
        Compare(Field(("subject",), True), "==", evil), OneOf(Field(("subject",), True), (evil,)),
        Compare(Field((evil,)), "!=", evil), Between(Field((evil,)), "a", evil),
    ):  # fmt: skip
        sql = where_sql(where)
        assert "DROP" not in sql.possible + sql.certain
        assert asked(where, [("ana", {}, "")])[0][0] in (0, 1)


def test_ten_thousand_names_are_one_parameter() -> None:
    names = [f"person {number}'s" for number in range(10_000)]
    for field in (Field(("subject",), True), Field(("a",))):
        where = OneOf(field, tuple(names))
        assert len(where_sql(where).parameters) <= 2
        people = [(name, {"a": name}, "") for name in [*names[:50], "somebody"]]
        assert asked(where, people)[0] == [1] * 50 + [0]


@pytest.mark.parametrize(
    "test", ["age = {0}", "age > {0}", "k{0} = {0}", "k{0} > 'x{0}' and not k{0} starts with 'y{0}'"]
)
def test_ten_thousand_terms(test: str) -> None:
    """Those that are too long for SQLite are left to the second look."""
    where = parse(" or ".join(test.format(number) for number in range(10_000)))
    people: list[Row] = [("ana", {"age": 9_999, "k7": "xx"}, ""), ("bo", {"age": -1, "k5": 5}, "")]
    start = time.process_time()
    possible, certain = asked(where, people)
    assert time.process_time() - start < 5
    for may, must, true in zip(possible, certain, meant(where, people), strict=True):
        assert must <= true <= may


def test_the_condition_fits_the_file_of_a_gallery(tmp_path: Any) -> None:
    import numpy as np

    with EmbeddedGallery(tmp_path / "people.db") as gallery:
        for number in range(20):
            vector = np.eye(20, dtype=np.float32)[number]
            gallery.enrol(
                f"p{number:02d}", [Sample(Template(vector, "s"))], {"number": number, "even": number % 2 == 0}
            )
        sql = where_sql(parse("even and number >= 10"))
        with closing(sqlite3.connect(tmp_path / "people.db")) as db:
            names = db.execute(
                f"SELECT name FROM subject WHERE {sql.possible} ORDER BY name", sql.parameters
            ).fetchall()
    assert [name for (name,) in names] == ["p10", "p12", "p14", "p16", "p18"]

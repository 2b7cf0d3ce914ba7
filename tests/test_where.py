"""Filters: what they mean, how they are written, and what is refused."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import UsageError
from mien.where import (
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
    Where,
    field_of,
    parse,
    where_of,
)

KEYS = (
    "a",
    "b",
    "site",
    "home town",
    "in",
    "subject",
    "metadata",
    "é",
    "x.y",
    "'; DROP TABLE subject; --",
    "",
    "a\x00b",
)
# Half characters (category Cs) are in metadata now and then, but no filter may name them.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from(
    ["berlin", "ber", "'", "\\", "%", "é"]
)
NUMBERS = (
    st.integers(-3, 3)
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.sampled_from([0.0, -0.0, 1.0, 0.1, 0.1 + 0.2, 0.3, 5e-324, 1e300])
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = TEXTS | NUMBERS | st.booleans()
FIELDS = st.one_of(
    st.sampled_from([Field(("subject",), True), Field(("enrolled",), True)]),
    st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(lambda keys: Field(tuple(keys))),
    st.just(Field(("a",))),
)


def ordered(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    return min(pair), max(pair)


TESTS = st.one_of(
    st.builds(Compare, FIELDS, st.sampled_from(["==", "!="]), VALUES),
    st.builds(Compare, FIELDS, st.sampled_from(["<", "<=", ">", ">="]), TEXTS | NUMBERS),
    st.builds(OneOf, FIELDS, st.lists(VALUES, max_size=4).map(tuple)),
    st.tuples(FIELDS, st.tuples(NUMBERS, NUMBERS).map(ordered)).map(lambda one: Between(one[0], *one[1])),
    st.builds(StartsWith, FIELDS, TEXTS),
    st.builds(Exists, FIELDS),
)
FILTERS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        st.builds(Not, inner),
    ),
    max_leaves=6,
)
ANA = {
    "site": "berlin",
    "age": 41,
    "score": 30.0,
    "blocked": False,
    "note": None,
    "tags": ["a"],
    "address": {"city": "bern"},
}


def told(text: str, metadata: dict[str, Any] | None = None) -> bool:
    return parse(text).matches("ana", ANA if metadata is None else metadata, "2026-05-01T08:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("site = 'berlin'", True),
        ('site == "berlin"', True),
        ("site = 'Berlin'", False),
        ("site != 'bern'", True),
        ("site <> 'berlin'", False),
        ("age >= 41 and age <= 41.0", True),
        ("age > 41", False),
        ("age between 40 and 50", True),
        ("age in (1, 41, 'x')", True),
        ("age not in (1, 41)", False),
        ("score = 30", True),
        ("blocked", False),
        ("not blocked", True),
        ("blocked = false", True),
        ("site starts with 'ber'", True),
        ("site not starts with 'ber'", False),
        ("address.city = 'bern'", True),
        ("metadata['address']['city'] = 'bern'", True),
        ("exists address.city", True),
        ("exists note", False),
        ("exists site.city", False),
        ("subject = 'ana' and enrolled >= '2026-01-01' and enrolled < '2027'", True),
        ("metadata.subject = 'ana'", False),
        ("site = 'x' or age = 41 and blocked", False),
        ("(site = 'x' or age = 41) and not blocked", True),
        ("AGE = 41 or Not Blocked AND site IN ('berlin')", True),
    ],
)
def test_what_a_filter_means(text: str, wanted: bool) -> None:
    assert told(text) is wanted


@pytest.mark.parametrize("test", ["=", "!=", "<", "<=", ">", ">="])
@pytest.mark.parametrize("value", ["1", "'1'"])
def test_a_comparison_with_nothing_or_another_type_is_false_and_its_negation_true(test: str, value: str) -> None:
    others: list[Any] = [True, False, None, [], {}, [1], {"a": 1}, "1" if value == "1" else 1]
    for metadata in [{}, *({"a": other} for other in others)]:
        assert told(f"a {test} {value}", metadata) is False
        assert told(f"not a {test} {value}", metadata) is True


def test_true_is_no_number() -> None:
    assert told("a = true", {"a": True}) and not told("a = true", {"a": 1}) and not told("a = 1", {"a": True})
    assert not told("a in (1)", {"a": True}) and not told("a in (true)", {"a": 1}) and told("a in (0)", {"a": 0.0})


def test_numbers_compare_exactly() -> None:
    large = 2**53
    assert told(f"a = {large + 1}", {"a": large + 1}) and not told(f"a = {large}", {"a": large + 1})
    assert told("a > 9223372036854775807", {"a": 10**400}) and told("a > 9.3e18", {"a": 2**64})
    assert not told("a = 0.3", {"a": 0.1 + 0.2})


def test_names_are_spelt_as_galleries_spell_them() -> None:
    assert parse("subject = 'e\u0301va'").matches("\u00e9va", {}, "")
    assert parse("subject in ('e\u0301va')").matches("\u00e9va", {}, "")
    assert not parse("site = 'e\u0301va'").matches("", {"site": "\u00e9va"}, "")  # metadata stay as they were given


@given(FILTERS)
def test_what_is_written_reads_back(where: Where) -> None:
    text = str(where)
    assert parse(text) == where
    assert text.isprintable()
    assert str(parse(text)) == text


@given(FILTERS, st.dictionaries(st.sampled_from(KEYS), VALUES | st.none(), max_size=4))
def test_joints_are_the_sums_of_their_parts(where: Where, metadata: dict[str, Any]) -> None:
    def of(one: Where) -> bool:
        return one.matches("ana", metadata, "")

    other = parse("exists a")
    assert of(~where) is not of(where)
    assert of(where & other) is (of(where) and of(other))
    assert of(where | other) is (of(where) or of(other))
    assert of(All((where,))) is of(AnyOf((where,))) is of(where)


@given(FIELDS)
def test_fields_read_back(field: Field) -> None:
    assert field_of(str(field)) == field


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "at its end: wanted is a field"),
        ("site => 'x'", "at character 7, \"> 'x'\": wanted is a value"),
        ("site = ", "at its end: wanted is a value"),
        ("site = berlin", "at character 8, 'berlin'"),
        ("site = 'berlin", "at character 8"),
        ("'x' = 3", "at character 1"),
        ("30 <= age", "at character 1"),
        ("age 30", "at character 5, '30': wanted is a comparison"),
        ("a = 1 b = 2", "at character 7, 'b = 2'"),
        ("a = 1 and", "at its end"),
        ("a = 1 or or b", "at character 10"),
        ("(a = 1", "at its end: wanted is and, or, or a closing bracket"),
        ("a = 1)", "at character 6"),
        ("a in 1", "at character 6"),
        ("a in (1,)", "at character 9"),
        ("a between 1", "at its end"),
        ("a between 2 and 1", "where nothing is"),
        ("a between 1 and 'x'", "Give two numbers or two texts"),
        ("a starts with 3", "no text"),
        ("a = null", "not exists"),
        ("a < true", "ordered against true"),
        ("a = 1e999", "finite"),
        ("a = 9223372036854775808", "Keep such numbers as text"),
        ("a = " + "9" * 5000, "Keep such numbers as text"),
        ("metadata = 1", "the key that is meant"),
        ("metadata", "the key that is meant"),
        ("a.in = 1", "written like ['this one']"),
        ("a[0] = 1", "a key in quotes"),
        ("a = '\\q'", 'at character 6, "\\\\q\'": no character is written'),
        ("a = '\\ud800'", "half a character"),
        ("a = '\\u{110000}'", "no character is written"),
        ("a = 1; drop table subject", "at character 6, '; drop table subject'"),
        ("a = 1 -- x", "at character 7"),
        ("a = (select 1)", "at character 5"),
        ("a && b", "at character 3"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


PIECES = ("a", "'", "(", ")", "not", "in", "=", "1", ".", "[", "\\", "\x00", "\ud800", "and", "'x'", "exists")


@given(st.text(max_size=30) | st.lists(st.sampled_from(PIECES)).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse(str(parse(text))) == parse(text)
    except UsageError as error:
        assert "character" in str(error) or "its end" in str(error)


@pytest.mark.parametrize(
    "text", ["(" * 100_000, "not " * 100_000 + "a", "(" * 1000 + "a" + ")" * 1000, "not (" * 500 + "a" + ")" * 500]
)
def test_deep_nesting_is_refused_and_exhausts_nothing(text: str) -> None:
    with pytest.raises(UsageError, match=f"{DEEPEST} deep"):
        parse(text)


def test_deep_filters_are_refused_as_they_are_made() -> None:
    where: Where = parse("a")
    with pytest.raises(UsageError, match="deep"):
        for _ in range(DEEPEST):
            where = ~where
    assert where.depth == DEEPEST
    assert parse(str(where)) == where


def test_ten_thousand_terms_and_ten_thousand_names() -> None:
    names = [f"person {number}'s" for number in range(10_000)]
    among = OneOf(Field(("subject",), True), tuple(names))
    start = time.process_time()
    terms = parse(" or ".join(f"age = {number}" for number in range(10_000)))
    assert isinstance(terms, AnyOf) and len(terms.parts) == 10_000
    assert terms.matches("", {"age": 9_999}, "") and not terms.matches("", {"age": 10_000}, "")
    assert parse(str(among)) == among
    assert time.process_time() - start < 5
    start = time.process_time()
    assert all(among.matches(name, {}, "") for name in names) and not among.matches("x", {}, "")
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: Field(()),
        lambda: Field(("a", "b"), True),
        lambda: Field(("a",), True),
        lambda: Field((1,)),
        lambda: Field(("\ud800",)),
        lambda: Compare(Field(("a",)), "=", 1),
        lambda: Compare(Field(("a",)), "==", None),
        lambda: Compare(Field(("a",)), "==", float("nan")),
        lambda: Compare(Field(("a",)), "==", [1]),
        lambda: Compare("a", "==", 1),
        lambda: OneOf(Field(("a",)), (1, None)),
        lambda: StartsWith(Field(("a",)), 1),
        lambda: All(()),
        lambda: Not("a"),
        lambda: parse(None),
        lambda: parse("a" * (2**23 + 1)),
    ],
)
def test_what_makes_no_filter_is_refused(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


def test_a_filter_may_be_given_as_text() -> None:
    assert where_of("a = 1") == Compare(Field(("a",)), "==", 1) == where_of(parse("a = 1"))
    assert where_of(None) is None


def test_metadata_may_be_anything_that_json_holds() -> None:
    deep: Any = 1
    for _ in range(300):
        deep = {"a": [deep]} if not isinstance(deep, dict) else {"a": deep}
    metadata = json.loads(json.dumps({"a": {"b": "\ud800\u0000"}, "d": deep}))
    assert told("a.b > 'z'", metadata) and not told("d.a = 1", metadata) and told("exists d.a.a", metadata)

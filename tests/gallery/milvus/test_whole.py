"""Writers that die or meet at the worst moment. Death is played by an exception that nothing catches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryNotFound, GalleryReadOnly, SpaceMismatch, UsageError
from mien.gallery import MemoryGallery
from mien.gallery.milvus import searching
from mien.gallery.milvus.layout import SAMPLE
from mien.types import Face, Frame, Sample, Template
from mien.where import parse


class Death(BaseException):
    """Of a process."""


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def of(*values: float, space: str = "space-a") -> Sample:
    return Sample(Template(unit(*values), space))


def photographed(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    frame = Frame(rng.integers(0, 256, (256, 256, 3), np.uint8), "photo.jpg")
    face = Face(frame, np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Sample(Template(unit(*rng.normal(size=4)), "space-a"), face)


def dies(*_: Any, **__: Any) -> None:
    raise Death


def dying(gallery: Any, part: str, method: str) -> None:
    """From now on this process dies where that method is called."""
    setattr(getattr(gallery, part), method, dies)


def meanwhile(gallery: Any, happens: Callable[[], object]) -> None:
    """What happens once, right after the gallery has read what it holds."""
    real, waiting = gallery._holdings.of, [happens]

    def of_owners(*arguments: Any) -> Any:
        found = real(*arguments)
        if waiting:
            waiting.pop()()
        return found

    gallery._holdings.of = of_owners


def state(gallery: Any) -> tuple[dict[str, int], int, int, list[str]]:
    people = {person.subject: person.samples for person in gallery.people()}
    return people, len(gallery), gallery.templates, [match.subject for match in gallery.search(of(1, 0).template, 9)]


def rows(gallery: Any) -> int:
    """All rows of templates, whoever may see them."""
    count: int = gallery._link.count(gallery._tables.people, "", "Strong")
    return count


def records(gallery: Any) -> dict[str, int]:
    found = gallery._link.rows(gallery._tables.records, 'kind != ""', ["kind"], "Strong")
    kinds = [row["kind"] for row in found]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def test_half_an_enrolment_is_seen_by_nobody_and_taken_back(galleries: Any) -> None:
    address = galleries.fresh()
    writer, reader = galleries.open(address), galleries.open(address)
    writer.enrol("ana", [of(0.6, 0.8)])
    before = state(reader)
    dying(writer, "_batches", "commit")
    with pytest.raises(Death):
        writer.enrol_many([("ana", [of(1, 0)]), ("bo", [of(0.9, 0.1), of(0.8, 0.2)])])
    assert rows(reader) == 4
    assert state(reader) == before
    assert [sample.face for _, sample in reader.samples()] == [None]
    assert reader._writer.sweep(lease=0) == 1
    assert (rows(reader), state(reader), reader.verify()) == (1, before, [])
    assert records(reader) == {"abort": 1, "commit": 1, "person": 1}


def test_whoever_dies_after_the_commit_has_enrolled(galleries: Any) -> None:
    address = galleries.fresh()
    writer, reader = galleries.open(address), galleries.open(address)
    writer.enrol("ana", [of(1, 0)], {"badge": 1})
    dying(writer, "_writer", "settle")
    with pytest.raises(Death):
        writer.enrol("ana", [of(0, 1)], {"badge": 2})
    for _ in range(2):
        assert state(reader) == ({"ana": 2}, 1, 2, ["ana"])
        assert reader.people()[0].metadata == {"badge": 2}
        reader._writer.sweep(lease=0)
    assert records(reader) == {"commit": 2, "person": 1}


def test_a_writer_taken_for_dead_learns_it(galleries: Any) -> None:
    address = galleries.fresh()
    slow, other = galleries.open(address), galleries.open(address)
    slow.enrol("ana", [of(0, 1)])
    real = slow._batches.commit

    def late(batch: str) -> None:
        assert other._writer.sweep(lease=0) == 1
        real(batch)

    slow._batches.commit = late
    with pytest.raises(GalleryBusy, match="given up"):
        slow.enrol("bo", [of(1, 0)])
    assert state(other) == ({"ana": 1}, 1, 1, ["ana"])
    assert rows(other) == 1
    slow._batches.commit = real
    assert slow.enrol("bo", [of(1, 0)]) == 1


def test_who_clears_up_never_takes_back_what_counts(galleries: Any) -> None:
    gallery = galleries.open()
    gallery.enrol("ana", [of(1, 0)])
    (batch,) = {row["batch"] for row in gallery._link.rows(gallery._tables.people, "", ["batch"], "Strong")}
    assert gallery._batches.abort(batch) is False
    assert state(gallery) == ({"ana": 1}, 1, 1, ["ana"])


def test_two_who_enrol_the_same_at_once_neither_double_nor_lose(galleries: Any) -> None:
    address = galleries.fresh()
    one, two = galleries.open(address), galleries.open(address)
    one.enrol("anchor", [of(-1, 0)])
    meanwhile(one, lambda: two.enrol("ana", [of(1, 0), of(0, 1)], {"from": "two"}))
    assert one.enrol("ana", [of(1, 0), of(1, 1)]) == 2
    for gallery in (one, two):
        assert state(gallery) == ({"ana": 3, "anchor": 1}, 2, 4, ["ana", "anchor"])
        assert next(iter(gallery.people())).metadata == {"from": "two"}
    assert records(one) == {"commit": 3, "person": 2}


def test_what_is_erased_while_somebody_enrols_stays_erased(galleries: Any) -> None:
    address = galleries.fresh()
    one, two = galleries.open(address), galleries.open(address)
    one.enrol("ana", [of(1, 0)], {"badge": 1})
    meanwhile(one, lambda: two.forget("ana"))
    assert one.enrol("ana", [of(1, 0), of(0, 1)]) == 1
    for gallery in (one, two):
        assert state(gallery) == ({"ana": 1}, 1, 1, ["ana"])
        assert [sample.template.vector.tolist() for _, sample in gallery.samples()] == [[0.0, 1.0]]
    assert one.verify() == []


def test_an_erasure_that_died_half_way_is_finished(galleries: Any) -> None:
    address = galleries.fresh()
    writer, reader = galleries.open(address), galleries.open(address)
    writer.enrol_many([("ana", [photographed(1), photographed(2)]), ("bo", [photographed(3)])])
    assert records(reader)["crop"] > 3  # in pieces
    dying(writer, "_writer", "settle")
    with pytest.raises(Death):
        writer.forget("ana")
    assert ([person.subject for person in reader.people()], len(reader), reader.templates) == (["bo"], 1, 1)
    assert reader._writer.sweep(lease=0) == 1
    left = records(reader)
    assert (left["person"], "intent" in left, reader.verify()) == (1, False, [])
    owners = {row["owner"] for row in reader._link.rows(reader._tables.records, 'kind == "crop"', ["owner"], "Strong")}
    assert len(owners) == 1


def test_an_answer_that_is_lost_does_not_double(galleries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pymilvus import MilvusException

    gallery = galleries.open()
    gallery.enrol("ana", [of(0, 1)])
    real, lost = gallery._link._client.upsert, []

    def upsert(*arguments: Any, **options: Any) -> Any:
        answer = real(*arguments, **options)
        lost.append(len(lost) % 2 == 0)
        if lost[-1]:
            raise MilvusException(code=2, message="connection lost")
        return answer

    monkeypatch.setattr(gallery._link._client, "upsert", upsert)
    assert gallery.enrol("ana", [of(1, 0)]) == 1
    assert sum(lost) >= 4
    assert (state(gallery), rows(gallery)) == (({"ana": 2}, 1, 2, ["ana"]), 2)


def test_the_first_two_enrolments_agree_on_a_space(galleries: Any) -> None:
    address = galleries.fresh()
    one, two = galleries.open(address), galleries.open(address)
    meanwhile(one, lambda: two.enrol("bo", [of(0, 1, 0, space="space-b")]))
    with pytest.raises(SpaceMismatch):
        one.enrol("ana", [of(1, 0)])
    assert [person.subject for person in one.people()] == ["bo"]
    assert one.space == "space-b"


def test_an_emptied_gallery_is_not_replaced_under_somebodys_hands(galleries: Any) -> None:
    address = galleries.fresh()
    one, two = galleries.open(address), galleries.open(address)
    one.enrol("ana", [of(1, 0)])
    one.forget("ana")
    real = one._tables.link.call

    def call(method: str, *arguments: Any, **options: Any) -> Any:
        if method == "rename_collection" and arguments[0] == one._tables.people:
            one._tables.link.call = real
            two.enrol("bo", [of(0, 1)])
        return real(method, *arguments, **options)

    one._tables.link.call = call
    with pytest.raises(GalleryBusy, match="meanwhile"):
        one.enrol("cy", [of(1, 0, 0, space="space-b")])
    assert state(two) == ({"bo": 1}, 1, 1, ["bo"])


def test_answers_are_those_of_memory(galleries: Any) -> None:
    rng = np.random.default_rng(3)
    people = [
        (f"p{number:02d}", [of(*rng.integers(-1, 2, 4), 3) for _ in range(1 + number % 4)], {"n": number})
        for number in range(40)
    ]
    remote, memory = galleries.open(), MemoryGallery()
    for gallery in (remote, memory):
        gallery.enrol_many([(name, samples) for name, samples, _ in people])
        for name, _, metadata in people[::4]:
            gallery.enrol(name, [], metadata)
    probes = [of(*rng.integers(-1, 2, 4), 3).template for _ in range(8)]
    for k, floor, where in ((1, None, None), (3, 0.9, None), (50, None, None), (5, 0.5, parse("n >= 8 and n < 30"))):
        assert remote.search_many(probes, k, floor=floor, where=where) == memory.search_many(
            probes, k, floor=floor, where=where
        )


def test_filters_mean_the_same_whatever_the_server_makes_of_json(galleries: Any) -> None:
    notes: list[dict[str, Any]] = [
        {"n": 3}, {"n": 3.0}, {"n": True}, {"n": "3"}, {"n": None}, {}, {"n": [3]}, {"n": 10**30}, {"n": 2**53 + 1},
        {"m": {"n": "\U0001f642"}}, {"m": {"n": "\ud800"}}, {"m": {"n": "a\x00b"}}, {"m": {"n": "é"}, "n": 4},
    ]  # fmt: skip
    remote, memory = galleries.open(), MemoryGallery()
    for gallery in (remote, memory):
        gallery.enrol_many([(f"p{number}", [of(1, number)]) for number in range(len(notes))])
        for number, metadata in enumerate(notes):
            gallery.enrol(f"p{number}", [], metadata)
        gallery.enrol("p0", [], {"n": 5})  # what was noted before counts no more
    texts = ["n = 3", "not n = 3", "n > 2 and n < 4", "n >= 9007199254740993", "exists n", "not exists n", "n = true",
             "m.n starts with 'a'", "not m.n = 'é'", "subject starts with 'p1'", "n in (3, 4, 5)", "n != 3"]  # fmt: skip
    for text in texts:
        where = parse(text)
        wanted = memory.search(of(1, 0).template, 99, where=where)
        assert remote.search(of(1, 0).template, 99, where=where) == wanted, text


def test_more_ties_than_the_server_hands_out(galleries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "LIMIT", 24)
    remote, memory = galleries.open(), MemoryGallery()
    people = [(f"p{number:02d}", [of(1, 0)] if number % 2 else [of(1, 1e-4)]) for number in range(60)]
    for gallery in (remote, memory):
        gallery.enrol_many(people)
    for probe, k in ((of(1, 0), 2), (of(1, 0), 35), (of(0, 1), 7), (of(1, 0), 1_000)):
        assert remote.search(probe.template, k) == memory.search(probe.template, k)


def test_rows_of_the_dead_do_not_hide_the_living(galleries: Any) -> None:
    address = galleries.fresh()
    writer, reader = galleries.open(address), galleries.open(address)
    reader.enrol("ana", [of(1, 1)])
    dying(writer, "_batches", "commit")
    with pytest.raises(Death):
        writer.enrol_many([(f"x{number}", [of(1, number / 1000)]) for number in range(60)])
    assert [match.subject for match in reader.search(of(1, 0).template, 1)] == ["ana"]


def test_a_row_that_somebody_changed_is_found(galleries: Any) -> None:
    gallery = galleries.open()
    gallery.enrol_many([("ana", [of(1, 0)]), ("bo", [of(0, 1)])])
    fields = [*SAMPLE, "owner", "batch"]
    (row,) = gallery._link.rows(gallery._tables.people, 'subject == "ana"', fields, "Strong")
    gallery._link.write(gallery._tables.people, [row | {"vector": unit(0, 1)}])
    assert gallery.verify() == ["A template of 'ana' does not match its seal."]
    with pytest.raises(GalleryCorrupt, match="ana"):
        gallery.search(of(1, 0).template)


def test_opening(galleries: Any) -> None:
    address = galleries.fresh()
    for options in ({"create": False}, {"read_only": True}):
        with pytest.raises(GalleryNotFound):
            galleries.open(address, **options)
    galleries.open(address).enrol("ana", [of(1, 0)])
    reader = galleries.open(address, read_only=True)
    assert len(reader) == 1
    with pytest.raises(GalleryReadOnly):
        reader.enrol("bo", [of(0, 1)])
    with pytest.raises(GalleryReadOnly):
        reader.forget("ana")
    with pytest.raises(UsageError):
        galleries.open(address + "?what=1")


def test_an_emptied_gallery_may_be_asked_in_any_space(galleries: Any) -> None:
    gallery = galleries.open()
    gallery.enrol("ana", [of(1, 0)])
    gallery.forget("ana")
    assert gallery.search(of(1, 0, 0, space="space-b").template) == []
    assert gallery.space is None


def test_long_things_fit_or_are_refused(galleries: Any) -> None:
    gallery = galleries.open()
    metadata = {"n": 10**30, "s": "\ud800", "long": ""}
    metadata["long"] = "x" * (64 * 1024 - len('{"long": "", "n": 1000000000000000000000000000000, "s": "\\ud800"}'))
    gallery.enrol("é" * 256, [of(1, 0)], metadata)
    assert gallery.people()[0].metadata == metadata
    odd = Sample(Template(unit(0, 1), "space-a"), None, "photos/\udcff\x00é.jpg")
    gallery.enrol("bo", [odd])
    assert next(gallery.samples("bo"))[1].source == odd.source

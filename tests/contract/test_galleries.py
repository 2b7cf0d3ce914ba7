"""One suite for every gallery engine: whoever holds one cannot tell which it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien import protocols
from mien.errors import BadSubject, InputError, SpaceMismatch, UnknownSubject, UsageError
from mien.gallery import BaseGallery, EmbeddedGallery, MemoryGallery, shelf
from mien.gallery.sealed.gallery import SealedGallery
from mien.gallery.sealed.keys import Keys
from mien.gallery.sealed.opening import open_sealed
from mien.gallery.sealed.profiles import profile
from mien.types import Face, Frame, Match, OperatingPoint, Person, Sample, Template
from mien.where import parse

Opener = Callable[..., BaseGallery]
SPACE = "space-a"
SEALED_SLACK = {"standard": 1e-4, "open-probe": 1e-4}


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys.generate(profile("standard"))


@pytest.fixture(scope="session")
def open_keys() -> Keys:
    return Keys.generate(profile("open-probe"))


@pytest.fixture(params=["memory", "embedded", "embedded, large", "sealed", "sealed, probe in the open"])
def opener(
    request: pytest.FixtureRequest, tmp_path: Path, keys: Keys, open_keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Opener]:
    """Makes galleries of one engine; closes them afterwards."""
    made: list[BaseGallery] = []
    if request.param == "embedded, large":
        monkeypatch.setattr(EmbeddedGallery, "FIRST", 5)
        monkeypatch.setattr(EmbeddedGallery, "SEGMENT", 3)
        monkeypatch.setattr(shelf, "MOST", 7)

    def make(**options: Any) -> BaseGallery:
        if request.param == "memory":
            made.append(MemoryGallery(**options))
        elif "sealed" in request.param:
            of = keys if request.param == "sealed" else open_keys
            sealed = open_sealed(tmp_path / f"people{len(made)}.sealed", of, **options)
            sealed._holder.ledger.allow(100_000)  # these tests ask more than a door does
            made.append(sealed)
        else:
            made.append(EmbeddedGallery(tmp_path / f"people{len(made)}.db", **options))
        return made[-1]

    yield make
    for gallery in made:
        gallery.close()


@pytest.fixture
def gallery(opener: Opener) -> BaseGallery:
    return opener()


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def of(*values: float, space: str = SPACE) -> Sample:
    return Sample(Template(unit(*values), space))


def random_samples(seed: int, count: int, dimension: int = 16) -> list[Sample]:
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return [of(*row) for row in rows]


def photographed(seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    frame = Frame(rng.integers(0, 256, (64, 48, 3), np.uint8), f"photos/{seed} é.jpg", 3, 1.25)
    box, points = rng.uniform(0, 48, 4).astype(np.float32), rng.uniform(0, 48, (5, 2)).astype(np.float32)
    face = Face(frame, box, points, 0.987654321, 7, (12.5, -3.25, 0.1))
    return Sample(Template(unit(*rng.normal(size=16)), SPACE, 0.625), face, f"photos/{seed}.jpg")


def brute_force(rows: list[tuple[str, np.ndarray]], probe: np.ndarray, k: int) -> list[Match]:
    """What a search must answer: exact rational dot products, rounded once."""
    best: dict[str, float] = {}
    for name, vector in rows:
        terms = zip(vector.tolist(), probe.tolist(), strict=True)
        score = max(-1.0, min(1.0, float(sum(Fraction(a) * Fraction(b) for a, b in terms))))
        best[name] = max(score, best.get(name, -1.0))
    ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))
    return [Match(*item) for item in ranked[:k]]


def alike(gallery: BaseGallery, found: list[Match], wanted: list[Match]) -> bool:
    """Equal; from a sealed gallery as near as its profile promises, and who is nearer to another may change places."""
    if not isinstance(gallery, SealedGallery):
        return found == wanted
    scores = {match.subject: match.score for match in wanted}
    last = wanted[-1].score if wanted else 0.0  # whom the last place was given to instead is as near
    slack = SEALED_SLACK[gallery.profile]
    near = all(
        abs(one.score - other.score) <= slack and abs(one.score - scores.get(one.subject, last)) <= slack
        for one, other in zip(found, wanted, strict=False)
    )
    return near and len(found) == len(wanted) == len({match.subject for match in found})


def enrol_rows(gallery: BaseGallery, rows: list[tuple[str, np.ndarray]]) -> None:
    """Everybody's first, third, … template, then everybody's others."""
    for start in (0, 1):
        for name in dict.fromkeys(name for name, _ in rows):
            mine = [Sample(Template(vector, SPACE)) for owner, vector in rows if owner == name][start::2]
            gallery.enrol(name, mine)


def test_it_is_a_gallery(gallery: BaseGallery) -> None:
    assert isinstance(gallery, protocols.Gallery)


def test_an_empty_gallery_answers_and_counts_as_one(gallery: BaseGallery) -> None:
    assert gallery.search(of(1, 0).template) == []
    assert (len(gallery), gallery.people(), list(gallery.samples()), gallery.space) == (0, [], [], None)
    assert bool(gallery)
    assert gallery.verify() == []


def test_enrol_tells_how_many_are_new_and_keeps_what_it_was_given(gallery: BaseGallery) -> None:
    given_samples = [photographed(1), photographed(2)]
    assert gallery.enrol("ana", given_samples, {"badge": 17}) == 2
    assert gallery.enrol("ana", [given_samples[0], photographed(3), photographed(3)]) == 1
    assert gallery.enrol("ana", given_samples) == 0
    (person,) = gallery.people()
    assert (person.subject, person.samples, person.images, person.metadata) == ("ana", 3, 3, {"badge": 17})
    assert person.enrolled.endswith("+00:00")
    assert gallery.space == SPACE
    for (name, kept), wanted in zip(gallery.samples("ana"), [*given_samples, photographed(3)], strict=True):
        assert name == "ana"
        assert kept.template.vector.tobytes() == wanted.template.vector.tobytes()
        assert (kept.template.space, kept.template.quality, kept.source) == (SPACE, 0.625, wanted.source)
        assert kept.face is not None and wanted.face is not None
        np.testing.assert_array_equal(kept.face.frame.pixels, wanted.face.frame.pixels)
        np.testing.assert_array_equal(kept.face.box, wanted.face.box)
        np.testing.assert_array_equal(kept.face.points, wanted.face.points)
        for field in ("score", "track", "origin"):
            assert getattr(kept.face, field) == getattr(wanted.face, field)
        for field in ("source", "index", "time"):
            assert getattr(kept.face.frame, field) == getattr(wanted.face.frame, field)


def test_a_sample_without_a_crop_keeps_no_image(gallery: BaseGallery) -> None:
    gallery.enrol("ana", [of(1, 0), of(0, 1)])
    assert gallery.people()[0].images == 0
    assert [sample.face for _, sample in gallery.samples()] == [None, None]


def test_metadata_given_replaces_and_metadata_not_given_stays(gallery: BaseGallery) -> None:
    gallery.enrol("ana", [of(1, 0)], {"badge": 1, "floor": [2, None, {"é": True}]})
    gallery.enrol("ana", [of(0, 1)])
    assert gallery.people()[0].metadata == {"badge": 1, "floor": [2, None, {"é": True}]}
    assert gallery.enrol("ana", [], {"badge": 2}) == 0
    assert gallery.people()[0].metadata == {"badge": 2}


def test_changing_ones_own_array_changes_nothing_enrolled(gallery: BaseGallery) -> None:
    sample = of(1, 0)
    gallery.enrol("ana", [sample])
    sample.template.vector[:] = unit(0, 1)
    assert alike(gallery, gallery.search(of(1, 0).template), [Match("ana", 1.0)])
    assert next(gallery.samples())[1].template.vector.tolist() == [1.0, 0.0]


def test_people_and_samples_come_by_name(gallery: BaseGallery) -> None:
    names = ["zoë", "Ana", "ana", "Åke", "7", "🙂", "a b/c"]
    for number, name in enumerate(names):
        gallery.enrol(name, [of(1, number)])
    assert [person.subject for person in gallery.people()] == sorted(names)
    assert [name for name, _ in gallery.samples()] == sorted(names)
    assert len(gallery) == len(names)


def test_a_listing_comes_by_pages(gallery: BaseGallery) -> None:
    names = ["Ana", "Anna Å", "Åke", "Straße", "STRASSE 2", "K\u212alvin", "zoë", "ZOË", "a%_*?[b", "🙂", "\u0130", "7"]
    gallery.enrol_many([(name, random_samples(number, 1 + number % 3)) for number, name in enumerate(names)])
    gallery.enrol("Ana", [photographed(1)], {"badge": 7})
    everybody = gallery.people()

    def reference(after: str | None, limit: int | None, containing: str | None) -> list[Person]:
        found = [one for one in everybody if after is None or one.subject > after]
        return [one for one in found if (containing or "").casefold() in one.subject.casefold()][:limit]

    for containing in (
        None,
        "",
        "an",
        "N",
        "å",
        "a\u030a",
        "ss",
        "ß",
        "kk",
        "Ë",
        "%",
        "_",
        "*",
        "?[",
        "🙂",
        "nobody",
        "\ud800",
    ):
        wanted = None if containing is None else unicodedata.normalize("NFC", containing)
        assert gallery.people(containing=containing) == reference(None, None, wanted)
        for limit in (1, 2, 5, 100):
            pages: list[list[Person]] = []
            while not pages or pages[-1]:
                after = pages[-1][-1].subject if pages else None
                pages.append(gallery.people(after=after, limit=limit, containing=containing))
                assert pages[-1] == reference(after, limit, wanted)
    assert gallery.people(after="Anz", limit=1) == reference("Anz", 1, None)  # nobody need be called so
    for bad in (0, -1):
        with pytest.raises(UsageError):
            gallery.people(limit=bad)
    with pytest.raises(BadSubject):
        gallery.people(after="\ud800")


def test_one_person_is_told_as_the_listing_tells(gallery: BaseGallery) -> None:
    for number in range(9):
        gallery.enrol(f"p{number}", [*random_samples(number, number % 3), photographed(number)], {"number": number})
    for person in gallery.people():
        assert gallery.person(person.subject) == person
    gallery.enrol("p3", random_samples(77, 2), {"number": "new"})
    assert (gallery.person(" p3 ").samples, gallery.person("p3").metadata) == (3, {"number": "new"})
    gallery.forget("p3")
    for name in ("p3", "nobody"):
        with pytest.raises(UnknownSubject):
            gallery.person(name)


def test_composed_and_decomposed_names_are_one_subject(gallery: BaseGallery) -> None:
    gallery.enrol("Ren\u00e9", [of(1, 0)])
    gallery.enrol(" Rene\u0301 ", [of(0, 1)])
    assert [person.samples for person in gallery.people()] == [2]
    assert "Rene\u0301" in gallery
    assert gallery.forget("Rene\u0301") == 2


@pytest.mark.parametrize("name", ["", "   ", "a\x00b", "a\nb", "x" * 10_000, "\u202eana", "\u200d", "\ud800"])
def test_bad_names_are_refused_by_every_verb(gallery: BaseGallery, name: str) -> None:
    for verb in (lambda: gallery.enrol(name, [of(1, 0)]), lambda: gallery.forget(name), lambda: gallery.samples(name)):
        with pytest.raises(BadSubject) as caught:
            verb()
        assert len(str(caught.value)) < 300
    assert len(gallery) == 0


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_search_is_exact_ties_included(opener: Opener, data: st.DataObject) -> None:
    dimension = data.draw(st.integers(1, 5))
    whole = st.lists(st.integers(-2, 2), min_size=dimension, max_size=dimension).filter(any)
    rows = [
        (name, unit(*values))
        for name, values in data.draw(st.lists(st.tuples(st.sampled_from("abcdefgh"), whole), min_size=1, max_size=25))
    ]
    probe, k = unit(*data.draw(whole)), data.draw(st.integers(1, 12))
    with opener() as gallery:
        if isinstance(gallery, SealedGallery):
            rows = rows[:8]  # each enrolment is synced to the disk
        enrol_rows(gallery, rows)
        assert alike(gallery, gallery.search(Template(probe, SPACE), k), brute_force(rows, probe, k))


def test_search_is_exact_among_neighbours_a_rounding_apart(gallery: BaseGallery) -> None:
    rng = np.random.default_rng(5)
    centre = unit(*rng.normal(size=128))
    rows = []
    for number in range(200):
        vector = centre.copy()
        vector += (rng.integers(-8, 9, 128) * 2.0**-27).astype(np.float32)
        rows.append((f"p{number // 2:03d}", vector))
    enrol_rows(gallery, rows)
    probe = unit(*(centre + 0.1 * rng.normal(size=128)))
    for k in (1, 2, 3, 5, 10, 40, 100):
        assert alike(gallery, gallery.search(Template(probe, SPACE), k), brute_force(rows, probe, k))


def test_k_is_clipped_and_must_be_positive(gallery: BaseGallery) -> None:
    gallery.enrol("ana", [of(1, 0)])
    gallery.enrol("bo", [of(0, 1)])
    assert [match.subject for match in gallery.search(of(1, 0.1).template, 1_000_000)] == ["ana", "bo"]
    assert len(gallery.search(of(1, 0).template, 1)) == 1
    for k in (0, -1):
        with pytest.raises(UsageError):
            gallery.search(of(1, 0).template, k)


def broken_vectors() -> list[Any]:
    nan = unit(1, 0)
    nan[0] = np.nan
    return [
        nan,
        np.array([np.inf, 0], np.float32),
        np.zeros(2, np.float32),
        unit(1, 0) * np.float32(1.01),
        np.array([1.0, 0.0]),
        unit(1, 0)[None],
        np.empty(0, np.float32),
        [1.0, 0.0],
        unit(1, 0, 0),
    ]


@pytest.mark.parametrize("number", range(9))
def test_broken_vectors_are_refused_whole(gallery: BaseGallery, number: int) -> None:
    gallery.enrol("ana", [of(1, 0)])
    broken = Template(broken_vectors()[number], SPACE)
    with pytest.raises(InputError):
        gallery.enrol("bo", [of(0, 1), Sample(broken)])
    with pytest.raises(InputError):
        gallery.search(broken)
    assert [(person.subject, person.samples) for person in gallery.people()] == [("ana", 1)]
    assert alike(gallery, gallery.search(of(0, 1).template), [Match("ana", 0.0)])


def test_other_bad_input_is_refused_and_changes_nothing(gallery: BaseGallery) -> None:
    huge = Face(Frame(np.zeros((10, 2000, 3), np.uint8)), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    wrong: list[tuple[list[Sample], Any]] = [
        ([], None),
        ([], {"note": "nobody"}),
        ([Sample(Template(unit(1, 0), SPACE, 1.5))], None),
        ([Sample(Template(unit(1, 0), ""))], None),
        ([of(1, 0)], {"when": object()}),
        ([of(1, 0)], {"number": float("nan")}),
        ([of(1, 0)], {1: "no text"}),
        ([of(1, 0)], ["no mapping"]),
        ([of(1, 0)], {"long": "x" * 70_000}),
        ([of(0, 1), Sample(Template(unit(1, 0), SPACE), huge)], None),
    ]
    for samples, metadata in wrong:
        with pytest.raises(InputError):
            gallery.enrol("ana", samples, metadata)
        assert (len(gallery), gallery.space, gallery.people()) == (0, None, [])


def test_another_space_is_refused_and_told_how_to_migrate(gallery: BaseGallery) -> None:
    with pytest.raises(SpaceMismatch):
        gallery.enrol("ana", [of(1, 0), of(0, 1, space="space-b")])
    assert len(gallery) == 0
    gallery.enrol("ana", [of(1, 0)])
    for attempt in (
        lambda: gallery.enrol("ana", [of(0, 1, space="space-b")]),
        lambda: gallery.search(of(1, 0, 0, space="space-b").template),
    ):
        with pytest.raises(SpaceMismatch) as caught:
            attempt()
        assert "space-a" in caught.value.message and "space-b" in caught.value.message
        assert "mien migrate" in caught.value.remedy
    gallery.forget("ana")
    assert gallery.enrol("bo", [of(1, 0, 0, space="space-b")]) == 1  # an emptied gallery takes any


def test_forget_leaves_the_neighbours_as_they_were(gallery: BaseGallery) -> None:
    for number in range(12):
        gallery.enrol(f"p{number:02d}", random_samples(number, 1 + number % 3), {"number": number})
    before, people = {name: [] for name in (f"p{n:02d}" for n in range(12))}, gallery.people()
    for name, sample in gallery.samples():
        before[name].append(sample.template.vector.tobytes())
    probe = random_samples(99, 1)[0].template
    ranking = gallery.search(probe, 12)
    for gone in ("p05", "p00", "p11"):
        receipt = gallery.erase(gone)
        assert (receipt.subject, receipt.samples, receipt.images) == (gone, len(before.pop(gone)), 0)
        ranking = [match for match in ranking if match.subject != gone]
        people = [person for person in people if person.subject != gone]
        assert alike(gallery, gallery.search(probe, 12), ranking)
        assert gallery.people() == people
        with pytest.raises(UnknownSubject):
            gallery.forget(gone)
    after: dict[str, list[bytes]] = {}
    for name, sample in gallery.samples():
        after.setdefault(name, []).append(sample.template.vector.tobytes())
    assert after == before
    gallery.enrol("p05", random_samples(5, 1))
    assert gallery.search(random_samples(5, 1)[0].template, 1)[0].subject == "p05"


def test_receipts_of_the_same_templates_agree(opener: Opener) -> None:
    first, second = opener(), opener()
    for gallery in (first, second):
        gallery.enrol("ana", [photographed(1), photographed(2)])
    one, two = first.erase("ana"), second.erase("ana")
    assert (one.samples, one.images, one.digest) == (2, 2, two.digest)
    first.enrol("ana", [photographed(1)])
    assert first.erase("ana").digest != one.digest


def test_forgetting_one_sample(gallery: BaseGallery) -> None:
    gallery.enrol("ana", [of(1, 0), of(0, 1)])
    gallery.enrol("bo", [of(-1, 0)])
    assert gallery.forget_sample("ana", of(1, 1).template) is False
    assert gallery.forget_sample("ana", of(1, 0).template) is True
    assert alike(gallery, gallery.search(of(1, 0).template), [Match("ana", 0.0), Match("bo", -1.0)])
    assert gallery.forget_sample("ana", of(0, 1).template) is True
    assert [person.subject for person in gallery.people()] == ["bo"]
    with pytest.raises(UnknownSubject):
        gallery.forget_sample("ana", of(0, 1).template)


def test_unknown_subjects_are_named_at_once(gallery: BaseGallery) -> None:
    with pytest.raises(UnknownSubject, match="nobody"):
        gallery.samples("nobody")
    with pytest.raises(UnknownSubject, match="nobody"):
        gallery.forget("nobody")


def test_a_walk_survives_forgetting_on_the_way(gallery: BaseGallery) -> None:
    for number in range(200):
        gallery.enrol(f"p{number:03d}", [of(1, number)])
    walk = gallery.samples()
    seen = [next(walk)[0]]
    gallery.forget("p100")
    gallery.enrol("zz", [of(0, -1)])
    seen += [name for name, _ in walk if name not in ("p100", "zz")]
    assert seen == [f"p{number:03d}" for number in range(200) if number != 100]


def test_closing_twice_is_allowed_and_use_afterwards_is_not(gallery: BaseGallery) -> None:
    with gallery as same:
        assert same is gallery
        gallery.enrol("ana", [of(1, 0)])
    gallery.close()
    attempts: list[Callable[[], Any]] = [
        lambda: gallery.enrol("ana", [of(1, 0)]),
        lambda: gallery.search(of(1, 0).template),
        gallery.people,
        lambda: list(gallery.samples()),
        lambda: len(gallery),
        lambda: gallery.space,
        gallery.verify,
    ]
    for attempt in attempts:
        with pytest.raises(UsageError, match="closed"):
            attempt()


def test_threads_may_share_one_gallery(gallery: BaseGallery) -> None:
    gallery.enrol("anchor", [of(*([1.0] + [0.0] * 15))])
    probe = of(*([1.0] + [0.0] * 15)).template
    wrong: list[object] = []

    def write(worker: int) -> None:
        for number in range(15):
            gallery.enrol(f"w{worker}-{number}", random_samples(100 * worker + number, 2))
            if number % 5 == 4:
                gallery.forget(f"w{worker}-{number}")

    def read() -> None:
        for _ in range(60):
            matches = gallery.search(probe, 3)
            if not alike(gallery, matches[:1], [Match("anchor", 1.0)]) or "anchor" not in {
                person.subject for person in gallery.people()
            }:
                wrong.append(matches)

    with ThreadPoolExecutor(6) as pool:
        work = [pool.submit(write, worker) for worker in range(3)] + [pool.submit(read) for _ in range(3)]
        for each in work:
            each.result()
    assert wrong == []
    assert len(gallery) == 1 + 3 * 12
    assert gallery.verify() == []


def test_backup_is_a_gallery_with_the_same_people(gallery: BaseGallery, tmp_path: Path) -> None:
    for number in range(5):
        gallery.enrol(f"p{number}", [photographed(number), photographed(number + 50)], {"number": number})
    target = tmp_path / "copy of people.db"
    gallery.backup(target)
    with pytest.raises(UsageError):
        gallery.backup(target)
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == [target.name]
    probe = photographed(52).template
    with EmbeddedGallery(target, create=False) as copy:
        assert copy.people() == gallery.people()
        assert alike(gallery, gallery.search(probe, 5), copy.search(probe, 5))
        assert copy.verify() == []
        assert all(sample.face is not None for _, sample in copy.samples())


def test_operating_points_are_kept_replaced_and_dropped(gallery: BaseGallery) -> None:
    point = OperatingPoint(
        0.91, fmr=1e-2, low=0.008, high=0.013, comparisons=4_950, subjects=100, data="öffnung", space="s"
    )
    assert gallery.points == ()
    gallery.keep_points([point, replace(point, threshold=0.93, fmr=1e-3)])
    assert gallery.points == (point, replace(point, threshold=0.93, fmr=1e-3))
    gallery.keep_points([])
    assert gallery.points == ()


def test_many_probes_get_the_answers_of_each(gallery: BaseGallery) -> None:
    rows = [(f"p{number % 7}", sample.template.vector) for number, sample in enumerate(random_samples(31, 25))]
    enrol_rows(gallery, rows)
    probes = [sample.template for sample in random_samples(32, 9)]
    for one, probe in zip(gallery.search_many(probes, 4), probes, strict=True):
        assert alike(gallery, one, brute_force(rows, probe.vector, 4))
    assert gallery.search_many([], 4) == []
    with pytest.raises(UsageError, match="0 matches"):
        gallery.search_many(probes, 0)


def test_a_floor_leaves_out_who_scores_less(gallery: BaseGallery) -> None:
    rows = [(f"p{number}", sample.template.vector) for number, sample in enumerate(random_samples(33, 20))]
    enrol_rows(gallery, rows)
    probe = random_samples(34, 1)[0].template
    everybody = gallery.search(probe, 20)
    for floor in (-1.0, everybody[9].score, everybody[3].score + 1e-3, 1.0):
        found = gallery.search(probe, 20, floor=floor)
        slack = SEALED_SLACK[gallery.profile] if isinstance(gallery, SealedGallery) else 0.0
        assert len(found) >= sum(match.score >= floor + slack for match in everybody)
        assert all(match.score >= floor for match in found)
        assert alike(gallery, found, everybody[: len(found)])
    for nonsense in (float("nan"), 1.5, -2.0):
        with pytest.raises(UsageError, match="no score"):
            gallery.search(probe, 1, floor=nonsense)


def test_a_filter_searches_those_of_whom_it_is_true(gallery: BaseGallery) -> None:
    rows = [(f"p{number}", sample.template.vector) for number, sample in enumerate(random_samples(35, 12))]
    for number, (name, vector) in enumerate(rows):
        gallery.enrol(name, [Sample(Template(vector, SPACE))], {"age": number, "site": "é" if number % 2 else "b"})
    probe = random_samples(36, 1)[0].template
    for text, kept in {
        "age >= 4 and age < 9": range(4, 9),
        "site = 'é'": range(1, 12, 2),
        "not site = 'é' or subject = 'p1'": (0, 1, 2, 4, 6, 8, 10),
        "height > 3": (),
    }.items():
        mine = [rows[number] for number in kept]
        assert alike(gallery, gallery.search(probe, 5, where=parse(text)), brute_force(mine, probe.vector, 5)), text
    gallery.forget("p5")
    gallery.enrol("p6", [], {"age": 40})
    names = {match.subject for match in gallery.search(probe, 12, where=parse("age in (4, 5, 6, 7)"))}
    assert names == {"p4", "p7"}


def test_many_people_are_enrolled_in_one_step_or_none_is(gallery: BaseGallery) -> None:
    people = [(f"p{number}", random_samples(40 + number, 1 + number % 3)) for number in range(6)]
    assert gallery.enrol_many([]) == 0
    assert gallery.enrol_many([*people, ("p0", random_samples(50, 2)), people[1]]) == 14
    assert gallery.enrol_many(people) == 0
    assert {person.subject: person.samples for person in gallery.people()} == {
        "p0": 3, "p1": 2, "p2": 3, "p3": 1, "p4": 2, "p5": 3
    }  # fmt: skip
    for bad in (("", random_samples(1, 1)), ("nobody", []), ("other", [of(*range(1, 17), space="space-b")])):
        with pytest.raises((BadSubject, InputError, SpaceMismatch)):
            gallery.enrol_many([("new", random_samples(60, 1)), bad])
        assert "new" not in gallery and len(gallery) == 6 and gallery.templates == 14


def test_metadata_and_dates_come_along_with_many(gallery: BaseGallery) -> None:
    date = "2020-02-02T02:02:02+00:00"
    gallery.enrol("old", random_samples(1, 1), {"floor": 1}, enrolled=date)
    people: list[protocols.Enrolment] = [
        ("plain", random_samples(2, 1)),
        ("noted", random_samples(3, 2), {"floor": 2}),
        ("dated", random_samples(4, 1), None, date),
        ("old", [], {"floor": 3}, "2021-01-01T00:00:00+00:00"),
        ("twice", random_samples(5, 1), {"floor": 4}, date),
        (" twice", random_samples(6, 1), {"floor": 5}, "2021-01-01T00:00:00+00:00"),
        ("twice", random_samples(7, 1)),
    ]
    assert gallery.enrol_many(people) == 7
    found = {one.subject: (one.samples, one.metadata, one.enrolled) for one in gallery.people()}
    today = found["plain"][2]
    assert today > date
    assert found == {
        "plain": (1, {}, today),
        "noted": (2, {"floor": 2}, found["noted"][2]),
        "dated": (1, {}, date),
        "old": (1, {"floor": 3}, date),
        "twice": (3, {"floor": 5}, date),
    }
    assert gallery.enrol_many(people) == 0
    for bad in ({"number": float("nan")}, ["no mapping"]):
        with pytest.raises(InputError):
            gallery.enrol_many([("new", random_samples(60, 1)), ("newer", random_samples(61, 1), bad)])  # type: ignore[list-item]
        assert "new" not in gallery
    with pytest.raises(InputError):
        gallery.enrol_many([("nobody", [], {"floor": 1})])


def test_an_answer_says_why_it_may_be_believed(gallery: BaseGallery) -> None:
    enrol_rows(gallery, [(f"p{number}", one.template.vector) for number, one in enumerate(random_samples(41, 20))])
    for match in gallery.search(random_samples(42, 1)[0].template, 3):
        assert match.evidence is not None and match.evidence.exact and match.evidence.measured_recall is None
        assert match.evidence.proof and 1 <= match.evidence.candidates <= 20


def test_how_many_a_search_compares_with(gallery: BaseGallery) -> None:
    for number in range(6):
        gallery.enrol(f"p{number}", random_samples(70 + number, 1 + number % 2), {"age": number})
    assert gallery.count() == (6, 9)
    assert gallery.count(parse("age >= 3")) == (3, 5)
    assert gallery.count(parse("age > 30")) == (0, 0)


def test_vectors_a_little_longer_than_one_tie_at_one(gallery: BaseGallery) -> None:
    probe = unit(*range(1, 17))
    for name, length in (("b", 1 + 9e-5), ("a", 1 + 5e-5), ("c", 1 + 7e-5)):
        gallery.enrol(name, [Sample(Template((probe * np.float32(length)).astype(np.float32), SPACE))])
    template = Template((probe * np.float32(1 + 9e-5)).astype(np.float32), SPACE)
    for k in (1, 2, 3):
        assert [match.subject for match in gallery.search(template, k)] == ["a", "b", "c"][:k]

"""Doubts about a gallery: against all pairs by definition, planted duplicates, and merges that lose nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.cli.group import group
from mien.dedupe import Wanted, dedupe, merge, pairs, sample_of
from mien.dedupe.pairs import Held, scan
from mien.dedupe.pictures import misfits
from mien.errors import EvidenceError, UnknownSubject, UsageError
from mien.gallery import BaseGallery, open_gallery
from mien.types import Face, Frame, OperatingPoint, Sample, Template

POINTS = tuple(
    OperatingPoint(t, rate, rate / 2, rate * 2, 10**8, 20_000, "made up", "s") for t, rate in ((0.6, 1e-3), (0.8, 1e-6))
)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def looks(person: int, count: int, start: int = 0) -> np.ndarray:
    middle = np.random.default_rng(person).normal(size=64)
    spread = np.random.default_rng((person, start)).normal(size=(count, 64))
    return unit(middle / np.linalg.norm(middle) + 0.4 * spread / np.linalg.norm(spread, axis=1, keepdims=True))


def samples(rows: np.ndarray, prefix: str = "", crop: bool = False) -> list[Sample]:
    face = Face(Frame(np.full((64, 64, 3), 128, np.uint8)), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return [Sample(Template(row, "s"), face if crop else None, f"{prefix}{i}.jpg") for i, row in enumerate(rows)]


def filled(gallery: BaseGallery, count: int = 12) -> BaseGallery:
    """People of three pictures each."""
    for person in range(count):
        gallery.enrol(f"p{person:02d}", samples(looks(person, 3), f"{person}-", crop=True))
    return gallery


@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(1, 8), st.floats(-0.5, 0.9))
@settings(max_examples=40, deadline=None)
def test_all_pairs_as_defined(seed: int, count: int, people: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(count, 6)))
    vectors[rng.integers(count)] = vectors[rng.integers(count)]  # ties
    owner = rng.integers(people, size=count)
    held = Held(vectors, owner, tuple(f"p{n}" for n in range(people)))
    wanted: dict[tuple[int, int], float] = {}
    reached = comparisons = 0
    for a in range(count):
        for b in range(a + 1, count):
            if owner[a] != owner[b]:
                score = max(-1.0, min(1.0, math.fsum((vectors[a].astype(float) * vectors[b].astype(float)).tolist())))
                comparisons += 1
                if score >= threshold:
                    reached += 1
                    key = (min(owner[a], owner[b]), max(owner[a], owner[b]))
                    wanted[key] = max(score, wanted.get(key, -2.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairs, "_ROWS", 7)
        patch.setattr(pairs, "_COLUMNS", 5)
        found = scan(held, threshold, limit=100)
        few = scan(held, threshold, limit=2)
    assert held.comparisons == comparisons
    assert {pair: score for pair, (score, _, _) in found.best.items()} == wanted
    assert list(found.best.values()) == sorted(found.best.values(), key=lambda one: -one[0])
    assert found.reached == few.reached == reached
    best = sorted(wanted.items(), key=lambda item: (-item[1], item[0]))[:2]
    assert [score for score, _, _ in few.best.values()] == [score for _, score in best]
    for row in range(count):
        others = [float(vectors[row] @ vectors[b]) for b in range(count) if owner[b] != owner[row]]
        assert found.other[row] == pytest.approx(max(others) if others else -2, abs=1e-5)
        assert (found.whose[row] < 0) == (not others)


def test_somebody_enrolled_twice_is_found_with_what_chance_would_bring() -> None:
    with open_gallery() as gallery:
        filled(gallery).enrol("other name", samples(looks(3, 2, start=7), "x"))
        found = dedupe(gallery, points=POINTS)
        assert [(pair.one, pair.other) for pair in found.pairs] == [("other name", "p03")]
        assert found.comparisons == 38 * 37 // 2 - 12 * 3 - 1
        assert found.expected == pytest.approx(found.comparisons * 1e-3)  # a loose enough point for so few comparisons
        assert found.low == pytest.approx(found.expected / 2)
        pair = found.pairs[0]
        match = gallery.search(Template(np.frombuffer(pair.vectors[0], np.float32), "s"), 2)
        assert match[1].score == pair.score, "what a search would say"
        kept = sample_of(gallery, "p03", pair.vectors[1])
        assert kept is not None and kept.source == pair.other_source
        assert not found.misfits


def test_the_threshold_grows_with_the_gallery_and_with_what_is_asked() -> None:
    def threshold(wanted: Wanted | None = None, people: int = 12) -> float:
        with open_gallery() as gallery:
            return dedupe(filled(gallery, people), wanted, POINTS).point.threshold

    assert threshold() < threshold(people=60) < threshold(Wanted(expect=0.1), people=60)
    assert threshold(Wanted(fmr=1e-6)) == pytest.approx(0.8)
    with open_gallery() as gallery:
        by_hand = dedupe(filled(gallery), Wanted(threshold=0.3))
        assert (by_hand.point.threshold, by_hand.expected, by_hand.low) == (0.3, None, None)
        with pytest.raises(EvidenceError, match="evidence reaches"):
            dedupe(gallery, Wanted(expect=1e-6), POINTS)
        with pytest.raises(EvidenceError, match="No operating point"):
            dedupe(gallery)
        soft = dedupe(gallery, points=[OperatingPoint(0.7, 1e-2, comparisons=1000, space="s")])
        assert soft.point.threshold == 0.7, "the strictest there is, and it says how many to expect"
        assert soft.expected == pytest.approx(soft.comparisons * 1e-2)


def test_the_gallerys_own_evidence_is_preferred() -> None:
    with open_gallery() as gallery:
        filled(gallery).keep_points([OperatingPoint(0.55, 1e-3, comparisons=10**6, data="own", space="s")])
        assert dedupe(gallery, Wanted(fmr=1e-3), POINTS).point.data == "own"
        assert dedupe(gallery, Wanted(fmr=1e-5), POINTS).point.data == "made up"


def test_a_wrong_picture_is_found_and_the_right_ones_are_not_blamed() -> None:
    with open_gallery() as gallery:
        filled(gallery).enrol("p05", samples(looks(40, 1), "wrong"))
        gallery.enrol("two", samples(np.vstack([looks(50, 1), looks(51, 1)]), "t"))
        gallery.enrol("p06", samples(looks(7, 1, start=9), "seven"))
        found = {(one.subject, one.source): one for one in dedupe(gallery, points=POINTS).misfits}
        assert set(found) == {("p05", "wrong0.jpg"), ("two", "t0.jpg"), ("two", "t1.jpg"), ("p06", "seven0.jpg")}
        assert found["p05", "wrong0.jpg"].alone and not found["two", "t0.jpg"].alone
        assert (found["p06", "seven0.jpg"].resembles, found["p05", "wrong0.jpg"].resembles) == ("p07", None)
        assert dedupe(gallery, Wanted(usual=0), POINTS).misfits == ()


def test_a_duplicate_in_a_small_gallery_casts_no_doubt_on_pictures() -> None:
    with open_gallery() as gallery:
        filled(gallery, 4).enrol("again", samples(looks(2, 5, start=3)))
        found = dedupe(gallery, points=POINTS)
        assert [(pair.one, pair.other) for pair in found.pairs] == [("again", "p02")]
        assert found.misfits == ()


def test_too_few_strangers_say_nothing_of_pictures() -> None:
    with open_gallery() as gallery:
        filled(gallery, 2).enrol("p00", samples(looks(9, 1)))
        assert dedupe(gallery, points=POINTS).misfits == ()


def test_misfits_peel_the_worst_first() -> None:
    rows = np.vstack([looks(1, 5), looks(2, 1), looks(3, 1)])
    held = Held(rows, np.zeros(7, np.int64), ("one",))
    assert sorted(row for row, _, alone in misfits(held, 0.4) if alone) == [5, 6]


@pytest.mark.parametrize("path", [None, "people.db"])
def test_merging(tmp_path: Path, path: str | None) -> None:
    with open_gallery(path and tmp_path / path) as gallery:
        filled(gallery, 3)
        gallery.enrol("p00", samples(looks(0, 1)), {"badge": 1, "room": "A"})
        gallery.enrol("p01", samples(looks(1, 1)), {"badge": 2, "since": 1999})
        before = {sample.template.vector.tobytes() for name, sample in gallery.samples() if name in ("p00", "p01")}
        done = merge(gallery, "p00", "p01")
        assert (done.subject, done.gone, done.dropped) == ("p00", "p01", ("badge",))
        held = [sample for _, sample in gallery.samples("p00")]
        assert {sample.template.vector.tobytes() for sample in held} == before
        assert sum(sample.face is not None for sample in held) == 6
        assert [dict(person.metadata) for person in gallery.people() if person.subject == "p00"] == [
            {"badge": 1, "room": "A", "since": 1999}
        ]
        assert "p01" not in gallery
        for wrong, kind in ((("p00", "nobody"), UnknownSubject), (("p00", "p00 "), UsageError)):
            with pytest.raises(kind):
                merge(gallery, *wrong)


def test_a_merge_that_was_stopped_half_way_lost_nothing_and_can_be_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled(open_gallery(tmp_path / "people.db"), 3) as gallery, monkeypatch.context() as patch:
        patch.setattr(type(gallery), "forget", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            merge(gallery, "p00", "p01")
    with open_gallery(tmp_path / "people.db") as gallery:
        assert [(person.subject, person.samples) for person in gallery.people()] == [("p00", 6), ("p01", 3), ("p02", 3)]
        assert dedupe(gallery, points=POINTS).pairs[0].score == pytest.approx(1), "and it shows"
        assert merge(gallery, "p00", "p01").moved == 0
        assert [person.samples for person in gallery.people()] == [6, 3]


def test_bad_wishes(tmp_path: Path) -> None:
    for wrong in (
        {"expect": 1, "fmr": 1e-3},
        {"expect": 0},
        {"usual": 1},
        {"limit": 0},
        {"threshold": 0.5, "fmr": 0.1},
    ):
        with pytest.raises(UsageError):
            Wanted(**wrong)  # type: ignore[arg-type]
    with open_gallery() as gallery:
        for _ in range(2):
            with pytest.raises(EvidenceError, match="at least two"):
                dedupe(gallery, points=POINTS)
            gallery.enrol("ana", samples(looks(0, 2)))


def test_the_command(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with filled(open_gallery(path)) as gallery:
        gallery.enrol("it's me", samples(looks(3, 2, start=7), "x", crop=True))
        gallery.enrol("p05", samples(looks(40, 1), "wrong"))

    def run(*words: object) -> tuple[int, str]:
        result = CliRunner().invoke(group, ["dedupe", str(path), *map(str, words)])
        return result.exit_code, result.stdout

    code, text = run("--threshold", 0.6, "--json", "-o", tmp_path / "page")
    told = json.loads(text)
    assert code == 0
    assert [(one["doubt"], one["subject"], one["other"]) for one in told["doubts"]] == [
        ("one person twice?", "it's me", "p03"),
        ("another person?", "p05", None),
    ]
    assert told["doubts"][0]["remedy"].endswith("""--merge 'it'"'"'s me' p03""")
    page = (tmp_path / "page" / "index.html").read_text("utf8")
    assert page.count("data:image/jpeg") == 2 + 3
    assert "it&#x27;s me" in page
    assert run("--merge", "p03", "it's me", "--json")[0] == 0
    assert run("--remove", "p05", "wrong0.jpg")[0] == 0
    assert run("--remove", "p05", "absent.jpg")[0] == 64
    assert json.loads(run("--threshold", 0.6, "--json")[1])["doubts"] == []

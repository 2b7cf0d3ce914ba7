"""Who is taken for whom in two spaces, against plain arithmetic over all templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mien.errors import SpaceMismatch, UsageError
from mien.gallery import MemoryGallery, migrate, open_gallery
from mien.gallery.moving.compare import altered, compare
from mien.gallery.moving.prepared import compare_prepared, disagreements
from mien.gallery.moving.steps import prepare, status, switch
from mien.types import Face, OperatingPoint, Template

Fill = Callable[..., Path]


def people(cast: Any, embedder: Any, shots: Sequence[int]) -> MemoryGallery:
    """Person n has shots[n] pictures."""
    gallery = MemoryGallery()
    for person, count in enumerate(shots):
        gallery.enrol(f"p{person}", [cast.sample(embedder, person, shot) for shot in range(count)])
    return gallery


class Blind:
    """An embedder that sees two people as one: whoever is in `same` looks like the first of them."""

    def __init__(self, cast: Any, same: tuple[int, int]) -> None:
        self._cast, self._same, self._inner = cast, same, cast.new()
        self.name, self.space = "blind", "blind space"

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        return [Template(self.vector(face), self.space) for face in faces]

    def vector(self, face: Face) -> np.ndarray:
        person, shot = (int(part) for part in face.frame.source.removesuffix(".jpg").split("-"))
        if person == self._same[1]:
            # The pictures of the second are nearer to those of the first than to each other.
            face = self._cast.face(self._same[0], shot, noise=0.31)
        return self._inner.vector(face)


def brute(gallery: MemoryGallery) -> dict[tuple[str, str], tuple[str, float, float]]:
    """{(subject, source): (whom the probe is taken for, own score, best other)} by comparing everything with everything."""
    rows = [(name, sample.source, sample.template.vector.astype(np.float64)) for name, sample in gallery.samples()]
    found = {}
    for at, (name, source, vector) in enumerate(rows):
        scores = [(float(vector @ other), whom) for place, (whom, _, other) in enumerate(rows) if place != at]
        own = max((score for score, whom in scores if whom == name), default=None)
        best, rival = max((score, whom) for score, whom in scores if whom != name)
        if own is not None:
            found[name, source] = (name if own >= best else rival, own, best)
    return found


def test_every_probe_is_named_as_by_comparing_everything(cast: SimpleNamespace) -> None:
    before = people(cast, cast.old(), [3, 2, 4, 2, 3, 2])
    after = MemoryGallery()
    migrate(before, Blind(cast, (1, 4)), after)
    result = compare(before, after)
    wanted = brute(before), brute(after)
    assert (result.probes, result.people, result.unprobed, result.single) == (16, 6, (), 0)
    differing = {key for key in wanted[0] if wanted[0][key][0] != wanted[1][key][0]}
    assert {(probe.subject, probe.source) for probe in result.changed} == differing
    assert differing, "the blind embedder takes somebody for somebody else"
    for probe in result.changed:
        for side, brutish in ((probe.before, wanted[0]), (probe.after, wanted[1])):
            first, own, other = brutish[probe.subject, probe.source]
            assert (side.first, side.own, side.other) == (
                first,
                pytest.approx(own, abs=1e-6),
                pytest.approx(other, abs=1e-6),
            )
    share = np.mean([wanted[0][key][0] == wanted[1][key][0] for key in wanted[0]])
    same = result.metrics["same_name"]
    assert same.value == pytest.approx(share) and same.low < same.value < same.high and same.n == 16
    assert result.metrics["rank1_before"].value == 1.0
    assert (result.verdict, set(result.look)) == ("look", {"p1", "p4"})
    assert "p1, p4" in result.words
    assert {frozenset((pair.subject, pair.rival)) for pair in result.confused} == {frozenset(("p1", "p4"))}
    assert compare(after, before).mended == result.confused, "the other way round they are told apart again"


def test_thresholds_say_who_is_accepted(cast: SimpleNamespace) -> None:
    before = people(cast, cast.old(), [2] * 8)
    after = MemoryGallery()
    migrate(before, cast.new(), after)
    lenient = OperatingPoint(-1.0, space="old space")
    strict = OperatingPoint(1.0, space="new space")
    result = compare(before, after, points=(lenient, strict))
    assert (result.metrics["tar_before"].value, result.metrics["tar_after"].value) == (1.0, 0.0)
    assert result.metrics["stranger_before"].value == 1.0
    assert result.rejected == tuple(f"p{n}" for n in range(8)) == result.look
    assert result.thresholds == (-1.0, 1.0)
    with pytest.raises(SpaceMismatch):
        compare(before, after, points=(strict, strict))
    safe = compare(before, after)
    assert (safe.verdict, safe.look, safe.changed) == ("safe", (), ())
    assert "16 probes of 8 people" in safe.words and "at most" in safe.words
    assert safe.margins["before"][0] > 0


def test_who_has_one_crop_is_probed_by_a_changed_copy_and_counted_apart(cast: SimpleNamespace) -> None:
    old, new = cast.old(), cast.new()
    before = people(cast, old, [1, 1, 2])
    before.enrol("faceless", [cast.sample(old, 9, crop=False)])
    after = MemoryGallery()
    migrate(before, new, after)
    result = compare(before, after)
    assert (result.probes, result.people, result.single, result.unprobed) == (2, 1, 0, ("faceless", "p0", "p1"))
    result = compare(before, after, embedders=(old, new))
    assert (result.probes, result.people, result.single, result.unprobed) == (2, 1, 2, ("faceless",))
    assert result.metrics["same_name_single"].n == 2 and result.metrics["same_name"].n == 2
    single = people(cast, old, [1, 1])
    other = MemoryGallery()
    migrate(single, new, other)
    assert compare(single, other, embedders=(old, new)).verdict == "unclear"
    assert compare(single, other).words.startswith("Cannot tell: nothing could be probed")


def test_altered_face_is_mirrored_with_its_points(cast: SimpleNamespace) -> None:
    face = cast.face(3)
    twice = altered(altered(face))
    np.testing.assert_allclose(twice.points, face.points)
    np.testing.assert_allclose(twice.box, face.box - [1, 0, 1, 0] + [1, 0, 1, 0])
    copy = altered(face)
    assert copy.points[0, 0] < copy.points[1, 0], "the subject's right eye stays left in the picture"
    assert copy.frame.pixels.shape == face.frame.pixels.shape and not np.array_equal(
        copy.frame.pixels, face.frame.pixels
    )


def test_of_many_crops_the_same_people_are_drawn(cast: SimpleNamespace) -> None:
    before = people(cast, cast.old(), [2] * 20)
    after = MemoryGallery()
    migrate(before, cast.new(), after)
    result = compare(before, after, probes=10)
    assert (result.probes, result.people, result.crops) == (10, 5, 40)
    assert compare(before, after, probes=10) == result


def test_both_indexes_of_a_file_before_and_after_the_switch(cast: SimpleNamespace, filled: Fill) -> None:
    path, blind = filled(6, 3), Blind(cast, (1, 4))
    with pytest.raises(UsageError, match="No migration"):
        compare_prepared(path)
    prepare(path, blind)
    found = compare_prepared(path)
    assert found.spaces == ("old space", "blind space") and found.verdict == "look"
    assert status(path).compared == found.words
    switch(path, blind)
    again = compare_prepared(path)
    assert (again.spaces, again.changed) == (found.spaces, found.changed)
    with open_gallery(status(path).second) as before, open_gallery(path) as after:
        sheet = disagreements(found, before, after)
        lines = len(found.changed)
        assert sheet.height >= lines * 138 and (sheet.pixels < 200).mean() > 0.05
        empty = disagreements(compare(before, before), before, before)
        assert empty.height < 200

"""From one model's space to another's, by way of the kept crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mien.errors import InputError, SpaceMismatch, UsageError
from mien.gallery import EmbeddedGallery, MemoryGallery, migrate, migrate_in_place, open_gallery
from mien.types import Face, Frame, Sample, Template


class MeanColour:
    """An embedder of another space: mean colours of the crop's halves, so that what it saw can be told."""

    name = "mean-colour"
    space = "colour space"

    def embed(self, faces: Sequence[Face]) -> list[Template]:
        return [Template(self.vector(face), self.space) for face in faces]

    def vector(self, face: Face) -> np.ndarray:
        half = face.frame.height // 2
        halves = (face.frame.pixels[:half], face.frame.pixels[half:])
        colours = np.concatenate([part.mean((0, 1)) for part in halves]) + 1.0
        return (colours / np.linalg.norm(colours)).astype(np.float32)


def shot(number: int, *, image: bool = True) -> Sample:
    rng = np.random.default_rng(number)
    pixels = (rng.integers(0, 256, (1, 1, 3)) * np.linspace(0.2, 1, 16)[:, None, None] + np.zeros((16, 16, 3))).astype(
        np.uint8
    )
    face = Face(Frame(pixels, f"{number}.jpg"), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.9)
    vector = rng.normal(size=32)
    template = Template((vector / np.linalg.norm(vector)).astype(np.float32), "old space", 0.5)
    return Sample(template, face if image else None, f"{number}.jpg")


def fill(path: Path, *, crops: bool = True) -> None:
    with open_gallery(path) as gallery:
        for number in range(6):
            gallery.enrol(
                f"p{number}", [shot(number), shot(number + 10)], {"n": number}, enrolled="2020-01-02T03:04:05+00:00"
            )
        if not crops:
            gallery.enrol("p0", [shot(50, image=False)])
            gallery.enrol("faceless", [shot(51, image=False)])


def test_migrate_brings_people_along_and_leaves_the_source(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    fill(path, crops=False)
    steps: list[tuple[int, int]] = []
    with open_gallery(path) as source, MemoryGallery() as target:
        before = source.people()
        result = migrate(source, MeanColour(), target, lambda done, total: steps.append((done, total)))
        assert (result.moved, result.left, result.without_crop, result.space) == (12, 2, ("faceless",), "colour space")
        assert source.people() == before
        assert [(p.subject, p.samples, p.metadata, p.enrolled) for p in target.people()] == [
            (f"p{n}", 2, {"n": n}, "2020-01-02T03:04:05+00:00") for n in range(6)
        ]
        for _, sample in target.samples():
            assert sample.face is not None and sample.source == sample.face.frame.source
            np.testing.assert_array_equal(sample.template.vector, MeanColour().vector(sample.face))
            assert sample.template.quality == 0.5
        assert steps[-1] == (14, 14) and steps == sorted(steps)
        with pytest.raises(SpaceMismatch):
            migrate(target, MeanColour(), source)


def test_in_place_changes_the_space_and_keeps_the_old_beside(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    fill(path)
    with open_gallery(path) as reader:
        before = reader.people()
        assert reader.space == "old space"
        result = migrate_in_place(path, MeanColour())
        assert (result.moved, result.left) == (12, 0)
        # A reader that had it open all the while goes over to the new space with the file.
        assert reader.space == "colour space"
        probe = next(reader.samples("p3"))[1].template
        assert reader.search(probe, 1)[0].subject == "p3"
        assert reader.people() == before
        assert reader.verify() == []
        with pytest.raises(SpaceMismatch):
            reader.search(shot(3).template)
    names = {each.name for each in tmp_path.iterdir()}
    state = {"people.db.migration", "people.db.migration-lock", "people.db.migration-gate"}
    assert names == {"people.db", Path(result.backup).name} | state
    with open_gallery(result.backup) as old:
        assert (old.space, old.people()) == ("old space", before)
        assert old.search(shot(3).template, 1)[0].subject == "p3"
    with pytest.raises(UsageError, match="already"):
        migrate_in_place(path, MeanColour())


def test_in_place_without_backup_leaves_no_byte_of_the_old_templates(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    fill(path)
    old = [shot(number).template.vector.tobytes()[:16] for number in range(6)]
    assert all(each in path.read_bytes() for each in old)
    assert migrate_in_place(path, MeanColour(), keep_backup=False).backup == ""
    assert [each.name for each in tmp_path.iterdir()] == ["people.db"]
    assert not any(each in path.read_bytes() for each in old)


def test_in_place_refuses_to_lose_people_unless_allowed(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    fill(path, crops=False)
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"2 samples of 2 people.*faceless, p0"):
        migrate_in_place(path, MeanColour())
    assert path.read_bytes() == before
    result = migrate_in_place(path, MeanColour(), allow_loss=True)
    assert result.without_crop == ("faceless",)
    with open_gallery(result.backup) as old:
        assert "faceless" in old


def test_a_failure_on_the_way_leaves_all_as_it_was(tmp_path: Path) -> None:
    class Broken(MeanColour):
        def embed(self, faces: Sequence[Face]) -> list[Template]:
            if any(face.frame.source == "4.jpg" for face in faces):
                raise InputError("No.")
            return super().embed(faces)

    path = tmp_path / "people.db"
    fill(path)
    before = path.read_bytes()
    with pytest.raises(InputError):
        migrate_in_place(path, Broken())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["people.db"]


@pytest.mark.parametrize("change", [("late", [shot(77)], None), ("p1", [], {"n": "new"})])
def test_what_changed_meanwhile_comes_along(change: tuple[str, list[Sample], object], tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    fill(path)

    def meddle(done: int, total: int) -> None:
        if done == total == 12:
            with EmbeddedGallery(path) as other:
                other.enrol(*change)

    migrate_in_place(path, MeanColour(), progress=meddle)
    with open_gallery(path) as gallery:
        assert (gallery.space, change[0] in gallery) == ("colour space", True)
        assert change[2] is None or gallery.people()[1].metadata == change[2]
        assert gallery.verify() == []

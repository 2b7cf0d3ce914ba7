"""The default embedder on real people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import align, embed
from mien.errors import ModelUnavailable
from mien.protocols import Embedder
from mien.types import Face, Frame


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedder]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_CACHE", str(tmp_path_factory.mktemp("cache")))
        try:
            yield embed.load("dlib_resnet")
        except ModelUnavailable as error:
            pytest.skip(error.message)


@pytest.fixture(scope="module")
def people(data: Path) -> dict[str, list[Face]]:
    """Three photos of each of four people of LFW, who look straight out of the middle of 250x250 px."""
    found = {}
    for folder in sorted((data / "faces" / "lfw10").iterdir())[:4]:
        found[folder.name] = [middle_face(path) for path in sorted(folder.glob("*.jpg"))[:3]]
    return found


def middle_face(path: Path) -> Face:
    """LFW's photos are cut so that the face's place is known: near enough for an embedder."""
    points = np.array([[105, 113], [146, 113], [125, 138], [108, 160], [143, 160]], np.float32)
    pixels = np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])
    return Face(Frame(pixels), np.array([80, 75, 170, 185], np.float32), points, 0.99)


def vectors(embedder: Embedder, faces: list[Face]) -> np.ndarray:
    return np.stack([template.vector for template in embedder.embed(faces)])


def test_one_person_is_more_alike_than_two(embedder: Embedder, people: dict[str, list[Face]]) -> None:
    found = {name: vectors(embedder, faces) for name, faces in people.items()}
    same = [one @ other for group in found.values() for i, one in enumerate(group) for other in group[:i]]
    names = sorted(found)
    other = [one @ two for i, a in enumerate(names) for b in names[:i] for one in found[a] for two in found[b]]
    assert np.median(same) > np.quantile(other, 0.95)
    assert 0.7 < np.median(other) < 0.95  # raw vectors share a large mean: thresholds of other models do not fit


def test_a_face_on_a_crop_of_its_own_has_the_same_vector(embedder: Embedder, people: dict[str, list[Face]]) -> None:
    faces = [face for group in people.values() for face in group]
    before, after = vectors(embedder, faces), vectors(embedder, [align.rehome(face) for face in faces])
    assert (before * after).sum(1).min() > 0.999


def test_a_large_face_on_a_crop_of_its_own_has_nearly_the_same_vector(
    embedder: Embedder, people: dict[str, list[Face]]
) -> None:
    large = [enlarged(group[0], 6) for group in people.values()]
    crops = [align.rehome(face) for face in large]
    assert all(crop.frame.width == 256 for crop in crops)
    assert (vectors(embedder, large) * vectors(embedder, crops)).sum(1).min() > 0.998


def enlarged(face: Face, times: int) -> Face:
    pixels = cv2.resize(face.frame.pixels, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
    return Face(Frame(np.asarray(pixels, np.uint8)), face.box * times, face.points * times, face.score)


def test_a_cut_off_face_at_the_border_still_gives_a_vector(embedder: Embedder, people: dict[str, list[Face]]) -> None:
    face = next(iter(people.values()))[0]
    cut = Face(Frame(face.frame.pixels[:, 100:]), face.box - (100, 0, 100, 0), face.points - (100, 0), 0.9)
    before, after = vectors(embedder, [cut]), vectors(embedder, [align.rehome(cut)])
    assert (before * after).sum() > 0.999

"""Forgotten is gone: no byte of a template, crop, name or note stays in any file."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.errors import GalleryBusy
from mien.gallery import EmbeddedGallery, embedded, open_gallery
from mien.types import Face, Frame, Sample, Template


def sample_of(number: int) -> Sample:
    rng = np.random.default_rng(number)
    vector = rng.normal(size=128)
    pixels = rng.integers(0, 256, (64, 64, 3), np.uint8)
    face = Face(Frame(pixels, f"crop-source-{number:05d}"), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 1.0)
    return Sample(
        Template((vector / np.linalg.norm(vector)).astype(np.float32), "space"), face, f"sample-source-{number:05d}"
    )


def name_of(number: int) -> str:
    return f"Zörbel number {number:05d}"


def traces(number: int) -> list[bytes]:
    """Byte strings that betray a person: every 16 bytes of the template and of the compressed crop, and all words."""
    sample = sample_of(number)
    assert sample.face is not None
    png = io.BytesIO()
    Image.fromarray(sample.face.frame.pixels).save(png, "PNG", compress_level=4)
    body = png.getvalue()[64:-32]  # the head and the tail of a PNG are the same in all
    vector = sample.template.vector.tobytes()
    words = [name_of(number), f"badge-{number:05d}", sample.source, sample.face.frame.source]
    pieces = [data[i : i + 16] for data in (vector, body) for i in range(0, len(data) - 16, 16)]
    return [word.encode() for word in words] + pieces


def files_of(path: Path) -> bytes:
    return b"".join(each.read_bytes() for each in sorted(path.parent.iterdir()))


def found(number: int, raw: bytes) -> int:
    return sum(trace in raw for trace in traces(number))


@pytest.fixture(params=["written anew", "looked through"], autouse=True)
def manner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files are written anew at every erasure; large ones only where something is left."""
    if request.param == "looked through":
        monkeypatch.setattr(embedded, "_REWRITTEN", 0)


def test_nothing_is_left_of_the_forgotten_while_open_and_after(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    gallery = open_gallery(path)
    for number in range(30):
        gallery.enrol(name_of(number), [sample_of(number)], {"badge": f"badge-{number:05d}"})
    for number in (29, 0, 13):
        assert found(number, files_of(path)) >= len(traces(number)) - 5  # the test looks for what is really there
        gallery.forget(name_of(number))
        assert found(number, files_of(path)) == 0
    gallery.enrol(name_of(100), [sample_of(100)])
    gallery.close()
    assert [found(number, files_of(path)) for number in (29, 0, 13)] == [0, 0, 0]
    assert found(5, files_of(path)) > 0


def test_nothing_is_left_when_pages_were_moved_about_before(tmp_path: Path) -> None:
    """This very history leaves a whole template in a page gap when the file is not written anew."""
    path = tmp_path / "people.db"
    rng = np.random.default_rng(10)
    templates: dict[str, bytes] = {}
    here: list[str] = []
    with open_gallery(path) as gallery:
        for number in range(80):
            vector = rng.normal(size=128).astype(np.float32)
            vector /= np.linalg.norm(vector)
            name = f"person-{rng.integers(10**9):09d}-{number}" + "x" * int(rng.integers(0, 100))
            templates[name] = vector.tobytes()
            note = {"m": f"meta-{name}" + "y" * int(rng.integers(0, 800))}
            gallery.enrol(name, [Sample(Template(vector, "s"), source=f"src-{name}")], note)
            here.append(name)
            if rng.random() < 0.3:
                gallery.enrol(here[int(rng.integers(len(here)))], [], {"m": "z" * int(rng.integers(1, 1500))})
            if rng.random() < 0.4:
                gallery.forget(here.pop(int(rng.integers(len(here)))))
        raw = files_of(path)
        assert len(here) < 60
        assert {name for name in templates if f"{name}".encode() in raw} == set(here)
        pieces = {name: [row[i : i + 16] for i in range(0, 512, 16)] for name, row in templates.items()}
        assert {name for name in templates if any(piece in raw for piece in pieces[name])} == set(here)


def test_one_forgotten_sample_leaves_nothing_either(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with open_gallery(path) as gallery:
        gallery.enrol("ana", [sample_of(1), sample_of(2)])
        gallery.forget_sample("ana", sample_of(1).template)
        raw = files_of(path)
        assert (found(1, raw), found(2, raw) > 100) == (0, True)


def test_a_reader_in_the_way_is_told_and_the_rest_is_done_at_the_next_opening(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with EmbeddedGallery(path, timeout=0.1) as gallery:
        gallery.enrol(name_of(1), [sample_of(1)])
        gallery.enrol(name_of(2), [sample_of(2)])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM head").fetchall()
        with pytest.raises(GalleryBusy, match="is out of the gallery"):
            gallery.forget(name_of(1))
        assert [person.subject for person in gallery.people()] == [name_of(2)]
        reader.close()
    with open_gallery(path) as gallery:
        assert found(1, files_of(path)) == 0
        assert found(2, files_of(path)) > 0
        assert gallery.verify() == []

"""A damaged file is refused or answers rightly; it never answers wrongly."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryCorrupt
from mien.gallery import open_gallery
from mien.types import Face, Frame, Sample, Template


def picture_of(number: int) -> Sample:
    rng = np.random.default_rng(number)
    vector = rng.normal(size=64)
    pixels = rng.integers(0, 256, (24, 24, 3), np.uint8)
    face = Face(Frame(pixels), np.zeros(4, np.float32), np.zeros((5, 2), np.float32), 0.5)
    return Sample(Template((vector / np.linalg.norm(vector)).astype(np.float32), "space"), face, f"{number}.jpg")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("sound") / "people.db"
    with open_gallery(path) as gallery:
        for number in range(25):
            gallery.enrol(f"person {number}", [picture_of(number), picture_of(100 + number)], {"number": number})
        gallery.forget("person 7")
    return path.read_bytes()


def everything(path: Path) -> object:
    """All that a gallery says, as far as it says it."""
    with open_gallery(path, create=False) as gallery:
        ranking = gallery.search(picture_of(3).template, 30)
        walk = [
            (name, sample.template.vector.tobytes(), sample.source, sample.face and sample.face.frame.pixels.tobytes())
            for name, sample in gallery.samples()
        ]
        metadata = [(person.subject, person.samples, person.images, person.metadata) for person in gallery.people()]
        return ranking, walk, metadata


def damaged_by_flips(sound: bytes, rng: random.Random) -> bytes:
    content = bytearray(sound)
    for _ in range(rng.choice((1, 1, 2, 20))):
        # Half of the flips go where SQLite keeps its own books: the header and the heads of pages.
        place = rng.randrange(len(content))
        if rng.random() < 0.5:
            place = place // 4096 * 4096 + rng.randrange(120)
        content[place] ^= 1 << rng.randrange(8)
    return bytes(content)


def damaged_by_holes(sound: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(sound))
    size = rng.choice((1, 16, 512, 4096))
    return (sound[:start] + bytes(min(size, len(sound) - start)) + sound[start + size :])[: len(sound)]


def damaged_by_pages(sound: bytes, rng: random.Random) -> bytes:
    """Two pages change places, or one is written over by another, as by a disk that writes to the wrong place."""
    pages = [sound[i : i + 4096] for i in range(0, len(sound), 4096)]
    a, b = rng.randrange(len(pages)), rng.randrange(len(pages))
    pages[a], pages[b] = pages[b], pages[a] if rng.random() < 0.5 else pages[b]
    return b"".join(pages)


def damaged_by_cuts(sound: bytes, rng: random.Random) -> bytes:
    return sound[: rng.choice((rng.randrange(len(sound)), rng.randrange(len(sound) // 4096) * 4096))]


@pytest.mark.parametrize("damage", [damaged_by_flips, damaged_by_holes, damaged_by_pages, damaged_by_cuts])
def test_damage_is_refused_or_harmless(damage: object, sound: bytes, tmp_path: Path) -> None:
    assert callable(damage)
    path = tmp_path / "people.db"
    path.write_bytes(sound)
    wanted = everything(path)
    refused = 0
    for seed in range(60):
        for leftover in tmp_path.iterdir():
            leftover.unlink()
        path.write_bytes(damage(sound, random.Random(seed)))
        try:
            answer = everything(path)
        except GalleryCorrupt as error:
            refused += 1
            assert "people.db" in error.message and error.remedy
        else:
            assert answer == wanted, seed
    assert refused > 10


def test_verify_names_the_damaged_crop(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    # The fourth byte of the compressed pixels of some crop: no search needs it, so opening does not see it.
    place = sound.index(b"IDAT") + 8
    path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
    with open_gallery(path) as gallery:
        faults = gallery.verify()
        assert len(faults) == 1 and "the crop of sample" in faults[0]
        assert len(gallery.search(picture_of(1).template, 30)) == 24


def test_a_damaged_log_never_gives_half_an_enrol(tmp_path: Path) -> None:
    path, log = tmp_path / "people.db", tmp_path / "people.db-wal"
    gallery = open_gallery(path)
    states = [gallery.people()]
    for number in range(6):
        gallery.enrol(f"person {number}", [picture_of(number)])
        states.append(gallery.people())
    main, written = path.read_bytes(), log.read_bytes()
    gallery.close()
    for seed in range(40):
        rng = random.Random(seed)
        place = rng.randrange(len(written))
        path.write_bytes(main)
        log.write_bytes(written[:place] + bytes([written[place] ^ (1 << rng.randrange(8))]) + written[place + 1 :])
        with open_gallery(path) as gallery:
            assert gallery.people() in states
            assert gallery.verify() == []

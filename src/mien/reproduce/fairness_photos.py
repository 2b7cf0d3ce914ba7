"""Photos of Labeled Faces in the Wild as tight grey crops, with the groups that can be had honestly.

Nobody says the sex, age or origin of these people, and mien does not guess them. What is known of a photo is the expression
one rater saw, and what can be measured in it; what is known of a person is how many photos there are. A group of people whose
photos are spoiled on purpose is a simulated camera, and called so.
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from mien.audit.captures import Captures
from mien.audit.data import Labelled, pictures
from mien.errors import InputError
from mien.types import U8, Frame

T = TypeVar("T")
PAD = 0.3  # of each side: the face fills these crops
NOT_AVAILABLE = ("sex", "age", "origin or skin tone")
UNSPOILT = "as it is"


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """Photos of people with two or more, and what is known of each."""

    listed: tuple[Labelled, ...]
    expression: tuple[str, ...]  # one rater's, "" for those too rare for a group
    photos: tuple[str, ...]  # how many there are of the person, in the whole set


def read(path: Path, people: int, most: int, seed: int) -> Photos:
    """`people` drawn among those with two photos or more, `most` photos of each. Raises InputError, MediaNotFound."""
    listed, _ = pictures(path, PAD)
    of_person: dict[str, list[Labelled]] = {}
    for one in listed:
        of_person.setdefault(one.subject, []).append(one)
    several = sorted(name for name, held in of_person.items() if len(held) > 1)
    rng = np.random.default_rng(seed)
    drawn = [several[number] for number in np.sort(rng.permutation(len(several))[:people])]
    chosen = []
    for name in drawn:
        held = of_person[name]
        chosen += [held[number] for number in np.sort(rng.permutation(len(held))[:most])]
    seen = _expressions(path)
    words = tuple(_common(seen.get(Path(one.name).name, "")) for one in chosen)
    return Photos(tuple(chosen), words, tuple(_many(len(of_person[one.subject])) for one in chosen))


def measured(photos: Photos, captures: Captures) -> dict[str, tuple[str, ...]]:
    """Terciles of what can be measured in a photo: mien's own quality and the brightness of the crop."""
    middle = []
    for one in photos.listed:
        pixels = one.read().pixels
        height, width = pixels.shape[:2]
        middle.append(float(pixels[height // 4 : -height // 4, width // 4 : -width // 4].mean()))
    quality = np.where(np.isfinite(captures.quality), captures.quality, -1.0)
    return {
        "quality": thirds(quality, ("low", "middle", "high")),
        "brightness": thirds(np.array(middle), ("dark", "middle", "bright")),
    }


def thirds(values: np.ndarray[tuple[int], np.dtype[np.float64]], names: Sequence[str]) -> tuple[str, ...]:
    """Lowest, middle and highest third."""
    rank = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return tuple(names[int(place)] for place in rank * len(names) // max(len(values), 1))


def cameras(photos: Photos, seed: int) -> tuple[tuple[Labelled, ...], tuple[str, ...]]:
    """Photos with a simulated camera per person, and which: a third as they are, a third dark, a third compressed."""
    names = (UNSPOILT, *CAMERAS)
    people = sorted({one.subject for one in photos.listed})
    order = np.random.default_rng(seed).permutation(len(people))
    camera = {people[number]: names[place % len(names)] for place, number in enumerate(order.tolist())}
    words = tuple(camera[one.subject] for one in photos.listed)
    return tuple(_spoilt(one, word) for one, word in zip(photos.listed, words, strict=True)), words


def _dark(pixels: U8) -> U8:
    """A sixth of the light, and the sensor's noise with it."""
    rng = np.random.default_rng(int(pixels.sum()) % 2**32)
    return np.clip(pixels / 6 + rng.normal(0, 6, pixels.shape[:2])[..., None], 0, 255).astype(np.uint8)


def _compressed(pixels: U8) -> U8:
    """A quarter of the size in each direction, JPEG at quality 15, enlarged again."""
    from PIL import Image

    picture = Image.fromarray(pixels)
    small = picture.resize((max(1, picture.width // 4), max(1, picture.height // 4)), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=15)
    return np.asarray(Image.open(stream).convert("RGB").resize(picture.size, Image.Resampling.BILINEAR), np.uint8)


CAMERAS: Mapping[str, Callable[[U8], U8]] = {"dark": _dark, "compressed": _compressed}


def _spoilt(one: Labelled, camera: str) -> Labelled:
    if camera == UNSPOILT:
        return one

    def read() -> Frame:
        frame = one.read()
        return Frame(CAMERAS[camera](frame.pixels), frame.source)

    return replace(one, name=f"{camera}/{one.name}", read=read, content=None)


def _expressions(path: Path) -> dict[str, str]:
    """File name of a photo -> expression."""
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("expressions.csv")]
        if not names:
            raise InputError(f"{path} has no expressions.csv.", "Give the reference data.")
        with archive.open(names[0]) as file:
            rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf8"))
            return {Path(row["path"]).name: row["expression"] for row in rows}


def _common(expression: str) -> str:
    return expression if expression in ("neutral", "happiness") else "other" if expression else ""


def _many(count: int) -> str:
    return "2 or 3 photos" if count < 4 else "4 to 9 photos" if count < 10 else "10 photos or more"


def mixed(plain: Captures, other: Captures, places: Sequence[int]) -> Captures:
    """`plain` with the captures at `places` taken from `other`."""
    vectors, quality = plain.vectors.copy(), plain.quality.copy()
    vectors[list(places)], quality[list(places)] = other.vectors, other.quality
    of = {place: row for row, place in enumerate(places)}

    def merged(mine: tuple[T, ...], theirs: tuple[T, ...]) -> tuple[T, ...]:
        return tuple(theirs[of[place]] if place in of else one for place, one in enumerate(mine))

    return replace(
        plain,
        names=merged(plain.names, other.names),
        vectors=vectors,
        quality=quality,
        failures=merged(plain.failures, other.failures),
        digests=merged(plain.digests, other.digests),
        faces=merged(plain.faces, other.faces),
    )

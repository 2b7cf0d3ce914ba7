"""Which detector misses fewest faces when pictures get bad, and which sees faces where there are none?

Photos of single people are cropped to a face of about 110 px, spoilt in fourteen ways, and given to each detector. The place
of the face comes from the untouched photo, where at least two of three unlike detectors (dlib's HOG, dlib's MMOD, YuNet)
must agree; a face is found when a box shares at least 0.3 of the union with it. Pictures without faces count false
detections. Counts come with Wilson's 95 % intervals.

    python benchmarks/detect_stress.py [--data ../shared/data] [--models ../shared/models] [--every 1]
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from record import save

from mien.audit.metrics import wilson
from mien.detect import load
from mien.detect.boxes import overlaps
from mien.types import F32, U8, Frame

FACE = 110  # px
ROOM = 2.6  # side of the crop in faces
FOUND = 0.3  # shared part of the union
PRINTS = ("dollar_bill/", "cup/image_0035")  # portraits on banknotes, a drawn man on a mug
Detect = Callable[[U8], F32]


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A crop and where its face is."""

    name: str
    pixels: U8
    box: F32  # (4,)


# ---------------------------------------------------------------------------------------------- detectors


def detectors(names: Iterable[str]) -> dict[str, Detect]:
    """Those at hand, by the name that the table uses."""
    made: dict[str, Callable[[], Detect]] = {
        "face_recognition": _face_recognition,
        "mmod": lambda: _ours("dlib_mmod"),
        "yunet 0.9": lambda: _ours("yunet_dynamic", accept=0.9),
        "yunet": lambda: _ours("yunet_dynamic"),
        "mtcnn, one look": lambda: _ours("mtcnn", retries=()),
        "mtcnn": lambda: _ours("mtcnn"),
    }
    return {name: made[name]() for name in names or made}


def _ours(name: str, **options: Any) -> Detect:
    detector = load(name, **options)

    def detect(pixels: U8) -> F32:
        faces = detector.detect([Frame(pixels)])[0]
        return np.array([face.box for face in faces], np.float32).reshape(-1, 4)

    return detect


def _face_recognition() -> Detect:
    """The library's default: HOG on the picture enlarged twofold (it goes by way of dlib, whose HOG this is)."""
    import dlib

    hog = dlib.get_frontal_face_detector()

    def detect(pixels: U8) -> F32:
        found = [(box.left(), box.top(), box.right(), box.bottom()) for box in hog(pixels, 1)]
        return np.array(found, np.float32).reshape(-1, 4)

    return detect


# ---------------------------------------------------------------------------------------------- pictures


def photos(data: Path, every: int) -> list[Path]:
    """Photos of single people; of each n-th only."""
    folders = (data / "faces" / "lfw10", data / "faces" / "celebrity_pairs")
    return [path for folder in folders for path in sorted(folder.rglob("*.jpg"))][::every]


def read(path: Path) -> U8:
    """RGB pixels."""
    return np.ascontiguousarray(cv2.imread(str(path))[:, :, ::-1])


def target(path: Path, judges: Mapping[str, Detect]) -> Target | None:
    """The largest face that two of the judges agree on, cropped; None where they do not agree on any."""
    pixels = read(path)
    scale = min(1.0, 900 / max(pixels.shape[:2]))
    pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    found = [judge(pixels) for judge in judges.values()]
    agreed: list[F32] = []
    for place, boxes in enumerate(found):
        for box in boxes:
            others = [_nearest(box, other) for other in found[:place] + found[place + 1 :]]
            group = [box, *(other for other in others if other is not None)]
            if len(group) > 1:
                agreed.append(np.mean(group, axis=0))
    if not agreed:
        return None
    return _cropped(path.stem, pixels, max(agreed, key=lambda box: float((box[2] - box[0]) * (box[3] - box[1]))))


def _nearest(box: F32, boxes: F32) -> F32 | None:
    if not len(boxes):
        return None
    shared = overlaps(box[None], boxes)[0]
    return boxes[shared.argmax()] if shared.max() >= FOUND else None


def _cropped(name: str, pixels: U8, box: F32) -> Target:
    """A face of FACE px in the middle of a square with room for turning; clipped where the photo ends."""
    face = float(np.mean(box[2:] - box[:2]))
    centre, reach, scale = (box[:2] + box[2:]) / 2, face * ROOM / 2, FACE / face
    x0, y0 = np.maximum(np.floor(centre - reach), 0).astype(int)
    x1, y1 = np.ceil(centre + reach).astype(int)
    crop = cv2.resize(pixels[y0:y1, x0:x1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return Target(name, np.asarray(crop), (box - np.array([x0, y0, x0, y0])).astype(np.float32) * np.float32(scale))


# ---------------------------------------------------------------------------------------------- what spoils them

Spoil = Callable[[Target, np.random.Generator], Target]


def smaller(px: int) -> Spoil:
    """A face of that many px."""

    def spoil(given: Target, _: np.random.Generator) -> Target:
        scale = px / FACE
        pixels = cv2.resize(given.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return Target(given.name, np.asarray(pixels), given.box * np.float32(scale))

    return spoil


def rolled(degrees: float) -> Spoil:
    """The picture turned about the face."""

    def spoil(given: Target, _: np.random.Generator) -> Target:
        x, y = ((given.box[:2] + given.box[2:]) / 2).tolist()
        matrix = cv2.getRotationMatrix2D((x, y), degrees, 1.0)
        size = given.pixels.shape[1], given.pixels.shape[0]
        return Target(
            given.name,
            np.asarray(cv2.warpAffine(given.pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)),
            given.box,
        )

    return spoil


def changed(change: Callable[[U8, np.random.Generator], Any]) -> Spoil:
    """Other pixels, the face where it was."""
    return lambda given, chance: Target(given.name, np.asarray(change(given.pixels, chance)), given.box)


def _noisy(pixels: Any, sigma: float, chance: np.random.Generator) -> U8:
    return np.clip(pixels + chance.normal(0, sigma, np.shape(pixels)), 0, 255).astype(np.uint8)


def _jpeg(pixels: U8, quality: int) -> U8:
    packed = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))


def _covered(given: Target, _: np.random.Generator) -> Target:
    """A plain light blue area over the lower half of the face."""
    pixels = given.pixels.copy()
    x0, y0, x1, y1 = given.box.round().astype(int)
    pixels[(y0 + y1) // 2 + (y1 - y0) // 20 : y1 + (y1 - y0) // 10, max(x0, 0) : x1] = (165, 190, 215)
    return Target(given.name, pixels, given.box)


SPOILS: dict[str, Spoil] = {
    "clean": lambda given, _: given,
    **{f"face {px} px": smaller(px) for px in (60, 40, 30, 20)},
    **{f"roll {degrees}": rolled(degrees) for degrees in (15, 30, 45, 90, 180)},
    "blur 6 %": changed(lambda pixels, _: cv2.GaussianBlur(pixels, (0, 0), 0.06 * FACE)),
    "dark x0.1, noise 4": changed(lambda pixels, chance: _noisy(pixels * 0.1, 4, chance)),
    "JPEG quality 5": changed(lambda pixels, _: _jpeg(pixels, 5)),
    "noise 40": changed(lambda pixels, chance: _noisy(pixels, 40, chance)),
    "lower face covered": _covered,
}


# ---------------------------------------------------------------------------------------------- counting


def misses(targets: list[Target], detect: Detect, spoil: Spoil) -> dict[str, Any]:
    """How many faces are not found, and how many boxes lie elsewhere (bystanders count there too)."""
    missed = elsewhere = 0
    started = time.process_time()
    for number, given in enumerate(targets):
        spoilt = spoil(given, np.random.default_rng(number))
        boxes = detect(spoilt.pixels)
        hits = overlaps(spoilt.box[None], boxes)[0] >= FOUND if len(boxes) else np.zeros(0, bool)
        missed += not hits.any()
        elsewhere += int((~hits).sum())
    spent = (time.process_time() - started) / len(targets)
    return {**counted(missed, len(targets)), "elsewhere": elsewhere, "cpu_ms": round(spent * 1000, 1)}


def counted(count: int, of: int) -> dict[str, Any]:
    """A share with its interval."""
    rate = wilson(count, of)
    return {"count": count, "of": of, "rate": rate.value, "low": rate.low, "high": rate.high}


def false_detections(paths: list[Path], detect: Detect) -> dict[str, Any]:
    """Pictures in which something is found, by name; those that show no print or drawing of a face are false."""
    fired = {f"{path.parent.name}/{path.name}": len(detect(read(path))) for path in paths}
    hits = {name: number for name, number in fired.items() if number}
    wrong = [name for name in hits if not name.startswith(PRINTS)]
    of = sum(not name.startswith(PRINTS) for name in fired)
    return {**counted(len(wrong), of), "boxes": sum(hits.values()), "pictures": sorted(hits), "false": sorted(wrong)}


def report(result: Mapping[str, Any]) -> None:
    """The table."""
    names = list(result["stress"])
    print(f"missed % of {result['faces']} faces".ljust(28) + "".join(name.rjust(18) for name in names))
    for row in SPOILS:
        cells = (f"{100 * result['stress'][name][row]['rate']:.1f}".rjust(18) for name in names)
        print(row.ljust(28) + "".join(cells))
    firing = {name: result["backgrounds"][name] for name in names}
    print(
        "false on backgrounds".ljust(28) + "".join(f"{row['count']}/{row['of']}".rjust(18) for row in firing.values())
    )
    print("boxes, prints included".ljust(28) + "".join(str(row["boxes"]).rjust(18) for row in firing.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--models", type=Path, default=Path("../shared/models"), help="mirror folder with YuNet")
    parser.add_argument("--every", type=int, default=1, help="only each n-th picture")
    parser.add_argument("--only", nargs="*", default=[], help="names of detectors")
    given = parser.parse_args()
    os.environ.setdefault("MIEN_MODELS", str(given.models))
    cv2.setNumThreads(1)
    judges = detectors(["face_recognition", "mmod", "yunet 0.9"])
    found = [target(path, judges) for path in photos(given.data, given.every)]
    targets = [item for item in found if item is not None]
    chosen = detectors(given.only)
    backgrounds = sorted((given.data / "backgrounds").rglob("*.jpg"))[:: given.every]
    result = {
        "photos": len(found),
        "faces": len(targets),
        "stress": {
            name: {row: misses(targets, detect, spoil) for row, spoil in SPOILS.items()}
            for name, detect in chosen.items()
        },
        "backgrounds": {name: false_detections(backgrounds, detect) for name, detect in chosen.items()},
    }
    report(result)
    save("detect_stress", result, sys.argv)


if __name__ == "__main__":
    main()

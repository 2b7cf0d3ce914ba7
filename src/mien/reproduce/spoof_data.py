"""People of lfw_grey.zip before a simulated camera: live, on paper, on displays. Who is judged is never trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from mien.errors import EvidenceError, InputError, MienError
from mien.learn.attacks import BONA_FIDE, Kind
from mien.learn.attacks.pool import Pool, pool
from mien.media import read_image
from mien.types import U8

F64 = NDArray[np.float64]
ARCHIVE = "lfw_grey.zip"
SIZE = 64  # px
UNSEEN: dict[Kind, Kind] = {"print": "replay", "replay": "print"}  # trained on -> judged on


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many people."""

    train: int = 400
    dev: int = 80
    test: int = 120

    @property
    def all(self) -> int:
        """Together."""
        return self.train + self.dev + self.test


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """All presentations, and who is judged; the others are dealt to training and dev anew by each seed."""

    pool: Pool
    test: tuple[str, ...]
    others: tuple[str, ...]
    sizes: Sizes

    def split(self, medium: Kind, seed: int) -> tuple[Pool, Pool]:
        """Training and dev presentations, bona fide and of one medium."""
        order = np.random.default_rng([seed, 7]).permutation(len(self.others))
        names = [self.others[index] for index in order]
        kinds: tuple[Kind, ...] = (BONA_FIDE, medium)
        return self.pool.of(kinds, names[: self.sizes.train]), self.pool.of(kinds, names[self.sizes.train :])

    @property
    def judged(self) -> Pool:
        """All presentations of the people who are judged."""
        return self.pool.only(np.isin(self.pool.subjects, list(self.test)))


def world(path: Path, sizes: Sizes, told: Callable[[int, int], None]) -> World:
    """One photo each of as many people, drawn once for all seeds. Raises InputError, EvidenceError for too few people."""
    try:
        with ZipFile(path) as archive:
            first: dict[str, str] = {}
            for name in sorted(archive.namelist()):
                if name.endswith(".jpg"):
                    first.setdefault(PurePosixPath(name).parent.name, name)
            if len(first) < sizes.all:
                raise EvidenceError(f"{path.name} has {len(first)} people; this takes {sizes.all}.", "Give more.")
            order = np.random.default_rng(0).permutation(len(first))[: sizes.all]
            people = [sorted(first)[index] for index in order]
            photos = {person: read_image(archive.read(first[person])).pixels for person in people}
    except BadZipFile as error:
        raise InputError(f"{path} is no zip that can be read: {error}.", "Copy it again.") from error
    test, others = tuple(people[: sizes.test]), tuple(people[sizes.test :])
    made = [
        pool(_readers(photos, test), (BONA_FIDE, "print", "replay", "cut", "partial"), SIZE, 1, told=told),
        pool(_readers(photos, others), (BONA_FIDE, "print", "replay"), SIZE, 2, told=told),
    ]
    return World(_joined(made), test, others, sizes)


def _readers(photos: dict[str, U8], people: Sequence[str]) -> list[tuple[str, Callable[[], U8]]]:
    return [(person, partial(photos.__getitem__, person)) for person in people]


def _joined(parts: Sequence[Pool]) -> Pool:
    fields = ("pixels", "kinds", "species", "subjects")
    return Pool(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


# --- a probe of global statistics ---------------------------------------------------------------------------------------


def statistics(pixels: U8) -> F64:
    """(n, 9) of (n, h, w, 1): brightness, contrast, sharpness, noise, seams of JPEG. What can be told without a network."""
    x = pixels[..., 0].astype(np.float64)
    edges = 4 * x[:, 1:-1, 1:-1] - x[:, :-2, 1:-1] - x[:, 2:, 1:-1] - x[:, 1:-1, :-2] - x[:, 1:-1, 2:]
    step = np.abs(np.diff(x, axis=2)).mean(1)
    at = np.arange(step.shape[1]) % 8 == 7
    seam = step[:, at].mean(1) / (step[:, ~at].mean(1) + 1e-6)
    spread = [np.percentile(x, share, axis=(1, 2)) for share in (1, 25, 75, 99)]
    fine = [np.log1p(edges.var((1, 2))), np.log1p(np.median(np.abs(edges), (1, 2))), seam]
    found: F64 = np.stack([x.mean((1, 2)), x.std((1, 2)), *fine, *spread], axis=1)
    return found


def probe(train: Pool, judged: Sequence[Pool]) -> list[F64]:
    """Probability of being live by a logistic regression of `statistics`, for each of the pools."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(statistics(train.pixels), train.live)
    return [model.predict_proba(statistics(one.pixels))[:, 1] for one in judged]


# --- three real photos ---------------------------------------------------------------------------------------------------


def real_photos(folder: Path) -> list[tuple[str, bool, U8]]:
    """(name, live, (SIZE, SIZE, 1)) of the real samples, cropped as the simulated ones are; empty where there are none, or
    no detector."""
    found = []
    try:
        from mien.detect import load

        detector = load("mtcnn")
        for path in sorted(folder.glob("image_[TF]*.jpg")):
            frame = read_image(path)
            faces = detector.detect([frame])[0]
            if faces:
                best = max(faces, key=lambda face: float(face.box[2] - face.box[0]))
                found.append((path.stem, path.stem.startswith("image_T"), _cropped(frame.pixels, best.points)))
    except MienError:
        return []
    return found


def _cropped(pixels: U8, points: NDArray[np.float32]) -> U8:
    """The eyes where the simulated pictures have them: 0.456 of the width apart, 0.404 from the top."""
    import cv2

    eyes = points[:2].mean(0)
    side = float(np.linalg.norm(points[1] - points[0])) / 0.456
    scale = SIZE / side
    matrix = np.array([[scale, 0, SIZE / 2 - scale * eyes[0]], [0, scale, 0.404 * SIZE - scale * eyes[1]]])
    wide = cv2.warpAffine(
        pixels, matrix * 4, (4 * SIZE, 4 * SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    small = cv2.resize(wide, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    grey: U8 = (small @ np.array([0.299, 0.587, 0.114]) + 0.5).astype(np.uint8)[..., None]
    return grey

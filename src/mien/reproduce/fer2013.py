"""FER2013 in its official layout, straight from the zip: ``fer2013/SPLIT/CLASS/ID.jpg``, 48 x 48 px, grey.

Goodfellow et al., Challenges in representation learning: a report on three machine learning contests, ICONIP 2013. The
training split teaches, `public_test` is for choosing, `private_test` is looked at once. Rating it anew, people agreed
with its labels in about two of three pictures, so nothing can be right everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from mien.errors import InputError, MediaNotFound
from mien.media import read_image
from mien.types import U8

Split = Literal["train", "public_test", "private_test"]
CLASSES = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """n labelled pictures of one split."""

    pixels: U8  # (n, 48, 48) grey
    labels: NDArray[np.int64]  # (n,) number of the class in `CLASSES`
    names: tuple[str, ...]  # (n,) SPLIT/CLASS/ID.jpg

    def __len__(self) -> int:
        return len(self.names)


def read(path: Path, split: Split, at_most: int | None = None, seed: int = 0) -> Pictures:
    """One split, in the order of the names; `at_most` draws as many pictures at random, the classes as they come.

    Raises MediaNotFound, and InputError for a zip that is not in the official layout."""
    with _opened(path) as archive:
        names = sorted(name for name in archive.namelist() if _class(name, split) is not None)
        if not names:
            told = f"{path} holds no pictures fer2013/{split}/CLASS/ID.jpg with the classes {', '.join(CLASSES)}."
            raise InputError(told, "Give FER2013 as a zip in that layout.")
        if at_most is not None and at_most < len(names):
            drawn = np.random.default_rng(seed).permutation(len(names))[:at_most]
            names = [names[index] for index in np.sort(drawn)]
        pixels = np.empty((len(names), 48, 48), np.uint8)
        for index, name in enumerate(names):
            found = read_image(archive.read(name)).pixels
            if found.shape[:2] != (48, 48):
                raise InputError(f"{name} in {path} has {found.shape[1]} x {found.shape[0]} px, not 48 x 48.")
            pixels[index] = found[..., 0]  # grey: all channels are alike
    labels = np.array([CLASSES.index(PurePosixPath(name).parts[-2]) for name in names], np.int64)
    return Pictures(pixels, labels, tuple("/".join(PurePosixPath(name).parts[-3:]) for name in names))


def _class(name: str, split: Split) -> str | None:
    """The class of a picture of that split; None for anything else in the zip."""
    parts = PurePosixPath(name).parts
    wanted = len(parts) >= 3 and parts[-3] == split and parts[-2] in CLASSES and name.lower().endswith((".jpg", ".png"))
    return parts[-2] if wanted else None


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    if not path.is_file():
        raise MediaNotFound(f"There is no {path}.", "Name the folder that holds fer2013.zip with --data.")
    try:
        with ZipFile(path) as archive:
            yield archive
    except BadZipFile as error:
        raise InputError(f"{path} is no zip that can be read: {error}.", "Copy or download it again.") from error

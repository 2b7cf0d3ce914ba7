"""The vectors of a folder of pictures, kept in the folder: one NumPy file per model and detector, without pickles.

It is a copy of what the pictures say and can be made again: a file that is damaged or of another space is replaced.
"""

from __future__ import annotations

import hashlib
import io
import warnings
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mien.compat.deepface.faces import area
from mien.compat.deepface.vectors import F64, embedder
from mien.models import places
from mien.types import F32, Face


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One face of one picture, or a picture without a face (no vector)."""

    picture: str  # path from the folder
    digest: str  # another one when the file was changed
    area: tuple[int, int, int, int]  # x y w h
    vector: F32 | None


@dataclass(slots=True)
class Store:
    """Entries of the pictures of a folder."""

    folder: Path
    file: Path
    model: str  # card name
    entries: dict[str, list[Entry]] = field(default_factory=dict)  # by picture; never an empty list

    @classmethod
    def open(cls, folder: Path, model: str, detector: str) -> Store:
        """What is kept in `folder` for that model and detector; empty when nothing is."""
        file = folder / f"ds_mien_{model}_{detector}_{embedder(model).space[:12]}.npz"
        store = cls(folder, file, model)
        if file.is_file():
            try:
                store._load(file.read_bytes())
            except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
                store.entries.clear()
                warnings.warn(f"{file} cannot be read ({error}) and is made again.", stacklevel=3)
        return store

    def pictures(self) -> Collection[str]:
        """Paths from the folder."""
        return self.entries.keys()

    def faces(self) -> list[Entry]:
        """The entries with a face, by picture."""
        return [entry for _, entries in sorted(self.entries.items()) for entry in entries if entry.vector is not None]

    def stale(self, there: Mapping[str, Path]) -> dict[str, Path]:
        """Those of the pictures in the folder that are new or were changed."""
        return {
            name: path
            for name, path in there.items()
            if name not in self.entries or self.entries[name][0].digest != _digest(path)
        }

    def put(self, picture: str, path: Path, faces: Sequence[Face], vectors: F64) -> None:
        """Take in what a picture shows, in place of what it showed before."""
        digest = _digest(path)
        made = []
        for face, vector in zip(faces, vectors, strict=True):
            box = area(face)
            made.append(Entry(picture, digest, (box["x"], box["y"], box["w"], box["h"]), vector.astype(np.float32)))
        self.entries[picture] = made or [Entry(picture, digest, (0, 0, 0, 0), None)]

    def drop_others(self, there: Mapping[str, Path]) -> bool:
        """Forget pictures that are gone; whether there were any."""
        gone = [name for name in self.entries if name not in there]
        for name in gone:
            del self.entries[name]
        return bool(gone)

    def save(self) -> None:
        """Write the file at once; where the folder may not be written, say so and go on without."""
        rows = [entry for _, entries in sorted(self.entries.items()) for entry in entries]
        seen = [row.vector for row in rows if row.vector is not None]
        stream = io.BytesIO()
        np.savez(
            stream,
            allow_pickle=False,
            picture=np.array([row.picture for row in rows], np.str_),
            digest=np.array([row.digest for row in rows], np.str_),
            area=np.array([row.area for row in rows], np.int64).reshape(-1, 4),
            face=np.array([row.vector is not None for row in rows], bool),
            vectors=np.stack(seen) if seen else np.empty((0, 0), np.float32),
        )
        try:
            places.write(self.file, stream.getvalue())
        except OSError as error:
            warnings.warn(
                f"The vectors of {self.folder} are computed anew each time: {self.file.name} cannot be written "
                f"({error.strerror}).",
                stacklevel=4,
            )

    def _load(self, content: bytes) -> None:
        with np.load(io.BytesIO(content), allow_pickle=False) as held:
            arrays = {name: held[name] for name in ("picture", "digest", "area", "face", "vectors")}
        vectors = iter(arrays["vectors"])
        for picture, digest, box, seen in zip(
            *(arrays[name] for name in ("picture", "digest", "area", "face")), strict=True
        ):
            x, y, w, h = (int(value) for value in box)
            entry = Entry(str(picture), str(digest), (x, y, w, h), next(vectors).astype(np.float32) if seen else None)
            self.entries.setdefault(entry.picture, []).append(entry)


def _digest(path: Path) -> str:
    """Changes when the file does: a digest of its size and time of change, for reading it all would take too long."""
    info = path.stat()
    return hashlib.sha256(f"{info.st_size}-{info.st_mtime_ns}".encode()).hexdigest()[:40]

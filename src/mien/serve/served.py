"""A gallery file in a service: who changes it waits for other processes in the open, and searches go on meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mien.gallery import BaseGallery, EmbeddedGallery, Receipt, open_gallery, store
from mien.types import OperatingPoint, Sample, Template


def opened(address: str) -> BaseGallery:
    """The gallery at an address, which must be there. Raises as `open_gallery`."""
    if "://" in address or store.is_sealed(address):
        return open_gallery(address, create=False)
    return Served(address, create=False)


class Served(EmbeddedGallery):
    """`EmbeddedGallery` waits for another process that is writing while it holds its own lock, as one user of a file may.
    Here the wait comes first, on a connection of its own. Raises GalleryBusy as ever when it takes too long."""

    def enrol(
        self, subject: str, samples: Sequence[Sample], metadata: Mapping[str, Any] | None = None, *, enrolled: str = ""
    ) -> int:
        self._wait()
        return super().enrol(subject, samples, metadata, enrolled=enrolled)

    def enrol_many(self, people: Sequence[Any]) -> int:
        self._wait()
        return super().enrol_many(people)

    def erase(self, subject: str) -> Receipt:
        self._wait()
        return super().erase(subject)

    def forget_sample(self, subject: str, template: Template) -> bool:
        self._wait()
        return super().forget_sample(subject, template)

    def keep_points(self, points: Sequence[OperatingPoint]) -> None:
        self._wait()
        super().keep_points(points)

    def _wait(self) -> None:
        path = Path(self._path)
        if not self._may_write or not path.exists():
            return  # told by whoever goes on
        with store.plain_errors(path), closing(store.connect(path, "rw", self._timeout)) as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("ROLLBACK")

"""A folder with a folder of photos per person into a gallery, by a run that can be stopped anywhere and gone on with.

python examples/bulk.py photos/
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import mien
from mien import bulk


def main(photos: str, gallery: Path) -> None:
    """Two runs of the same; between them one person is erased, and stays erased."""
    options = bulk.Options(workers="auto")  # a process per core, once there are more photos than 64
    with mien.open_gallery(gallery) as people:
        first = bulk.enrol(people, photos, options=options, refused=lambda name, error: print("refused:", error))
        print(f"first: {first.added} new templates of {len(people)} people, {first.failed} failed")
        people.forget(people.people()[0].subject)
        again = bulk.enrol(people, photos, options=options)
        print(f"again: {again.before} finished before, {again.looked} looked at, {len(people)} people")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(sys.argv[1], Path(folder) / "people.db")

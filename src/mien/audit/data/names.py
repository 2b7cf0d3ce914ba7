"""Names in lists to pictures: the same picture is written with more or with fewer folders before it."""

from __future__ import annotations

from collections.abc import Sequence

# Titles of the columns by which a list knows pictures and people.
PATH = ("file", "filename", "file_name", "picture", "image", "img")
SUBJECT = ("person", "identity", "subject_id", "person_id", "name")
MANY = -1


class Names:
    """Which picture a name in a list means.

    A list may leave out leading folders ("Ann/1.jpg" for "lfw/Ann/1.jpg"), as long as only one picture fits, or have more of
    them ("/data/lfw/Ann/1.jpg")."""

    def __init__(self, names: Sequence[str]) -> None:
        self._whole = {name: index for index, name in enumerate(names)}
        self._ends: dict[str, int] = {}
        for index, name in enumerate(names):
            parts = name.split("/")
            for start in range(1, len(parts)):
                end = "/".join(parts[start:])
                self._ends[end] = MANY if end in self._ends else index

    def find(self, written: str) -> int | None:
        """Number of the picture; None where there is none or more than one fits."""
        name = written.strip().replace("\\", "/").removeprefix("./")
        found = self._whole.get(name, self._ends.get(name))
        if found is None:
            parts = name.split("/")
            ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
            found = next((self._whole[end] for end in ends if end in self._whole), None)
        return None if found == MANY else found

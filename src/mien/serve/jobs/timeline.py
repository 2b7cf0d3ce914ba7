"""Who was seen in a video, as it is seen: a line of JSON for each person, and a crop of their best face.

An attempt at a job writes into a folder of its own, named by when it began, so that one that lost the job spoils nothing.
Of a live source all of them count, of a file the last."""

from __future__ import annotations

import io
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from mien import wire
from mien.errors import CannotWrite, NotFound
from mien.locks import lock
from mien.serve.jobs.job import Job
from mien.types import Decision, Face

Place = tuple[int, int]  # when the attempt began, in ms, and number of the entry in it
LINES = "timeline.jsonl"
_ID = re.compile(r"(\d{1,20})-(\d{1,9})")
_SIDE = 256  # px of a crop, at most


def part(job: Job) -> str:
    """The name of the folder of a job's present attempt."""
    return f"{round((job.started or 0) * 1000)}"


class Timeline:
    """What one attempt writes."""

    def __init__(self, folder: Path, job: Job) -> None:
        self._folder, self._part, self._began = folder, folder.name, job.started or time.time()
        self._live, self._count = job.live, 0

    def add(self, decision: Decision) -> None:
        """Put somebody seen at the end. Raises CannotWrite."""
        number, self._count = f"{self._part}-{self._count}", self._count + 1
        entry: dict[str, Any] = {"id": number} | wire.decision(
            decision
        )  # the id first: a page is found by it without reading all
        faces = entry.pop("faces")
        for one in faces:
            one.pop("source")
        entry.pop("source")
        entry |= {"best": faces[0] if faces else None, "image": bool(faces)}
        if self._live:
            start = self._began + (decision.span[0] if decision.span else 0.0)
            entry["seen"] = datetime.fromtimestamp(start, UTC).isoformat(timespec="milliseconds")
        try:
            if decision.faces:
                (self._folder / f"{number}.jpg").write_bytes(jpeg(decision.faces[0]))
            with lock(self._folder / ".lock"), (self._folder / LINES).open("a", encoding="utf8") as file:
                file.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
        except OSError as error:
            raise CannotWrite(f"The timeline cannot be written: {error.strerror}.", "Make room on the disk.") from error


def page(home: Path, job: Job, after: Place | None, limit: int) -> list[dict[str, Any]]:
    """Those seen so far, in the order in which they left: at most `limit`, those behind the entry at `after`."""
    found: list[dict[str, Any]] = []
    for folder in _parts(home, job):
        if after is not None and int(folder.name) < after[0]:
            continue
        lines = (line for line in _lines(folder / LINES) if after is None or place(line[8:].partition('"')[0]) > after)
        found += [json.loads(line) for line in islice(lines, limit - len(found))]
    return found


def place(number: str) -> Place:
    """Where the entry with this id stands: it grows."""
    part, _, count = number.partition("-")
    return int(part), int(count)


def image(home: Path, job: Job, number: str) -> bytes:
    """The crop of an entry, JPEG. Raises NotFound."""
    found = _ID.fullmatch(number)
    try:
        if found is None:
            raise FileNotFoundError
        return (home / found[1] / f"{number}.jpg").read_bytes()
    except OSError:
        raise NotFound(
            f"The timeline has no picture {number[:40]!r}.", "See which there are in the timeline."
        ) from None


def forget(home: Path, subject: str) -> int:
    """Take a subject out of a job's timelines: what was seen of them with the crops, and their name among others' matches.

    Returns how many entries went. Raises CannotWrite."""
    gone = 0
    try:
        for folder in sorted(home.iterdir()) if home.is_dir() else ():
            if (folder / LINES).is_file():
                gone += _rewritten(folder, lambda entry: _without(entry, subject))
    except OSError as error:
        raise CannotWrite(f"A timeline cannot be written: {error.strerror}.", "Make room on the disk.") from error
    return gone


def prune(home: Path, before: float) -> int:
    """Delete entries of a live source from before a time (s since 1970), with their crops; returns how many."""
    limit = datetime.fromtimestamp(before, UTC).isoformat(timespec="milliseconds")
    folders = [folder for folder in home.iterdir() if (folder / LINES).is_file()] if home.is_dir() else []
    return sum(_rewritten(one, lambda entry: entry if entry.get("seen", limit) >= limit else None) for one in folders)


def jpeg(face: Face) -> bytes:
    """A margin crop of a face, JPEG."""
    from PIL import Image

    from mien.align import rehome

    own = face if face.origin != (0.0, 0.0, 1.0) else rehome(face)
    picture = Image.fromarray(own.frame.pixels)
    picture.thumbnail((_SIDE, _SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=88)
    return file.getvalue()


def _without(entry: dict[str, Any], subject: str) -> dict[str, Any] | None:
    if entry["subject"] == subject:
        return None
    if any(one["subject"] == subject for one in entry["matches"]):
        entry["matches"] = [one for one in entry["matches"] if one["subject"] != subject]
        entry["reasons"] = [one.replace(subject, "somebody erased since") for one in entry["reasons"]]
    return entry


def _rewritten(folder: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> int:
    with lock(folder / ".lock"):
        path = folder / LINES
        before = [json.loads(line) for line in _lines(path)]
        after = [(entry["id"], change(json.loads(json.dumps(entry)))) for entry in before]
        if [entry for _, entry in after] == before:
            return 0
        fresh = path.with_suffix(".new")
        with fresh.open("w", encoding="utf8") as file:
            for _, entry in after:
                if entry is not None:
                    file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        gone = [number for number, entry in after if entry is None]
        for number in gone:
            (folder / f"{number}.jpg").unlink(missing_ok=True)
        return len(gone)


def _parts(home: Path, job: Job) -> list[Path]:
    if not job.live:
        return [home / part(job)]
    found = [folder for folder in home.iterdir() if folder.name.isdecimal()] if home.is_dir() else []
    return sorted(found, key=lambda folder: int(folder.name))


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf8") as file:
            for line in file:
                if line.endswith("\n"):  # of one that is being written, or was cut off, there is no end yet
                    yield line
    except FileNotFoundError:
        return

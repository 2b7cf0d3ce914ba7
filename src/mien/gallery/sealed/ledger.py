"""What a key holder remembers beside the keys: searches done today, answers refused, and the newest
state of each gallery it has seen.

The second finds a gallery that was put back to an older state (a backup restored, a matcher that hides the last change), as
long as this key holder saw the newer one. It cannot find: a change that this key holder never saw and that is then hidden; two
key holders who are shown different galleries; anything, where the file itself was put back too.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mien.errors import GalleryCorrupt, GalleryError, InputError
from mien.gallery.sealed.records import Head

FILE = "ledger.json"
# Searches a day. Measured (docs/concepts/sealed-threat-model.md): who begins with an accepted picture, at a cosine of 0.65 to
# the template, is at 0.73 after 100 chosen searches, at 0.87 after 300 and at 1.00 after 600.
PER_DAY = 100
# Answers that failed their checks, in all, before these keys answer no more: each refusal tells a lying matcher up to a bit of
# the key that opens probes, and honest matchers have none.
REFUSALS = 50


class Ledger:
    """Kept in the folder of the keys, or in memory only. Processes and threads may share it."""

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self.path = None if folder is None else Path(folder) / FILE
        self._memory: dict[str, Any] = {}
        self._lock = threading.RLock()

    @property
    def per_day(self) -> int:
        """Searches that are answered per day (UTC)."""
        with self._lock:
            return int(self._read().get("per_day", PER_DAY))

    def allow(self, per_day: int) -> None:
        """Set the quota."""
        with self._changing() as notes:
            notes["per_day"] = per_day

    def spend(self, searches: int = 1) -> None:
        """Count searches before they are answered. Raises GalleryError when the day's quota would be passed, or where too many
        answers were refused."""
        today = datetime.now(UTC).date().isoformat()
        with self._changing() as notes:
            if notes.get("refused", 0) >= REFUSALS:
                raise GalleryError(
                    f"{REFUSALS} answers of matchers failed their checks: somebody may be probing these keys.",
                    f'Look at the matcher, then rotate the keys, or take "refused" out of {self.path or "the ledger"}.',
                )
            used = notes.get("used", 0) if notes.get("day") == today else 0
            quota = int(notes.get("per_day", PER_DAY))
            if used + searches > quota:
                raise GalleryError(
                    f"Today's quota of {quota} searches with these keys is used up: many answers together tell a template.",
                    f'Wait until tomorrow (UTC), or set "per_day" in {self.path or "the ledger"} to what your doors need.',
                )
            notes |= {"day": today, "used": used + searches}

    def refuse(self) -> None:
        """Count an answer that failed its checks."""
        with self._changing() as notes:
            notes["refused"] = notes.get("refused", 0) + 1

    def forgive(self) -> None:
        """Count refusals anew, with new keys."""
        with self._changing() as notes:
            notes.pop("refused", None)

    def witness(self, head: Head, where: str) -> bool:
        """Remember a gallery's state; False when it is older than one that was seen, or another of the same age."""
        key, now = head.gallery.hex(), [head.revision, head.digest.hex(), where]
        with self._lock:
            if self._read().get("galleries", {}).get(key) == now:
                return True
        with self._changing() as notes:
            revision, digest, _ = notes.setdefault("galleries", {}).get(key, now)
            if (revision, digest) != tuple(now[:2]) and revision >= head.revision:
                return False
            notes["galleries"][key] = now
        return True

    def put_back(self, head: Head, where: str) -> GalleryCorrupt:
        """The error for a gallery that `witness` does not believe."""
        return GalleryCorrupt(
            f"The gallery {where} is older than what these keys have seen of it: it was put back to an earlier state.",
            f"If you restored a backup on purpose, take the entry {head.gallery.hex()} out of {self.path or 'the ledger'}.",
        )

    def others(self, head: Head) -> list[str]:
        """Where other galleries of the same keys are that still exist."""
        with self._lock:
            galleries = self._read().get("galleries", {})
        return [where for key, (_, _, where) in galleries.items() if key != head.gallery.hex() and Path(where).exists()]

    def forget(self, head: Head) -> None:
        """Drop what is known of a gallery, where it begins anew under the same name."""
        with self._changing() as notes:
            notes.get("galleries", {}).pop(head.gallery.hex(), None)

    def _read(self) -> dict[str, Any]:
        if self.path is None:
            return self._memory
        try:
            found = json.loads(self.path.read_text(encoding="utf8"))
            if not isinstance(found, dict):
                raise ValueError
        except FileNotFoundError:
            return {}
        except ValueError:
            raise InputError(f"{self.path} is damaged.", "Restore it, or remove it to begin a new one.") from None
        return found

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        with self._lock:
            if self.path is None:
                yield self._memory
                return
            with _locked(self.path.with_suffix(".lock")):
                notes = self._read()
                yield notes
                fresh = self.path.with_suffix(".new")
                fresh.write_text(json.dumps(notes), encoding="utf8")
                fresh.replace(self.path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise GalleryError(
            f"The keys' ledger cannot be written at {path.parent}: {error.strerror}.",
            "The quota is kept beside the keys: make their folder writable.",
        ) from error
    try:
        with suppress(ImportError):  # systems without it have no second process to fear either
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

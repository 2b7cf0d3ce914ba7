"""A note of the log's head beside the service's other records: whoever puts back an older log, or takes it away, must reach
both files, and the note is sealed."""

from __future__ import annotations

import hmac
import logging

from mien.serve.records import Records

_TABLES = """
CREATE TABLE IF NOT EXISTS anchor (one INTEGER PRIMARY KEY CHECK (one = 1), head TEXT NOT NULL, seal BLOB NOT NULL) STRICT;
"""

log = logging.getLogger("mien.serve")


class Anchor:
    """The note in `records`."""

    def __init__(self, records: Records, master: bytes) -> None:
        self._records, self._master = records, master
        records.keep(_TABLES)

    def note(self, head: str) -> None:
        """Keep a head ("number:hash") that is not older than the one kept."""
        if self.number(head) >= self.number(self.known()):
            with self._records.change() as db:
                db.execute("INSERT OR REPLACE INTO anchor VALUES (1, ?, ?)", (head, self._seal(head)))

    def known(self) -> str:
        """The head that was kept; "" where there is none."""
        with self._records.look() as db:
            row = db.execute("SELECT head, seal FROM anchor").fetchone()
        if row is None:
            return ""
        if not hmac.compare_digest(row["seal"], self._seal(row["head"])):
            log.error("the note of the log's head is not what was written")
            return ""
        return str(row["head"])

    @staticmethod
    def number(head: str) -> int:
        """The number in a head; 0 for none."""
        return int(head.partition(":")[0] or 0)

    def _seal(self, head: str) -> bytes:
        return hmac.digest(self._master, b"mien anchor " + head.encode(), "sha256")

"""One connection to a server: every call with a deadline, retried with growing pauses, every failure in words.

A call may be sent twice when the first answer was lost, so all of ours may: rows have keys of their own and are upserted.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from mien.errors import GalleryBusy, GalleryError, GalleryFull, UsageError
from mien.gallery.milvus.address import TOKEN, Address

LIMIT = 16_384  # rows that the server hands out at a time
_REQUEST = 4 << 20  # bytes of rows sent at a time; the queues behind a cluster take 5 MB
_CONNECT = 3.0  # s to wait for somebody to answer at all
_LONGEST_PAUSE = 2.0  # s
_MISSING, _INVALID = {100}, {1100}  # error codes of the server: no such collection, invalid parameter
_PRESENT = ("already exists", "create duplicate collection")  # in words of the server


class Missing(GalleryError):
    """The collection is not there. Never leaves this package."""


class Present(GalleryError):
    """A collection of that name is there already. Never leaves this package."""


class Link:
    """A connection, shared by the threads of one process."""

    def __init__(self, address: Address) -> None:
        self.address = address
        try:
            import grpc
            import pymilvus
        except ImportError as error:
            raise UsageError(
                "Galleries on Milvus need the package pymilvus.", "Install it with `pip install mien[milvus]`."
            ) from error
        logging.getLogger("pymilvus").setLevel(
            logging.CRITICAL
        )  # it writes stack traces of errors that are handled here
        self._failures: tuple[type[Exception], ...] = (grpc.RpcError, pymilvus.MilvusException)
        self._mistakes = (pymilvus.exceptions.DataNotMatchException, pymilvus.exceptions.ParamError)
        self._grpc, self._pymilvus = grpc, pymilvus
        options: dict[str, Any] = {"server_pem_path": address.ca} if address.ca else {}
        if address.uri.startswith("https"):
            options["secure"] = True
        self._client: Any = self.tried(
            lambda left: pymilvus.MilvusClient(
                address.uri, token=address.token, db_name=address.database, timeout=left, dedicated=True, **options
            ),
            min(_CONNECT, address.timeout),
        )

    @property
    def types(self) -> Any:
        """The data types of fields."""
        return self._pymilvus.DataType

    @property
    def client(self) -> Any:
        """For what sends nothing, such as making a schema."""
        return self._client

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """A method of the client, with what is left of the time."""
        function = getattr(self._client, method)
        return self.tried(lambda left: function(*arguments, timeout=left, **options))

    def tried(self, function: Callable[[float], Any], limit: float | None = None) -> Any:
        """What the function of the seconds left gives; tried again while the failure may pass and time is left.

        Raises GalleryBusy when it is not, GalleryFull, GalleryError for a refusal, Missing, Present."""
        end = time.monotonic() + (limit or self.address.timeout)
        pause = 0.05
        while True:
            try:
                return function(max(1.0, end - time.monotonic()))
            except self._failures as error:
                self._judge(error)
                if time.monotonic() + pause >= end:
                    raise self._busy(error) from None
            time.sleep(pause * random.uniform(0.5, 1.0))  # so that clients do not come back all at once
            pause = min(2 * pause, _LONGEST_PAUSE)

    def write(self, collection: str, rows: Sequence[dict[str, Any]]) -> None:
        """Put rows by their key, in place of those that have it."""
        part: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            weight = 200 + sum(len(value) * (4 if key == "vector" else 1) for key, value in _long(row))
            if part and size + weight > _REQUEST:
                self.call("upsert", collection, part)
                part, size = [], 0
            part.append(row)
            size += weight
        if part:
            self.call("upsert", collection, part)

    def delete(self, collection: str, keys: Sequence[str]) -> None:
        """Take out rows by their key."""
        for start in range(0, len(keys), LIMIT // 4):
            self.call("delete", collection, ids=list(keys[start : start + LIMIT // 4]))

    def rows(self, collection: str, where: str, fields: Sequence[str], level: str) -> list[dict[str, Any]]:
        """All rows that a filter fits."""
        options = {"filter": where, "output_fields": list(fields), "consistency_level": level}
        found: list[dict[str, Any]] = list(self.call("query", collection, limit=LIMIT, **options))
        if len(found) < LIMIT:
            return found
        return [row for page in self.pages(collection, where, fields, level) for row in page]

    def pages(
        self, collection: str, where: str, fields: Sequence[str], level: str, size: int = 4096
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows that a filter fits, some at a time, by key."""
        options = {"filter": where, "output_fields": list(fields), "consistency_level": level, "batch_size": size}
        walk = self.call("query_iterator", collection, **options)
        while page := self.tried(lambda _: walk.next()):
            yield page
        walk.close()

    def count(self, collection: str, where: str, level: str) -> int:
        """How many rows a filter fits."""
        options = {"filter": where, "output_fields": ["count(*)"], "consistency_level": level}
        return int(self.call("query", collection, **options)[0]["count(*)"])

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(*self._failures):
            self._client.close()

    def _judge(self, error: Exception) -> None:
        """Raise what trying again does not mend."""
        shown, code = self.address.shown, getattr(error, "code", None)
        if callable(code):  # a failure of the connection; the server's own have numbers
            code = code()
        reason, status = _reason(error), self._grpc.StatusCode
        if code in _MISSING:
            raise Missing(f"{shown} is gone.") from None
        if any(word in reason for word in _PRESENT):
            raise Present(f"{shown} is there already.") from None
        if code in (status.UNAUTHENTICATED, status.PERMISSION_DENIED) or "auth" in reason:
            raise GalleryError(
                f"The Milvus server of {shown} refuses these credentials.", f"Set {TOKEN} to user:secret, or a token."
            ) from None
        if ("quota" in reason and "exhausted" in reason) or "no space left" in reason:
            raise GalleryFull(f"The Milvus server of {shown} is full: {reason}.", "Make room there.") from None
        hopeless = (status.RESOURCE_EXHAUSTED, status.INVALID_ARGUMENT, status.UNIMPLEMENTED)
        if code in _INVALID or code in hopeless or isinstance(error, self._mistakes):
            raise GalleryError(f"The Milvus server of {shown} refuses: {reason}.", "Look at its version.") from None

    def _busy(self, error: Exception) -> GalleryBusy:
        return GalleryBusy(
            f"The Milvus server of {self.address.shown} does not answer: {_reason(error)}.",
            "Look whether it runs and can be reached, then do the same again: nothing is kept twice.",
        )


def _long(row: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in row.items() if hasattr(value, "__len__"))


def _reason(error: Exception) -> str:
    """One line without the library's decoration."""
    text = getattr(error, "message", "") or (error.details() if hasattr(error, "details") else "") or str(error)
    return " ".join(str(text).split()).rstrip(".")[:160] or type(error).__name__

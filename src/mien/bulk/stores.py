"""Object storage and the web, through fsspec: what lies under an address, and the bytes of one file there.

Credentials and endpoints are those of the library that serves the scheme (for s3: AWS_ACCESS_KEY_ID, AWS_PROFILE,
AWS_ENDPOINT_URL …); mien never sees them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from mien.bulk.folders import PICTURES, suffix
from mien.bulk.items import Entry, Item, Problem
from mien.errors import MediaNotFound, MienError, UnreadableMedia, UsageError
from mien.media.door import shown
from mien.media.image import MAX_BYTES

SCHEMES = ("s3", "s3a", "gs", "gcs", "az", "abfs", "http", "https", "memory")
_PAGE = 1000  # objects per listing; S3 gives no more at a time


def is_address(text: str) -> bool:
    """Whether a word is an address rather than a path."""
    return "://" in text


def check_address(address: str, allowed: bool) -> None:
    """Raise UsageError for an address that may not be fetched."""
    scheme = address.partition("://")[0].lower()
    if "::" in address or scheme not in SCHEMES:
        raise UsageError(f"{shown(address)} is no address that can be fetched.", f"Known are {', '.join(SCHEMES)}.")
    if not allowed:
        raise UsageError(
            f"{shown(address)} is an address, and the list may be somebody else's.",
            "Allow it with --allow-remote: this machine then fetches whatever the rows name.",
        )


def fetch(address: str) -> bytes:
    """The bytes of one file. Raises MediaNotFound, UnreadableMedia (too large, out of reach), UsageError (no fsspec)."""
    fs, path = _system(address)
    with _Told(address):
        options: dict[str, Any] = {"block_size": 0} if address.startswith("http") else {"cache_type": "none"}
        with fs.open(path, "rb", **options) as file:
            data = b""
            while len(data) <= MAX_BYTES and (part := file.read(MAX_BYTES + 1 - len(data))):
                data += part
    if len(data) > MAX_BYTES:
        raise UnreadableMedia(f"{shown(address)} is larger than {MAX_BYTES / 1e6:.0f} MB.", "Save the picture smaller.")
    if not data:
        raise UnreadableMedia(f"{shown(address)} is empty.", "Copy or upload it again.")
    return bytes(data)


class Store:
    """People by the first part of a name under a prefix: s3://bucket/prefix/ANA/1.jpg is of ANA.

    Names come in the order of their bytes, a page at a time."""

    def __init__(self, address: str) -> None:
        """Raises UsageError, MediaNotFound, UsageError where the library for the scheme is not installed."""
        check_address(address, allowed=True)
        self.address = address.rstrip("/")
        self.passed = 0
        self._fs, self._root = _system(self.address)

    def entries(self) -> Iterator[Entry]:
        """Every picture under the prefix."""
        self.passed = 0
        scheme = self.address.partition("://")[0]
        root = self._root.rstrip("/") + "/"
        listed = self._pages(root) if hasattr(self._fs, "call_s3") else self._walk(root.rstrip("/"))
        empty = True
        for path, stamp in listed:
            empty = False
            subject, _, rest = path.removeprefix(root).partition("/")
            address = f"{scheme}://{path.lstrip('/')}"
            hidden = any(part.startswith(".") for part in (subject, *rest.split("/")))
            if hidden or suffix(path) not in PICTURES:  # looking into each would be a request each
                self.passed += not hidden and not path.endswith("/")
            elif not rest:
                told = f"{shown(address)} lies beside the people's folders."
                yield Problem(address, UnreadableMedia(told, "Put it into one."))
            else:
                yield Item(subject, address, stamp)
        if empty:
            raise MediaNotFound(f"There is nothing under {shown(self.address)}.", "Check the bucket and the prefix.")

    def _pages(self, root: str) -> Iterator[tuple[str, str]]:
        bucket, _, prefix = root.partition("/")
        after = ""
        while True:
            with _Told(self.address):
                wanted = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": _PAGE} | (
                    {"StartAfter": after} if after else {}
                )
                page = self._fs.call_s3("list_objects_v2", **wanted)
            for found in page.get("Contents", ()):
                after = found["Key"]
                yield f"{bucket}/{after}", f"{found['Size']} {found.get('ETag', '')}"
            if not page.get("IsTruncated"):
                return

    def _walk(self, folder: str) -> Iterator[tuple[str, str]]:
        with _Told(self.address):
            found = sorted(self._fs.ls(folder, detail=True), key=lambda entry: str(entry["name"]))
        for entry in found:
            if entry["name"].rstrip("/") == folder.rstrip("/"):
                continue
            if entry["type"] == "directory":
                yield from self._walk(entry["name"])
            else:
                marks = (entry.get(key) for key in ("ETag", "etag", "mtime", "LastModified", "created"))
                yield entry["name"], f"{entry.get('size')} {next((mark for mark in marks if mark), '')}"


class _Told:
    """Turns what a file system library raises into one sentence."""

    def __init__(self, address: str) -> None:
        self._address = shown(address)

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, MienError):
            return
        if isinstance(error, FileNotFoundError):
            raise MediaNotFound(f"There is nothing at {self._address}.", "Check the name.") from error
        words = " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
        raise UnreadableMedia(
            f"{self._address} cannot be read: {words}.", "Check the address, the credentials and the network."
        ) from error


def _system(address: str) -> tuple[Any, str]:
    scheme, _, rest = address.partition("://")
    fs = _file_system(scheme.lower())
    return fs, address if scheme.lower() in ("http", "https") else f"/{rest}" if scheme == "memory" else rest


@cache
def _file_system(scheme: str) -> Any:
    """One per process and scheme. It keeps no listings: those of a bucket with millions of files fill the memory."""
    package = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
    needed = package.get(scheme, "fsspec and aiohttp")
    try:
        return import_module("fsspec").filesystem(scheme, use_listings_cache=False)
    except ImportError as error:
        told = f"{scheme}:// needs {needed}, which is not installed."
        remedy = "Install mien[bulk]." if needed == "s3fs" or "fsspec" in needed else f"Install {needed}."
        raise UsageError(told, remedy) from error

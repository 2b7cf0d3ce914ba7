"""The client of a matcher behind an address: sealed+http://127.0.0.1:8765.

The client is enroller, probe device and key holder (or, as `RemoteEnroller`, only the first); the matcher stores and compares.
The client reads all rows of the gallery once and then what is new, names too, because asking for the names of those who were
found would tell the matcher who they are.
"""

from __future__ import annotations

import http.client
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from mien.errors import GalleryBusy, GalleryCorrupt, GalleryError, GalleryNotFound, MienError, UsageError
from mien.gallery.base import Newcomer, now
from mien.gallery.crops import check_face
from mien.gallery.names import metadata_text, subject_name
from mien.gallery.sealed import bodies
from mien.gallery.sealed.enroller import Enroller
from mien.gallery.sealed.gallery import RETRIES, SealedGallery
from mien.gallery.sealed.index import Index
from mien.gallery.sealed.keys import load_enroller
from mien.gallery.sealed.matcher import Response, check_identity
from mien.gallery.sealed.opening import KeysAt, holder_of, keys_at
from mien.gallery.sealed.probe_device import Probe
from mien.gallery.sealed.profiles import profile
from mien.gallery.sealed.records import U32, Change, Detail, GroupRow, Head, Marker, Sealer, State
from mien.types import Sample

LARGEST_ANSWER = 1 << 30  # bytes: a million templates answer with 183 MiB
TIMEOUT = 60.0  # s without a byte


class RemoteMatcher:
    """A matcher at an address; one connection per request. Raises GalleryNotFound where none answers."""

    def __init__(self, address: str, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(address.removeprefix("sealed+"))
        try:
            self._host, self._port = parts.hostname or "", parts.port or 80
        except ValueError:
            self._host = ""
        if not self._host or parts.scheme != "http" or parts.path not in ("", "/"):
            raise UsageError(
                f"{address} is no address of a matcher.", "Write for instance sealed+http://127.0.0.1:8765."
            )
        self.address, self._timeout = address, timeout

    def head(self) -> Head:
        """The head as it is now."""
        return bodies.unpack_head(self._ask("GET", "/v1/head"))

    def state(self, revision: int = -1, epoch: int = -1) -> State:
        """Rows since then."""
        return bodies.unpack_state(self._ask("GET", "/v1/state?" + urlencode({"revision": revision, "epoch": epoch})))

    def details(self, numbers: Sequence[int], pictures: bool = True) -> dict[int, Detail]:
        """Sealed vectors and, where asked for, crops of samples."""
        found: dict[int, Detail] = {}
        for start in range(0, len(numbers), 64):
            more = f"&pictures={int(pictures)}"
            asked = "/v1/details?" + _listed(numbers[start : start + 64]) + more
            found |= bodies.unpack_details(self._ask("GET", asked))
        return found

    def groups(self, numbers: Sequence[int]) -> dict[int, tuple[GroupRow, U32]]:
        """Rows and bytes of groups."""
        found: dict[int, tuple[GroupRow, U32]] = {}
        for start in range(0, len(numbers), 16):
            found |= bodies.unpack_groups(self._ask("GET", "/v1/groups?" + _listed(numbers[start : start + 16])))
        return found

    def search(self, probe: Probe) -> Response:
        """Every score, encrypted."""
        return bodies.unpack_response(self._ask("POST", "/v1/search", bodies.pack_probe(probe)))

    def done(self, response: Response) -> None:
        """It is nobody else's."""

    def apply(self, change: Change, token: bytes) -> bool:
        """Take a step; False when somebody else was faster."""
        answer = self._ask("POST", "/v1/change", bodies.pack_change(change), {"Authorization": f"Bearer {token.hex()}"})
        return bool(bodies.unpack(answer, "done")[0].get("done"))

    def close(self) -> None:
        """Nothing is held open."""

    def _ask(self, method: str, path: str, body: bytes | None = None, more: dict[str, str] | None = None) -> bytes:
        line = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            line.request(method, path, body, {"Content-Type": bodies.TYPE, **(more or {})})
            answer = line.getresponse()
            length = int(answer.headers.get("Content-Length", "-1"))
            if not 0 <= length <= LARGEST_ANSWER:
                raise GalleryError(f"The answer of {self.address} is of no size to be read.", "Is it a matcher?")
            content = answer.read(length)
        except ConnectionRefusedError:
            raise GalleryNotFound(
                f"No matcher answers at {self.address}.", "Start one with: mien serve-matcher people.sealed"
            ) from None
        except TimeoutError:
            raise GalleryBusy(f"The matcher at {self.address} does not answer.", "Try again later.") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise GalleryError(
                f"The matcher at {self.address} failed: {error}.", "Try again; look at its log."
            ) from error
        finally:
            line.close()
        if answer.status != 200:
            raise _told(content, self.address)
        return content


def open_remote(address: str, keys: KeysAt | None = None, *, read_only: bool = False) -> SealedGallery:
    """The sealed gallery behind a matcher. Raises as `open_sealed`, and GalleryNotFound where no matcher answers."""
    at = keys_at(keys)
    matcher = RemoteMatcher(address)
    head = matcher.head()
    profile(head.profile)
    return SealedGallery(matcher, holder_of(at, head.identity), address, read_only=read_only)


class RemoteEnroller:
    """Enrols at a matcher with public key, MAC key and record key, and no secret: for the place where people are taken in.

    folder: with those three keys. It can read names, and neither templates nor scores. The matcher places what it sends."""

    def __init__(self, address: str, folder: str | os.PathLike[str]) -> None:
        public, mac, records = load_enroller(folder)
        self._matcher = RemoteMatcher(address)
        head = self._matcher.head()
        check_identity(public.identity, head)
        marker, sealer = Marker(mac, public.identity, head.gallery), Sealer(records, head.gallery)
        self._token = marker.token()
        self._index = Index(marker, sealer, address, head)
        self._index.update(self._matcher.state())
        self._enroller = Enroller(public, marker, sealer)

    def enrol(self, subject: str, samples: Sequence[Sample], metadata: Mapping[str, Any] | None = None) -> int:
        """As every gallery's."""
        text = None if metadata is None else metadata_text(metadata)
        for sample in samples:
            if sample.face is not None:
                check_face(sample.face)
        newcomer = Newcomer(subject_name(subject), list(samples), text, now())
        for _ in range(RETRIES):
            self._index.update(self._matcher.state(self._index.head.revision, self._index.head.epoch))
            try:
                change, added = self._enroller.enrol(self._index, [newcomer], self._matcher.groups)
            except GalleryCorrupt:
                if self._matcher.head() == self._index.head:
                    raise
                continue  # somebody wrote between two questions
            if change is None or self._matcher.apply(change, self._token):
                return added
        raise GalleryBusy(f"The gallery {self._index.where} is being changed all the time.", "Try again later.")


def _listed(numbers: Sequence[int]) -> str:
    return urlencode({"numbers": ",".join(map(str, numbers))})


def _told(content: bytes, address: str) -> MienError:
    """The error that a problem document tells."""
    try:
        problem: Any = json.loads(content)
        error: MienError = _kinds()[problem["type"]](
            f"The matcher at {address} says: {problem['detail']}", str(problem["remedy"])
        )
    except (ValueError, KeyError, TypeError):
        return GalleryError(f"The matcher at {address} failed without a reason.", "Is it a matcher?")
    return error


def _kinds(of: type[MienError] = MienError) -> dict[str, type[MienError]]:
    """Every kind of error by its code."""
    found = {of.__name__: of}
    for kind in of.__subclasses__():
        found |= _kinds(kind)
    return found

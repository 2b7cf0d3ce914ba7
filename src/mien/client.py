"""A service's answers as the nouns of the library.

    with Client("http://127.0.0.1:8080", key="mien_…") as client:
        client.enrol("people", "ana", ["ana1.jpg", "ana2.jpg"])
        for answer in client.identify("people", "door.jpg"):
            print(answer.verdict, answer.subject, *answer.reasons)

What the service refuses is raised as the same error that the library would raise. A change carries an idempotency key, so
that it is made once though it had to be sent again."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx2

from mien import errors
from mien.errors import MienError, Overloaded, ServiceError, Unavailable
from mien.types import Match, OperatingPoint, Person, Reading, Verdict

Picture = str | os.PathLike[str] | bytes
PATIENCE = 30.0  # s that a request is tried again when the service is busy or gone


@dataclass(frozen=True, slots=True)
class Seen:
    """A face in a picture, in px of the picture as displayed."""

    box: tuple[float, float, float, float]  # x0 y0 x1 y1
    points: tuple[tuple[float, float], ...]  # subject's right eye, left eye, nose tip, right and left mouth corner
    score: float
    readings: tuple[Reading, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A decision as it comes over the wire: `mien.types.Decision` without pixels."""

    verdict: Verdict
    reasons: tuple[str, ...]
    subject: str | None
    score: float | None
    threshold: OperatingPoint | None
    matches: tuple[Match, ...]
    readings: tuple[Reading, ...]
    faces: tuple[Seen, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A picture that was not enrolled, by its place in the request, and why."""

    picture: int
    error: MienError


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of the pictures given for one subject."""

    subject: str
    added: int
    known: int
    refused: tuple[Refused, ...]
    warnings: tuple[str, ...]


class Client:
    """A connection to a service; threads may share it.

    url: such as https://faces.example.org. key: mien_…, by default what MIEN_KEY holds. verify: False or the PEM file of the
    authority for a certificate of one's own. patience: s to go on trying while the service is busy or gone.
    Raises the errors of `mien.errors`; Unavailable where nothing answers."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        verify: bool | str = True,
        patience: float = PATIENCE,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        key = key if key is not None else os.environ.get("MIEN_KEY", "")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.Client(base_url=url, headers=headers, verify=verify, timeout=60.0, transport=transport)
        self._patience = patience

    # --- seeing ---------------------------------------------------------------------------------------------------

    def detect(self, picture: Picture) -> list[Seen]:
        """Every face of a picture, largest first."""
        return [_seen(one) for one in self._ask("POST", "/v1/detect", files=[_file("image", picture)])["faces"]]

    def verify(self, one: Picture, other: Picture, **policy: float) -> Answer:
        """Whether two pictures show the same person. policy: fmr or threshold."""
        return _answer(self._ask("POST", "/v1/verify", files=[_file("one", one), _file("other", other)], data=policy))

    def identify(self, gallery: str, picture: Picture, where: str | None = None, **policy: float) -> list[Answer]:
        """One answer per face of the picture. where: a filter such as site = 'north'. policy: fpir, fmr, threshold, margin."""
        data = policy | ({"where": where} if where else {})
        found = self._ask("POST", f"{_gallery(gallery)}/identify", files=[_file("image", picture)], data=data)
        return [_answer(one) for one in found["decisions"]]

    def judge(self, kind: str, picture: Picture) -> list[Seen]:
        """What a judge ("quality", "expression", …) reads off each face."""
        found = self._ask("POST", f"/v1/judge/{quote(kind, safe='')}", files=[_file("image", picture)])
        return [_seen(one) for one in found["faces"]]

    # --- what takes longer ------------------------------------------------------------------------------------------

    def watch(self, gallery: str, video: str | os.PathLike[str], **policy: float) -> str:
        """Start to identify everybody in a video: a file, or an rtsp:// or http(s):// address that the operator allows.

        Returns the id of the job."""
        data = {"kind": "video", "gallery": gallery, **policy}
        if "://" in str(video):
            return str(self._ask("POST", "/v1/jobs", json=data | {"source": str(video)})["id"])
        with Path(video).open("rb") as file:
            return str(self._ask("POST", "/v1/jobs", data=data, files=[("video", (Path(video).name, file))])["id"])

    def job(self, job: str) -> dict[str, Any]:
        """How it stands with a job: state, progress 0..1, result or problem. Raises NotFound."""
        return self._ask("GET", f"/v1/jobs/{quote(job, safe='')}")

    def sightings(self, job: str, pause: float = 0.5) -> Iterator[dict[str, Any]]:
        """Everybody seen in a video job, each as soon as that person has left, until the job is over.

        pause: s between two looks while nothing new is there. Raises the job's error where it failed."""
        path, cursor = f"/v1/jobs/{quote(job, safe='')}/timeline", None
        while True:
            page = self._ask("GET", path, params={"cursor": cursor} if cursor else {})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                break
            if not page["items"]:
                time.sleep(pause)
        if problem := self.job(job).get("problem"):
            raise _error(problem)

    def cancel(self, job: str) -> dict[str, Any]:
        """End a job; what was seen until then stays."""
        return self._ask("DELETE", f"/v1/jobs/{quote(job, safe='')}")

    # --- galleries and people ---------------------------------------------------------------------------------------

    def galleries(self) -> list[str]:
        """Names of the galleries that the key can use."""
        return [one["name"] for one in self._all("/v1/galleries")]

    def create(self, gallery: str) -> None:
        """Make a gallery. Raises Conflict when there is one."""
        self._ask("POST", "/v1/galleries", json={"name": gallery})

    def drop(self, gallery: str) -> None:
        """Erase a gallery with everybody in it. Raises GalleryNotFound."""
        self._ask("DELETE", _gallery(gallery))

    def people(self, gallery: str, containing: str | None = None) -> Iterator[Person]:
        """Everybody in a gallery, by name, read page by page."""
        asked = {"containing": containing} if containing else {}
        for one in self._all(f"{_gallery(gallery)}/subjects", **asked):
            yield _person(one)

    def person(self, gallery: str, subject: str) -> Person:
        """One subject. Raises UnknownSubject."""
        return _person(self._ask("GET", _subject(gallery, subject)))

    def enrol(
        self, gallery: str, subject: str, pictures: Sequence[Picture], metadata: Mapping[str, Any] | None = None
    ) -> Enrolled:
        """Add pictures to a subject (made if new). What cannot be used is listed; the rest is durable on return.

        metadata: notes about the subject; among them consent, purpose and expires, the last day (ISO 8601)."""
        data = {} if metadata is None else {"metadata": json.dumps(dict(metadata))}
        files = [_file("image", one) for one in pictures]
        found = self._ask("POST", f"{_subject(gallery, subject)}/samples", files=files, data=data)
        refused = tuple(Refused(one["picture"], _error(one["problem"])) for one in found["refused"])
        return Enrolled(subject, found["added"], found["known"], refused, tuple(found["warnings"]))

    def forget(self, gallery: str, subject: str) -> dict[str, Any]:
        """Erase a subject; returns the receipt. Raises UnknownSubject."""
        return self._ask("DELETE", _subject(gallery, subject))

    def hide(self, picture: Picture, how: str = "blur", keep_known_in: str | None = None) -> bytes:
        """The picture with its faces hidden, but for those who are known in a gallery; a marked PNG or JPEG."""
        data = {"keep_known_in": keep_known_in} if keep_known_in else {}
        answer = self._tried("POST", f"/v1/edit/{quote(how, safe='')}", files=[_file("image", picture)], data=data)
        return bytes(answer.content)

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- inside -----------------------------------------------------------------------------------------------------

    def _all(self, path: str, **asked: Any) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            page = self._ask("GET", path, params=asked | ({"cursor": cursor} if cursor else {}))
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return

    def _ask(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        return _body(self._tried(method, path, **content))

    def _tried(self, method: str, path: str, **content: Any) -> httpx2.Response:
        """The answer, after as many tries as `patience` allows. A try that may have been heard is repeated under one key."""
        headers = {} if method == "GET" else {"idempotency-key": uuid.uuid4().hex}
        ends, wait = time.monotonic() + self._patience, 0.25
        while True:
            try:
                return self._once(method, path, headers, content)
            except (Overloaded, Unavailable) as error:
                wait = max(error.after if isinstance(error, Overloaded) else wait, wait)
                if time.monotonic() + wait > ends:
                    raise
                time.sleep(wait)
                wait *= 2

    def _once(self, method: str, path: str, headers: dict[str, str], content: dict[str, Any]) -> httpx2.Response:
        try:
            answer = self._http.request(method, path, headers=headers, **content)
        except httpx2.TransportError as error:
            told = f"The service at {self._http.base_url} does not answer: {error}."
            raise Unavailable(told, "Is it running, and is the address right?") from error
        if answer.is_success:
            return answer
        raise _error(_body(answer), answer.headers.get("retry-after"))


def _body(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code == 204:
        return {}
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):  # a proxy's page, for instance
        raise ServiceError(
            f"{answer.url} answered {answer.status_code} and no JSON.", "Is the address a mien service's?"
        )
    return found


def _error(problem: Mapping[str, Any], after: str | None = None) -> MienError:
    """The error that a problem+json tells of; ServiceError where the client does not know its type."""
    told = str(problem.get("detail", "The service refused.")), str(problem.get("remedy", ""))
    kind = getattr(errors, str(problem.get("type", "")), ServiceError)
    if not (isinstance(kind, type) and issubclass(kind, MienError)):
        kind = ServiceError
    return Overloaded(*told, after=float(after or 1)) if kind is Overloaded else kind(*told)


def _file(field: str, picture: Picture) -> tuple[str, tuple[str, bytes]]:
    if isinstance(picture, bytes):
        return field, ("picture", picture)
    from mien.media import door

    return field, (Path(picture).name, door.content_of(picture, 1 << 30))


def _gallery(name: str) -> str:
    return f"/v1/galleries/{quote(name, safe='')}"


def _subject(gallery: str, subject: str) -> str:
    return f"{_gallery(gallery)}/subjects/{quote(subject, safe='')}"


def _seen(one: Mapping[str, Any]) -> Seen:
    points = tuple((float(x), float(y)) for x, y in one["points"])
    x0, y0, x1, y1 = one["box"]
    return Seen((x0, y0, x1, y1), points, one["score"], _readings(one.get("readings", ())))


def _answer(one: Mapping[str, Any]) -> Answer:
    point = one["threshold"]
    return Answer(
        one["verdict"],
        tuple(one["reasons"]),
        one["subject"],
        one["score"],
        None if point is None else OperatingPoint(**_known(OperatingPoint, point)),
        tuple(Match(each["subject"], each["score"]) for each in one["matches"]),
        _readings(one["readings"]),
        tuple(_seen(each) for each in one["faces"]),
    )


def _readings(found: Sequence[Mapping[str, Any]]) -> tuple[Reading, ...]:
    made = []
    for one in found:
        known = _known(Reading, one)
        span = known.get("span")
        made.append(
            Reading(**known | {"reasons": tuple(known["reasons"]), "span": None if span is None else tuple(span)})
        )
    return tuple(made)


def _person(one: Mapping[str, Any]) -> Person:
    return Person(**_known(Person, one))


def _known(noun: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """What `noun` has a field for: a newer service may say more."""
    return {field.name: found[field.name] for field in fields(noun) if field.name in found}

"""Pictures looked at: faces, what is measured on them, and templates of those that the operation wants; many requests at once.

A face passes a quality bar by the share of comparisons that would still succeed with such a picture (`judge.quality`):
AUTO and LOW are the bar under which mien enrols nobody, MEDIUM the one under which it never says "nobody here", HIGH the
one above which no part of the picture is found wanting. NONE is no bar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mien import media
from mien.decide import Policy
from mien.errors import InputError, MienError, UnreadableMedia
from mien.judge.quality import Measures, components, measure
from mien.media.sniff import HEAD, picture_format
from mien.serve.rekognition.refusal import Refused
from mien.sighting import judged
from mien.types import Clip, Face, Frame, Reading, Template

if TYPE_CHECKING:
    from mien.serve.service import Service

MOST = 100  # faces of one picture that are looked at, largest first
BARS = {"NONE": 0.0, "AUTO": Policy().floor, "LOW": Policy().floor, "MEDIUM": Policy().quality, "HIGH": 0.9}
DARK = 60.0  # mean luma of a face, 0..255, under which a lack of contrast is a lack of light
_PIXELS = 50_000_000  # of the pictures that are held at once, about
_NOTHING = Frame(np.zeros((1, 1, 3), np.uint8))
_WANTING = 0.9  # a component under this is a reason
_REASONS = {"size": "SMALL_BOUNDING_BOX", "sharpness": "LOW_SHARPNESS", "pose": "EXTREME_POSE"}


@dataclass(slots=True, eq=False)
class Seen:
    """One face of a picture. measures: None where the five points lie as on no face."""

    face: Face  # once it is looked at, of a frame without pixels
    measures: Measures | None
    quality: float  # 0..1
    emotions: Reading | None = None
    template: Template | None = None  # only of faces that were picked
    size: tuple[int, int] = (1, 1)  # width and height of the picture in px

    def passes(self, bar: str) -> bool:
        """Whether its quality reaches a bar."""
        return self.quality >= BARS[bar] and self.measures is not None

    def reasons(self) -> list[str]:
        """What its quality lacks, in the protocol's words, worst first."""
        if self.measures is None:
            return ["LOW_FACE_QUALITY"]
        parts = components(self.measures)
        named: dict[str, None] = {}
        for name in sorted(parts, key=lambda one: parts[one]):
            if parts[name] < _WANTING and not (name == "sharpness" and parts["size"] < _WANTING):
                dark = name == "contrast" and self.measures.luma < DARK
                named["LOW_BRIGHTNESS" if dark else _REASONS.get(name, "LOW_FACE_QUALITY")] = None
        return list(named) or ["LOW_FACE_QUALITY"]


Picture = list[Seen]  # largest first
Pick = Callable[[list[Picture]], Sequence[Seen]]  # those of the pictures' faces that want a template


def nothing(pictures: list[Picture]) -> Sequence[Seen]:
    """Picks no face."""
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What one request wants to know of its pictures."""

    pictures: tuple[bytes, ...]
    pick: Pick = nothing
    emotions: bool = False
    names: tuple[str, ...] = field(default=("Image",))  # of the members that the pictures came in


async def look(service: Service, wanted: Wanted) -> list[Picture]:
    """The faces in the pictures of a request. Raises Refused, Overloaded, Unavailable, ModelError."""

    def together(all_wanted: Sequence[Wanted]) -> list[list[Picture] | MienError]:
        return looked(service, all_wanted)

    found: list[Picture] = await service.lines.together(("rekognition", "look"), together, wanted)
    return found


def looked(service: Service, all_wanted: Sequence[Wanted]) -> list[list[Picture] | MienError]:
    """`look` for several requests; the faces that they pick go through the embedder together, as far as memory allows."""
    found: list[list[Picture] | MienError] = []
    held: list[tuple[Wanted, list[Picture]]] = []
    for one in all_wanted:
        pictures = _or_error(_pictures, service, one)
        found.append(pictures)
        if isinstance(pictures, list):
            held.append((one, pictures))
        if sum(face.size[0] * face.size[1] for _, some in held for each in some for face in each[:1]) >= _PIXELS:
            _embed(service, held)
            held = []
    _embed(service, held)
    return found


def _embed(service: Service, held: Sequence[tuple[Wanted, list[Picture]]]) -> None:
    """Templates of the faces that are picked. The pixels are let go."""
    picked = [seen for one, pictures in held for seen in one.pick(pictures) if seen.measures is not None]
    templates = service.engine.embedder.embed([seen.face for seen in picked]) if picked else []
    for seen, template in zip(picked, templates, strict=True):
        seen.template = Template(template.vector, template.space, seen.quality)
    for seen in (one for _, pictures in held for each in pictures for one in each):
        seen.face = replace(seen.face, frame=_NOTHING)


def _or_error(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function(*given)
    except MienError as error:
        return error


def _pictures(service: Service, wanted: Wanted) -> list[Picture]:
    frames = [_opened(service, data, name) for data, name in zip(wanted.pictures, wanted.names, strict=True)]
    most = min(MOST, service.settings.max_faces)
    return [[_seen(service, face, wanted.emotions) for face in service.engine.faces(one)[:most]] for one in frames]


def _opened(service: Service, data: bytes, name: str) -> Frame:
    if picture_format(data[:HEAD]) not in ("JPEG", "PNG"):
        raise Refused("InvalidImageFormatException", f"{name} is neither a JPEG nor a PNG.", "Send one of these.")
    try:
        return media.read_image(data, max_pixels=int(service.settings.max_megapixels * 1e6))
    except UnreadableMedia as error:
        code = "ImageTooLargeException" if error.remedy == "Save it smaller." else "InvalidImageFormatException"
        raise Refused(code, f"{name}: {error.message}", error.remedy) from error


def _seen(service: Service, face: Face, emotions: bool) -> Seen:
    clip = Clip((face,))
    try:
        measures: Measures | None = measure(face)
        quality = judged(service.engine.judges[0], clip)[0].scores.get("overall", 0.0)
    except InputError:  # the points lie as on no face
        measures, quality = None, 0.0
    expression = judged(service.judge("expression"), clip)[0] if emotions else None
    return Seen(face, measures, quality, expression, size=(face.frame.width, face.frame.height))

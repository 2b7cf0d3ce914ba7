"""One JSON shape per noun: what the command line prints.

Pixels never leave through here, and template vectors only on request. Boxes and points are in px of the source frame, also
when a face was re-homed onto a crop; times are in s. Numbers are rounded to what they mean (px to 0.01, scores to 1e-6),
and a number that JSON cannot hold (NaN, infinity) is an error rather than an invalid document.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from mien.errors import MienError
from mien.types import Clip, Decision, Face, Frame, Reading, Sample, Template

Json = dict[str, Any]


def encode(noun: Any, *, vectors: bool = False) -> Any:
    """A noun (or a list, mapping or number) as what ``json.dumps`` takes; `vectors` lets template vectors out.

    Raises TypeError for anything that is no noun, ValueError for NaN and infinity."""
    if isinstance(noun, Template):
        return template(noun, vectors=vectors)
    if isinstance(noun, Sample):
        return sample(noun, vectors=vectors)
    if isinstance(noun, MienError):
        return problem(noun)
    shape = _SHAPES.get(type(noun))
    if shape is not None:
        return shape(noun)
    if isinstance(noun, Mapping):
        return {str(key): encode(value, vectors=vectors) for key, value in noun.items()}
    if isinstance(noun, (list, tuple)):
        return [encode(item, vectors=vectors) for item in noun]
    if is_dataclass(noun) and not isinstance(noun, type):
        return {field.name: encode(getattr(noun, field.name), vectors=vectors) for field in fields(noun)}
    return _scalar(noun)


def frame(noun: Frame) -> Json:
    """Where a frame came from and its size; never its pixels."""
    return {
        "source": noun.source,
        "index": noun.index,
        "time": round(noun.time, 4),
        "width": noun.width,
        "height": noun.height,
    }


def face(noun: Face) -> Json:
    """A face in px of its source frame."""
    x0, y0, scale = noun.origin
    points = noun.points / scale + np.array([x0, y0])
    return {
        "box": _pixels(noun.source_box),
        "points": [_pixels(point) for point in points],
        "score": _scalar(float(noun.score)),
        "eye_distance": round(noun.eye_distance, 2),
        "track": noun.track if noun.track >= 0 else None,
        "source": noun.frame.source,
        "index": noun.frame.index,
        "time": round(noun.frame.time, 4),
    }


def clip(noun: Clip) -> Json:
    """A clip as its faces and span."""
    return {"faces": [face(one) for one in noun.faces], "fps": noun.fps, "span": list(noun.span), "ended": noun.ended}


def seen(noun: Clip, readings: Sequence[Reading]) -> Json:
    """The best face of a clip with what was read off the clip; `span` is None for a picture."""
    video = noun.faces[0].track >= 0
    return face(noun.best) | {
        "span": encode(noun.span) if video else None,
        "shots": len(noun.faces),
        "readings": encode(list(readings)),
    }


def template(noun: Template, *, vectors: bool = False) -> Json:
    """A template's space and quality; its vector only when asked for."""
    shape: Json = {"space": noun.space, "dimension": int(noun.vector.shape[0]), "quality": encode(noun.quality)}
    if vectors:
        shape["vector"] = [float(value) for value in noun.vector]
    return shape


def sample(noun: Sample, *, vectors: bool = False) -> Json:
    """An enrolled capture: its template, its origin and whether the image is kept."""
    return {
        "template": template(noun.template, vectors=vectors),
        "source": noun.source,
        "image_kept": noun.face is not None,
    }


def decision(noun: Decision) -> Json:
    """An answer with its evidence."""
    return {
        "verdict": noun.verdict,
        "subject": noun.subject,
        "score": encode(noun.score),
        "threshold": encode(noun.threshold),
        "reasons": list(noun.reasons),
        "matches": encode(noun.matches),
        "readings": encode(noun.readings),
        "faces": [face(one) for one in noun.faces],
        "source": noun.source,
        "span": encode(noun.span),
    }


def problem(error: MienError) -> Json:
    """The one shape of an error (RFC 9457): `type` is the stable code."""
    return {
        "type": error.code,
        "title": (type(error).__doc__ or error.code).strip().splitlines()[0].rstrip("."),
        "status": error.status,
        "detail": error.message,
        "remedy": error.remedy,
    }


def _pixels(values: Any) -> list[float]:
    return [_scalar(round(float(value), 2)) for value in values]


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{number} has no JSON form")
        return round(number, 6)
    raise TypeError(f"{type(value).__name__} has no wire shape")


_SHAPES: Mapping[type, Callable[[Any], Json]] = {
    Frame: frame,
    Face: face,
    Clip: clip,
    Decision: decision,
}

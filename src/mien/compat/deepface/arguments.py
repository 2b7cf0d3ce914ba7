"""DeepFace's arguments: which values are honoured, and why the others are refused. None is silently ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien.compat.deepface.errors import UnimplementedError
from mien.models import catalogue

# DeepFace's names for what mien has a card of. "Dlib" is the very network that mien runs by default.
MODELS: Mapping[str, str] = {"Dlib": "dlib_resnet", "SFace": "sface"}
DETECTORS: Mapping[str, str] = {"mtcnn": "mtcnn", "fastmtcnn": "mtcnn", "yunet": "yunet"}
SKIP = "skip"
METRICS = ("cosine", "euclidean", "euclidean_l2", "angular")


@dataclass(frozen=True, slots=True)
class Rule:
    """The one value of an argument that is honoured, and what to say about the others."""

    honoured: object
    why: str
    remedy: str


RULES: Mapping[str, Rule] = {
    "align": Rule(
        True,
        "thresholds are evidence about faces aligned on eyes, nose and mouth, and say nothing about others",
        "Leave align at True.",
    ),
    "expand_percentage": Rule(
        0,
        "a face is cut out by its five points, so that a larger box would change nothing",
        "Leave expand_percentage at 0; extract_faces honours it.",
    ),
    "normalization": Rule("base", "the model's card says how its pixels go in", "Leave normalization at 'base'."),
    "anti_spoofing": Rule(
        False,
        "no liveness model stands behind these names",
        "Ask mien.Engine for a liveness judge, and require it with mien.Policy(require=...).",
    ),
    "minmax_normalize": Rule(
        False, "it rests on constants of other models", "Leave minmax_normalize at False; vectors have unit length."
    ),
    "datastore_format": Rule("npz", "the store is one NumPy file", "Leave datastore_format at 'npz'."),
}


def check(**given: object) -> None:
    """Raises UnimplementedError for a value of an argument in RULES that is not honoured."""
    for name, value in given.items():
        rule = RULES[name]
        if type(value) is not type(rule.honoured) or value != rule.honoured:
            raise UnimplementedError(f"{name}={value!r} is not offered: {rule.why}.", rule.remedy)


def embedder_card(model_name: str) -> str:
    """Name of the card behind DeepFace's name of a model, or behind a card's own name. Raises UnimplementedError."""
    return _card("model_name", model_name, MODELS, "embedder")


def detector_card(detector_backend: str) -> str:
    """Name of the card behind a detector; "skip" stands for itself. Raises UnimplementedError."""
    return SKIP if detector_backend == SKIP else _card("detector_backend", detector_backend, DETECTORS, "detector")


def metric_name(distance_metric: Any, threshold: float | None) -> str:
    """The metric's name; "" for a function. Raises UnimplementedError, also for a function without a threshold."""
    if callable(distance_metric):
        if threshold is None:
            raise UnimplementedError("A distance_metric of your own has no threshold.", "Give threshold=….")
        return ""
    if distance_metric not in METRICS:
        raise UnimplementedError(
            f"There is no distance_metric {distance_metric!r}.",
            f"Choose among {', '.join(METRICS)}, or give a function.",
        )
    return str(distance_metric)


def _card(argument: str, name: str, known: Mapping[str, str], task: str) -> str:
    cards = {card.name for card in catalogue(task)}
    wanted = known.get(name, name)
    if wanted in cards:
        return wanted
    offered = sorted({*(there for there, here in known.items() if here in cards), *cards})
    raise UnimplementedError(
        f"{argument}={name!r} is not offered: mien has no card of such weights.", f"Choose among {', '.join(offered)}."
    )

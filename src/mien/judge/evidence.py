"""When there is not enough to go by: the limits of a classifier's card, applied, in words."""

from __future__ import annotations

from collections.abc import Mapping

from mien.judge import quality
from mien.models.card import Abstain
from mien.types import Face


def lacking(face: Face, limits: Abstain | None) -> tuple[str, ...]:
    """Why a face shows too little to be read, the plainest reason first; empty where it can be.

    Raises InputError when its points do not lie as on a face and the card asks for a quality."""
    if limits is None:
        return ()
    found = []
    eyes = face.eye_distance
    if not eyes >= limits.least_eye_distance:  # so that a distance that is no number is none
        found.append(f"too small: {eyes:.0f} px between the eyes, {limits.least_eye_distance:g} wanted")
    if not face.score >= limits.least_score:
        found.append(f"hardly a face: detector's score {face.score:.2f}, {limits.least_score:g} wanted")
    if not found and limits.least_quality > 0:
        reading = quality.assess(face)
        overall = reading.scores["overall"]
        if overall < limits.least_quality:
            found.append(f"poor picture: quality {overall:.2f}, {limits.least_quality:g} wanted")
            found += reading.reasons
    return tuple(found)


def unclear(scores: Mapping[str, float], limits: Abstain | None) -> str:
    """Why probabilities decide nothing, naming the likeliest two; empty where they do."""
    if limits is None:
        return ""
    likeliest = sorted(scores.items(), key=lambda item: -item[1])[:2]
    if likeliest[0][1] >= limits.least_probability:
        return ""
    told = " or ".join(f"{label} ({value:.2f})" for label, value in likeliest)
    return f"not clear: {told}, {limits.least_probability:g} wanted"

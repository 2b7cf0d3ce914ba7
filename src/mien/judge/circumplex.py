"""Where the classes of expressions lie between unpleasant and pleasant, calm and excited: a map from words to the plane.

The positions are mean ratings of the words themselves on scales of pleasure and of arousal, -1 to 1: Russell and
Mehrabian, Evidence for a three-factor theory of emotions, Journal of Research in Personality 11, 1977, table 4 (angry,
disgusted, fearful, happy, sad, surprised; their third scale, dominance, is left out). Neutral is the origin by
definition. A reading made of them is the mean of the positions, weighted by the probabilities of the classes: it
re-tells the classes on two scales and was not measured on any face. It cannot leave the hull of those seven points,
and it calls a mixture of joy and anger nearly neutral in valence.
"""

from __future__ import annotations

from collections.abc import Mapping

POSITIONS: Mapping[str, tuple[float, float]] = {  # valence, arousal
    "anger": (-0.51, 0.59),
    "disgust": (-0.60, 0.35),
    "fear": (-0.64, 0.60),
    "happiness": (0.81, 0.51),
    "neutral": (0.0, 0.0),
    "sadness": (-0.63, -0.27),
    "surprise": (0.40, 0.67),
}
# What data sets call the same classes.
NAMES: Mapping[str, str] = {
    **{name: name for name in POSITIONS},
    "angry": "anger", "disgusted": "disgust", "fearful": "fear", "afraid": "fear", "happy": "happiness",
    "joy": "happiness", "sad": "sadness", "surprised": "surprise",
}  # fmt: skip


def named(label: str) -> str | None:
    """The class a label stands for, whatever the data set called it; None for another word."""
    return NAMES.get(label.lower())


def position(scores: Mapping[str, float]) -> dict[str, float] | None:
    """Valence and arousal, each -1..1, of probabilities by label; None when a label has no known position."""
    known = {label: named(label) for label in scores}
    if not scores or None in known.values():
        return None
    total = sum(scores.values())
    places = [(POSITIONS[str(known[label])], value / total) for label, value in scores.items()]
    return {axis: sum(place[at] * share for place, share in places) for at, axis in enumerate(("valence", "arousal"))}

"""One vocabulary for expressions, whatever a data set calls them."""

from __future__ import annotations

BASIC = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")
EIGHT = (*BASIC, "contempt")

_SAME = {
    "anger": ("angry", "ang"),
    "contempt": ("contemptuous",),
    "disgust": ("disgusted", "dis"),
    "fear": ("fearful", "afraid", "scared", "fea"),
    "happiness": ("happy", "joy", "joyful", "hap"),
    "neutral": ("neutrality", "neu"),
    "sadness": ("sad",),
    "surprise": ("surprised", "sur"),
    "anxiety": ("anxious",),
    "disappointment": ("disappointed",),
    "helplessness": ("helpless", "helpness"),
    "frustration": ("frustrated", "fru"),
    "excitement": ("excited", "exc"),
    "others": ("other", "oth"),
}
_HOUSE = {word: house for house, words in _SAME.items() for word in (house, *words)}


def emotion(word: str) -> str:
    """A word for an expression as the house has it ("Angry", "ANG" -> "anger"); words that the house does not know stay as
    they are, in small letters."""
    clean = " ".join(word.split()).lower()
    return _HOUSE.get(clean, clean)

"""Programs by name, in the format that files have: they are examples of it too."""

from __future__ import annotations

_EMOTIONS = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")


def _each(emotions: tuple[str, ...], more: str = "") -> str:
    return "\n".join(f'[[expression]]\nemotion = "{name}"\n{more}' for name in emotions)


def _micro(emotion: str) -> str:
    return f"""
[[expression]]
label = "{emotion}"
  [[expression.event]]
  emotion = "{emotion}"
  strength = ["A", "B"]
  onset = [0.5, 2.9]
  rise = [0.08, 0.16]
  hold = [0.0, 0.08]
  fall = [0.1, 0.24]
"""


_TEXTS = {
    "basic": f"""
about = "Six emotions and neutral, one rise and fall each."
seconds = 4.0
style = 0.15
{_each(_EMOTIONS)}""",
    "basic8": f"""
about = "The same and contempt, which one side of the face shows."
seconds = 4.0
style = 0.15
{_each((*_EMOTIONS, "contempt"))}""",
    "micro": f"""
about = "Micro-expressions: weak, and over within half a second."
seconds = 4.0
style = 0.15
{"".join(_micro(name) for name in ("happiness", "surprise", "disgust", "sadness", "fear", "anger"))}""",
    "spotting": """
about = "Long clips with several macro- and micro-expressions, for finding them."
seconds = 20.0
style = 0.15

[habits]
head = 3.0

[[expression]]
label = "mixed"
  [[expression.event]]
  emotion = "happiness"
  count = [1, 2]
  [[expression.event]]
  emotion = "disgust"
  count = [0, 1]
  [[expression.event]]
  emotion = "surprise"
  strength = ["A", "B"]
  rise = [0.08, 0.16]
  hold = [0.0, 0.08]
  fall = [0.1, 0.24]
  count = [1, 3]
""",
    "unilateral": """
about = "Units on one side of the face alone, and the same on both."
seconds = 3.0

[[expression]]
label = "left"
units = {AU12 = ["C", "E"]}
side = "left"

[[expression]]
label = "right"
units = {AU12 = ["C", "E"]}
side = "right"

[[expression]]
label = "both"
units = {AU12 = ["C", "E"]}
""",
    "ambiguous": """
about = "Two emotions at once with a share of each: the label is the pair of shares."
seconds = 4.0
style = 0.15

[[expression]]
blend = ["happiness", "surprise"]
share = [0.2, 0.8]

[[expression]]
blend = ["fear", "surprise"]
share = [0.2, 0.8]

[[expression]]
blend = ["anger", "disgust"]
share = [0.2, 0.8]

[[expression]]
blend = ["sadness", "neutral"]
share = [0.2, 0.8]
""",
    "talk": """
about = "Neutral talk: a mouth that moves and means nothing by it."
seconds = 6.0

[habits]
talk = 0.7
blinks = 26
head = 4.0

[[expression]]
label = "neutral"
""",
    "pulse": """
about = "A face at rest, long enough for a heart rate."
seconds = 20.0

[habits]
head = 0.5
heart = [50, 110]

[scene]
yaw = [-3, 3]
pitch = [-3, 3]
pulse_depth = 0.02

[[expression]]
label = "neutral"
""",
}

NAMES = tuple(_TEXTS)


def text(name: str) -> str:
    """The TOML text of a built-in program."""
    return _TEXTS[name].lstrip()

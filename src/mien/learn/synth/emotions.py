"""Emotions as mixes of action units, and the names of intensities.

The mixes are those of Du, Tao and Martinez, "Compound facial expressions of emotion", PNAS 111(15), 2014, table 1: units
that more than 70 % of 230 people showed (always drawn), and units that fewer showed, with the share of people who did
(drawn with that chance). People posed. Contempt is not in that study: a tightened lip corner on one side (AU14), the
sign that Ekman and Friesen describe in "A new pan-cultural facial expression of emotion", 1986.
A mix is what people do when asked for an emotion; nobody's feelings are in it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from mien.errors import InputError


@dataclass(frozen=True, slots=True)
class Mix:
    """Action units of an emotion."""

    always: tuple[str, ...]
    often: Mapping[str, float] = field(default_factory=dict)  # unit -> share of people who show it
    one_sided: bool = False  # shown on one side of the face

    def draw(self, rng: np.random.Generator) -> tuple[str, ...]:
        """The units of one person's way to show it. Lips that are apart and pressed at once are not drawn."""
        drawn = [unit for unit, share in self.often.items() if rng.random() < share]
        if "AU25" in self.always:
            drawn = [unit for unit in drawn if unit not in ("AU23", "AU24")]
        return tuple(sorted({*self.always, *drawn}))


def _mix(always: str, **often: float) -> Mix:
    return Mix(tuple(f"AU{int(unit):02d}" for unit in always.split()), often)


MIXES: Mapping[str, Mix] = {
    "neutral": Mix(()),
    "happiness": _mix("12 25", AU06=0.51),
    "sadness": _mix("4 15", AU01=0.60, AU06=0.50, AU11=0.26, AU17=0.67),
    "fear": _mix("1 4 20 25", AU02=0.57, AU05=0.63, AU26=0.33),
    "anger": _mix("4 7 24", AU10=0.26, AU17=0.52, AU23=0.29),
    "surprise": _mix("1 2 25 26", AU05=0.66),
    "disgust": _mix("9 10 17", AU04=0.31, AU24=0.26),
    "contempt": Mix(("AU14",), one_sided=True),
    # Compound emotions: the units that more than 70 % showed.
    "happily surprised": _mix("1 2 12 25"),
    "happily disgusted": _mix("10 12 25"),
    "sadly fearful": _mix("1 4 15 25"),
    "sadly angry": _mix("4 7 15"),
    "sadly surprised": _mix("1 4 25 26"),
    "sadly disgusted": _mix("4 10"),
    "fearfully angry": _mix("4 20 25"),
    "fearfully surprised": _mix("1 2 5 20 25"),
    "fearfully disgusted": _mix("1 4 10 20 25"),
    "angrily surprised": _mix("4 25 26"),
    "angrily disgusted": _mix("4 10 17"),
    "disgustedly surprised": _mix("1 2 5 10"),
}

LETTERS: Mapping[str, float] = {"A": 0.2, "B": 0.4, "C": 0.6, "D": 0.8, "E": 1.0}


def letter(strength: float) -> str:
    """The FACS letter of a strength 0..1; "" below half of A. Letters stand in equal steps here, as 0 to 5 do in DISFA."""
    step = min(5, int(np.floor(5 * strength + 0.5)))
    return "" if step < 1 else "ABCDE"[step - 1]


def known_emotion(name: str) -> Mix:
    """The mix of an emotion. Raises InputError with the nearest name."""
    if name in MIXES:
        return MIXES[name]
    raise InputError(f"There is no emotion '{name}'.", _nearest(name, MIXES))


def known_unit(name: str, units: Iterable[str]) -> str:
    """An action unit by its name with two digits: AU1, au01 and AU01 are one. Raises InputError with the known ones."""
    names = list(units)
    found = re.fullmatch(r"AU(\d{1,2})", name.strip(), re.IGNORECASE)
    full = f"AU{int(found[1]):02d}" if found else name
    if full in names:
        return full
    raise InputError(f"There is no action unit '{name}' that can be shown.", f"There are {', '.join(names)}.")


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"Did you mean '{near[0]}'?" if near else f"There are {', '.join(names)}."

"""Action units as coders write them ("4+R12", "AU4, AU7", "L2+L1", "12B") to the house's words ("AU04", "AU12R")."""

from __future__ import annotations

import re

_UNIT = re.compile(r"(?:AU)?\s*([LRTBUA]?)\s*(?:AU)?\s*(\d{1,2})\s*([A-E]?)\s*([LR]?)", re.IGNORECASE)
_PARTS = re.compile(r"[+,;/&、，\s]+|\bor\b|\band\b", re.IGNORECASE)


def units(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The units of a cell, each once and in order, and the parts that could not be read.

    L and R are the subject's sides. T, B, U and A (top, bottom, upper, as a whole) and the letters of intensity A to E are
    let go: the house's words have no place for them. A question mark makes a unit unreadable: the coder was not sure."""
    known: list[str] = []
    lost: list[str] = []
    for part in _PARTS.split(re.sub(r"\bAU\s+(?=[LRTB]?\d)", "AU", text.strip(), flags=re.IGNORECASE)):
        if not part or part.lower() in ("or", "and", "none", "nan", "/"):
            continue
        match = _UNIT.fullmatch(part)
        if not match or not 0 < int(match[2]) < 100:
            lost.append(part)
            continue
        before, after = match[1].upper(), match[4].upper()
        side = before if before in ("L", "R") else after
        name = f"AU{int(match[2]):02d}{side}"
        if name not in known:
            known.append(name)
    return tuple(known), tuple(lost)

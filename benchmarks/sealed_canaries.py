"""How often a matcher that moves a score gets away with it: what canaries catch, by layout.

    python benchmarks/sealed_canaries.py

The matcher is given all it could wish for: it knows which slots are canaries and which two of them cover the template whose
score it moves, and guesses the two weights as well as they can be guessed, once. What it must hit is the slack that noise,
rounding and sanitising need. No ciphertext is made here; `tests/gallery/sealed_store/test_roles.py` plays the same through the
key holder's own code.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from record import save

from mien.gallery.sealed.canaries import allowed, how_many, scales, weights
from mien.gallery.sealed.profiles import EVERY, Layout

OFFSETS = (0.03, 0.1, 0.3, 0.5)
GROUPS = 200  # keys tried, for each layout
GUESSES = 200  # for each key
LAYOUTS = [
    ("standard", 64),
    ("standard", 32),
    ("standard", 16),
    ("standard", 8),
    ("exact", 64),
    ("open-probe", 1),
    ("seal", 32),
]


def passed(name: str, block: int) -> dict[str, Any]:
    of, layout, rng = EVERY[name], Layout(512, block), np.random.default_rng(0)
    count = how_many(layout, of)
    silent, lucky = dict.fromkeys(OFFSETS, 0), dict.fromkeys(OFFSETS, 0)
    slacks = []
    for group in range(GROUPS):
        table = weights(b"some key", group, layout.slots, count)
        slack = allowed(table, scales(table), of, layout)
        slacks.append(float(slack.mean()))
        slot = int(rng.integers(layout.slots))
        own, room = table[:, slot], slack
        for offset in OFFSETS:
            silent[offset] += int((np.abs(own * offset) <= room).all())
            covers = np.flatnonzero(own)
            guess = rng.choice([-1, 1], (GUESSES, len(covers))) * 0.75  # the middle of either sign covers most
            lucky[offset] += int((np.abs((own[covers] - guess) * offset) <= room[covers]).all(axis=1).sum())
    return {
        "slots": layout.slots,
        "canaries": count,
        "slack of a sum, mean": round(float(np.mean(slacks)), 4),
        "unnoticed, canaries left alone": {str(offset): round(silent[offset] / GROUPS, 4) for offset in OFFSETS},
        "unnoticed, weights guessed": {str(offset): round(lucky[offset] / GROUPS / GUESSES, 4) for offset in OFFSETS},
    }


def main() -> None:
    results = {f"{name}, block {block}": passed(name, block) for name, block in LAYOUTS}
    print(save("sealed_canaries", results, sys.argv).read_text("utf8"))


if __name__ == "__main__":
    main()

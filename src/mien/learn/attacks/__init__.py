"""Photos to simulated presentations: bona fide, printed, replayed, cut and partial, all before the same simulated camera.

    simulate(pixels, kind, seed) -> Attack

One file per medium: `printed`, `replay`, `cut`. What they share: `scene`, `camera`, `draws`.

Everything made here is simulated and says so where it is written. Error rates on it say how a detector does on what this
program knows of instruments, not on instruments.
"""

from mien.learn.attacks.attack import BONA_FIDE, KINDS, MARK, PARTS, Attack, Kind, write
from mien.learn.attacks.simulate import simulate

__all__ = ["BONA_FIDE", "KINDS", "MARK", "PARTS", "Attack", "Kind", "simulate", "write"]

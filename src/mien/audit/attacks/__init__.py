"""Files of scores of attacks, morphs and protected templates to reports."""

from __future__ import annotations

from mien.audit.attacks.attack import Attack
from mien.audit.attacks.morph import Morph
from mien.audit.attacks.unlinkability import Unlinkability

__all__ = ["Attack", "Morph", "Unlinkability"]

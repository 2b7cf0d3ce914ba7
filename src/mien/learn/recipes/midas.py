"""Clips mixed in pairs, frame by frame with one weight, and their soft labels with them.

After MIDAS (arXiv 2503.00202, 2025): mixup (Zhang et al. 2018) for videos whose labels are shares of raters. Its network and
its settings are not in the abstract; the small network, the strength of mixing and the rates here are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from mien.learn.augment import lit, mixed, moved
from mien.learn.clip_recipe import GENTLE, ClipRecipe
from mien.learn.recipe import Batch


@dataclass(frozen=True, kw_only=True)
class Midas(ClipRecipe):
    """Expressions of clips, with shares as labels."""

    name = "midas"
    about = "Mixup of clips frame by frame on soft labels. After MIDAS, arXiv 2503.00202, 2025."
    intended = (
        "Clips of one face whose expression people disagree on: its shares are meant to be read, not its top one."
    )
    limits = (
        "It reads appearance, not what a person feels.",
        "Its shares are those of the raters of its training data.",
    )

    soft: bool = True  # shares of raters; False: the label alone
    mix: float = 0.4  # strength of mixing, of Beta(mix, mix); 0: none

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy with shares. Frames stand where a picture has channels, so a clip is moved and mixed as one."""
        y = batch["soft"] if self.soft else functional.one_hot(batch["truth"], len(self.labels)).float()
        x = lit(moved(batch["pixels"].squeeze(-1).float(), self.size, GENTLE))
        x, y = mixed(x, y, self.mix)
        return {"loss": functional.cross_entropy(net(x).float(), y)}

"""Live or attack, by one of three networks: MobileNetV2, ResNet-50 or a Vision Transformer, small enough for crops of 64 px.

After "Face spoofing detection using deep learning" (2025, arXiv 2503.19223, said to be withdrawn by its author), which
compares the three with ImageNet weights at 224 px on 150,986 pictures. Here weights are drawn, pictures are small, and
attacks are simulated from photos where the data hold none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

from mien.errors import UsageError
from mien.learn.attacks import BONA_FIDE, KINDS, Kind
from mien.learn.data.example import Dataset, Split
from mien.learn.nets.mobilenet import MobileNetV2
from mien.learn.nets.resnet import resnet50
from mien.learn.nets.vit import vit_tiny
from mien.learn.presentations import LABELS, presentations
from mien.learn.recipe import Arrays, Batch, Mouth, Recipe

NETS = ("mobilenet", "resnet", "vit")


@dataclass(frozen=True, kw_only=True)
class SpoofBackbones(Recipe):
    """Live or attack from grey crops."""

    name = "spoof_backbones"
    task = "liveness"
    about = "MobileNetV2, ResNet-50 or ViT for spoof detection. After arXiv 2503.19223 (2025), on simulated attacks."
    intended = "Comparing detectors of presentation attacks, and trying what they learn."
    limits = (
        "Trained on simulated attacks it knows what the simulation knows: it must not guard anything.",
        "It reads luminance only; colour, which real detectors use, is not looked at.",
        "Media that were not in training are often missed.",
    )

    epochs: int = 20
    batch: int = 16
    net: str = "mobilenet"  # one of NETS
    size: int = 64  # px
    media: str = "print+replay"  # of simulated attacks, joined by +
    rate: float = 0.002  # largest learning rate; one for all networks, tuned for none
    decay: float = 0.05  # weight decay
    drop: float = 0.2

    @property
    def labels(self) -> tuple[str, ...]:
        """As liveness judges have them."""
        return LABELS

    @property
    def mouth(self) -> Mouth:
        """Square crops."""
        return Mouth((self.size, self.size))

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The media that attacks are simulated by. Raises UsageError for one there is not."""
        wanted = self.media.split("+")
        for one in wanted:
            if one not in KINDS or one == BONA_FIDE:
                raise UsageError(f"There is no medium '{one}'.", f"Join some of {', '.join(KINDS[1:])} by +.")
        return cast(tuple[Kind, ...], tuple(wanted))

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Labelled presentations, or photos presented by `media`."""
        return presentations(source, split, self.kinds, self.size)

    def build(self) -> nn.Module:
        """Half as wide as published, the transformer an eighth and half as deep: 0.69, 5.89 and 0.69 M parameters."""
        if self.net == "mobilenet":
            return MobileNetV2(2, 0.5, channels=1, drop=self.drop)
        if self.net == "resnet":
            return resnet50(2, width=32, channels=1, drop=self.drop)
        if self.net == "vit":
            return vit_tiny(2, self.size, channels=1)
        raise UsageError(f"There is no network '{self.net}' here.", f"Choose among {', '.join(NETS)}.")

    def optimisers(self, net: nn.Module, steps: int) -> Sequence[tuple[Optimizer, LRScheduler | None]]:
        """One for all networks; nothing is decayed that has one dimension."""
        groups = [
            {"params": [p for p in net.parameters() if p.dim() > 1], "weight_decay": self.decay},
            {"params": [p for p in net.parameters() if p.dim() <= 1], "weight_decay": 0.0},
        ]
        optimiser = AdamW(groups, self.rate)
        return [(optimiser, LambdaLR(optimiser, lambda step: shape(step / max(1, steps))))]

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Cross-entropy over crops, half of them mirrored: other changes would touch what tells a medium."""
        x = scaled(batch["pixels"].permute(0, 3, 1, 2).float())
        mirrored = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
        x = torch.where(mirrored, x.flip(3), x)
        logits = net(x.contiguous(memory_format=torch.channels_last))
        return {"loss": functional.cross_entropy(logits.float(), batch["truth"])}

    def deployed(self, net: nn.Module) -> nn.Module:
        """The crop and its mirror image."""
        return Luminance(net)


class Luminance(nn.Module):
    """(n, h, w, 3) uint8 RGB crops to (n, classes) probabilities, mean over the crop and its mirror image."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("luma", torch.tensor((0.299, 0.587, 0.114)))  # ITU-R BT.601

    def forward(self, crops: Tensor) -> Tensor:
        """Logits are averaged before the softmax."""
        x = scaled((crops.float() @ self.luma).unsqueeze(1))  # type: ignore[operator]
        return torch.softmax((self.net(x) + self.net(x.flip(3))) / 2, 1)


def scaled(x: Tensor) -> Tensor:
    """Grey 0..255 to about -2..2. Not per picture: how bright and how flat a picture is belongs to what a medium does."""
    return (x - 127.5) / 64


def shape(done: float) -> float:
    """Share of the largest learning rate after a share of the training: up over a twentieth, then half a cosine down."""
    if done < 0.05:
        return max(0.02, done / 0.05)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (done - 0.05) / 0.95)))

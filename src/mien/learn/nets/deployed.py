"""Wrappers around a trained network that make the graph which is exported: raw bytes in, probabilities out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mien.learn.nets.small import standardised

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as the readers of grey pictures have it


class GreyPictures(nn.Module):
    """(n, h, w, 3) uint8 RGB crops to (n, classes) probabilities, mean over the crop and its mirror image."""

    def __init__(self, net: nn.Module, mirrored: bool = True) -> None:
        super().__init__()
        self.net = net
        self.mirrored = mirrored
        self.register_buffer("luma", torch.tensor(_LUMA))

    def forward(self, crops: Tensor) -> Tensor:
        """Logits are averaged before the softmax."""
        grey = standardised((crops.float() @ self.luma).unsqueeze(1))  # type: ignore[operator]
        logits = self.net(grey)
        if self.mirrored:
            logits = (logits + self.net(grey.flip(3))) / 2
        return torch.softmax(logits, 1)


class Calibrated(nn.Module):
    """Probabilities at another temperature: softmax(log p / T), which is softmax(logits / T) (Guo et al. 2017)."""

    def __init__(self, net: nn.Module, temperature: float) -> None:
        super().__init__()
        self.net = net
        self.temperature = float(temperature)

    def forward(self, crops: Tensor) -> Tensor:
        """As the network inside, tempered."""
        return torch.softmax(torch.log(self.net(crops).clamp_min(1e-12)) / self.temperature, 1)

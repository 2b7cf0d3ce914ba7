"""Pictures varied in batches, after the split, where the network runs. Every draw comes from torch's generator."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Geometry:
    """How far a picture is turned, scaled, moved and mirrored."""

    turn: float = 15.0  # degrees either way
    scale: tuple[float, float] = (0.8, 1.1)  # share of the picture that is seen
    move: float = 0.08  # share of the picture, either way
    mirror: float = 0.5  # probability


def moved(x: Tensor, size: int, how: Geometry) -> Tensor:
    """(n, c, h, w) to (n, c, size, size), each picture seen through its own similarity; edges are drawn out."""
    n = len(x)
    angle = (torch.rand(n, device=x.device) * 2 - 1) * (how.turn * torch.pi / 180)
    scale = torch.empty(n, device=x.device).uniform_(*how.scale)
    flip = torch.where(torch.rand(n, device=x.device) < how.mirror, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    shift = (torch.rand(n, 2, device=x.device) * 2 - 1) * (2 * how.move)
    matrix = torch.stack(
        [torch.stack([cos * flip, -sin, shift[:, 0]], 1), torch.stack([sin * flip, cos, shift[:, 1]], 1)], 1
    )
    grid = functional.affine_grid(matrix, [n, x.shape[1], size, size], align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def lit(x: Tensor, contrast: float = 0.3, brightness: float = 0.2) -> Tensor:
    """(n, c, h, w) of 0..255 under other light; clipped as a camera does."""
    n = len(x)
    factor = 1 + (torch.rand(n, 1, 1, 1, device=x.device) * 2 - 1) * contrast
    offset = (torch.rand(n, 1, 1, 1, device=x.device) * 2 - 1) * brightness * 255
    middle = x.mean((1, 2, 3), keepdim=True)
    return ((x - middle) * factor + middle + offset).clamp(0, 255)


def erased(x: Tensor, share: float = 0.5, side: tuple[float, float] = (0.15, 0.4)) -> Tensor:
    """(n, c, h, w) with one rectangle of zeros in a `share` of the pictures (Zhong et al. 2020, random erasing)."""
    n, _, height, width = x.shape
    tall, wide = (torch.empty(n, 1, device=x.device).uniform_(*side) for _ in range(2))
    top, left = (torch.rand(n, 1, device=x.device) * (1 - extent) for extent in (tall, wide))
    rows = (torch.arange(height, device=x.device) + 0.5) / height
    columns = (torch.arange(width, device=x.device) + 0.5) / width
    inside_rows = (rows >= top) & (rows < top + tall)
    inside_columns = (columns >= left) & (columns < left + wide)
    hole = inside_rows[:, :, None] & inside_columns[:, None, :]
    hole &= (torch.rand(n, device=x.device) < share)[:, None, None]
    return x.masked_fill(hole[:, None], 0.0)


def mixed(x: Tensor, y: Tensor, strength: float) -> tuple[Tensor, Tensor]:
    """Pairs blended with weights from Beta(strength, strength): (n, …) pictures, (n, classes) soft labels.

    Zhang et al. 2018, mixup; one partner and one weight per example. Strength 0 leaves both as they are."""
    if strength <= 0:
        return x, y
    share = torch.distributions.Beta(strength, strength).sample((len(x),)).to(x)
    partner = torch.randperm(len(x), device=x.device)
    weight = share.reshape(-1, *[1] * (x.dim() - 1))
    return weight * x + (1 - weight) * x[partner], share[:, None] * y + (1 - share[:, None]) * y[partner]

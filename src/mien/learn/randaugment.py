"""Random changes in batches, after Cubuk et al., RandAugment, CVPR Workshops 2020, for grey or colour crops of faces.

Two numbers: how many changes each picture gets, and how strong they are. The changes are the paper's but those that need
a histogram per picture (equalise) and those of colour; the direction of each is drawn. Every draw is from torch's generator.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

WARPS = ("turn", "shear x", "shear y", "move x", "move y")
TONES = ("contrast", "brightness", "stretch", "posterise", "solarise", "sharpness")
CHANGES = ("nothing", *WARPS, *TONES)
_FULL = {"turn": 30 * torch.pi / 180, "shear x": 0.3, "shear y": 0.3, "move x": 0.6, "move y": 0.6}  # at strength 1


def randaugment(x: Tensor, changes: int = 2, strength: float = 0.3) -> Tensor:
    """(n, c, h, w) of 0..255 to the same shape; each picture gets `changes` of CHANGES, one after the other.

    strength: 0 (warps do nothing) to 1."""
    for _ in range(changes):
        which = torch.randint(len(CHANGES), (len(x),), device=x.device)
        sign = torch.randint(2, (len(x),), device=x.device) * 2.0 - 1.0
        x = changed(x, which, strength * sign)
    return x


def changed(x: Tensor, which: Tensor, amount: Tensor) -> Tensor:
    """Each picture by its own change: which (n,) index of CHANGES, amount (n,) -1..1, whose sign is the direction."""
    warped = which.ge(1) & which.le(len(WARPS))
    x = x.clone()
    if bool(warped.any()):
        x[warped] = _warp(x[warped], which[warped], amount[warped])
    for number, name in enumerate(TONES, 1 + len(WARPS)):
        here = which == number
        if bool(here.any()):
            x[here] = _tone(x[here], name, amount[here].reshape(-1, 1, 1, 1)).clamp(0, 255)
    return x


def _warp(x: Tensor, which: Tensor, amount: Tensor) -> Tensor:
    by = {name: torch.where(which == CHANGES.index(name), amount * _FULL[name], 0.0) for name in WARPS}
    cos, sin = torch.cos(by["turn"]), torch.sin(by["turn"])
    rows = [
        torch.stack([cos, -sin + by["shear x"], by["move x"]], 1),
        torch.stack([sin + by["shear y"], cos, by["move y"]], 1),
    ]
    grid = functional.affine_grid(torch.stack(rows, 1), list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _tone(x: Tensor, name: str, amount: Tensor) -> Tensor:
    size = amount.abs()
    if name == "contrast":
        middle = x.mean((1, 2, 3), keepdim=True)
        return middle + (x - middle) * (1 + 0.9 * amount)
    if name == "brightness":
        return x * (1 + 0.9 * amount)
    if name == "stretch":  # from the darkest to the brightest
        low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
        return (x - low) * 255 / (high - low).clamp_min(1)
    if name == "posterise":
        step = 2 ** (1 + (5 * size).round())  # 7 to 2 bits are left
        return torch.floor(x / step) * step
    if name == "solarise":
        return torch.where(x >= 255 * (1 - size), 255 - x, x)
    blurred = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return x + (x - blurred) * amount * 2

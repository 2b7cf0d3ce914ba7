"""What several sampled clips of one video say of it, and where in it the label shows most."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from mien.learn.nets.clips import ClipNet
from mien.learn.recipe import Arrays


@dataclass(frozen=True, slots=True)
class Votes:
    """K sampled clips of n videos."""

    chances: Tensor  # (n, K, classes)
    features: Tensor  # (n, frames, length) of all frames, from which clips are sampled again at no cost

    @property
    def mean(self) -> Tensor:
        """(n, classes)"""
        return self.chances.mean(1)

    @property
    def ballots(self) -> Tensor:
        """(n, classes) share of the clips that say each class."""
        return functional.one_hot(self.chances.argmax(2), self.chances.shape[2]).float().mean(1)

    @property
    def mode(self) -> Tensor:
        """(n,) the class that most clips say; of equals the one with the larger mean."""
        return (self.ballots + 1e-3 * self.mean).argmax(1)

    @property
    def agreement(self) -> Tensor:
        """(n,) share of the clips that say it."""
        return self.ballots.amax(1)


def votes(net: ClipNet, data: Arrays, view: int, looks: int, batch: int = 64) -> Votes:
    """Each frame is encoded once; each of the K clips has one frame of every equal part of the video, drawn."""
    was = net.training
    net.eval()
    device = next(net.parameters()).device
    pixels = data.tensors["pixels"].squeeze(-1)
    with torch.no_grad():
        features = torch.cat([net.features(part.float().to(device)) for part in pixels.split(batch)])  # type: ignore[no-untyped-call]
        clips = [sampled(features, view) for _ in range(looks)]
        chances = torch.stack([torch.softmax(net.streams(one), 1) for one in clips], 1)
    net.train(was)
    return Votes(chances.float().cpu(), features)


def key_windows(net: ClipNet, found: Votes, label: Tensor, view: int) -> Tensor:
    """(n,) first frame of the `view` consecutive frames in which the label (n,) is most probable."""
    was = net.training
    net.eval()
    frames = found.features.shape[1]
    with torch.no_grad():
        chances = [
            torch.softmax(net.streams(found.features[:, first : first + view]), 1).cpu()
            for first in range(frames - view + 1)
        ]
    net.train(was)
    picked = label[:, None, None].expand(-1, len(chances), 1)
    return torch.stack(chances, 1).gather(2, picked).squeeze(2).argmax(1)


def sampled(x: Tensor, view: int) -> Tensor:
    """(n, frames, ...) to (n, view, ...): one frame of each of `view` equal parts, drawn for every video."""
    count, frames = x.shape[:2]
    edges = torch.arange(view, device=x.device) * frames / view
    places = (edges + torch.rand(count, view, device=x.device) * frames / view).long().clamp(max=frames - 1)
    return x[torch.arange(count, device=x.device)[:, None], places]


def windowed(x: Tensor, first: Tensor, view: int, chance: float) -> Tensor:
    """As `sampled`; with a chance the window of consecutive frames from `first` (n,) instead, where that is not -1."""
    drawn = sampled(x, view)
    if chance <= 0:
        return drawn
    rows = torch.arange(len(x), device=x.device)[:, None]
    window = x[rows, first.clamp(min=0)[:, None] + torch.arange(view, device=x.device)]
    keyed = (first >= 0) & (torch.rand(len(x), device=x.device) < chance)
    return torch.where(keyed.reshape(-1, *[1] * (x.dim() - 1)), window, drawn)

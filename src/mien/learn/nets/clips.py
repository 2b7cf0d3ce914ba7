"""Networks for clips: a small convolutional encoder of frames, and transformers over what it makes of them.

A frame's features stand beside their difference to the clip's mean, so that motion counts and who moves counts less.
`Streams` with groups has two sequence models: a short one within groups of frames, a long one over the groups
(after RDFER, arXiv 2502.16129); without, one over all frames.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.learn.nets.small import standardised

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


class Frames(nn.Module):
    """(n, 1, h, w) standardised grey to (n, length): three strided convolutions, nine places, one projection."""

    def __init__(self, width: int, length: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for after in (width, 2 * width, 4 * width):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.body = nn.Sequential(*layers)
        self.out = nn.Linear(9 * before, length)

    def forward(self, x: Tensor) -> Tensor:
        """Faces are aligned, so where something is counts: features keep a grid of 3 x 3 places."""
        held = self.body(x)
        side = held.shape[-1] // 3
        made: Tensor = self.out(functional.avg_pool2d(held[..., : 3 * side, : 3 * side], side).flatten(1))
        return made


class Attend(nn.Module):
    """One layer of a transformer over (n, t, length), normalised first, with learnt places."""

    def __init__(self, length: int, longest: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.places = nn.Parameter(0.02 * torch.randn(1, longest, length))
        self.before, self.between = nn.LayerNorm(length), nn.LayerNorm(length)
        self.asked, self.given = nn.Linear(length, 3 * length), nn.Linear(length, length)
        self.mixed = nn.Sequential(nn.Linear(length, 2 * length), nn.GELU(), nn.Linear(2 * length, length))

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        x = x + self.places[:, : x.shape[1]]
        q, k, v = self.asked(self.before(x)).chunk(3, 2)
        q, k, v = (one.unflatten(2, (self.heads, -1)).transpose(1, 2) for one in (q, k, v))
        seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.given(seen)
        mixed: Tensor = x + self.mixed(self.between(x))
        return mixed


class Streams(nn.Module):
    """(n, t, length) features of frames to (n, classes) logits. group 0: one stream; otherwise t is a multiple of it."""

    def __init__(self, classes: int, length: int, longest: int, group: int = 0, drop: float = 0.2) -> None:
        super().__init__()
        self.group = group
        self.join = nn.Linear(2 * length, length)
        self.long = Attend(length, longest)
        self.short = Attend(length, group) if group else None
        self.head = nn.Sequential(nn.Dropout(drop), nn.Linear((4 if group else 2) * length, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Mean and largest over time of each stream, then a linear classifier."""
        x = self.join(torch.cat([x, x - x.mean(1, keepdim=True)], 2))
        seen = []
        if self.short is not None:
            parts = x.unflatten(1, (-1, self.group))  # type: ignore[no-untyped-call]
            count = parts.shape[1]
            x = self.short(parts.flatten(0, 1)).mean(1).unflatten(0, (-1, count))
            seen += [x.mean(1), x.amax(1)]
        x = self.long(x)
        logits: Tensor = self.head(torch.cat([*seen, x.mean(1), x.amax(1)], 1))
        return logits


class ClipNet(nn.Module):
    """(n, t, h, w) grey 0..255 to (n, classes) logits; `features` and `streams` are its halves. Sides of 24 px and up."""

    def __init__(self, classes: int, frames: int, width: int = 8, length: int = 32, group: int = 0) -> None:
        super().__init__()
        self.encoder = Frames(width, length)
        self.streams = Streams(classes, length, frames, group)

    def features(self, x: Tensor) -> Tensor:
        """(n, t, h, w) to (n, t, length); frames do not see one another."""
        flat: Tensor = self.encoder(standardised(x.flatten(0, 1).unsqueeze(1)))
        made: Tensor = flat.unflatten(0, (-1, x.shape[1]))  # type: ignore[no-untyped-call]
        return made

    def forward(self, x: Tensor) -> Tensor:
        """Of one clip each."""
        logits: Tensor = self.streams(self.features(x))
        return logits


class GreyClips(nn.Module):
    """(n, t, h, w, 3) uint8 RGB to (n, classes) probabilities: logits averaged over `views` interleaved clips of each."""

    def __init__(self, net: ClipNet, views: int = 1) -> None:
        super().__init__()
        self.net, self.views = net, views
        self.register_buffer("luma", torch.tensor(_LUMA))

    def forward(self, clips: Tensor) -> Tensor:
        """View v holds every `views`-th frame from the v-th on; features of a frame are computed once."""
        found = self.net.features(clips.float() @ self.luma)  # type: ignore[operator]
        logits = [self.net.streams(found[:, view :: self.views]) for view in range(self.views)]
        return torch.softmax(torch.stack(logits).mean(0), 1)

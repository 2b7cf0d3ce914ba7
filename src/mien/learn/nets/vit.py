"""The Vision Transformer: a picture cut into patches, read as a sentence.

Dosovitskiy, Beyer, Kolesnikov et al., An image is worth 16x16 words, ICLR 2021; pre-norm blocks, a class token, learned
positions, GELU. ViT-B/16 with 1,000 classes has the published 86.57 M parameters (without the pre-logits layer, which the
paper drops when fine-tuning). Weights are drawn, never loaded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.errors import UsageError


class Attention(nn.Module):
    """Every token looks at every token, in several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.joint = nn.Linear(width, 3 * width)  # queries, keys, values
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        n, tokens, width = x.shape
        q, k, v = self.joint(x).reshape(n, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.out(seen.transpose(1, 2).reshape(n, tokens, width))
        return mixed


class Layer(nn.Module):
    """Attention, then two layers on each token by itself, each normalised before and added to what came in."""

    def __init__(self, width: int, heads: int, inside: int, drop: float) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(width, 1e-6), Attention(width, heads), nn.Dropout(drop))
        self.tokenwise = nn.Sequential(
            nn.LayerNorm(width, 1e-6), nn.Linear(width, inside), nn.GELU(), nn.Linear(inside, width), nn.Dropout(drop)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        x = x + self.attention(x)
        out: Tensor = x + self.tokenwise(x)
        return out


class ViT(nn.Module):
    """(n, channels, size, size) standardised pictures to (n, classes) logits. `features` stops before the classifier."""

    def __init__(
        self, classes: int, size: int, patch: int, shape: tuple[int, int, int], channels: int = 3, drop: float = 0.0
    ) -> None:
        """size, patch: px, of the square picture and of a patch. shape: width of a token, layers, heads.

        Raises UsageError when patches do not fill the picture or heads do not divide the width."""
        super().__init__()
        width, layers, heads = shape
        if size % patch or width % heads:
            raise UsageError(
                f"{patch} px patches cannot tile {size} px, or {heads} heads cannot share a width of {width}.",
                "Choose a patch that divides the size and heads that divide the width.",
            )
        self.length = width
        self.cut = nn.Conv2d(channels, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.place = nn.Parameter(torch.empty(1, 1 + (size // patch) ** 2, width).normal_(std=0.02))
        self.layers = nn.Sequential(*(Layer(width, heads, 4 * width, drop) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, 1e-6)
        self.head = nn.Linear(width, classes)
        self.apply(_start)
        fan_in = channels * patch**2
        nn.init.trunc_normal_(self.cut.weight, std=fan_in**-0.5)

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, size, size) to (n, length): the class token after the last layer."""
        patches = self.cut(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.token.expand(x.shape[0], -1, -1), patches], 1) + self.place
        read: Tensor = self.norm(self.layers(tokens))[:, 0]
        return read

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels, size, size) to (n, classes)."""
        logits: Tensor = self.head(self.features(x))
        return logits


def vit_b16(classes: int, size: int = 224) -> ViT:
    """86.57 M parameters at 1,000 classes and 224 px."""
    return ViT(classes, size, 16, (768, 12, 12))


def vit_tiny(classes: int, size: int = 64, patch: int = 8, *, channels: int = 3, drop: float = 0.0) -> ViT:
    """Half of DeiT-Ti in every direction: 96 wide, 6 layers, 3 heads; 0.7 M parameters."""
    return ViT(classes, size, patch, (96, 6, 3), channels, drop)


def _start(part: nn.Module) -> None:
    if isinstance(part, nn.Linear):
        nn.init.trunc_normal_(part.weight, std=0.02)
        nn.init.zeros_(part.bias)

"""In which order examples are seen: drawn from the seed and the epoch's number, and dealt out to processes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler


class Order(Sampler[list[int]]):
    """Batches of indices. All have one size; what is left over at the end of an epoch waits for another."""

    def __init__(self, count: int, batch: int, seed: int, weights: Tensor | None = None) -> None:
        self.count, self.batch, self.seed, self.weights = count, min(batch, count), seed, weights
        self.place(0, 0, 1)

    def place(self, epoch: int, rank: int, world: int) -> None:
        """Which epoch, and which of how many processes."""
        self.epoch, self.rank, self.world = epoch, rank, world

    def __len__(self) -> int:
        return max(1, self.count // (self.batch * self.world))

    def __iter__(self) -> Iterator[list[int]]:
        generator = torch.Generator().manual_seed(self.seed * 7_919 + self.epoch)
        if self.weights is None:
            drawn = torch.randperm(self.count, generator=generator)
        else:
            drawn = torch.multinomial(self.weights.double(), self.count, replacement=True, generator=generator)
        for step in range(len(self)):
            start = (step * self.world + self.rank) * self.batch
            yield drawn[start : start + self.batch].tolist()

"""Clips with doubtful labels: several samples of one video vote, and how far they agree tells hard videos from wrong labels.

After RDFER (Robust Dynamic Facial Expression Recognition, arXiv 2502.16129, 2025): prediction agreement, key-expression
re-sampling, and two sequence models. The abstract gives no formula; all of them here are ours. Per video, before each epoch
but the first ones, K samples vote. Where the vote is another class than the label, the label is disputed: with agreement it is
taken as noise and replaced by the mean vote, without it the video is taken as hard and counts more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mien.learn.augment import lit, moved
from mien.learn.clip_recipe import GENTLE, ClipRecipe
from mien.learn.data.example import Dataset, Split
from mien.learn.nets.clips import ClipNet, GreyClips
from mien.learn.recipe import Arrays, Batch
from mien.learn.votes import Votes, key_windows, votes, windowed


@dataclass(frozen=True, kw_only=True)
class Rdfer(ClipRecipe):
    """Expressions of videos from sampled clips, robust to wrong labels."""

    name = "rdfer"
    about = "Agreement of sampled clips, key clips, two sequence models. After RDFER, arXiv 2502.16129, 2025."
    intended = "Training on clips whose labels are partly wrong."
    limits = (
        "It reads appearance, not what a person feels.",
        "What most samples of a video agree on may be wrong together: it then unlearns a right label.",
    )

    view: int = 8  # of a sampled clip, a multiple of group; half of the frames or fewer
    looks: int = 6  # K, sampled clips that vote
    warm: float = 0.25  # share of the epochs before votes count
    judge: str = "agreement"  # "agreement" | "loss": every disputed label is noise | "none"
    agree: float = 0.8  # share of samples from which they agree
    hard: float = 1.5  # weight of a hard video
    key: float = 0.5  # chance that a clip is taken from the key window; 0: none is
    group: int = 2  # frames of the short stream; 0: one stream

    def data(self, source: Dataset, split: Split) -> Arrays:
        """Grey clips with room for what votes find."""
        return judged(super().data(source, split))

    def build(self) -> nn.Module:
        """A short and a long stream over convolutional features of frames."""
        return ClipNet(len(self.labels), self.view, self.width, self.length, self.group)

    def turned(self, net: nn.Module, data: Arrays, epoch: int) -> None:
        """Votes from scratch each epoch, so that a run which goes on is the run that was not stopped."""
        if epoch < self.warm * self.epochs or (self.judge == "none" and self.key <= 0):
            return
        assert isinstance(net, ClipNet)
        found = votes(net, data, self.view, self.looks)
        if self.judge != "none":
            self._relabel(found, data)
        if self.key > 0:
            data.tensors["first"] = key_windows(net, found, data.tensors["target"].argmax(1), self.view)

    def _relabel(self, found: Votes, data: Arrays) -> None:
        disputed = found.mode != data.tensors["truth"]
        noisy = disputed if self.judge == "loss" else disputed & (found.agreement >= self.agree)
        given = functional.one_hot(data.tensors["truth"], len(self.labels)).float()
        data.tensors["target"] = torch.where(noisy[:, None], found.mean, given)
        data.tensors["weight"] = torch.where(disputed & ~noisy, self.hard, 1.0)

    def losses(self, net: nn.Module, batch: Batch, turn: int) -> Mapping[str, Tensor]:
        """Weighted cross-entropy of one sampled clip per video."""
        x = batch["pixels"].squeeze(-1).float()
        x = lit(moved(windowed(x, batch["first"], self.view, self.key), self.size, GENTLE))
        each = functional.cross_entropy(net(x).float(), batch["target"], reduction="none")
        return {"loss": (batch["weight"] * each).sum() / batch["weight"].sum()}

    def deployed(self, net: nn.Module) -> nn.Module:
        """Interleaved clips that share the video's frames."""
        assert isinstance(net, ClipNet)
        return GreyClips(net, self.frames // self.view)


def judged(data: Arrays) -> Arrays:
    """The same examples with the targets, weights and key windows that votes change; -1: no window yet."""
    count = len(data)
    data.tensors["target"] = functional.one_hot(data.tensors["truth"], data.tensors["soft"].shape[1]).float()
    data.tensors["weight"] = torch.ones(count)
    data.tensors["first"] = torch.full((count,), -1)
    return data
